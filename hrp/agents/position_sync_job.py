"""What the broker did: executions to fills, orders to their ends, positions, equity, profit, breaks."""

from __future__ import annotations

from hrp.agents.jobs import Job, JobResult
from hrp.domain.positions import BrokerState
from hrp.domain.sessions import last_opened
from hrp.errors import EXIT_NOT_READY
from hrp.execution.orders import OrderManager


class PositionSyncJob(Job):
    """Copy the broker's facts into the ledger and list every difference.

    The snapshot of positions and equity is written for the newest session only: the broker knows the present, so a
    run for an earlier session adds executions and leaves that session's snapshot as it is.
    """

    name = "position-sync"

    def execute(self) -> JobResult:
        account = self.api.app.settings.require_account()
        with self.api.app.broker() as broker:
            state = broker.state()
            new_fills = self.api.store_fills(state.fills)  # first: an order called filled must have its executions
            orders = self.api.get_orders(account=account)
            moved = OrderManager(broker, self.api.order_ledger(), self.api.app.clock, orders).reconcile(state)
        current = self.session == last_opened(self.api.app.clock.now())
        breaks = self.api.store_snapshot(self.session, state) if current else []
        facts = {
            "new_fills": new_fills,
            "orders_moved": len(moved),
            "snapshot": current,
            **_money(state),
            "breaks": [[b.kind, b.subject, b.ledger, b.broker] for b in breaks],
        }
        if breaks:
            text = "; ".join(f"{b.kind} {b.subject}: ledger {b.ledger}, broker {b.broker}" for b in breaks)
            return JobResult(
                "breaks",
                facts,
                new_fills,
                EXIT_NOT_READY,
                f"ledger and broker differ: {text}; if you can explain it: hrp accept --reason TEXT",
            )
        return JobResult("success", facts, new_fills)


def _money(state: BrokerState) -> dict[str, object]:
    return {
        "equity_usd": str(state.account.net_liquidation),
        "cash_usd": str(state.account.cash),
        "positions": len(state.positions),
        "working": len(state.working),
    }
