"""What an operator does at the broker edge: resolve breaks, cancel orders, close positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hrp.agents.position_sync_job import sync
from hrp.api.breaks import Resolution
from hrp.api.platform import PlatformAPI
from hrp.domain.book import AdjustmentKind
from hrp.domain.flatten import FLATTEN, Exits, Left, plan_exits
from hrp.domain.orders import SENDABLE, UNRESOLVED, Order, OrderStatus
from hrp.domain.positions import BrokerState, WorkingOrder
from hrp.domain.sessions import last_opened
from hrp.errors import EXIT_DONE, EXIT_NOT_READY, BrokerError, UsageError
from hrp.execution.orders import OPENING_CUTOFF, Cancellation, CancelOutcome, OrderManager, Outcome, Submission
from hrp.ports import Broker


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was taken over, and what is still open, in words."""

    resolutions: Sequence[Resolution]
    open: Sequence[str]

    def rows(self) -> list[list[object]]:
        """subject, what, shares, cash in USD"""
        rows: list[list[object]] = []
        for done in self.resolutions:
            rows += [[done.subject, a.evidence, a.shares, a.cash] for a in done.adjustments]
            rows += [[done.subject, f"ended as not at the broker, it was {o.status}", None, None] for o in done.ended]
            rows += [[done.subject, "the lock is lifted", None, None]] if done.lifted else []
        return rows

    def facts(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"resolved": [row[:2] + [str(cell or 0) for cell in row[2:]] for row in self.rows()], "open": self.open}


def resolve_breaks(api: PlatformAPI, subject: str | None, kind: AdjustmentKind, reason: str) -> Resolved:
    """Sync, then take the broker's word for `subject` (None: for everything that is open)."""
    account, session = api.app.settings.require_account(), last_opened(api.now())
    with api.app.broker() as broker:
        state = sync(api, broker, session).state
    subjects = api.get_open_subjects(account) if subject is None else [subject]
    done = [api.resolve_break(session, state, one, kind, reason) for one in subjects]
    api.store_snapshot(session, state)
    return Resolved(done, api.get_open_subjects(account))


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What became of every order that was to be cancelled."""

    cancellations: Sequence[Cancellation]

    @property
    def exit_code(self) -> int:
        """3 while an order of HRP that was to be cancelled may still work."""
        may_work = (CancelOutcome.STILL_WORKING, CancelOutcome.UNKNOWN)
        return EXIT_NOT_READY if any(done.outcome in may_work for done in self.cancellations) else EXIT_DONE

    def rows(self) -> list[list[object]]:
        """order_ref, symbol, side, remaining, outcome, message"""
        return [
            [w.order_ref or f"perm_id {w.perm_id}", w.symbol, w.side, w.remaining, done.outcome, done.message]
            for done in self.cancellations
            for w in [done.working]
        ]


class Desk:
    """The broker for one command by hand: the ledger is brought in line before and after every act."""

    def __init__(self, api: PlatformAPI, broker: Broker) -> None:
        self._api, self._broker = api, broker
        self.manager = self._manager()
        self.state = self._settled()

    def _manager(self) -> OrderManager:
        orders = self._api.get_orders(account=self._api.app.settings.require_account())
        return OrderManager(self._broker, self._api.order_ledger(), self._api.app.clock, orders)

    def _settled(self) -> BrokerState:
        return self.manager.settle(self._api.keep_executions).state

    def strategy_of(self, working: WorkingOrder) -> str | None:
        """What the ledger says a working order serves; None for an order of somebody else."""
        orders = self.manager.get_all_orders()
        return next((order.strategy for order in orders if order.order_ref == working.order_ref), None)

    def names(self) -> list[str]:
        """Every symbol that is held, works, or is still to be sent."""
        working = {order.symbol for order in self.state.working}
        waiting = {order.symbol for order in self.manager.get_all_orders() if order.status in SENDABLE}
        return sorted({*self.state.held(), *working, *waiting})

    def cancel(self, wanted: Callable[[WorkingOrder], bool]) -> Cancelled:
        """Cancel the working orders that are `wanted`, and read what is left of them; others' orders are named."""
        done = Cancelled(self.manager.cancel_all(wanted))
        self.state = self._settled()
        if self._api.app.dry:
            gone = {one.working.perm_id for one in done.cancellations if one.outcome is CancelOutcome.DRY_RUN}
            left = tuple(order for order in self.state.working if order.perm_id not in gone)
            self.state = replace(self.state, working=left)
        return done

    def require_known_fates(self) -> None:
        """Nothing is sold while the fate of an earlier order is unknown.

        Raises:
            BrokerError: there is one.
        """
        unknown = [order.order_ref for order in self.manager.get_all_orders() if order.status in UNRESOLVED]
        if unknown:
            raise BrokerError(
                f"fate unknown: {', '.join(unknown)}; nothing is sold before it is known; look in TWS, and if an order "
                f"is not there, run: hrp breaks resolve {unknown[0]} --reason TEXT"
            )

    def withdraw_planned(self, names: Sequence[str]) -> list[Order]:
        """End the orders on `names` that were never sent, so that no later run sends them."""
        planned = [o for o in self.manager.get_all_orders() if o.status in SENDABLE and o.symbol in names]
        for order in planned:
            self._api.order_ledger().record_status(order.order_ref, OrderStatus.EXPIRED, "closed by hand: hrp flatten")
        self.manager = self._manager()
        return planned

    def sell(self, exits: Exits) -> list[Submission]:
        """Write the closing plan down and send its orders, one by one."""
        orders = exits.plan.orders
        if not orders:
            return []
        self._api.store_plan(exits.plan, "by-hand", kind=FLATTEN)
        self.manager = self._manager()
        found = self._broker.qualify([order.symbol for order in orders])
        self._api.require_known_instruments(found)
        return self.manager.submit_all(orders, found)


def cancel_orders(api: PlatformAPI, refs: Sequence[str], symbol: str | None) -> Cancelled:
    """Cancel working orders of HRP: those named, those on a symbol, or all of them."""
    with api.app.broker() as broker:
        desk = Desk(api, broker)
        known = {order.order_ref for order in desk.manager.get_all_orders()}
        strangers = [ref for ref in refs if ref not in known]
        if strangers:
            raise UsageError(f"there is no order {', '.join(strangers)}; see: hrp orders")
        done = desk.cancel(
            lambda order: (not refs or order.order_ref in refs) and (symbol is None or order.symbol == symbol)
        )
    api.log_event("orders_cancelled", "operator", subject=symbol or ",".join(refs) or "all", details=_told(done.rows()))
    return done


@dataclass(frozen=True, slots=True)
class Flattened:
    """What was cancelled, sold and left."""

    cancelled: Cancelled
    withdrawn: Sequence[Order]
    sold: Sequence[Submission]
    left: Sequence[Left]

    @property
    def exit_code(self) -> int:
        """3 while anything that was to be closed is neither sold nor on its way."""
        sent = all(done.outcome in (Outcome.SUBMITTED, Outcome.DRY_RUN) for done in self.sold)
        return EXIT_DONE if sent and not self.left and not self.cancelled.exit_code else EXIT_NOT_READY

    def rows(self) -> list[list[object]]:
        """order_ref, symbol, side, shares, outcome, message"""
        never = [[o.order_ref, o.symbol, o.side, o.quantity, "WITHDRAWN", "it was never sent"] for o in self.withdrawn]
        sold = [
            [d.order.order_ref, d.order.symbol, d.order.side, d.order.quantity, d.outcome, d.message] for d in self.sold
        ]
        left = [["", one.symbol, "", one.shares, "LEFT", one.reason] for one in self.left]
        return [*self.cancelled.rows(), *never, *sold, *left]


def flatten(api: PlatformAPI, symbol: str | None, strategy: str | None) -> Flattened:
    """Close what is held of a symbol, of what only one strategy brought in, or (neither given) all of it.

    Working orders on these names are cancelled first, earlier closings apart. A repetition sends nothing twice.
    """
    with api.app.broker() as broker:
        desk = Desk(api, broker)
        desk.require_known_fates()
        held = desk.state.held()
        shared: list[Left] = []
        names = [symbol] if symbol else desk.names()
        if strategy:
            names, shared = api.get_strategy_names(desk.state.account.account, strategy, held)

        cancelled = desk.cancel(lambda order: order.symbol in names and desk.strategy_of(order) != FLATTEN)
        withdrawn = desk.withdraw_planned(names)
        orders, now = desk.manager.get_all_orders(), broker.server_time()
        exits = plan_exits(names, desk.state, orders, now, OPENING_CUTOFF)
        sold = desk.sell(exits)
    done = Flattened(cancelled, withdrawn, sold, [*exits.left, *shared])
    api.log_event("flattened", "operator", subject=symbol or strategy or "all", details=_told(done.rows()))
    return done


def _told(rows: Sequence[Sequence[object]]) -> dict[str, object]:
    """What was done, order by order, as the lineage keeps it."""
    return {"orders": [[str(cell) for cell in row] for row in rows]}
