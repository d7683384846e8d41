"""Night after night over stored raw prices: companies act, orders fill, the session closes, the night decides.

Pure, and exact to the cent. Actions are booked as the broker books them: at the open of the ex-session, before anything
trades, on what was held at the close before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from hrp.domain.book import Book
from hrp.domain.commission import to_cents
from hrp.domain.corporate_actions import (
    ActionKind,
    CorporateAction,
    after_split,
    frozen_by_splits,
    paid_in_lieu,
    splits_on,
)
from hrp.domain.orders import Order, OrderSide
from hrp.domain.plan import Plan
from hrp.domain.portfolio import Limits
from hrp.domain.rebalance import PlanInputs, build_plan
from hrp.research.panel import Panel

Commission = Callable[[int, Decimal], Decimal]

ACCOUNT = "BACKTEST"
STRATEGY = "backtest"


@dataclass(frozen=True, slots=True)
class Decisions:
    """Everything that decides besides prices and the book, keyed by the session whose close decides."""

    weights: Mapping[date, Mapping[str, Decimal]]
    predictions: Mapping[date, Mapping[str, float]]
    limits: Limits
    frozen: Mapping[date, Mapping[str, str]] = field(default_factory=dict)
    no_buys: Mapping[date, Mapping[str, str]] = field(default_factory=dict)
    collar_pct: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """An order at the open of `session`; its price and commission in USD, None and 0 if it expired there."""

    order: Order
    session: date
    price: Decimal | None
    commission: Decimal = Decimal(0)

    @property
    def value(self) -> Decimal:
        """USD in whole cents that change hands for the shares, 0 if it expired."""
        return Decimal(0) if self.price is None else to_cents(self.order.quantity * self.price)


@dataclass(frozen=True, slots=True)
class Payout:
    """What `action` did at the open of its ex-session: shares `before` and `after`, and `cash` in USD."""

    action: CorporateAction
    before: Decimal
    after: Decimal
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Close:
    """The account at the close of a session; `values` are USD in whole cents, by symbol held."""

    session: date
    book: Book
    values: Mapping[str, Decimal]

    @property
    def equity(self) -> Decimal:
        """Cash and holdings in USD, as a broker states net liquidation: a sum of whole cents."""
        return self.book.cash + sum(self.values.values(), Decimal(0))


@dataclass(frozen=True, slots=True)
class History:
    """Every order with what became of it, every action on a holding, every plan, and the account at every close."""

    trades: list[Trade] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    closes: list[Close] = field(default_factory=list)


def trade_nights(panel: Panel, decisions: Decisions, cash: Decimal, commission: Commission) -> History:
    """What happens from `cash` USD on.

    Nothing is known before its time: a decision sees the closes of its own session and what was held then, and of the
    actions to come only the splits that its orders would meet.
    """
    history = History()
    book, sent = Book(cash, {}), tuple[Order, ...]()
    for row, session in enumerate(panel.sessions):
        book, payouts = _acted(panel, row, book)
        opens = panel.prices(panel.opens, row, [order.symbol for order in sent])
        for symbol in splits_on(panel.actions.get(session, ()), session):
            opens.pop(symbol, None)  # the broker ends every order in a name that splits
        filled = [_at_open(order, session, opens.get(order.symbol), commission) for order in sent]
        book = _settled(book, filled)
        marks = panel.prices(panel.marks, row, book.held)
        close = Close(session, book, {symbol: to_cents(book.held[symbol] * marks[symbol]) for symbol in book.held})
        history.payouts.extend(payouts)
        history.trades.extend(filled)
        history.closes.append(close)
        plan = _decide(panel, row, decisions, close) if session in decisions.weights else None
        history.plans.extend([plan] if plan else [])
        sent = plan.orders if plan else ()
    return history


def _acted(panel: Panel, row: int, book: Book) -> tuple[Book, list[Payout]]:
    """The book after the corporate actions of a session."""
    cash, held, payouts = book.cash, dict(book.held), []
    for action in panel.actions.get(panel.sessions[row], ()):
        before = held.get(action.symbol, Decimal(0))
        if not before:
            continue
        after, paid = before, to_cents(before * action.value)
        if action.kind is ActionKind.SPLIT:
            last = panel.prices(panel.marks, row - 1, [action.symbol])[action.symbol]
            after, _ = after_split(before, action)
            paid = paid_in_lieu(before, replace(action, close_before=last)) or Decimal(0)
        cash, held[action.symbol] = cash + paid, after
        payouts.append(Payout(action, before, after, paid))
    return Book(cash, {symbol: shares for symbol, shares in held.items() if shares}), payouts


def _decide(panel: Panel, row: int, decisions: Decisions, close: Close) -> Plan | None:
    """The plan for the next session; none at the end of the panel."""
    session, book, weights = close.session, close.book, decisions.weights[close.session]
    if row + 1 == len(panel.sessions):
        return None
    following = panel.sessions[row + 1]
    inputs = PlanInputs(
        session=session,
        for_session=following,
        account=ACCOUNT,
        strategy=STRATEGY,
        equity=close.equity,
        cash=book.cash,
        weights=weights,
        predictions=decisions.predictions[session],
        prices=panel.prices(panel.closes, row, {*weights, *book.held}),
        held=book.held,
        frozen={
            **frozen_by_splits(panel.actions.get(following, ()), following),
            **decisions.frozen.get(session, {}),
        },
        no_buys=decisions.no_buys.get(session, {}),
        collar_pct=decisions.collar_pct,
    )
    return build_plan(inputs, decisions.limits)


def _at_open(order: Order, session: date, opening: Decimal | None, commission: Commission) -> Trade:
    """The auction: all shares at the opening price, or nothing without one or beyond the limit."""
    if opening is None or _is_beyond(order, opening):
        return Trade(order, session, None)
    return Trade(order, session, opening, commission(order.quantity, opening))


def _is_beyond(order: Order, opening: Decimal) -> bool:
    if order.limit_price is None:
        return False
    return opening > order.limit_price if order.side is OrderSide.BUY else opening < order.limit_price


def _settled(book: Book, trades: Iterable[Trade]) -> Book:
    """The book after `trades`, each value in whole cents, as a broker books it."""
    cash, held = book.cash, dict(book.held)
    for trade in trades:
        if trade.price is not None:
            order = trade.order
            cash -= trade.commission + (trade.value if order.side is OrderSide.BUY else -trade.value)
            held[order.symbol] = held.get(order.symbol, Decimal(0)) + order.signed_quantity
    return Book(cash, {symbol: shares for symbol, shares in held.items() if shares})
