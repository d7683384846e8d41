"""How the paper account followed the backtest: differences in cents and shares (pure)."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from hrp.domain.commission import to_cents
from hrp.domain.sessions import SESSIONS_A_YEAR
from hrp.errors import DataError


def compare_equity(paper: pd.Series[float], backtest: pd.Series[float]) -> pd.DataFrame:
    """Per session of either series: paper_cents, backtest_cents and difference_cents (paper less backtest).

    Args:
        paper, backtest: USD as Decimal or float64, index session; equity or cash, both of the same kind.

    Returns:
        Index session (datetime64), nullable integers; what stands in only one series leaves the others <NA>.

    Raises:
        DataError: a session stands twice or an amount is not a finite number.
    """
    cents = {"paper_cents": _cents(paper, "paper"), "backtest_cents": _cents(backtest, "backtest")}
    both = pd.concat(cents, axis=1, sort=True).rename_axis("session")
    return both.assign(difference_cents=both["paper_cents"] - both["backtest_cents"])


def compare_positions(paper: pd.DataFrame, backtest: pd.DataFrame) -> pd.DataFrame:
    """The (session, symbol) whose shares differ: columns session, symbol, paper, backtest (shares); empty if equal.

    Both frames are [session × symbol]; a name that has no column or no value is not held. Only sessions that both
    have are compared: `compare_equity` shows the others.
    """
    held = {name: _long(frame) for name, frame in (("paper", paper), ("backtest", backtest))}
    both = pd.concat(held, axis=1, sort=True).fillna(0)
    common = set(_days(paper.index)) & set(_days(backtest.index))
    both = both[both.index.get_level_values("session").isin(common)]
    return both[both["paper"] != both["backtest"]].reset_index()


def tracking_summary(comparison: pd.DataFrame) -> dict[str, float]:
    """What a table of `compare_equity` amounts to.

    Returns:
        sessions: how many both have. sessions_missing: how many only one has. sessions_apart: how many differ.
        largest_difference_usd: in absolute terms. final_difference_usd: paper less backtest in the last common session.
        tracking_error: standard deviation of the difference in session returns, a fraction a year of 252 sessions.
    """
    both = comparison.dropna().astype(np.int64)
    gap = both["difference_cents"]
    returns = both[["paper_cents", "backtest_cents"]].pct_change().iloc[1:]
    apart = returns["paper_cents"] - returns["backtest_cents"]
    return {
        "sessions": float(len(both)),
        "sessions_missing": float(len(comparison) - len(both)),
        "sessions_apart": float((gap != 0).sum()),
        "largest_difference_usd": float(gap.abs().max()) / 100,
        "final_difference_usd": float(gap.iloc[-1]) / 100 if len(gap) else float("nan"),
        "tracking_error": float(apart.std() * np.sqrt(SESSIONS_A_YEAR)),
    }


def _cents(amounts: pd.Series[float], name: str) -> pd.Series[int]:
    index = _days(amounts.index)
    if not index.is_unique:
        raise DataError(f"{name} has session {index[index.duplicated()][0]:%Y-%m-%d} twice; keep one amount a session")
    exact = [Decimal(str(amount)) for amount in amounts]
    for session, amount in zip(index, exact, strict=True):
        if not amount.is_finite():
            raise DataError(f"{name} has {amount} in session {session:%Y-%m-%d}; an amount is a finite number")
    return pd.Series([int(to_cents(amount) * 100) for amount in exact], index=index, dtype="Int64")


def _long(positions: pd.DataFrame) -> pd.Series[float]:
    """Shares that are held, by (session, symbol)."""
    days = _days(positions.index).rename("session")
    long = positions.set_axis(days, axis=0).melt(var_name="symbol", value_name="shares", ignore_index=False)
    shares = long.set_index("symbol", append=True)["shares"].astype(np.float64)
    return shares[shares.notna() & (shares != 0)]


def _days(index: pd.Index) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(index).as_unit("us")
