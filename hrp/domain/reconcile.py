"""What the broker's word makes of the orders of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hrp.domain.orders import LIVE, SENDABLE, Order, OrderStatus
from hrp.domain.positions import BrokerState, CompletedOrder, Fill, Record, WorkingOrder
from hrp.errors import BrokerError

OWN_PREFIX = "hrp-"

_S = OrderStatus
_ENDED_SHORT = frozenset({_S.CANCELLED, _S.EXPIRED})


@dataclass(frozen=True, slots=True)
class Transition:
    """A status that an order is now known to have, and where that was seen; the rest where it is news."""

    order_ref: str
    status: OrderStatus
    evidence: str
    broker_order_id: int | None = None
    perm_id: int | None = None
    client_id: int | None = None
    sending_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Sighting:
    """Everything that the broker's state says about one order."""

    records: Sequence[Record]

    @property
    def working(self) -> WorkingOrder | None:
        return next((record for record in self.records if isinstance(record, WorkingOrder)), None)

    @property
    def completed(self) -> CompletedOrder | None:
        return next((record for record in self.records if isinstance(record, CompletedOrder)), None)

    @property
    def executed(self) -> Decimal:
        return sum((record.quantity for record in self.records if isinstance(record, Fill)), Decimal(0))

    @property
    def perm_ids(self) -> set[int]:
        return {record.perm_id for record in self.records if record.perm_id}


def reconcile(state: BrokerState, ledger_orders: Iterable[Order]) -> list[Transition]:
    """What must be written into the ledger so that it says of each order what the broker says.

    Orders are found by reference, then by permanent id, never by order id. An order that was being sent and is
    nowhere at the broker stays `UNKNOWN`: nothing here decides that it was lost. An order that the ledger holds for
    planned or lost and the broker has is adopted, so it is not sent twice.

    Args:
        state: a complete state; fills in their newest correction.
        ledger_orders: every order that the ledger knows of the sessions that `state` can show, in any status.

    Raises:
        BrokerError: the broker has an order of HRP that the ledger never wrote, one order under two permanent ids,
            one that HRP had denied, one with other terms, or more executed shares than were ordered.
    """
    orders = list(ledger_orders)
    records = state.records()
    _refuse_unwritten(state.account.account, records, orders)
    by_name = _by_name(records)
    return [step for order in orders for step in _steps(order, _sighting(order, by_name))]


def _refuse_unwritten(account: str, records: Iterable[Record], orders: Iterable[Order]) -> None:
    written: set[str | int | None] = {name for order in orders for name in (order.order_ref, order.perm_id)}
    strangers = sorted(
        {
            record.order_ref
            for record in records
            if is_own(record.order_ref) and record.order_ref not in written and record.perm_id not in written
        }
    )
    if strangers:
        raise BrokerError(
            f"the broker has orders of HRP that this ledger never wrote: {', '.join(strangers)}; another store trades "
            f"account {account}, or this one was restored: nothing is sent until a person has looked"
        )


def is_own(order_ref: str) -> bool:
    """True for a reference in the form that HRP gives."""
    return order_ref.startswith(OWN_PREFIX)


def _by_name(records: Iterable[Record]) -> dict[str | int, list[Record]]:
    """The records of each reference and of each permanent id."""
    named: dict[str | int, list[Record]] = {}
    for record in records:
        for name in (record.order_ref, record.perm_id):
            if name:
                named.setdefault(name, []).append(record)
    return named


def _sighting(order: Order, by_name: Mapping[str | int, Sequence[Record]]) -> _Sighting:
    named = by_name.get(order.order_ref, [])
    numbered = by_name.get(order.perm_id, []) if order.perm_id else []
    sighting = _Sighting([*named, *(record for record in numbered if record not in named)])
    perm_ids = sighting.perm_ids | ({order.perm_id} if order.perm_id else set())
    if len(perm_ids) > 1:
        raise BrokerError(
            f"order {order.order_ref} is at the broker more than once (permanent ids "
            f"{', '.join(map(str, sorted(perm_ids)))}); cancel or accept one of them in TWS"
        )
    if order.status is _S.DENIED and sighting.records:
        raise BrokerError(
            f"order {order.order_ref} was denied by HRP ({order.denial}) and is at the broker all the same "
            f"(permanent id {max(perm_ids, default=0)}); cancel it in TWS and find out who sent it"
        )
    for record in sighting.records:
        _require_terms(order, record)
    if sighting.executed > order.quantity:
        raise BrokerError(
            f"order {order.order_ref} asks for {order.quantity} shares, executions sum to {sighting.executed}"
        )
    return sighting


def _require_terms(order: Order, record: Record) -> None:
    """The broker's record asks for what the ledger holds."""
    asked = record.quantity if isinstance(record, WorkingOrder) else None
    if (record.side, record.symbol) == (order.side, order.symbol) and asked in (None, order.quantity):
        return
    raise BrokerError(
        f"order {order.order_ref} is {order.side} {order.quantity} {order.symbol} in the ledger and "
        f"{record.side} {asked or _shares(record)} {record.symbol} at the broker (permanent id {record.perm_id}): "
        "it was changed there; cancel it in TWS, then run: hrp run position-sync"
    )


def _shares(record: Record) -> Decimal:
    """The shares that a record of the broker is about."""
    if isinstance(record, WorkingOrder):
        return record.remaining
    return record.filled if isinstance(record, CompletedOrder) else record.quantity


def _steps(order: Order, sighting: _Sighting) -> list[Transition]:
    status, evidence = _verdict(order, sighting)
    if status is order.status:
        return []
    order_id = sighting.working.order_id if sighting.working and sighting.working.order_id > 0 else None
    return [Transition(order.order_ref, status, evidence, order_id, max(sighting.perm_ids, default=None))]


def _verdict(order: Order, sighting: _Sighting) -> tuple[OrderStatus, str]:
    """The status that the evidence supports; the present one where there is none."""
    executed, ended, working = sighting.executed, sighting.completed, sighting.working
    if executed == order.quantity:
        return _S.FILLED, f"executions sum to {executed}"
    if ended is not None and ended.status is not _S.UNKNOWN:
        return _ended(order, sighting, ended)
    if executed and (working or order.status not in _ENDED_SHORT):
        return _S.PARTIALLY_FILLED, f"executions sum to {executed} of {order.quantity}"
    if working is not None and working.status is not _S.UNKNOWN:
        return working.status, f"working at the broker, {working.remaining} remain"
    if order.status not in LIVE | SENDABLE:
        return order.status, ""
    if working is not None:
        return _S.UNKNOWN, "listed as open at the broker, yet inactive; transmit or cancel it in TWS"
    if ended is not None:
        return _S.UNKNOWN, f"ended at the broker in a way that has no name here: {ended.detail}"
    if order.status in LIVE:
        return _S.UNKNOWN, "not among the broker's working orders, completed orders and executions"
    return order.status, ""


def _ended(order: Order, sighting: _Sighting, ended: CompletedOrder) -> tuple[OrderStatus, str]:
    """What the list of completed orders says, after the executions have been asked whether they agree."""
    evidence = f"completed at the broker: {ended.detail or ended.status}"
    if sighting.executed and order.status in _ENDED_SHORT:
        return order.status, ""
    if sighting.executed:
        return _S.CANCELLED, f"{evidence}; executions sum to {sighting.executed} of {order.quantity}"
    if order.status in _ENDED_SHORT | {_S.REJECTED} and ended.status is not _S.FILLED:
        return order.status, ""
    return ended.status, evidence
