"""A night that is killed: a process of its own runs it and ends itself, by SIGKILL, at the point it was given.

Everything is the real thing; what stands in between only counts the steps.
"""

from __future__ import annotations

import os
import signal
from datetime import date
from pathlib import Path
from typing import Any

from hrp.agents import runner
from hrp.agents.jobs import claim
from hrp.agents.runner import NIGHTLY, Options
from hrp.api.platform import PlatformAPI
from hrp.domain.orders import OrderStatus
from hrp.domain.plan import Plan
from hrp.ports import Ledger
from hrp.wiring import build

PLANNED = "planned"  # the plan is committed, nothing was sent
ON_ITS_WAY = "on its way"  # an order is written down as being sent and has not left
UNRECORDED = "unrecorded"  # the broker has acknowledged an order and that was not written down
RECORDED = "recorded"  # an acknowledgement was written down


class DoomedLedger:
    """The real ledger of a process that dies at the n-th order, before or after a step of it is kept."""

    def __init__(self, ledger: Ledger, point: str, order: int) -> None:
        self._ledger, self._point, self._countdown = ledger, point, order

    def record_status(self, order_ref: str, status: OrderStatus, evidence: str, **ids: Any) -> None:
        if status is OrderStatus.ACKED:
            self._pass(UNRECORDED)
        self._ledger.record_status(order_ref, status, evidence, **ids)
        self._pass({OrderStatus.SENDING: ON_ITS_WAY, OrderStatus.ACKED: RECORDED}[status])

    def batch(self) -> Any:
        return self._ledger.batch()

    def _pass(self, point: str) -> None:
        self._countdown -= point == self._point
        if self._countdown == 0:
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_and_die(env_file: Path, job: str, session: date, point: str, order: int) -> None:
    """Run `job` for real and die at `point` of the `order`-th order."""

    class DoomedAPI(PlatformAPI):
        def store_plan(self, plan: Plan, run_id: str) -> None:
            PlatformAPI.store_plan(self, plan, run_id)
            if point == PLANNED:
                _die()

        def order_ledger(self) -> Any:
            return DoomedLedger(PlatformAPI.order_ledger(self), point, order)

    setattr(runner, "PlatformAPI", DoomedAPI)  # noqa: B010  # the name is not exported for anyone else
    runner.execute(build(env_file), job, session, Options(trading_dry_run=False), lambda _: None)


def hold_claim(home: Path, held: Any, let_go: Any) -> None:
    """Hold the workspace as a running night does, until told."""
    with claim(home, NIGHTLY):
        held.set()
        let_go.wait()
