"""vectorbt as the second bookkeeper: the same trades and payouts, booked by a program that is not ours.

vectorbt knows neither splits nor dividends, and it multiplies where a broker rounds to cents. So:

- shares are counted in shares of the panel's last session: one of an earlier session stands for as many as the splits
  since have made of it, at so much less each;
- the fraction of a share that a split leaves is a sale for the cash that was paid;
- dividends are the (negative) fee of an order for a token worth next to nothing, in a column of their own;
- prices are what the cents imply, for every trade and every holding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from vectorbt.portfolio.enums import OrderStatus as VbtStatus
from vectorbt.portfolio.enums import OrderStatusInfo as VbtReason

from hrp.domain.corporate_actions import ActionKind
from hrp.errors import DataError
from hrp.research.nights import Close, History, Payout
from hrp.research.panel import Floats, Panel

TOLERANCE_USD = 0.005
_TOKEN = "dividends"
_NEXT_TO_NOTHING = 1e-9  # USD: vectorbt wants a price


@dataclass(frozen=True, slots=True)
class Ledger:
    """What vectorbt booked: USD at each close, and real shares [session × symbol]."""

    portfolio: Any
    equity: pd.Series[float]
    cash: pd.Series[float]
    shares: pd.DataFrame


def book(panel: Panel, history: History, cash: float, credit: float) -> Ledger:
    """`history` as vectorbt books it, from `cash` USD and `credit` USD that may be overdrawn.

    Raises:
        DataError: there was not enough money for an order, or the two books disagree.
    """
    units = _units(panel)
    portfolio = _portfolio(panel, history, units, cash + credit)
    _require_filled(portfolio, panel, units)
    shares = portfolio.assets()[list(panel.columns)] / units
    ledger = Ledger(portfolio, portfolio.value() - credit, portfolio.cash() - credit, shares)
    require_agreement("equity", np.array([float(close.equity) for close in history.closes]), ledger.equity)
    require_agreement("cash", np.array([float(close.book.cash) for close in history.closes]), ledger.cash)
    require_agreement("shares", _shares(panel, history.closes), ledger.shares)
    return ledger


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


def session_index(sessions: Sequence[date]) -> pd.DatetimeIndex:
    """`sessions` as the index of a frame."""
    return pd.DatetimeIndex(np.array(sessions, dtype="datetime64[us]"), name="session")


def _units(panel: Panel) -> Floats:
    """Shares of the last session that one share of each session stands for [session × symbol]."""
    units = np.ones(panel.closes.shape)
    now = dict.fromkeys(panel.columns, Fraction(1))
    for row in reversed(range(len(panel.sessions))):
        units[row] = [float(unit) for unit in now.values()]
        for action in panel.actions.get(panel.sessions[row], ()):
            if action.kind is ActionKind.SPLIT:
                now[action.symbol] *= action.ratio
    return units


def _portfolio(panel: Panel, history: History, units: Floats, cash: float) -> Any:
    shape = (len(panel.sessions), len(panel.columns) + 1)
    size, price, fees = np.full(shape, np.nan), np.full(shape, _NEXT_TO_NOTHING), np.zeros(shape)
    rows = {session: row for row, session in enumerate(panel.sessions)}
    for trade in history.trades:
        if trade.price is not None:
            at = rows[trade.session], panel.columns[trade.order.symbol]
            size[at] = trade.order.signed_quantity * units[at]
            price[at] = float(trade.value / trade.order.quantity) / units[at]
            fees[at] = float(trade.commission)
    for payout in history.payouts:
        row, column = rows[payout.action.ex_session], panel.columns[payout.action.symbol]
        if payout.action.kind is ActionKind.DIVIDEND:
            size[row, -1] = 1.0
            fees[row, -1] -= float(payout.cash)
        elif fraction := _fraction(payout) * units[row, column]:
            size[row, column] = -fraction
            price[row, column] = max(float(payout.cash), _NEXT_TO_NOTHING) / fraction
    return vbt.Portfolio.from_orders(
        _closes(panel, history.closes, units),
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
        max_logs=size.size,
        freq="1D",
    )


def _fraction(payout: Payout) -> float:
    """New shares that a split left over and the broker paid for."""
    return float(Fraction(payout.before) * payout.action.ratio - Fraction(payout.after))


def _closes(panel: Panel, nights: Sequence[Close], units: Floats) -> pd.DataFrame:
    marks = np.nan_to_num(panel.marks, nan=1.0)  # before its first close nothing is held; vectorbt wants a number
    for row, night in enumerate(nights):
        for symbol, value in night.values.items():
            marks[row, panel.columns[symbol]] = float(value / night.book.held[symbol])
    token = np.full((len(marks), 1), _NEXT_TO_NOTHING)
    names = [*panel.columns, _TOKEN]  # the last column is the token's, also where a symbol has its name
    return pd.DataFrame(np.hstack([marks / units, token]), index=session_index(panel.sessions), columns=names)


def _require_filled(portfolio: Any, panel: Panel, units: Floats) -> None:
    """vectorbt raises nothing for an order that it does not fill; its log tells."""
    log = portfolio.logs.values
    lost = log[log["res_status"] != VbtStatus.Filled]
    if not len(lost):
        return
    first = min(lost, key=lambda record: (record["idx"], record["col"]))
    symbol, session = [*panel.columns, _TOKEN][first["col"]], panel.sessions[first["idx"]]
    unit = np.column_stack([units, np.ones(len(units))])[first["idx"], first["col"]]
    raise DataError(
        f"{len(lost)} of {len(log)} orders could not be filled; the first at the open of {session}: "
        f"{first['req_size'] / unit:+.0f} {symbol} at {first['req_price'] * unit:.2f} USD with {first['cash']:.2f} USD "
        f"of cash ({VbtReason._fields[first['res_status_info']]}); raise min_cash_pct, or allow an overdraft by "
        "credit_usd"
    )


def _shares(panel: Panel, nights: Sequence[Close]) -> Floats:
    shares = np.zeros(panel.closes.shape)
    for row, night in enumerate(nights):
        for symbol, count in night.book.held.items():
            shares[row, panel.columns[symbol]] = float(count)
    return shares
