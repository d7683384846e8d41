"""What the passing of time does: sessions open and close, companies act, orders expire."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from hrp.domain.corporate_actions import ActionKind
from hrp.gateway.actions import Action, dividend_of, split
from hrp.gateway.books import Books
from hrp.gateway.clock import Event, EventKind, events_between, exchange_day
from hrp.gateway.exchange import ends_at_close, ends_at_open, in_turn, price_at_close, price_at_open
from hrp.gateway.records import Order
from hrp.gateway.trades import Outcome, activate, cancel, trade

NOT_OPENED = "Not filled at the open"
EXPIRED = "Expired at the close"
TIME_IS_UP = "Good till date reached"
SPLIT = "Cancelled because of a corporate action"
_SEQUENCE = (EventKind.OPEN, EventKind.CLOSE, EventKind.EXPIRY)


def events_until(books: Books, end: datetime) -> list[Event]:
    """Every open, close and expiry after the clock and not after `end`, in order."""
    expiries = [Event(at, exchange_day(at), EventKind.EXPIRY) for at in books.ledger.expiries(end)]
    events = [*events_between(books.now, end), *expiries]
    return sorted(events, key=lambda event: (event.at, _SEQUENCE.index(event.kind)))


def happen(books: Books, event: Event) -> Outcome:
    """Set the clock to `event` and do what it does; the caller makes it one transaction."""
    books.ledger.set_clock(event.at)
    match event.kind:
        case EventKind.OPEN:
            acted = sum((_take_place(books, action) for action in books.market.actions(event.session)), Outcome())
            return sum((_at_open(books, event, order) for order in _due(books, event)), acted)
        case EventKind.CLOSE:
            outcome = sum((_at_close(books, event, order) for order in _due(books, event)), Outcome())
            books.ledger.save_equity(event.session, books.valuation().net_liquidation)
            return outcome
    ending = [order for order in books.ledger.working_orders() if order.good_till and order.good_till <= event.at]
    return sum((cancel(books, order, TIME_IS_UP) for order in ending), Outcome())


def _due(books: Books, event: Event) -> list[Order]:
    return in_turn(order for order in books.ledger.working_orders() if order.session <= event.session)


def _at_open(books: Books, event: Event, order: Order) -> Outcome:
    active, outcome = activate(books, order)
    bar = books.market.bar(order.instrument.symbol, event.session)
    price = price_at_open(active, bar.open if bar else None)
    if price is not None:
        active, traded = trade(books, active, price, event.session)
        outcome += traded
    is_over = active.status.is_working and ends_at_open(active)
    return outcome + cancel(books, active, NOT_OPENED) if is_over else outcome


def _at_close(books: Books, event: Event, order: Order) -> Outcome:
    outcome = Outcome()
    price = price_at_close(order, books.market.bar(order.instrument.symbol, event.session))
    if price is not None:
        order, outcome = trade(books, order, price, event.session)
    is_over = order.status.is_working and ends_at_close(order)
    return outcome + cancel(books, order, EXPIRED) if is_over else outcome


def _take_place(books: Books, action: Action) -> Outcome:
    """Do to holding, cash and orders what `action` does to them. Orders name old shares: a split ends them all."""
    ledger = books.ledger
    before = ledger.holding(ledger.instrument(action.symbol))
    after, cash, outcome = before, Decimal("0.00"), Outcome()
    if action.kind is ActionKind.DIVIDEND:
        cash = dividend_of(before, action)
    else:
        orders = [order for order in ledger.working_orders() if order.instrument == before.instrument]
        outcome = sum((cancel(books, order, SPLIT) for order in orders), outcome)
        after, cash = split(before, action, books.view.last_close(action.symbol) or Decimal(0))
        ledger.save_holding(after)
    if before.quantity:
        ledger.add_cash(cash)
        ledger.save_action(action, before, after, cash)
    return outcome
