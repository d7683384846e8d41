"""From predictions to orders at the broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hrp.agents.jobs import Job, JobResult
from hrp.agents.stopping import told_to_stop
from hrp.api.decision import Night
from hrp.domain.orders import SENDABLE, Order, OrderStatus
from hrp.domain.positions import BrokerState
from hrp.domain.sessions import close_at, next_session, open_at
from hrp.errors import EXIT_NOT_READY, RequirementNotMetError
from hrp.execution.orders import OPENING_CUTOFF, OrderManager, Outcome, Submission, require_same_time
from hrp.ports import Broker


class LiveTradingAgent(Job):
    """Bring the account to the portfolio that tonight's predictions ask for.

    The first real run of a session writes its plan down before anything is sent; every later run carries out what
    is left of that plan and nothing else. A dry run builds the same plan from the same inputs and sends nothing.
    """

    name = "live-trader"
    requires = ("predictions", "position-sync")

    def execute(self) -> JobResult:
        nights = self.api.get_nights(self.session)
        if not nights:
            return JobResult("no_strategies")
        account = self.api.app.settings.require_account()
        with self.api.app.broker() as broker, told_to_stop() as should_stop:
            require_same_time(broker.server_time(), self.api.now())
            orders = self.api.get_orders(account=account)
            manager = OrderManager(broker, self.api.order_ledger(), self.api.app.clock, orders, should_stop=should_stop)
            settled = manager.settle(self.api.keep_executions)
            if settled.doubts:
                return self._wait_for_a_person(account, settled.doubts)
            denials = "" if self.api.get_plan(self.session, account) else self._plan(broker, nights, settled.state)
            result = self._carry_out(account, broker, manager, settled.expired)
        return replace(result, alert="; ".join(filter(None, (result.alert, denials))))

    def _plan(self, broker: Broker, nights: list[Night], state: BrokerState) -> str:
        """Write the session's plan down; what its rules denied, in words."""
        self._require_window(broker)
        plan = self.api.make_plan(self.session, nights, state)
        self.api.store_plan(plan, self.run_id)
        denied = [f"{order.side} {order.quantity} {order.symbol}: {order.denial}" for order in plan.denied]
        return f"denied: {'; '.join(denied)}" if denied else ""

    def _require_window(self, broker: Broker) -> None:
        """A plan is made between the close of its session and the cut-off before the next open, or not at all."""
        now, following = broker.server_time(), next_session(self.session)
        cut_off = open_at(following) - OPENING_CUTOFF
        if not close_at(self.session) <= now < cut_off:
            raise RequirementNotMetError(
                f"orders decided on session {self.session} must be sent before {cut_off:%Y-%m-%d %H:%M} UTC and the "
                f"broker's clock says {now:%Y-%m-%d %H:%M}; nothing was sent; run the night of the last closed "
                "session: hrp run nightly"
            )

    def _wait_for_a_person(self, account: str, doubts: Mapping[str, str]) -> JobResult:
        """Neither plan nor send while the fate of an earlier order is unknown."""
        told = "; ".join(f"{ref}: {doubt}" for ref, doubt in doubts.items())
        alert = (
            f"fate unknown: {told}; nothing more is sent; look in TWS (and in the account's statement) for the order, "
            f"and if it is not there, run: hrp breaks resolve {next(iter(doubts))} --reason TEXT"
        )
        return JobResult("unknown_orders", self._facts(account), 0, EXIT_NOT_READY, alert)

    def _carry_out(self, account: str, broker: Broker, manager: OrderManager, expired: Sequence[Order]) -> JobResult:
        """Send what the stored plan still holds."""
        plan_hash = (self.api.get_plan(self.session, account) or {}).get("plan_hash")
        orders = self.api.get_orders(session=self.session, account=account, statuses=SENDABLE)
        pending = [order for order in orders if order.plan_hash == plan_hash]
        late = [f"{_name(order)}: EXPIRED: it was never sent" for order in expired if order.session == self.session]
        if self.api.app.dry:
            return JobResult("dry_run", self._facts(account))
        if not pending and not late:
            return JobResult("nothing_to_do", self._facts(account))
        free, held_back = self._unlocked(account, pending)
        known = broker.qualify([order.symbol for order in free])
        self.api.require_known_instruments(known)
        outcomes = manager.submit_all(free, known, self.api.get_plan_bounds(self.session, account))
        sent = [done for done in outcomes if done.outcome in (Outcome.SUBMITTED, Outcome.REJECTED)]
        facts = self._facts(account, sent=len(sent))
        troubles = [*late, *held_back, *_troubles(outcomes)]
        if troubles:
            return JobResult("partial_failure", facts, len(sent), EXIT_NOT_READY, "; ".join(troubles))
        return JobResult("success", facts, len(sent))

    def _unlocked(self, account: str, pending: Sequence[Order]) -> tuple[list[Order], list[str]]:
        """The orders that no lock forbids, and the others in words: a lock may be newer than the plan."""
        locks = self.api.get_locks(account)
        held_back = {
            order.order_ref: f"{_name(order)}: BREAK: {lock.kind} {lock.subject} since {lock.session}: see hrp breaks"
            for order in pending
            for lock in locks
            if lock.forbids(order)
        }
        return [order for order in pending if order.order_ref not in held_back], list(held_back.values())

    def _facts(self, account: str, sent: int = 0) -> dict[str, object]:
        orders = self.api.get_orders(session=self.session, account=account)
        denied = [order for order in orders if order.status is OrderStatus.DENIED]
        return {
            **(self.api.get_plan(self.session, account) or {}),
            "sent": sent,
            "orders": [_row(order) for order in orders if order not in denied],
            "denied": [[*_row(order), order.denial] for order in denied],
        }


def _troubles(outcomes: Sequence[Submission]) -> list[str]:
    """What was not sent, or not taken, in words; being told to stop is said once."""
    held_back = [done for done in outcomes if done.outcome is Outcome.STOPPED]
    others = [done for done in outcomes if done.outcome not in (Outcome.SUBMITTED, Outcome.STOPPED)]
    said = [f"{_name(done.order)}: {done.outcome}: {done.message}" for done in others]
    if held_back:
        said.append(
            f"told to stop: {len(held_back)} of {len(outcomes)} orders were not sent and are still planned; to send "
            f"them run: hrp run live-trader --no-trading-dry-run --session {held_back[0].order.session}"
        )
    return said


def _name(order: Order) -> str:
    return f"{order.side} {order.quantity} {order.symbol}"


def _row(order: Order) -> list[object]:
    """symbol, side, shares, type, limit in USD, status, reference"""
    limit = None if order.limit_price is None else str(order.limit_price)
    return [order.symbol, order.side, order.quantity, order.order_type, limit, order.status, order.order_ref]
