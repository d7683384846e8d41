"""Night after night over stored prices: open, fill, close, decide. Pure, and exact to the cent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from hrp.domain.book import Book
from hrp.domain.commission import to_cents
from hrp.domain.orders import Order, OrderSide
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
class Close:
    """The account at the close of a session; `values` are USD in whole cents, by symbol held."""

    session: date
    book: Book
    values: Mapping[str, Decimal]

    @property
    def equity(self) -> Decimal:
        """Cash and holdings in USD, as a broker states net liquidation: a sum of whole cents."""
        return self.book.cash + sum(self.values.values(), Decimal(0))


def trade_nights(
    panel: Panel, decisions: Decisions, cash: Decimal, commission: Commission
) -> tuple[list[Trade], list[Close]]:
    """Every order that was sent with what became of it, and the account at every close.

    Nothing is known before its time: a decision sees the closes of its own session and what was held then.
    """
    trades: list[Trade] = []
    closes: list[Close] = []
    book, sent = Book(cash, {}), tuple[Order, ...]()
    for row, session in enumerate(panel.sessions):
        opens = panel.prices(panel.opens, row, [order.symbol for order in sent])
        filled = [_at_open(order, session, opens.get(order.symbol), commission) for order in sent]
        book = _settled(book, filled)
        marks = panel.prices(panel.marks, row, book.held)
        close = Close(session, book, {symbol: to_cents(book.held[symbol] * marks[symbol]) for symbol in book.held})
        trades.extend(filled)
        closes.append(close)
        sent = _decide(panel, row, decisions, close) if session in decisions.weights else ()
    return trades, closes


def _decide(panel: Panel, row: int, decisions: Decisions, close: Close) -> tuple[Order, ...]:
    """The plan's orders for the next session; none at the end of the panel."""
    session, book, weights = close.session, close.book, decisions.weights[close.session]
    if row + 1 == len(panel.sessions):
        return ()
    inputs = PlanInputs(
        session=session,
        for_session=panel.sessions[row + 1],
        account=ACCOUNT,
        strategy=STRATEGY,
        equity=close.equity,
        cash=book.cash,
        weights=weights,
        predictions=decisions.predictions[session],
        prices=panel.prices(panel.closes, row, {*weights, *book.held}),
        held=book.held,
        frozen=decisions.frozen.get(session, {}),
        no_buys=decisions.no_buys.get(session, {}),
        collar_pct=decisions.collar_pct,
    )
    return build_plan(inputs, decisions.limits).orders


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
