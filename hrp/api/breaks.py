"""Where ledger and broker differ: compared at every sync, explained or locked, and resolved by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from hrp.data import adjustments as store_adjustments
from hrp.data import journal, market, trading
from hrp.data import orders as store_orders
from hrp.data.ledger import StoreLedger
from hrp.data.rows import Connection
from hrp.domain.book import Adjustment, AdjustmentKind, Book
from hrp.domain.breaks import (
    CASH_SUBJECT,
    Comparison,
    Lock,
    LockScope,
    Records,
    compare,
    lock_of,
    locks,
    take_over,
)
from hrp.domain.corporate_actions import ActionKind, splits_on
from hrp.domain.flatten import Left, holders, shared_lefts, split_by_owner
from hrp.domain.lineage import Event
from hrp.domain.orders import LIVE, UNRESOLVED, Order, OrderStatus
from hrp.domain.positions import Break, BrokerState
from hrp.domain.sessions import exchange_day, next_session
from hrp.errors import UsageError
from hrp.wiring import App

_PAID_WITHIN = timedelta(days=100)  # of the ex-day: dividends come weeks after it


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person's word on one subject comes to."""

    subject: str
    breaks: tuple[Break, ...]
    adjustments: tuple[Adjustment, ...]
    ended: tuple[Order, ...]
    lifted: int


def load_records(con: Connection, baseline: trading.Baseline) -> Records:
    """What the ledger knows of the baseline's account."""
    account = baseline.account
    opening = Book(baseline.cash_usd, {p.symbol: p.quantity for p in baseline.positions})
    fills = [fill for fill in trading.load_fills(con, account) if fill.executed_at > baseline.accepted_at]
    adjustments = store_adjustments.load_adjustments(con, account)
    return Records(opening, fills, adjustments, store_orders.load_orders(con, account=account))


def _compared(con: Connection, session: date, state: BrokerState, baseline: trading.Baseline) -> Comparison:
    """The ledger held against `state`, with the actions on what was held since the baseline whose ex-day has come."""
    records, today = load_records(con, baseline), exchange_day(state.at)
    names = {*records.opening.held, *(change.symbol for change in records.changes()), *state.held()}
    first = max(baseline.session + timedelta(days=1), today - _PAID_WITHIN)
    actions = market.actions_of(con, names, first, today)
    split = {action.symbol for action in actions if action.kind is ActionKind.SPLIT}
    agreed = {name: trading.last_agreed_session(con, baseline.account, name, session) for name in split}
    known = {name: day for name, day in agreed.items() if day}
    return compare(session, state, replace(records, agreed=known), actions)


def settle(app: App, con: Connection, session: date, state: BrokerState, baseline: trading.Baseline) -> Comparison:
    """Compare, and write down what explains a difference, every break, and a lock for each that nothing explains."""
    now, account = app.clock.now(), baseline.account
    done = _compared(con, session, state, baseline)
    store_adjustments.save_adjustments(con, done.new, now)
    trading.save_breaks(con, session, account, done.breaks)
    for change in done.new:
        journal.append_event(con, _explained(app, session, change))
    for found in filter(locks, done.breaks):
        lock = lock_of(found, now)
        if store_adjustments.open_lock(con, lock):
            facts = {"scope": lock.scope, "kind": lock.kind, "reason": lock.reason, "hint": found.explanation}
            event = Event("lock_opened", now, "position-sync", lock.subject, session, details=facts)
            journal.append_event(con, event)
    return done


def keep_executions(app: App, state: BrokerState) -> Mapping[str, Decimal]:
    """Keep the executions of `state`; the shares by symbol that the account must hold by the ledger and what explains
    the rest. Before the first sync there is nothing to hold against the broker's word."""
    account, session = state.account.account, exchange_day(state.at)
    with app.store().write() as con:
        trading.save_fills(con, state.fills, app.clock.now())
        baseline = trading.load_baseline(con, account)
        if baseline is None:
            return state.held()
        return _compared(con, session, state, baseline).records.book().held


def _explained(app: App, session: date, change: Adjustment) -> Event:
    facts = {"kind": change.kind, "about": change.about, "evidence": change.evidence, "reason": change.reason}
    amounts = {"shares": change.shares, "cash_usd": change.cash}
    subject = change.symbol or CASH_SUBJECT
    return Event("adjusted", app.clock.now(), change.actor, subject, session, details={**facts, **amounts})


def open_subjects(app: App, account: str) -> list[str]:
    """Everything that a person may have to resolve: locked subjects and orders without an answer."""
    with app.store().read() as con:
        held = [lock.subject for lock in store_adjustments.load_locks(con, account)]
        unknown = [o.order_ref for o in store_orders.load_orders(con, account=account, statuses=UNRESOLVED)]
    return list(dict.fromkeys([*held, *unknown]))


def resolve(app: App, session: date, state: BrokerState, subject: str, kind: AdjustmentKind, reason: str) -> Resolution:
    """Take the broker's word for `subject` and lift its locks, after a sync of the same `state`.

    A symbol's shares and cash become the broker's by an adjustment; an order whose fate is unknown ends as not at the
    broker. Should the broker have it after all, the next sync says so.

    Raises:
        UsageError: nothing about `subject` is open.
    """
    account, now = state.account.account, app.clock.now()
    if subject not in open_subjects(app, account):
        raise UsageError(f"nothing about {subject} is open; see: hrp breaks")
    ended = _end_order(app, account, subject, reason)
    with app.store().write() as con:
        baseline = trading.load_baseline(con, account)
        found = tuple(b for b in trading.load_breaks(con, account) if subject in (b.symbol, b.subject) and not b.cause)
        taken: Sequence[Adjustment] = ()
        if baseline is not None and _is_amount(con, account, subject):
            records = load_records(con, baseline)
            taken = take_over(subject, kind, session, state, records, "operator", reason)
        store_adjustments.save_adjustments(con, taken, now)
        for change in taken:
            journal.append_event(con, _explained(app, session, change))
        lifted = store_adjustments.lift_locks(con, account, subject, now, "operator", reason)
        facts = {"reason": reason, "kind": kind, "locks_lifted": lifted, "ended": [order.order_ref for order in ended]}
        journal.append_event(con, Event("break_resolved", now, "operator", subject, session, details=facts))
    return Resolution(subject, found, tuple(taken), ended, lifted)


def _is_amount(con: Connection, account: str, subject: str) -> bool:
    """True for an instrument or cash, false for an order."""
    held = store_adjustments.load_locks(con, account)
    return any(
        lock.subject == subject and (lock.scope is LockScope.INSTRUMENT or subject == CASH_SUBJECT) for lock in held
    )


def _end_order(app: App, account: str, order_ref: str, reason: str) -> tuple[Order, ...]:
    with app.store().read() as con:
        unknown = store_orders.load_orders(con, account=account, statuses=UNRESOLVED)
    found = tuple(order for order in unknown if order.order_ref == order_ref)
    for _ in found:
        StoreLedger(app.store(), app.clock.now).record_status(
            order_ref, OrderStatus.CANCELLED, f"not at the broker, by hand: {reason}"
        )
    return found


def across_splits(app: App, session: date, state: BrokerState) -> list[str]:
    """The working orders whose size a split of this session or the next one makes wrong, in words."""
    names = {order.symbol for order in state.working}
    with app.store().read() as con:
        actions = market.actions_of(con, names, session, next_session(session))
    due = {**splits_on(actions, session), **splits_on(actions, next_session(session))}
    return [
        f"{order.side} {order.remaining:f} {order.symbol} works across the {due[order.symbol]}: cancel it with: "
        f"hrp orders cancel {order.order_ref or f'--symbol {order.symbol}'}"
        for order in state.working
        if order.symbol in due
    ]


def load_locks(app: App, account: str) -> list[Lock]:
    """The locks in force."""
    with app.store().read() as con:
        return store_adjustments.load_locks(con, account)


def strategy_names(app: App, account: str, strategy: str, held: Mapping[str, Decimal]) -> tuple[list[str], list[Left]]:
    """The names that only `strategy` brought in or has orders on, and the shared ones, which stay.

    Raises:
        UsageError: it never had an order.
    """
    with app.store().read() as con:
        baseline = trading.load_baseline(con, account)
        orders = store_orders.load_orders(con, account=account)
        brought = holders(load_records(con, baseline)) if baseline else {}
    if not any(strategy in order.strategy.split("+") for order in orders):
        raise UsageError(f"strategy {strategy} never had an order in {account}; see: hrp status")
    own, shared = split_by_owner(brought, strategy)
    working = [o.symbol for o in orders if o.status in LIVE and o.strategy == strategy and o.symbol not in brought]
    return [*own, *working], shared_lefts(shared, held)
