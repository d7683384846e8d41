"""What the broker did: executions to fills, orders to their ends, positions, equity, profit, breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from hrp.agents.jobs import Job, JobResult
from hrp.api.platform import PlatformAPI
from hrp.domain.breaks import Lock
from hrp.domain.orders import OrderStatus
from hrp.domain.positions import Break, BrokerState, Fill
from hrp.domain.sessions import last_opened
from hrp.errors import EXIT_DONE, EXIT_NOT_READY
from hrp.execution.orders import OrderManager
from hrp.ports import Broker


@dataclass(frozen=True, slots=True)
class Moved:
    """An order whose status the broker's word changed."""

    order_ref: str
    symbol: str
    was: OrderStatus
    status: OrderStatus


@dataclass(frozen=True, slots=True)
class Synced:
    """What the broker's word changed. `breaks` are this sync's, `locks` all that are in force, `alarms` in words."""

    state: BrokerState
    moved: Sequence[Moved]
    new_fills: Sequence[Fill]
    corrected: Sequence[Fill]
    breaks: Sequence[Break]
    locks: Sequence[Lock]
    alarms: Sequence[str]
    snapshot: bool

    @property
    def open(self) -> list[Break]:
        """Breaks that nothing explains."""
        return [found for found in self.breaks if not found.cause]

    @property
    def exit_code(self) -> int:
        """3 while something needs a person."""
        return EXIT_NOT_READY if self.open or self.locks or self.alarms else EXIT_DONE

    def facts(self) -> dict[str, object]:
        """Plain values for tables and JSON."""
        return {
            "new_fills": len(self.new_fills),
            "orders_moved": len(self.moved),
            "snapshot": self.snapshot,
            "equity_usd": str(self.state.account.net_liquidation),
            "cash_usd": str(self.state.account.cash),
            "positions": len(self.state.positions),
            "working": len(self.state.working),
            "breaks": [[b.kind, b.subject, b.ledger, b.broker, b.cause, b.explanation] for b in self.breaks],
            "locks": [[lock.scope, lock.subject, lock.kind, str(lock.session), lock.reason] for lock in self.locks],
        }


def sync(api: PlatformAPI, broker: Broker, session: date) -> Synced:
    """Copy the broker's facts into the ledger, explain every difference that can be explained, lock the others.

    The snapshot of positions and equity is written for the newest session only: the broker knows the present, so a
    sync for an earlier session adds executions and leaves that session's snapshot as it is.
    """
    account = api.app.settings.require_account()
    fills = {fill.identity: fill for fill in api.get_fills(account)}
    orders = {order.order_ref: order.status for order in api.get_orders(account=account)}
    manager = OrderManager(broker, api.order_ledger(), api.app.clock, api.get_orders(account=account))
    done = manager.settle(api.keep_executions)
    after = api.get_fills(account)
    current = session == last_opened(api.now())
    return Synced(
        state=done.state,
        moved=[
            Moved(order.order_ref, order.symbol, orders[order.order_ref], order.status)
            for order in manager.get_all_orders()
            if order.status is not orders[order.order_ref]
        ],
        new_fills=[fill for fill in after if fill.identity not in fills],
        corrected=[fill for fill in after if fill.identity in fills and fill != fills[fill.identity]],
        breaks=api.store_snapshot(session, done.state) if current else [],
        locks=api.get_locks(account),
        alarms=[
            *(f"fate unknown: {ref}: {doubt}" for ref, doubt in done.doubts.items()),
            *api.get_orders_across_splits(session, done.state),
        ],
        snapshot=current,
    )


class PositionSyncJob(Job):
    """Copy the broker's facts into the ledger, and report every difference: explained, or locked."""

    name = "position-sync"

    def execute(self) -> JobResult:
        with self.api.app.broker() as broker:
            done = sync(self.api, broker, self.session)
        if done.exit_code == EXIT_DONE and not done.breaks:
            status = "success"
        else:
            status = "breaks" if done.exit_code else "explained"
        return JobResult(status, done.facts(), len(done.new_fills), done.exit_code, said(done))


def said(done: Synced) -> str:
    """The alert that a sync calls for, empty if all agrees."""
    explained = [found.told for found in done.breaks if found.cause]
    unknown = [found.subject for found in done.open]
    parts = [
        f"explained: {'; '.join(explained)}" if explained else "",
        f"ledger and broker differ: {'; '.join(found.told for found in done.open)}" if unknown else "",
        f"locked: {', '.join(lock.subject for lock in done.locks)}" if done.locks else "",
        *done.alarms,
        "look: hrp breaks; then: hrp breaks resolve SUBJECT --reason TEXT" if unknown or done.locks else "",
    ]
    return "; ".join(filter(None, parts))
