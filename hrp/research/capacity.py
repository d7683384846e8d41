"""What a portfolio of weights trades, what that costs, and how much money it has room for (pure).

For ideas that are still frames of weights, before they have orders. Weights [session × symbol] are fractions of
equity, decided at the close of their session and set at the next open; what is missing is not held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrp.domain.sessions import SESSIONS_A_YEAR
from hrp.errors import DataError
from hrp.research.frictions import SLIPPAGE

VOLUME_SESSIONS = 21


@dataclass(frozen=True, slots=True, eq=False)
class Rebalancing:
    """What became of weights from one fill to the next, by the session that decided.

    `trades` are the changes of weight [session × symbol], fractions of equity at the fill, after prices have moved the
    weights before; `earned` is the return without costs until the next fill, 0 for the last decision.
    """

    trades: pd.DataFrame
    earned: pd.Series[float]

    @property
    def turnover(self) -> pd.Series[float]:
        """Half of what is bought and sold, a fraction of equity; the first session builds the portfolio."""
        return self.trades.abs().sum(axis="columns") / 2


def rebalance(weights: pd.DataFrame, opens: pd.DataFrame) -> Rebalancing:
    """What setting `weights` at the next opens trades and earns.

    Args:
        weights: any ascending sessions of `opens`, such as one in five.
        opens: USD, index every session, one column a symbol. A name that does not open is filled, and valued, at its
            open before.

    Raises:
        DataError: a name or session has no opens.
    """
    if unknown := sorted(set(weights.columns) - set(opens.columns)):
        raise DataError(
            f"{unknown[0]} has weights and no opens ({len(unknown)} such names); give prices for every name"
        )
    held = weights.fillna(0.0)
    fills = opens[weights.columns].ffill().shift(-1).loc[weights.index]
    growth = (fills.shift(-1) / fills - 1).fillna(0.0)
    earned = (held * growth).sum(axis="columns")
    moved = (held * (1 + growth)).div(1 + earned, axis="index")
    return Rebalancing(held - moved.shift(1).fillna(0.0), earned)


def cost_sensitivity(
    done: Rebalancing, multiples: Sequence[float] = (0, 1, 2, 5), cost_pct: float = SLIPPAGE
) -> pd.DataFrame:
    """What is left of the earnings of daily weights if trading costs a multiple of `cost_pct` of the value traded.

    Returns:
        Index `multiple`; annual_return (compounded), annual_volatility, sharpe (risk-free 0) and turnover_a_year, of
        years of 252 sessions. The turnover leaves out the first session, the costs do not.
    """
    turnover = done.turnover
    rows = []
    for multiple in multiples:
        net = done.earned - 2 * turnover * cost_pct * multiple
        volatility = float(net.std() * np.sqrt(SESSIONS_A_YEAR))
        rows.append({
            "multiple": multiple,
            "annual_return": float(np.prod(1 + net.to_numpy()) ** (SESSIONS_A_YEAR / len(net)) - 1),
            "annual_volatility": volatility,
            "sharpe": float(net.mean() * SESSIONS_A_YEAR / volatility) if volatility > 0 else float("nan"),
            "turnover_a_year": float(turnover.iloc[1:].mean() * SESSIONS_A_YEAR),
        })  # fmt: skip
    return pd.DataFrame(rows).set_index("multiple")


def participation(done: Rebalancing, dollar_volume: pd.DataFrame, capital_usd: float) -> pd.DataFrame:
    """Each trade as a share of the name's average dollar volume, if `capital_usd` were traded; 0 where none is.

    Args:
        dollar_volume: USD traded [session × symbol], every session. The average is over the last `VOLUME_SESSIONS`
            sessions known when the trade is decided; a trade in a name without one has the share infinity.
    """
    traded = done.trades.abs() * capital_usd
    average = dollar_volume.rolling(VOLUME_SESSIONS, min_periods=1).mean().reindex_like(traded)
    return (traded / average.where(average > 0)).fillna(np.inf).where(traded > 0, 0.0)


def capacity_usd(done: Rebalancing, dollar_volume: pd.DataFrame, share: float = 0.01, covered: float = 0.95) -> float:
    """The capital (USD) up to which `covered` of the trades stay within `share` of average dollar volume.

    Raises:
        DataError: nothing is traded.
    """
    of_one_usd = participation(done, dollar_volume, 1.0).to_numpy()
    of_one_usd = of_one_usd[of_one_usd > 0]
    if not len(of_one_usd):
        raise DataError("the capacity of weights that trade nothing is not defined; give weights that change")
    return float(share / np.quantile(of_one_usd, covered, method="inverted_cdf"))
