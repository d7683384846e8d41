"""The differences between the ledger and the broker: what explains them, and what must lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from hrp.domain.book import Adjustment, AdjustmentKind, Book, Change, when
from hrp.domain.commission import ibkr_fixed
from hrp.domain.corporate_actions import ActionKind, CorporateAction, after_split
from hrp.domain.lineage import plain
from hrp.domain.orders import LIVE, UNRESOLVED, Order, OrderSide, OrderStatus
from hrp.domain.payments import candidates, paid_by
from hrp.domain.positions import Break, BrokerState, Fill, WorkingOrder
from hrp.domain.reconcile import is_own
from hrp.domain.sessions import exchange_day

CASH_TOLERANCE_USD = Decimal(1)  # a broker may round each fill's value otherwise

POSITION, CASH, FOREIGN_FILL = "POSITION", "CASH", "FOREIGN_FILL"
UNKNOWN_ORDER, FOREIGN_ORDER = "UNKNOWN_ORDER", "FOREIGN_ORDER"
COMMISSION = "commission"  # the cause of a difference that ends by itself, so no adjustment is written for it
CASH_SUBJECT = "cash"

_NOTHING = Decimal(0)


class LockScope(StrEnum):
    """What a lock forbids: any order on one instrument, or every purchase of the account."""

    INSTRUMENT = "instrument"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Lock:
    """Something that must not be traded until a person has resolved it. `reason` says what differed."""

    account: str
    scope: LockScope
    subject: str
    kind: str
    reason: str
    session: date
    opened_at: datetime

    def forbids(self, order: Order) -> bool:
        """True if `order` would trade what is in doubt."""
        if self.scope is LockScope.INSTRUMENT:
            return order.symbol == self.subject
        return order.side is OrderSide.BUY


@dataclass(frozen=True)  # without slots: the index of its orders is made once
class Records:
    """What the ledger knows of one account.

    Args:
        opening: the book at the baseline; `since`: its instant.
        fills: every execution after it; those of no order of HRP are kept apart until an adjustment accounts for them.
        adjustments: those written down so far.
        orders: every order of HRP.
        agreed: by symbol that split, the newest earlier session whose sync found the shares equal; what split after it
            is due.
    """

    opening: Book
    fills: Sequence[Fill] = ()
    adjustments: Sequence[Adjustment] = ()
    orders: Sequence[Order] = ()
    agreed: Mapping[str, date] = field(default_factory=dict)

    def accounted(self, about: str) -> list[Adjustment]:
        """What was written down about one cause."""
        return [done for done in self.adjustments if done.about == about]

    def changes(self) -> list[Change]:
        """Executions of HRP's orders, and adjustments."""
        return [*(fill for fill in self.fills if self.order_of(fill)), *self.adjustments]

    def foreign(self) -> list[Fill]:
        """Executions that no order of the ledger asked for."""
        return [fill for fill in self.fills if not self.order_of(fill)]

    def order_of(self, record: Fill | WorkingOrder) -> Order | None:
        """The order of HRP that a record of the broker belongs to: by reference, then by permanent id."""
        return self._named.get(record.order_ref) or self._named.get(record.perm_id)

    @cached_property
    def _of_symbol(self) -> dict[str, list[Change]]:
        """What changed each name: a book of every change for each of many actions would take too long."""
        found: dict[str, list[Change]] = {}
        for change in self.changes():
            found.setdefault(change.symbol, []).append(change)
        return found

    @cached_property
    def _named(self) -> dict[str | int | None, Order]:
        """Each order by its reference and by its permanent id."""
        named = {name: order for order in self.orders for name in (order.order_ref, order.perm_id)}
        return {name: order for name, order in named.items() if name}

    def book(self, before: datetime | None = None) -> Book:
        """The ledger's own book, or what it was just before an instant."""
        return self.opening.after(c for c in self.changes() if before is None or when(c) < before)

    def held_before(self, action: CorporateAction) -> dict[str, Decimal]:
        """The shares that `action` is about, as the ledger's own book held them just before it."""
        opening = self.opening.held.get(action.symbol, _NOTHING)
        changes = self._of_symbol.get(action.symbol, ())
        return {action.symbol: sum((c.signed_quantity for c in changes if when(c) < action.ex_at), opening)}

    def with_(self, adjustments: Iterable[Adjustment]) -> Records:
        """The same with more adjustments."""
        return replace(self, adjustments=[*self.adjustments, *adjustments])


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one sync found: `records` with the adjustments of `new` in it, and every break, explained or not."""

    records: Records
    new: tuple[Adjustment, ...]
    breaks: tuple[Break, ...]


def compare(session: date, state: BrokerState, records: Records, actions: Sequence[CorporateAction]) -> Comparison:
    """Hold positions, cash and orders of both sides against one another, over the union of what either knows.

    Args:
        session: the session of the sync.
        state: the broker's complete word.
        actions: the corporate actions since the baseline whose ex-day has come.
    """
    found: list[Break] = []
    before = len(records.adjustments)
    for explain in (_foreign_fills, _positions, _cash, _orders):
        adjustments, breaks = explain(session, state, records, actions)
        records = records.with_(adjustments)
        found += breaks
    return Comparison(records, tuple(records.adjustments[before:]), tuple(found))


_Found = tuple[list[Adjustment], list[Break]]


def locks(found: Break) -> bool:
    """True for a break that nothing explains; an order without an answer waits for the broker's word instead."""
    return not found.cause and found.kind != UNKNOWN_ORDER


def lock_of(found: Break, at: datetime) -> Lock:
    """The lock that an unexplained break asks for."""
    scope = LockScope.INSTRUMENT if found.symbol else LockScope.ACCOUNT
    reason = f"ledger={found.ledger}, broker={found.broker}"
    return Lock(found.account, scope, found.symbol or found.subject, found.kind, reason, found.session, at)


def account_for(fill: Fill, records: Records, kind: AdjustmentKind, evidence: str) -> Adjustment:
    """What is left to account for of an execution that HRP did not order: all of it, a correction, a commission."""
    about = f"fill:{fill.identity}"
    done = records.accounted(about)
    return Adjustment(
        account=fill.account,
        session=exchange_day(fill.executed_at),
        happened_at=fill.executed_at,
        kind=kind,
        about=about,
        evidence=evidence,
        symbol=fill.symbol,
        con_id=fill.con_id,
        shares=fill.signed_quantity - sum((a.shares for a in done), _NOTHING),
        cash=fill.cash_flow - sum((a.cash for a in done), _NOTHING),
        price=fill.price,
        part=len(done) + 1,
    )


def _foreign_fills(session: date, state: BrokerState, records: Records, actions: Sequence[CorporateAction]) -> _Found:
    adjustments, breaks = [], []
    for fill in records.foreign():
        kind, words = _origin(fill.client_id)
        change = account_for(fill, records, kind, f"{words}: {_told(fill)}")
        if is_own(fill.order_ref):
            if change.part == 1:
                breaks.append(_fill_break(session, fill, "", f"order {fill.order_ref} is not in this ledger"))
        elif change.shares or change.cash:
            adjustments.append(change)
            if change.shares:
                breaks.append(_fill_break(session, fill, kind, words))
    return adjustments, breaks


def _origin(client_id: int, order_id: int = 1) -> tuple[AdjustmentKind, str]:
    if client_id == 0 or order_id <= 0:
        return AdjustmentKind.MANUAL, "an order placed by hand"
    return AdjustmentKind.OTHER_CLIENT, f"an order of client {client_id} that HRP did not place"


def _told(fill: Fill) -> str:
    return f"{fill.side} {plain(fill.quantity)} {fill.symbol} at {plain(fill.price)}"


def _fill_break(session: date, fill: Fill, cause: str, explanation: str) -> Break:
    return Break(
        session, fill.account, FOREIGN_FILL, fill.exec_id, "none", _told(fill), explanation, cause, fill.symbol
    )  # fmt: skip


def _positions(session: date, state: BrokerState, records: Records, actions: Sequence[CorporateAction]) -> _Found:
    adjustments: list[Adjustment] = []
    breaks = []
    account, theirs, ours = state.account.account, state.held(), records.book().held
    for symbol in sorted({*ours, *theirs}):
        held, told = ours.get(symbol, _NOTHING), theirs.get(symbol, _NOTHING)
        if held == told:
            continue
        due = [a for a in actions if a.symbol == symbol and a.kind is ActionKind.SPLIT and _is_due(a, records)]
        split = _by_splits(told, due, state, records)
        adjustments += split
        explanation = "; ".join(a.evidence for a in split) or _hint(symbol, told - held, records)
        cause = AdjustmentKind.SPLIT if split else ""
        breaks.append(
            Break(session, account, POSITION, symbol, plain(held), plain(told), explanation, cause, symbol)
        )  # fmt: skip
    return adjustments, breaks


def _is_due(split: CorporateAction, records: Records) -> bool:
    agreed = records.agreed.get(split.symbol)
    return not records.accounted(split.about) and (agreed is None or split.ex_session > agreed)


def _by_splits(told: Decimal, due: Sequence[CorporateAction], state: BrokerState, records: Records) -> list[Adjustment]:
    """The adjustments of the first splits that together make the shares equal; none if they do not."""
    done: list[Adjustment] = []
    for split in due:
        held = records.with_(done).book(before=split.ex_at).held.get(split.symbol, _NOTHING)
        whole, fraction = after_split(held, split)
        rest = f", {plain(fraction.quantize(Decimal('0.0001')))} of a share in cash" if fraction else ""
        evidence = f"{split}: {plain(held)} became {plain(whole)}{rest}"
        done.append(_of_action(split, AdjustmentKind.SPLIT, split.about, state, evidence, shares=whole - held))
        if records.with_(done).book().held.get(split.symbol, _NOTHING) == told:
            return done
    return []


def _of_action(
    action: CorporateAction,
    kind: AdjustmentKind,
    about: str,
    state: BrokerState,
    evidence: str,
    *,
    shares: Decimal = _NOTHING,
    cash: Decimal = _NOTHING,
) -> Adjustment:
    con_id = next((p.con_id for p in state.positions if p.symbol == action.symbol), 0)
    account, session = state.account.account, action.ex_session
    return Adjustment(
        account, session, action.ex_at, kind, about, evidence, action.symbol, con_id, shares=shares, cash=cash
    )  # fmt: skip


def _hint(symbol: str, difference: Decimal, records: Records) -> str:
    """What a difference in shares that nothing proves may be."""
    fills = [fill for fill in records.fills if fill.symbol == symbol]
    for order in records.orders:
        if order.symbol != symbol or order.status not in _MAY_HAVE_TRADED:
            continue
        executed = sum((fill.signed_quantity for fill in fills if records.order_of(fill) == order), _NOTHING)
        if order.signed_quantity - executed == difference:
            return f"as many as order {order.order_ref} ({order.status}) still had to bring: missed executions?"
    for fill in fills:
        if fill.signed_quantity == -difference:
            return f"as if execution {fill.exec_id} ({_told(fill)}) had never been: busted by the exchange?"
    return ""


_MAY_HAVE_TRADED = LIVE | {OrderStatus.LOST, OrderStatus.CANCELLED, OrderStatus.EXPIRED}


def _cash(session: date, state: BrokerState, records: Records, actions: Sequence[CorporateAction]) -> _Found:
    account, ours, theirs = state.account.account, records.book().cash, state.account.cash
    if abs(theirs - ours) <= CASH_TOLERANCE_USD:
        return [], []
    amounts = f"{ours:.2f}", f"{theirs:.2f}"
    unreported = [fill for fill in records.fills if fill.commission is None]
    about = sum((ibkr_fixed(int(fill.quantity), fill.price) for fill in unreported), _NOTHING)
    if unreported and _NOTHING <= ours - theirs <= about + CASH_TOLERANCE_USD:
        words = f"commissions of {len(unreported)} executions are not reported yet, about {about:.2f} USD"
        return [], [Break(session, account, CASH, CASH_SUBJECT, *amounts, words, COMMISSION)]
    open_ones = [
        payment
        for payment in candidates(actions, records.held_before)
        if not records.accounted(payment.about) and (payment.split is None or records.accounted(payment.split))
    ]
    paid = paid_by(theirs - ours, open_ones, CASH_TOLERANCE_USD)
    adjustments = [
        _of_action(payment.action, payment.kind, payment.about, state, payment.evidence, cash=usd)
        for payment, usd in paid
    ]
    breaks = [Break(session, account, CASH, a.about, *amounts, a.evidence, a.kind, a.symbol) for a in adjustments]
    return adjustments, breaks or [Break(session, account, CASH, CASH_SUBJECT, *amounts)]


def _orders(session: date, state: BrokerState, records: Records, actions: Sequence[CorporateAction]) -> _Found:
    account = state.account.account
    breaks = [
        Break(session, account, UNKNOWN_ORDER, order.order_ref, f"{order.status}: {_asked(order)}", "no word")
        for order in records.orders
        if order.status in UNRESOLVED
    ]
    for working in state.working:
        order = records.order_of(working)
        if order is not None and order.status in LIVE:
            continue
        subject = working.order_ref or f"perm_id {working.perm_id}"
        told = f"working: {working.side} {plain(working.remaining)} {working.symbol}"
        kind, words = ("", "") if order or is_own(working.order_ref) else _origin(working.client_id, working.order_id)
        ledger = order.status if order else "none"
        breaks.append(Break(session, account, FOREIGN_ORDER, subject, ledger, told, words, kind))
    return [], breaks


def _asked(order: Order) -> str:
    return f"{order.side} {order.quantity} {order.symbol}"


def take_over(
    subject: str, kind: AdjustmentKind, session: date, state: BrokerState, records: Records, actor: str, reason: str
) -> list[Adjustment]:
    """The adjustments by which the ledger takes the broker's word for a symbol or for `cash`; none if it agrees."""
    account = state.account.account
    about = f"{kind}:{subject}:{state.at.isoformat()}"
    part, words = len(records.accounted(about)) + 1, f"the broker's word for {subject}"
    blank = Adjustment(account, session, state.at, kind, about, words, part=part, actor=actor, reason=reason)
    if subject == CASH_SUBJECT:
        cash = state.account.cash - records.book().cash
        return [replace(blank, cash=cash)] if cash else []
    waiting = [
        replace(account_for(fill, records, kind, f"taken into the book: {_told(fill)}"), actor=actor, reason=reason)
        for fill in records.foreign()
        if fill.symbol == subject and not records.accounted(f"fill:{fill.identity}")
    ]
    position = next((p for p in state.positions if p.symbol == subject), None)
    told = position.quantity if position else _NOTHING
    shares = told - records.with_(waiting).book().held.get(subject, _NOTHING)
    price, con_id = (position.entry_price, position.con_id) if position else (None, 0)
    rest = replace(blank, symbol=subject, con_id=con_id, shares=shares, price=price)
    return [*waiting, rest] if shares else waiting
