"""Sending orders: reconcile first, write ahead, one at a time, and stop at the first one without an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from hrp.domain.orders import UNRESOLVED, Order, OrderSide, OrderStatus, OrderType, TimeInForce
from hrp.domain.positions import Acknowledgement, BrokerState, Instrument
from hrp.domain.reconcile import Transition, reconcile
from hrp.domain.sessions import close_at, open_at, previous_session
from hrp.errors import BrokerError, OrderError, SessionError, WrongAccountError
from hrp.execution.dry_run import NO_ORDER_ID
from hrp.ports import Broker, Clock, Ledger

__all__ = [
    "Order", "OrderManager", "OrderSide", "OrderStatus", "OrderType", "Outcome", "Submission", "Transition",
    "reconcile", "require_same_time", "sending_window",
]  # fmt: skip

OPENING_CUTOFF = timedelta(minutes=2)  # orders for the opening auction are taken until 09:28 New York
MAX_CLOCK_SKEW = timedelta(seconds=120)

Window = Callable[[Order], tuple[datetime, datetime]]


class Outcome(StrEnum):
    """What became of an attempt to send one order."""

    SUBMITTED = "SUBMITTED"
    REJECTED = "REJECTED"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"  # this order, or an earlier one that stands in its way, has no answer
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    ALREADY_SENT = "ALREADY_SENT"
    BROKER_LOST = "BROKER_LOST"
    DRY_RUN = "DRY_RUN"


@dataclass(frozen=True, slots=True)
class Submission:
    """One order after the attempt, with the reason in words; an order that was not sent keeps its status."""

    order: Order
    outcome: Outcome
    message: str


def sending_window(order: Order) -> tuple[datetime, datetime]:
    """The instants between which `order` may be sent, both excluded.

    From the close before the session it is meant for, to two minutes before that session's open for the auction, or
    to its close for an order of the day.

    Raises:
        OrderError: the order names no session.
        SessionError: it names a day without trading.
    """
    if order.for_session is None:
        raise OrderError(f"order {order.order_ref} names no session; set for_session")
    start = close_at(previous_session(order.for_session))
    if order.tif is TimeInForce.OPG:
        return start, open_at(order.for_session) - OPENING_CUTOFF
    return start, close_at(order.for_session)


def require_same_time(broker_at: datetime, host_at: datetime, most: timedelta = MAX_CLOCK_SKEW) -> None:
    """The two clocks differ by at most `most`.

    Raises:
        BrokerError: they do not.
    """
    if abs(broker_at - host_at) > most:
        raise BrokerError(
            f"host clock says {host_at:%Y-%m-%d %H:%M:%S} UTC, broker says {broker_at:%Y-%m-%d %H:%M:%S} UTC, at most "
            f"{most.total_seconds():.0f} s apart is allowed; set the host's clock"
        )


class OrderManager:
    """Sends orders through `broker` and writes each step into `ledger` before the next one is taken.

    Args:
        broker: connected.
        ledger: where the life of an order is written down.
        clock: the host's clock, held against the broker's before anything is sent.
        ledger_orders: every order that the ledger knows of the sessions that the broker can still show.
        window: when an order may be sent; asked with the broker's clock right before each send.
    """

    def __init__(
        self,
        broker: Broker,
        ledger: Ledger,
        clock: Clock,
        ledger_orders: Iterable[Order] = (),
        window: Window = sending_window,
    ) -> None:
        self._broker, self._ledger, self._clock, self._window = broker, ledger, clock, window
        self._orders = {order.order_ref: order for order in ledger_orders}
        self._account = ""

    def get_order(self, order_ref: str) -> Order | None:
        """The order as it stands now, or None if this manager has not seen it."""
        return self._orders.get(order_ref)

    def get_all_orders(self) -> list[Order]:
        """Every order that the ledger or this manager knows, as it stands now."""
        return list(self._orders.values())

    def reconcile(self, state: BrokerState | None = None) -> list[Transition]:
        """Bring the ledger in line with the broker's `state` (asked for afresh if not given); returns what changed.

        Raises:
            BrokerError: no complete state, or one that contradicts the ledger.
        """
        state = state or self._broker.state()
        steps = reconcile(state, self._orders.values())
        for step in steps:
            self._record(step)
        self._account = state.account.account
        return steps

    def submit_order(self, order: Order) -> Submission:
        """Send one order; see `submit_all`."""
        return self.submit_all([order])[0]

    def submit_all(self, orders: Sequence[Order]) -> list[Submission]:
        """Send `orders` one after the other, in the order given; one submission for each.

        Reconciles first unless that was done. The first order without an answer stops the batch. An order that the
        ledger holds as anything but planned is not sent again.

        Raises:
            BrokerError: the state is not complete, or the clocks differ.
            OrderError: an order has no reference, two have the same one, or the ledger holds it with other terms.
            WrongAccountError: an order is for another account.
        """
        _require_distinct_refs(orders)
        if not self._account:
            self.reconcile()
        if not orders:
            return []
        self._require_own(orders)
        require_same_time(self._broker.server_time(), self._clock.now())
        instruments = self._broker.qualify([order.symbol for order in orders])
        return [self._submit(order, instruments) for order in orders]

    def _require_own(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if order.account not in ("", self._account):
                raise WrongAccountError(
                    f"order {order.order_ref} is for account {order.account}, the broker serves {self._account}"
                )
            written = self._orders.get(order.order_ref, order)
            if _terms(written) != _terms(order):
                raise OrderError(
                    f"order {order.order_ref} is to be sent as {_terms(order)}, the ledger holds {_terms(written)}; "
                    "a new plan needs a new generation"
                )

    def _submit(self, order: Order, instruments: Mapping[str, Instrument]) -> Submission:
        order = self._orders.setdefault(order.order_ref, order)
        try:
            obstacle = self._obstacle(order, instruments)
            order_id = NO_ORDER_ID if obstacle else self._broker.next_order_id()
        except BrokerError as error:
            return Submission(order, Outcome.BROKER_LOST, str(error))
        if obstacle:
            return Submission(order, *obstacle)
        return self._send(order, instruments[order.symbol], order_id)

    def _obstacle(self, order: Order, instruments: Mapping[str, Instrument]) -> tuple[Outcome, str] | None:
        """The first reason not to send `order`, or None."""
        if order.status is not OrderStatus.PENDING and order.status not in UNRESOLVED:
            return Outcome.ALREADY_SENT, f"the ledger holds it as {order.status}"
        waiting = [known.order_ref for known in self._orders.values() if known.status in UNRESOLVED]
        if waiting:
            return Outcome.UNKNOWN_ORDER, (
                f"no answer is known for {', '.join(waiting)}; nothing is sent until the broker has said what became "
                "of it: look in TWS, then run: hrp run position-sync"
            )
        if order.symbol not in instruments:
            return Outcome.UNKNOWN_INSTRUMENT, f"the broker knows no single instrument for {order.symbol}"
        return self._outside_window(order)

    def _outside_window(self, order: Order) -> tuple[Outcome, str] | None:
        try:
            first, last = self._window(order)
        except (OrderError, SessionError) as error:
            return Outcome.OUTSIDE_WINDOW, str(error)
        now = self._broker.server_time()
        if first < now < last:
            return None
        return Outcome.OUTSIDE_WINDOW, (
            f"the broker's clock says {now:%Y-%m-%d %H:%M:%S} UTC; {order.tif} orders for session {order.for_session} "
            f"are sent between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M} UTC"
        )

    def _send(self, order: Order, instrument: Instrument, order_id: int) -> Submission:
        if order_id == NO_ORDER_ID:
            return Submission(order, Outcome.DRY_RUN, self._broker.place(order, instrument, order_id).message)
        self._record(Transition(order.order_ref, OrderStatus.SENDING, "about to be sent", order_id))
        try:
            word = self._broker.place(order, instrument, order_id)
        except BrokerError as error:
            word = Acknowledgement(OrderStatus.UNKNOWN, None, str(error))
        sent = self._record(Transition(order.order_ref, word.status, word.message, order_id, word.perm_id))
        return Submission(sent, _OUTCOME.get(word.status, Outcome.SUBMITTED), word.message)

    def _record(self, step: Transition) -> Order:
        """Write one step into the ledger, and only then into memory."""
        order = self._orders[step.order_ref]
        moved = replace(
            order.moved_to(step.status),
            broker_order_id=step.broker_order_id or order.broker_order_id,
            perm_id=step.perm_id or order.perm_id,
        )
        self._ledger.record_status(
            step.order_ref,
            step.status,
            step.evidence,
            broker_order_id=step.broker_order_id,
            perm_id=step.perm_id,
        )
        self._orders[step.order_ref] = moved
        return moved


_OUTCOME = {
    OrderStatus.REJECTED: Outcome.REJECTED,
    OrderStatus.CANCELLED: Outcome.REJECTED,
    OrderStatus.UNKNOWN: Outcome.UNKNOWN_ORDER,
}


def _terms(order: Order) -> str:
    """What is asked of the broker, in words."""
    price = "market" if order.limit_price is None else f"{order.limit_price.normalize():f}"
    return f"{order.side} {order.quantity} {order.symbol} {price} {order.tif} for {order.for_session}"


def _require_distinct_refs(orders: Sequence[Order]) -> None:
    refs = [order.order_ref for order in orders]
    for order in orders:
        if not order.order_ref:
            raise OrderError(f"order for {order.symbol} has no order_ref; it could not be found again at the broker")
        if refs.count(order.order_ref) > 1:
            raise OrderError(f"order {order.order_ref} stands twice in the batch")
