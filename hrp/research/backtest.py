"""The backtest: the night's own decision at every close, filled at the next open, booked by vectorbt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from vectorbt.portfolio.enums import OrderStatus as VbtStatus
from vectorbt.portfolio.enums import OrderStatusInfo as VbtReason

from hrp.domain.commission import ibkr_fixed, to_cents
from hrp.domain.orders import OrderStatus
from hrp.domain.portfolio import Limits
from hrp.errors import DataError
from hrp.research.nights import Close, Commission, Decisions, Trade, trade_nights
from hrp.research.panel import Floats, Panel, make_panel

SESSIONS_A_YEAR = 252
TOLERANCE_USD = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """What vectorbt booked; money is float64 USD in whole cents, the index is `session` (datetime64).

    Args:
        equity, cash: at each close, the first session included.
        positions: whole shares held at each close, one column a symbol.
        orders: every order sent: session (whose close decided it), for_session (whose open it was meant for), symbol,
            side, quantity (shares), price (USD, NaN if it expired), commission (USD), status `filled` or `expired`.
        stats: see `backtest_stats`.
    """

    equity: pd.Series[float]
    cash: pd.Series[float]
    positions: pd.DataFrame
    orders: pd.DataFrame
    stats: Mapping[str, float]


def run_backtest(
    weights: Mapping[date, Mapping[str, Decimal]],
    predictions: Mapping[date, Mapping[str, float]],
    opens: pd.DataFrame,
    closes: pd.DataFrame,
    *,
    cash: Decimal,
    limits: Limits,
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

    Args:
        weights, predictions: by session, then symbol; every session of `weights` has predictions.
        opens, closes: USD, index session, one column a symbol, NaN where it did not trade; every exchange session
            between the first and the last. Prices are taken as they are: nothing adjusts for splits or dividends.
        commission: USD of one order, from shares and price.
        frozen, no_buys, collar_pct: as in `PlanInputs`, by session where they are mappings.
        credit_usd: how far cash may fall below zero, without interest, when purchases open dearer than they closed
            or the sale that was to pay for them expired. It never sizes an order.

    Raises:
        DataError: the panel or the keys are wrong, an order could not be paid, or vectorbt and the loop disagree.
    """
    panel = make_panel(opens, closes)
    decisions = Decisions(weights, predictions, limits, frozen or {}, no_buys or {}, collar_pct)
    _check(decisions, panel, cash, credit_usd)
    trades, nights = trade_nights(panel, decisions, cash, commission)
    portfolio = _book_with_vectorbt(panel, trades, nights, float(cash + credit_usd))
    _require_filled(portfolio, panel)
    equity, money = portfolio.value() - float(credit_usd), portfolio.cash() - float(credit_usd)
    require_agreement("equity", np.array([float(night.equity) for night in nights]), equity)
    require_agreement("cash", np.array([float(night.book.cash) for night in nights]), money)
    require_agreement("shares", _shares(panel, nights), portfolio.assets())
    return BacktestResult(
        equity=equity.round(2).rename("equity"),
        cash=money.round(2).rename("cash"),
        positions=portfolio.assets().round().astype(np.int64).rename_axis(columns="symbol"),
        orders=_orders_frame(trades),
        stats=backtest_stats(portfolio, equity, float(cash)) | _counts(trades, money),
    )


def backtest_stats(portfolio: Any, equity: pd.Series[float], cash: float) -> dict[str, float]:
    """The figures of a backtest that began with `cash` USD, by vectorbt; fractions unless the name says otherwise.

    Returns:
        total_return, annual_return, annual_volatility, max_drawdown (positive): from session returns, 252 a year.
        sharpe: mean over standard deviation (one degree of freedom) of session returns, times √252, risk-free 0.
        win_rate: share of closed round trips that gained after commissions; NaN without one.
        turnover_a_year: half of the value traded, over mean equity, for a year of 252 sessions.
        commissions_usd: their sum.
    """
    before = np.concatenate([[cash], equity.to_numpy()[:-1]])
    returns = (equity / before - 1).vbt.returns(freq="1D", year_freq=f"{SESSIONS_A_YEAR}D")
    orders = portfolio.orders.values
    return {
        "total_return": float(returns.total()),
        "annual_return": float(returns.annualized()),
        "annual_volatility": float(returns.annualized_volatility()),
        "sharpe": float(returns.sharpe_ratio()),
        "max_drawdown": abs(float(returns.max_drawdown())),
        "win_rate": float(portfolio.trades.win_rate()),
        "turnover_a_year": float(orders["size"] @ orders["price"] / 2 / equity.mean() * SESSIONS_A_YEAR / len(equity)),
        "commissions_usd": round(float(orders["fees"].sum()), 2),
    }


def _counts(trades: Sequence[Trade], money: pd.Series[float]) -> dict[str, float]:
    expired = sum(trade.price is None for trade in trades)
    return {
        "orders_filled": float(len(trades) - expired),
        "orders_expired": float(expired),
        "lowest_cash_usd": round(float(money.min()), 2),
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


def _book_with_vectorbt(panel: Panel, trades: Sequence[Trade], nights: Sequence[Close], cash: float) -> Any:
    """The same orders in vectorbt, which multiplies where a broker rounds to cents.

    So it is given the price a share that the cents imply, for every trade and every holding.
    """
    size = np.full(panel.opens.shape, np.nan)
    price, fees = panel.opens.copy(), np.zeros(panel.opens.shape)
    closes = np.nan_to_num(panel.marks, nan=1.0)  # before its first close nothing is held; vectorbt wants a number
    rows = {session: row for row, session in enumerate(panel.sessions)}
    for trade in trades:
        if trade.price is not None:
            at = rows[trade.session], panel.columns[trade.order.symbol]
            size[at] = trade.order.signed_quantity
            price[at] = float(trade.value / trade.order.quantity)
            fees[at] = float(trade.commission)
    for row, night in enumerate(nights):
        for symbol, value in night.values.items():
            closes[row, panel.columns[symbol]] = float(value / night.book.held[symbol])
    return vbt.Portfolio.from_orders(
        pd.DataFrame(closes, index=_index(panel.sessions), columns=list(panel.columns)),
        size=size,
        size_type="amount",
        direction="longonly",
        price=price,
        fixed_fees=fees,
        init_cash=cash,
        cash_sharing=True,
        group_by=True,
        call_seq="auto",
        allow_partial=False,  # else a purchase beyond cash shrinks silently
        log=~np.isnan(size),
        max_logs=len(trades),
        freq="1D",
    )


def _require_filled(portfolio: Any, panel: Panel) -> None:
    """vectorbt raises nothing for an order that it does not fill; its log tells."""
    log = portfolio.logs.values
    lost = log[log["res_status"] != VbtStatus.Filled]
    if not len(lost):
        return
    first = min(lost, key=lambda record: (record["idx"], record["col"]))
    symbol, session = list(panel.columns)[first["col"]], panel.sessions[first["idx"]]
    raise DataError(
        f"{len(lost)} of {len(log)} orders could not be filled; the first at the open of {session}: "
        f"{first['req_size']:+.0f} {symbol} at {first['req_price']:.2f} USD with {first['cash']:.2f} USD of cash "
        f"({VbtReason._fields[first['res_status_info']]}); raise min_cash_pct, or allow an overdraft by credit_usd"
    )


def require_agreement(what: str, ours: Floats, theirs: pd.Series[float] | pd.DataFrame) -> None:
    """Two bookkeepers, one account: `ours` and `theirs`, both by session, may differ by less than half a cent.

    Raises:
        DataError: they differ; the message names the first session and both amounts.
    """
    wrong = np.argwhere(~(np.abs(ours - theirs.to_numpy()) < TOLERANCE_USD))
    if len(wrong):
        at = tuple(wrong[0])
        raise DataError(
            f"{what} in {theirs.index[at[0]]:%Y-%m-%d} is {ours[at]:.4f} by the loop and "
            f"{theirs.to_numpy()[at]:.4f} by vectorbt; no backtest is reported while its two books disagree"
        )


def _shares(panel: Panel, nights: Sequence[Close]) -> Floats:
    shares = np.zeros(panel.closes.shape)
    for row, night in enumerate(nights):
        for symbol, count in night.book.held.items():
            shares[row, panel.columns[symbol]] = float(count)
    return shares


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


def _index(sessions: Sequence[date]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(_days(sessions), name="session")
