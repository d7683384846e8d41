"""Whether an order without an answer can be proven never to have reached the broker, and how often it may be sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from hrp.domain.orders import Order
from hrp.domain.positions import BrokerState
from hrp.domain.sessions import exchange_day


def why_not_lost(
    order: Order,
    looks: Sequence[BrokerState],
    client_id: int,
    book: Mapping[str, Decimal],
    ledger_orders: Iterable[Order],
) -> str:
    """The first reason why `order` may be at the broker after all, in words; empty if it is proven lost.

    An order that is proven lost may be sent again; one that is not waits for a person.

    Args:
        order: one that was being sent, or whose fate is unknown.
        looks: complete states, each of a connection of its own, with a time of grace in between.
        client_id: of the connection that looked; the broker shows every client, the ids belong to one.
        book: shares by symbol that the account must hold by the ledger: baseline, executions, adjustments.
        ledger_orders: every order that the ledger knows, to tell what else explains the broker's records.
    """
    known = {name for one in ledger_orders for name in (one.order_ref, one.perm_id) if name}
    doubts = (doubt for state in looks for doubt in _doubts(order, state, client_id, book, known))
    return next(doubts, "")


def _doubts(
    order: Order, state: BrokerState, client_id: int, book: Mapping[str, Decimal], known: set[str | int]
) -> Iterator[str]:
    if order.perm_id is not None:
        yield f"the broker had given it the permanent id {order.perm_id}"
    if order.sending_at is None or order.client_id is None:
        yield "it is not written down when and by which client it was sent"
    elif order.client_id != client_id:
        yield f"client {order.client_id} sent it and client {client_id} is looking for it"
    elif exchange_day(order.sending_at) != exchange_day(state.at):
        sent_on, today = exchange_day(order.sending_at), exchange_day(state.at)
        yield (
            f"it was sent on {sent_on} in New York and there it is {today}: the broker no longer lists what ended that "
            "day"
        )
    held, expected = state.held().get(order.symbol, Decimal(0)), book.get(order.symbol, Decimal(0))
    if held != expected:
        yield f"the broker holds {held} {order.symbol}, by the ledger's executions it should be {expected}"
    for record in state.records():
        if record.order_ref == order.order_ref:
            yield f"the broker lists it (permanent id {record.perm_id})"
        elif record.symbol == order.symbol and known.isdisjoint({record.order_ref, record.perm_id}):
            yield (
                f"an order that the ledger does not explain is about {order.symbol} too (permanent id "
                f"{record.perm_id}, reference {record.order_ref or 'none'})"
            )


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be sent for one session, whatever the broker's state is taken for.

    `attempts` of one order; `sends` of all orders together, lost ones too. `shares` and `prices` are of the plan: the
    signed change of each symbol, and USD a share; without them (None) no plan is held against the orders.
    """

    attempts: int = 3
    sends: int = 1000
    shares: Mapping[str, Decimal] | None = None
    prices: Mapping[str, Decimal] = field(default_factory=dict)

    def exceeded_by(self, order: Order, ledger_orders: Iterable[Order]) -> str:
        """The bound that sending `order` once more would break, as `key=value`; empty if none.

        Counted is what the ledger says was sent, never what the broker shows: an error in reading the broker's state
        can then not go round in a circle.

        Args:
            ledger_orders: of the session, as they stand, `order` among them.
        """
        if order.attempt >= self.attempts:
            return f"attempts={order.attempt}, limit={self.attempts}"
        sent = [one for one in ledger_orders if one.attempt and one.session == order.session]
        sends = sum(one.attempt for one in sent)
        if sends >= self.sends:
            return f"sends={sends}, limit={self.sends}"
        if self.shares is None:
            return ""
        return self._beyond_plan(order, [one for one in sent if one.plan_hash == order.plan_hash], self.shares)

    def _beyond_plan(self, order: Order, sent: Sequence[Order], planned: Mapping[str, Decimal]) -> str:
        change: dict[str, Decimal] = {order.symbol: Decimal(order.signed_quantity)}
        notional = self._value(order, 1)
        for one in sent:
            standing = one.attempt - one.lost
            change[one.symbol] = change.get(one.symbol, Decimal(0)) + standing * one.signed_quantity
            notional += self._value(one, standing)
        limit = planned.get(order.symbol, Decimal(0))
        if not min(limit, Decimal(0)) <= change[order.symbol] <= max(limit, Decimal(0)):
            return f"shares={change[order.symbol]} {order.symbol}, planned={limit}"
        most = sum(
            (abs(shares) * self.prices.get(symbol, Decimal(0)) for symbol, shares in planned.items()), Decimal(0)
        )
        return f"notional={notional:.2f} USD, planned={most:.2f} USD" if notional > most else ""

    def _value(self, order: Order, times: int) -> Decimal:
        return times * order.quantity * self.prices.get(order.symbol, Decimal(0))
