"""What happens to a working order, and what its client is told: it becomes active, trades, ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from hrp.gateway import orderreplies as says
from hrp.gateway.books import Books, Routed
from hrp.gateway.exchange import book
from hrp.gateway.records import Execution, Instrument, Order, Status
from hrp.gateway.replies import error
from hrp.gateway.wire import Fields

CANCELLED = 202
_PRICE_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened: messages to send, how many fills, how many orders ended with a rest unfilled, and what traded."""

    routed: Sequence[Routed] = ()
    fills: int = 0
    ended: int = 0
    traded: frozenset[Instrument] = frozenset()

    def __add__(self, other: Outcome) -> Outcome:
        messages, traded = (*self.routed, *other.routed), self.traded | other.traded
        return Outcome(messages, self.fills + other.fills, self.ended + other.ended, traded)


def routed(client_id: int, *messages: Fields) -> list[Routed]:
    """`messages` for one client."""
    return [Routed(client_id, message) for message in messages]


def acknowledgement(books: Books, order: Order) -> list[Routed]:
    """The order as it stands, and its status."""
    return routed(order.client_id, says.open_order(books.account, order), says.order_status(order))


def activate(books: Books, order: Order) -> tuple[Order, Outcome]:
    """Bring a waiting order to the exchange: the order after it, and what happened."""
    if order.status is Status.SUBMITTED:
        return order, Outcome()
    active = replace(order, status=Status.SUBMITTED)
    books.ledger.save_order(active)
    return active, Outcome(acknowledgement(books, active))


def cancel(books: Books, order: Order, reason: str) -> Outcome:
    """End a working order; what it traded stands."""
    ended = replace(order, status=Status.CANCELLED, ended_at=books.now, reason=reason)
    books.ledger.save_order(ended)
    notice = error(order.order_id, CANCELLED, f"Order Canceled - reason:{reason}")
    return Outcome(routed(order.client_id, says.order_status(ended), notice), ended=1)


def trade(books: Books, order: Order, price: Decimal, session: date) -> tuple[Order, Outcome]:
    """Trade what the volume of `session` allows of `order` at `price` USD: the order after it, and what happened.

    Execution, cash, holding and order are changed together.
    """
    quantity = books.tradable(order, session)
    if not quantity:
        return order, Outcome()
    ledger = books.ledger
    after, commission = _traded(books, order, quantity, price, session)
    booking = book(ledger.holding(order.instrument), order.side, quantity, price, commission)
    execution = Execution(
        exec_id=ledger.next_exec_id(),
        perm_id=order.perm_id,
        client_id=order.client_id,
        order_id=order.order_id,
        instrument=order.instrument,
        side=order.side,
        quantity=quantity,
        price=price,
        commission=commission,
        realized=booking.realized,
        order_ref=order.order_ref,
        at=books.now,
        session=session,
        cumulative=after.filled,
        average_price=after.average_price,
    )
    ledger.save_order(after)
    ledger.save_execution(execution)
    ledger.save_holding(booking.holding)
    ledger.add_cash(booking.cash_change)
    return after, Outcome(_fill_messages(books, after, execution), fills=1, traded=frozenset([order.instrument]))


def _traded(books: Books, order: Order, quantity: int, price: Decimal, session: date) -> tuple[Order, Decimal]:
    """`order` after it traded `quantity` shares more, and the commission in USD that they add to it."""
    before = books.ledger.fills_of(order) if order.filled else []
    parts = [(fill.quantity, fill.price) for fill in before] + [(quantity, price)]
    # An order that persists overnight counts as a new one.
    today = [(fill.quantity, fill.price) for fill in before if fill.session == session] + [(quantity, price)]
    charged = sum((fill.commission for fill in before if fill.session == session), Decimal("0.00"))
    due = books.commission(sum(shares for shares, _ in today), _value(today), session)
    filled = order.filled + quantity
    is_done = filled == order.quantity
    after = replace(
        order,
        status=Status.FILLED if is_done else order.status,
        filled=filled,
        average_price=round(_value(parts) / filled, _PRICE_DECIMALS) if before else price,
        last_price=price,
        commission=(order.commission or Decimal("0.00")) + due - charged,
        ended_at=books.now if is_done else None,
    )
    return after, due - charged


def _value(parts: Sequence[tuple[int, Decimal]]) -> Decimal:
    return sum((shares * price for shares, price in parts), Decimal(0))


def _fill_messages(books: Books, order: Order, execution: Execution) -> list[Routed]:
    status = says.order_status(order)
    paid = says.open_order(books.account, order, commission=order.commission or 0, commission_currency="USD")
    return routed(
        order.client_id,
        says.exec_details(books.account, execution),
        says.open_order(books.account, order),
        status,
        paid,
        status,
        says.commission_report(execution),
    )
