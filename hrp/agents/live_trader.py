"""From predictions to orders at the broker."""

from __future__ import annotations

from dataclasses import replace

from hrp.agents.jobs import Job, JobResult
from hrp.api.decision import Night
from hrp.domain.orders import UNRESOLVED, Order, OrderStatus
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
        with self.api.app.broker() as broker:
            require_same_time(broker.server_time(), self.api.now())
            manager = OrderManager(
                broker, self.api.order_ledger(), self.api.app.clock, self.api.get_orders(account=account)
            )
            state = broker.state()
            manager.reconcile(state)
            unknown = self.api.get_orders(account=account, statuses=UNRESOLVED)
            if unknown:
                return self._wait_for_a_person(account, unknown)
            denials = "" if self.api.get_plan(self.session, account) else self._plan(broker, nights, state)
            result = self._carry_out(account, broker, manager)
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

    def _wait_for_a_person(self, account: str, unknown: list[Order]) -> JobResult:
        """Neither plan nor send while the fate of an earlier order is unknown."""
        refs = ", ".join(order.order_ref for order in unknown)
        alert = (
            f"fate unknown: {refs}; nothing more is sent; look in TWS, and if an order is not there, run: "
            f"hrp resolve {unknown[0].order_ref} --reason TEXT"
        )
        return JobResult("unknown_orders", self._facts(account), 0, EXIT_NOT_READY, alert)

    def _carry_out(self, account: str, broker: Broker, manager: OrderManager) -> JobResult:
        """Send what the stored plan still holds."""
        orders = self.api.get_orders(session=self.session, account=account)
        pending = [order for order in orders if order.status is OrderStatus.PENDING]
        if self.api.app.dry:
            return JobResult("dry_run", self._facts(account))
        if not pending:
            return JobResult("nothing_to_do", self._facts(account))
        self.api.require_known_instruments(broker.qualify([order.symbol for order in pending]))
        outcomes = manager.submit_all(pending)
        sent = [done for done in outcomes if done.outcome in (Outcome.SUBMITTED, Outcome.REJECTED)]
        troubles = [_trouble(done) for done in outcomes if done.outcome is not Outcome.SUBMITTED]
        facts = self._facts(account, sent=len(sent))
        if troubles:
            return JobResult("partial_failure", facts, len(sent), EXIT_NOT_READY, "; ".join(troubles))
        return JobResult("success", facts, len(sent))

    def _facts(self, account: str, sent: int = 0) -> dict[str, object]:
        orders = self.api.get_orders(session=self.session, account=account)
        denied = [order for order in orders if order.status is OrderStatus.DENIED]
        return {
            **(self.api.get_plan(self.session, account) or {}),
            "sent": sent,
            "orders": [_row(order) for order in orders if order not in denied],
            "denied": [[*_row(order), order.denial] for order in denied],
        }


def _trouble(done: Submission) -> str:
    return f"{done.order.side} {done.order.quantity} {done.order.symbol}: {done.outcome}: {done.message}"


def _row(order: Order) -> list[object]:
    """symbol, side, shares, type, limit in USD, status, reference"""
    limit = None if order.limit_price is None else str(order.limit_price)
    return [order.symbol, order.side, order.quantity, order.order_type, limit, order.status, order.order_ref]
