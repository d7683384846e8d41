"""What became of the orders without an answer: looked for twice, and lost only by proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hrp.domain.lost import why_not_lost
from hrp.domain.orders import SENDABLE, Order, OrderStatus
from hrp.domain.positions import BrokerState
from hrp.domain.reconcile import Transition
from hrp.execution.lives import Lives
from hrp.execution.window import Window
from hrp.ports import Broker

Book = Callable[[BrokerState], Mapping[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Settlement:
    """The newest state; for each order whose fate stays unknown the reason, by reference; what expired."""

    state: BrokerState
    doubts: Mapping[str, str]
    expired: Sequence[Order]


def settle(broker: Broker, lives: Lives, book: Book, window: Window) -> Settlement:
    """Reconcile, and decide of each order without an answer whether it is lost; see `OrderManager.settle`."""
    looks, held = _look(broker, lives, book, [])
    doubts = _doubts(broker, lives, looks, held)
    if lives.waiting - doubts.keys():
        broker.reopen()
        looks, held = _look(broker, lives, book, looks)
        doubts = _doubts(broker, lives, looks, held)
        for ref in sorted(lives.waiting - doubts.keys()):
            lives.record(Transition(ref, OrderStatus.LOST, _evidence_of_loss(lives.orders[ref], looks)))
    return Settlement(looks[-1], doubts, _expire(lives, window, looks[-1].at))


def _look(
    broker: Broker, lives: Lives, book: Book, before: Sequence[BrokerState]
) -> tuple[list[BrokerState], Mapping[str, Decimal]]:
    state = broker.state()
    held = book(state)  # first: an order called filled must have its executions
    lives.follow(state)
    return [*before, state], held


def _doubts(broker: Broker, lives: Lives, looks: Sequence[BrokerState], held: Mapping[str, Decimal]) -> dict[str, str]:
    """Of the orders without an answer, those that may be at the broker after all, each with the reason."""
    known = list(lives.orders.values())
    reasons = {
        ref: why_not_lost(lives.orders[ref], looks, broker.client_id, held, known) for ref in sorted(lives.waiting)
    }
    return {ref: reason for ref, reason in reasons.items() if reason}


def _expire(lives: Lives, window: Window, now: datetime) -> list[Order]:
    """End the orders that were never sent, or never arrived, and that are too late now."""
    late = [order for order in lives.orders.values() if order.status in SENDABLE and now >= window(order)[1]]
    for order in late:
        evidence = f"not at the broker, and its time to be sent ended at {window(order)[1]:%Y-%m-%d %H:%M} UTC"
        lives.record(Transition(order.order_ref, OrderStatus.EXPIRED, evidence))
    return [lives.orders[order.order_ref] for order in late]


def _evidence_of_loss(order: Order, looks: Sequence[BrokerState]) -> str:
    times = " and ".join(f"{look.at:%H:%M:%S}" for look in looks)
    return (
        f"attempt {order.attempt}, id {order.broker_order_id} of client {order.client_id}: in no list of the broker at "
        f"{times} UTC of the day it was sent, and the position is what the ledger's executions make it"
    )
