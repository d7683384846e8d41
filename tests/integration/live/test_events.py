"""The stream of events about an order, in the order in which the client library lets them out."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from hrp.domain.orders import Order
from hrp.execution.broker import IBKRBroker
from hrp.execution.translate import said

from .desk import Desk, trade
from .venue import SESSIONS, Venue, evening, on_commission

WORKING = {"PreSubmitted", "Submitted"}


class Listener:
    """Writes down what arrives about each order: the kind of the event, and the broker's status or the execution's id.

    Statuses that the client library makes up are not the broker's: ib_async calls an order that is held overnight a
    `ValidationError`.
    """

    def __init__(self, broker: IBKRBroker) -> None:
        self._heard: list[tuple[str, str, str]] = []
        api = broker._proven().ib
        api.openOrderEvent += lambda trade: self._note(trade, "order", said(trade))
        api.orderStatusEvent += lambda trade: self._note(trade, "status", said(trade))
        api.execDetailsEvent += lambda trade, fill: self._note(trade, "execution", fill.execution.execId)
        on_commission(broker, lambda fields: self._heard.append((fields[2], "commission", fields[2])))

    def _note(self, trade: Any, kind: str, what: str) -> None:
        self._heard.append((trade.order.orderRef, kind, what))

    def about(self, order: Order) -> list[tuple[str, str]]:
        """What was heard of `order` and its executions until now."""
        executions = {what for ref, kind, what in self._heard if (ref, kind) == (order.order_ref, "execution")}
        return [(kind, what) for about, kind, what in self._heard if about in {order.order_ref, *executions}]


def only(kind: str, heard: list[tuple[str, str]]) -> list[str]:
    return [what for one, what in heard if one == kind]


def test_an_order_works_before_it_is_cancelled_and_nothing_follows(venue: Venue, desk: Desk):
    with venue.broker() as broker:
        listener = Listener(broker)
        order, _ = desk.place(broker)
        [working] = desk.own(broker.state()).working
        broker.cancel(working)
        broker.server_time()  # whatever was sent before this answer has arrived

    heard = listener.about(order)
    *before, last = (status for status, _ in groupby(only("status", heard)))
    assert WORKING & set(before)
    assert set(before) <= {"PendingSubmit", *WORKING, "PendingCancel"}
    assert last in ("Cancelled", "ApiCancelled")
    assert only("execution", heard) == only("commission", heard) == []


def test_a_fill_is_acknowledged_executed_and_then_paid_for(stage: Venue):
    with stage.broker() as broker:
        listener = Listener(broker)
        order = trade(stage, broker, "AAPL", 10)
        acknowledged = listener.about(order)
        stage.advance(evening(SESSIONS[1]))
        broker.server_time()

    assert acknowledged
    assert set(only("status", acknowledged)) <= WORKING
    heard = listener.about(order)
    [execution] = only("execution", heard)
    assert only("commission", heard) == [execution]
    kinds, statuses = [kind for kind, _ in heard], only("status", heard)
    assert kinds.index("execution") < heard.index(("status", "Filled")) < kinds.index("commission")
    assert set(statuses[statuses.index("Filled") :]) == {"Filled"}
