"""The backtest: the night's own decision at every close, filled at the next open, booked by vectorbt.

Over raw prices, with the splits and dividends that took place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from hrp.domain.commission import ibkr_fixed, to_cents
from hrp.domain.corporate_actions import ActionKind, CorporateAction
from hrp.domain.orders import OrderStatus
from hrp.domain.portfolio import Limits
from hrp.domain.sessions import SESSIONS_A_YEAR
from hrp.errors import DataError
from hrp.research.booking import Ledger, book
from hrp.research.nights import Commission, Decisions, History, Trade, trade_nights
from hrp.research.panel import Panel, make_panel


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """What vectorbt booked; money is float64 USD in whole cents, the index is `session` (datetime64).

    Args:
        equity, cash: at each close, the first session included.
        positions: whole shares held at each close, one column a symbol.
        orders: every order sent: session (whose close decided it), for_session (whose open it was meant for), symbol,
            side, quantity (shares), price (USD, NaN if it expired), commission (USD), status `filled` or `expired`.
        history: the same in exact numbers, with every plan, and what corporate actions did to the holdings.
        stats: see `backtest_stats`.
    """

    equity: pd.Series[float]
    cash: pd.Series[float]
    positions: pd.DataFrame
    orders: pd.DataFrame
    history: History
    stats: Mapping[str, float]


def run_backtest(
    weights: Mapping[date, Mapping[str, Decimal]],
    predictions: Mapping[date, Mapping[str, float]],
    opens: pd.DataFrame,
    closes: pd.DataFrame,
    *,
    cash: Decimal,
    limits: Limits,
    actions: Iterable[CorporateAction] = (),
    commission: Commission = ibkr_fixed,
    frozen: Mapping[date, Mapping[str, str]] | None = None,
    no_buys: Mapping[date, Mapping[str, str]] | None = None,
    collar_pct: Decimal | None = None,
    credit_usd: Decimal = Decimal(0),
) -> BacktestResult:
    """What the nightly trading would have done from `cash` USD on, by the same decision function.

    At the close of every session of `weights` that has a next one in the panel, `build_plan` turns equity (in cents,
    as the broker states it) into orders. They fill at the next open, sales first, or expire: without an open, or with
    an open beyond the collar. A holding without a close is valued at its last one.

    A dividend is credited at the open of its ex-session, on the shares held before. A split multiplies them there and
    pays for the fraction of a share at the last close; the night before leaves the name as it is.

    Args:
        weights, predictions: by session, then symbol; every session of `weights` has predictions.
        opens, closes: USD, index session, one column a symbol, NaN where it did not trade; every exchange session
            between the first and the last. Prices are raw: those at which a share traded then.
        actions: the splits and dividends of that time; none for prices that are adjusted for them.
        commission: USD of one order, from shares and price.
        frozen, no_buys, collar_pct: as in `PlanInputs`, by session where they are mappings.
        credit_usd: how far cash may fall below zero, without interest, when purchases open dearer than they closed
            or the sale that was to pay for them expired. It never sizes an order.

    Raises:
        DataError: the panel or the keys are wrong, an order could not be paid, or vectorbt and the loop disagree.
    """
    panel = make_panel(opens, closes, actions)
    decisions = Decisions(weights, predictions, limits, frozen or {}, no_buys or {}, collar_pct)
    _check(decisions, panel, cash, credit_usd)
    history = trade_nights(panel, decisions, cash, commission)
    ledger = book(panel, history, float(cash), float(credit_usd))
    return BacktestResult(
        equity=ledger.equity.round(2).rename("equity"),
        cash=ledger.cash.round(2).rename("cash"),
        positions=ledger.shares.round().astype(np.int64).rename_axis(columns="symbol"),
        orders=_orders_frame(history.trades),
        history=history,
        stats=backtest_stats(ledger, float(cash)) | _counts(history, ledger),
    )


def backtest_stats(ledger: Ledger, cash: float) -> dict[str, float]:
    """The figures of a backtest that began with `cash` USD, by vectorbt; fractions unless the name says otherwise.

    Returns:
        total_return, annual_return, annual_volatility, max_drawdown (positive): from session returns, 252 a year.
        sharpe: mean over standard deviation (one degree of freedom) of session returns, times √252, risk-free 0.
        win_rate: share of closed round trips that gained after commissions; NaN without one.
        turnover_a_year: half of the value traded, over mean equity, for a year of 252 sessions.
        commissions_usd: their sum.
    """
    equity, orders = ledger.equity, ledger.portfolio.orders.values
    before = np.concatenate([[cash], equity.to_numpy()[:-1]])
    returns = (equity / before - 1).vbt.returns(freq="1D", year_freq=f"{SESSIONS_A_YEAR}D")
    return {
        "total_return": float(returns.total()),
        "annual_return": float(returns.annualized()),
        "annual_volatility": float(returns.annualized_volatility()),
        "sharpe": float(returns.sharpe_ratio()),
        "max_drawdown": abs(float(returns.max_drawdown())),
        "win_rate": float(ledger.portfolio.trades.win_rate()),
        "turnover_a_year": float(orders["size"] @ orders["price"] / 2 / equity.mean() * SESSIONS_A_YEAR / len(equity)),
        "commissions_usd": round(float(orders["fees"].clip(min=0).sum()), 2),
    }


def _counts(history: History, ledger: Ledger) -> dict[str, float]:
    expired = sum(trade.price is None for trade in history.trades)
    dividends = (payout.cash for payout in history.payouts if payout.action.kind is ActionKind.DIVIDEND)
    return {
        "orders_filled": float(len(history.trades) - expired),
        "orders_expired": float(expired),
        "dividends_usd": float(sum(dividends)),
        "lowest_cash_usd": round(float(ledger.cash.min()), 2),
    }


def _check(decisions: Decisions, panel: Panel, cash: Decimal, credit_usd: Decimal) -> None:
    if not cash.is_finite() or cash <= 0 or cash != to_cents(cash):
        raise DataError(f"a backtest starts with a positive number of whole cents, got cash={cash}")
    if not credit_usd >= 0:
        raise DataError(f"credit_usd is at least 0, got {credit_usd}")
    for name in ("weights", "frozen", "no_buys"):
        outside = sorted(set(getattr(decisions, name)) - set(panel.sessions))
        if outside:
            raise DataError(
                f"{name} has session {outside[0]}, which is not among the prices of {panel.sessions[0]} to "
                f"{panel.sessions[-1]}; give prices for every session that decides"
            )
    silent = sorted(set(decisions.weights) - set(decisions.predictions))
    if silent:
        raise DataError(f"session {silent[0]} has weights and no predictions; give both for the same sessions")


def _orders_frame(trades: Sequence[Trade]) -> pd.DataFrame:
    orders = [trade.order for trade in trades]
    status = [OrderStatus.EXPIRED if trade.price is None else OrderStatus.FILLED for trade in trades]
    return pd.DataFrame(
        {
            "session": _days([order.session for order in orders]),
            "for_session": _days([trade.session for trade in trades]),
            "symbol": pd.Series([order.symbol for order in orders], dtype="str"),
            "side": pd.Series([order.side.value for order in orders], dtype="str"),
            "quantity": np.array([order.quantity for order in orders], dtype=np.int64),
            "price": np.array([np.nan if trade.price is None else float(trade.price) for trade in trades]),
            "commission": np.array([float(trade.commission) for trade in trades]),
            "status": pd.Series([kind.value for kind in status], dtype="str"),
        }
    )


def _days(days: Sequence[date | None]) -> Any:
    return np.array(days, dtype="datetime64[us]")
