"""What a session's open and close do to the orders that wait for them."""

from __future__ import annotations

from hrp.gateway.books import Books
from hrp.gateway.clock import Event, EventKind
from hrp.gateway.exchange import ends_at_close, ends_at_open, in_turn, price_at_open, price_in_session
from hrp.gateway.orders import Outcome, activate, cancel, fill
from hrp.gateway.records import Order

NOT_OPENED = "Not filled at the open"
EXPIRED = "Expired at the close"


def happen(books: Books, event: Event) -> Outcome:
    """Set the clock to `event` and do what it does; the caller makes it one transaction."""
    books.ledger.set_clock(event.at)
    act = _at_open if event.kind is EventKind.OPEN else _at_close
    outcome = Outcome()
    for order in in_turn(books.ledger.working_orders()):
        if order.session <= event.session:
            outcome += act(books, event, order)
    if event.kind is EventKind.CLOSE:
        books.ledger.save_equity(event.session, books.valuation().net_liquidation)
    return outcome


def _at_open(books: Books, event: Event, order: Order) -> Outcome:
    active, outcome = activate(books, order)
    bar = books.market.bar(order.instrument.symbol, event.session)
    price = price_at_open(active, bar.open if bar else None)
    if price is not None:
        return outcome + fill(books, active, price, event.session)
    return outcome + cancel(books, active, NOT_OPENED) if ends_at_open(active) else outcome


def _at_close(books: Books, event: Event, order: Order) -> Outcome:
    price = price_in_session(order, books.market.bar(order.instrument.symbol, event.session))
    if price is not None:
        return fill(books, order, price, event.session)
    return cancel(books, order, EXPIRED) if ends_at_close(order) else Outcome()
