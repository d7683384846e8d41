"""What the broker's word makes of the ledger: the states of orders, and the differences a person must see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from hrp.domain.orders import LIVE, TRANSITIONS, UNRESOLVED, Order, OrderStatus
from hrp.domain.positions import Break, BrokerState, CompletedOrder, Fill, WorkingOrder
from hrp.errors import BrokerError

OWN_PREFIX = "hrp-"
CASH_TOLERANCE_USD = Decimal(1)  # a broker may round each fill's value otherwise

POSITION, CASH, UNKNOWN_ORDER, FOREIGN_FILL = "POSITION", "CASH", "UNKNOWN_ORDER", "FOREIGN_FILL"

_S = OrderStatus
_ENDED_SHORT = frozenset({_S.CANCELLED, _S.EXPIRED})


@dataclass(frozen=True, slots=True)
class Transition:
    """A status that an order is now known to have, and where that was seen."""

    order_ref: str
    status: OrderStatus
    evidence: str
    broker_order_id: int | None = None
    perm_id: int | None = None


_Record = WorkingOrder | CompletedOrder | Fill


@dataclass(frozen=True, slots=True)
class _Sighting:
    """Everything that the broker's state says about one order."""

    records: Sequence[_Record]

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
    nowhere at the broker stays `UNKNOWN`: nothing here decides that it was lost. An order that the ledger still holds
    as planned and the broker already has is adopted, so it is not sent twice.

    Args:
        state: a complete state; fills in their newest correction.
        ledger_orders: every order that the ledger knows of the sessions that `state` can show, in any status.

    Raises:
        BrokerError: the broker has an order of HRP that the ledger never wrote, one order under two permanent ids,
            one that HRP had denied, or more executed shares than were ordered.
    """
    orders = list(ledger_orders)
    records: list[_Record] = [*state.working, *state.completed, *state.fills]
    _refuse_unwritten(state.account.account, records, orders)
    by_name = _by_name(records)
    return [step for order in orders for step in _steps(order, _sighting(order, by_name))]


def _refuse_unwritten(account: str, records: Iterable[_Record], orders: Iterable[Order]) -> None:
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


def _by_name(records: Iterable[_Record]) -> dict[str | int, list[_Record]]:
    """The records of each reference and of each permanent id."""
    named: dict[str | int, list[_Record]] = {}
    for record in records:
        for name in (record.order_ref, record.perm_id):
            if name:
                named.setdefault(name, []).append(record)
    return named


def _sighting(order: Order, by_name: Mapping[str | int, Sequence[_Record]]) -> _Sighting:
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
    if sighting.executed > order.quantity:
        raise BrokerError(
            f"order {order.order_ref} asks for {order.quantity} shares, executions sum to {sighting.executed}"
        )
    return sighting


def _steps(order: Order, sighting: _Sighting) -> list[Transition]:
    status, evidence = _verdict(order, sighting)
    if status is order.status:
        return []
    path = [status]
    if order.status is _S.PENDING:  # planned, yet at the broker: the store lost the note that it was being sent
        path = [_S.SENDING, status]
    elif status not in TRANSITIONS[order.status]:
        return []
    order_id = sighting.working.order_id if sighting.working and sighting.working.order_id > 0 else None
    perm_id = max(sighting.perm_ids, default=None)
    return [Transition(order.order_ref, step, evidence, order_id, perm_id) for step in path]


def _verdict(order: Order, sighting: _Sighting) -> tuple[OrderStatus, str]:
    """The status that the evidence supports; the present one where there is none."""
    executed, ended = sighting.executed, sighting.completed
    if executed == order.quantity:
        return _S.FILLED, f"executions sum to {executed}"
    if order.status in _ENDED_SHORT:
        return order.status, ""
    if ended is not None and ended.status is not _S.UNKNOWN:
        status = _S.CANCELLED if ended.status is _S.REJECTED and executed else ended.status
        return status, f"completed at the broker: {ended.detail or ended.status}"
    if executed:
        return _S.PARTIALLY_FILLED, f"executions sum to {executed} of {order.quantity}"
    if sighting.working is not None:
        known = order.status is _S.PARTIALLY_FILLED
        return (order.status if known else _S.SUBMITTED), f"working at the broker, {sighting.working.remaining} remain"
    if ended is not None:
        return _S.UNKNOWN, f"ended at the broker in a way that has no name here: {ended.detail}"
    if order.status in LIVE:
        return _S.UNKNOWN, "not among the broker's working orders, completed orders and executions"
    return order.status, ""


def find_breaks(
    session: date,
    account: str,
    ledger_held: Mapping[str, Decimal],
    broker_held: Mapping[str, Decimal],
    ledger_cash: Decimal,
    broker_cash: Decimal,
    *,
    orders: Iterable[Order] = (),
    working: Sequence[WorkingOrder] = (),
    fills: Iterable[Fill] = (),
    cash_tolerance_usd: Decimal = CASH_TOLERANCE_USD,
) -> list[Break]:
    """Every difference between the ledger and the broker, over the union of the names that either knows.

    Args:
        ledger_held, ledger_cash: the last agreed book and all fills since (`Book.after`), shares and USD.
        broker_held, broker_cash: what the broker states.
        orders: the ledger's orders; one that is unresolved is a break, and so is a working order that the ledger does
            not know or holds for ended.
        working, fills: what the broker lists; a fill that no order of the ledger asked for is a break.
    """
    own = list(orders)
    known = {order.order_ref: order.status for order in own if order.order_ref}
    known_ids = {order.perm_id: order.status for order in own if order.perm_id}

    def status(record: WorkingOrder | Fill) -> OrderStatus | None:
        return known.get(record.order_ref) or known_ids.get(record.perm_id)

    found = [
        *_position_breaks(ledger_held, broker_held),
        *_cash_break(ledger_cash, broker_cash, cash_tolerance_usd),
        *_unresolved_breaks(own),
        *(_working_break(order, status(order)) for order in working if status(order) not in LIVE),
        *(_fill_break(fill) for fill in fills if status(fill) is None),
    ]
    return [Break(session, account, *difference) for difference in found]


_Difference = tuple[str, str, str, str]  # kind, subject, ledger, broker


def _position_breaks(ledger: Mapping[str, Decimal], broker: Mapping[str, Decimal]) -> list[_Difference]:
    pairs = [(symbol, ledger.get(symbol, Decimal(0)), broker.get(symbol, Decimal(0))) for symbol in {*ledger, *broker}]
    return sorted((POSITION, symbol, str(ours), str(theirs)) for symbol, ours, theirs in pairs if ours != theirs)


def _cash_break(ledger: Decimal, broker: Decimal, tolerance: Decimal) -> list[_Difference]:
    return [(CASH, "cash", f"{ledger:.2f}", f"{broker:.2f}")] if abs(ledger - broker) > tolerance else []


def _unresolved_breaks(own: Iterable[Order]) -> list[_Difference]:
    return [
        (UNKNOWN_ORDER, order.order_ref, f"{order.status}: {order.side} {order.quantity} {order.symbol}", "no word")
        for order in own
        if order.status in UNRESOLVED
    ]


def _working_break(order: WorkingOrder, ledger: OrderStatus | None) -> _Difference:
    subject = order.order_ref or f"perm_id {order.perm_id}"
    return UNKNOWN_ORDER, subject, ledger or "none", f"working: {order.side} {order.remaining} {order.symbol}"


def _fill_break(fill: Fill) -> _Difference:
    return FOREIGN_FILL, fill.exec_id, "none", f"{fill.side} {fill.quantity} {fill.symbol} at {fill.price}"
