"""Sending orders: reconcile first, write ahead, one at a time, and stop at the first one without an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from hrp.domain.lost import Bounds
from hrp.domain.orders import SENDABLE, UNRESOLVED, Order, OrderSide, OrderStatus, OrderType
from hrp.domain.positions import Acknowledgement, BrokerState, Instrument, WorkingOrder
from hrp.domain.reconcile import Transition, reconcile
from hrp.errors import BrokerError, OrderError, SessionError, WrongAccountError
from hrp.execution.cancel import Cancellation, CancelOutcome, cancel_all
from hrp.execution.dry_run import NO_ORDER_ID
from hrp.execution.lives import Lives
from hrp.execution.settle import Book, Settlement, settle
from hrp.execution.window import OPENING_CUTOFF, BrokerTime, Window, require_same_time, sending_window
from hrp.ports import Broker, Clock, Ledger

__all__ = [
    "OPENING_CUTOFF", "Bounds", "CancelOutcome", "Cancellation", "Order", "OrderManager", "OrderSide", "OrderStatus",
    "OrderType", "Outcome", "Submission", "Transition", "reconcile", "require_same_time", "sending_window",
]  # fmt: skip


class Outcome(StrEnum):
    """What became of an attempt to send one order."""

    SUBMITTED = "SUBMITTED"
    REJECTED = "REJECTED"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"  # this order, or an earlier one that stands in its way, has no answer
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    ALREADY_SENT = "ALREADY_SENT"
    BOUND = "BOUND"  # more than the plan and the limits ever meant to send
    BROKER_LOST = "BROKER_LOST"
    STOPPED = "STOPPED"  # the process was told to stop
    DRY_RUN = "DRY_RUN"


_OUTCOME = {
    OrderStatus.REJECTED: Outcome.REJECTED,
    OrderStatus.CANCELLED: Outcome.REJECTED,
    OrderStatus.UNKNOWN: Outcome.UNKNOWN_ORDER,
}


@dataclass(frozen=True, slots=True)
class Submission:
    """One order after the attempt, with the reason in words; an order that was not sent keeps its status."""

    order: Order
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class _Batch:
    """What all orders of one batch share; `peers` are the references of every order of their sessions."""

    instruments: Mapping[str, Instrument]
    bounds: Bounds
    time: BrokerTime
    peers: Sequence[str]


class OrderManager:
    """Sends orders through `broker` and writes each step into `ledger` before the next one is taken.

    Args:
        broker: connected.
        ledger: where the life of an order is written down.
        clock: the host's clock, held against the broker's before anything is sent.
        ledger_orders: every order that the ledger knows of the account.
        window: when an order may be sent; asked with the broker's clock right before each send.
        should_stop: asked before each send; once it is true, nothing more is sent.
    """

    def __init__(
        self,
        broker: Broker,
        ledger: Ledger,
        clock: Clock,
        ledger_orders: Iterable[Order] = (),
        window: Window = sending_window,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._broker, self._clock, self._window, self._should_stop = broker, clock, window, should_stop
        self._lives = Lives(ledger, ledger_orders)
        self._account = ""

    def get_order(self, order_ref: str) -> Order | None:
        """The order as it stands now, or None if this manager has not seen it."""
        return self._lives.orders.get(order_ref)

    def get_all_orders(self) -> list[Order]:
        """Every order that the ledger or this manager knows, as it stands now."""
        return list(self._lives.orders.values())

    def reconcile(self, state: BrokerState | None = None) -> list[Transition]:
        """Bring the ledger in line with the broker's `state` (asked for afresh if not given); returns what changed.

        Raises:
            BrokerError: no complete state, or one that contradicts the ledger.
        """
        state = state or self._broker.state()
        steps = self._lives.follow(state)
        self._account = state.account.account
        return steps

    def settle(self, book: Book) -> Settlement:
        """Reconcile, and decide of each order without an answer whether it is lost.

        One that a first look cannot find is looked for again through a fresh connection, after the time of grace, and
        only if that can prove anything. Orders that were never sent, or are lost, expire when their time has passed.

        Args:
            book: keeps the executions of a state, and gives the shares by symbol that the account must then hold.

        Raises:
            BrokerError: as `reconcile`.
        """
        done = settle(self._broker, self._lives, book, self._window)
        self._account = done.state.account.account
        return done

    def submit_order(self, order: Order) -> Submission:
        """Send one order; see `submit_all`."""
        return self.submit_all([order])[0]

    def submit_all(
        self,
        orders: Sequence[Order],
        instruments: Mapping[str, Instrument] | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008  # it is frozen
    ) -> list[Submission]:
        """Send `orders` one after the other, in the order given; one submission for each.

        Reconciles first unless that was done. The first order without an answer stops the batch. An order that the
        ledger holds as anything but planned or lost is not sent again.

        Args:
            instruments: by symbol, as the broker has just stated them; asked for if not given.
            bounds: what may be sent at most, counted from the ledger.

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
        time = BrokerTime(self._broker, self._clock)
        require_same_time(time.now(), self._clock.now())
        if instruments is None:
            instruments = self._broker.qualify([order.symbol for order in orders])
        for order in orders:
            self._lives.add(order)
        sessions = {order.session for order in orders}
        peers = [ref for ref, order in self._lives.orders.items() if order.session in sessions]
        batch = _Batch(instruments, bounds, time, peers)
        with self._lives.ledger.batch():
            return [self._submit(self._lives.orders[order.order_ref], batch) for order in orders]

    def _require_own(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if order.account not in ("", self._account):
                raise WrongAccountError(
                    f"order {order.order_ref} is for account {order.account}, the broker serves {self._account}"
                )
            written = self._lives.orders.get(order.order_ref, order)
            if _terms(written) != _terms(order):
                raise OrderError(
                    f"order {order.order_ref} is to be sent as {_terms(order)}, the ledger holds {_terms(written)}; "
                    "a new plan needs a new generation"
                )

    def _submit(self, order: Order, batch: _Batch) -> Submission:
        try:
            obstacle = self._obstacle(order, batch)
            order_id = NO_ORDER_ID if obstacle else self._broker.next_order_id(self._lives.last_id)
        except BrokerError as error:
            return Submission(order, Outcome.BROKER_LOST, str(error))
        if obstacle:
            return Submission(order, *obstacle)
        return self._send(order, order_id, batch)

    def _obstacle(self, order: Order, batch: _Batch) -> tuple[Outcome, str] | None:
        """The first reason not to send `order`, or None."""
        if order.status not in SENDABLE | UNRESOLVED:
            return Outcome.ALREADY_SENT, f"the ledger holds it as {order.status}"
        if self._lives.waiting:
            return Outcome.UNKNOWN_ORDER, (
                f"no answer is known for {', '.join(sorted(self._lives.waiting))}; nothing is sent until the "
                "broker has said what became of it: look in TWS, then run: hrp run position-sync"
            )
        if self._should_stop():
            return Outcome.STOPPED, "told to stop before it was sent"
        if order.symbol not in batch.instruments:
            return Outcome.UNKNOWN_INSTRUMENT, f"the broker knows no single instrument for {order.symbol}"
        beyond = batch.bounds.exceeded_by(order, [self._lives.orders[ref] for ref in batch.peers])
        if beyond:
            return Outcome.BOUND, f"{beyond}; read the order's history: hrp orders, and TWS, before it is sent again"
        return self._outside_window(order, batch.time)

    def _outside_window(self, order: Order, time: BrokerTime) -> tuple[Outcome, str] | None:
        try:
            first, last = self._window(order)
        except (OrderError, SessionError) as error:
            return Outcome.OUTSIDE_WINDOW, str(error)
        now = time.now()
        if first < now < last:
            return None
        return Outcome.OUTSIDE_WINDOW, (
            f"the broker's clock says {now:%Y-%m-%d %H:%M:%S} UTC; {order.tif} orders for session {order.for_session} "
            f"are sent between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M} UTC"
        )

    def _send(self, order: Order, order_id: int, batch: _Batch) -> Submission:
        instrument = batch.instruments[order.symbol]
        if order_id == NO_ORDER_ID:
            return Submission(order, Outcome.DRY_RUN, self._broker.place(order, instrument, order_id).message)
        now, client = batch.time.now(), self._broker.client_id
        note = f"attempt {order.attempt + 1}: about to be sent by client {client} at {now:%Y-%m-%d %H:%M:%S} UTC"
        ref = order.order_ref
        self._lives.record(Transition(ref, OrderStatus.SENDING, note, order_id, client_id=client, sending_at=now))
        try:
            word = self._broker.place(order, instrument, order_id)
        except BrokerError as error:
            word = Acknowledgement(OrderStatus.UNKNOWN, None, str(error))
        self._believe(ref, word)
        status = self._lives.orders[ref].status
        return Submission(self._lives.orders[ref], _OUTCOME.get(status, Outcome.SUBMITTED), word.message)

    def _believe(self, ref: str, word: Acknowledgement) -> None:
        """Record the broker's word on an order just sent; that it was cancelled only if the broker's lists agree."""
        if word.status is not OrderStatus.CANCELLED:
            # Committed with the next order's SENDING: until then the broker's lists would say the same.
            self._lives.record(Transition(ref, word.status, word.message, perm_id=word.perm_id), later=True)
            return
        self._lives.record(Transition(ref, OrderStatus.UNKNOWN, f"said to be {word.message}", perm_id=word.perm_id))
        with suppress(BrokerError):  # then it stays unknown, which stops the batch
            self.reconcile()

    def cancel_all(self, wanted: Callable[[WorkingOrder], bool]) -> list[Cancellation]:
        """Cancel every working order that is `wanted`; what became of each, by lists read afterwards.

        The request is written down before it is sent. Harmless to repeat: an order that has ended is no longer listed.

        Raises:
            BrokerError: no complete state at the start.
        """
        return cancel_all(self._broker, self._lives, wanted)


def _terms(order: Order) -> str:
    """What is asked of the broker, in words."""
    price = "market" if order.limit_price is None else f"{order.limit_price.normalize():f}"
    return f"{order.side} {order.quantity} {order.symbol} {price} {order.tif} for {order.for_session}"


def _require_distinct_refs(orders: Sequence[Order]) -> None:
    seen: set[str] = set()
    for order in orders:
        if not order.order_ref:
            raise OrderError(f"order for {order.symbol} has no order_ref; it could not be found again at the broker")
        if order.order_ref in seen:
            raise OrderError(f"order {order.order_ref} stands twice in the batch")
        seen.add(order.order_ref)
