"""What trading costs, and what would be left of a backtest if it cost more or less (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hrp.domain.sessions import SESSIONS_A_YEAR

if TYPE_CHECKING:
    from hrp.research.backtest import BacktestResult

SLIPPAGE = 0.0005  # of the value traded: half a spread of ten basis points


def equity_at(result: BacktestResult, multiple: float) -> pd.Series[float]:
    """The equity (USD, index session) of a backtest if trading had cost `multiple` times what it costs.

    The cost of a trade is its commission and `SLIPPAGE` of its value. The trades stay the same, so that the figures of
    several multiples differ by nothing but costs.
    """
    filled = result.orders[result.orders["status"] == "filled"]
    value = filled["quantity"] * filled["price"]
    paid = pd.DataFrame({"commission": filled["commission"], "cost": filled["commission"] + SLIPPAGE * value})
    by_session = paid.groupby(filled["for_session"]).sum().reindex(result.equity.index, fill_value=0.0).cumsum()
    at: pd.Series[float] = result.equity + by_session["commission"] - multiple * by_session["cost"]
    return at


def annual_return(equity: pd.Series[float]) -> float:
    """The yearly growth, a fraction, of an equity curve over sessions, 252 of them a year; -1 if it was lost."""
    growth = equity.iloc[-1] / equity.iloc[0]
    return float(growth ** (SESSIONS_A_YEAR / max(len(equity) - 1, 1)) - 1) if growth > 0 else -1.0
