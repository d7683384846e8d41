"""A night that is killed: a process of its own runs it and ends itself, by SIGKILL, at the point it was given.

Everything is the real thing; the subclasses only count the steps. The processes are forked from a server that has
imported everything already, so each starts at once.
"""

from __future__ import annotations

import os
import signal
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

import hrp.data.db
import hrp.execution.broker
import hrp.ml.registry
import hrp.monitoring.drift  # noqa: F401
from hrp.agents import runner
from hrp.agents.jobs import claim
from hrp.agents.runner import NIGHTLY, Options
from hrp.api.platform import PlatformAPI
from hrp.data.trading import StoreLedger
from hrp.domain.orders import OrderStatus
from hrp.domain.plan import Plan
from hrp.domain.sessions import is_session
from hrp.wiring import build

is_session(date(2022, 12, 21))  # builds the calendar once for all

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.test_night.doomed", "test_night.doomed"])

PLANNED = "planned"  # the plan is committed, nothing was sent
ON_ITS_WAY = "on its way"  # an order is written down as being sent and has not left
UNRECORDED = "unrecorded"  # the broker has acknowledged an order and that was not written down
RECORDED = "recorded"  # an acknowledgement was written down


class DoomedLedger(StoreLedger):
    """A ledger whose process dies at the n-th order, before or after its sending or its acknowledgement is kept."""

    point: ClassVar[str]
    countdown: ClassVar[int]

    def record_status(self, order_ref: str, status: OrderStatus, evidence: str, **ids: Any) -> None:
        if status is OrderStatus.SUBMITTED and self._is_due(UNRECORDED):
            _die()
        super().record_status(order_ref, status, evidence, **ids)
        if (status is OrderStatus.SENDING and self._is_due(ON_ITS_WAY)) or (
            status is OrderStatus.SUBMITTED and self._is_due(RECORDED)
        ):
            _die()

    def _is_due(self, point: str) -> bool:
        if point == self.point:
            type(self).countdown -= 1
        return point == self.point and self.countdown == 0


class DoomedAPI(PlatformAPI):
    def store_plan(self, plan: Plan, run_id: str) -> None:
        super().store_plan(plan, run_id)
        if DoomedLedger.point == PLANNED:
            _die()

    def order_ledger(self) -> StoreLedger:
        return DoomedLedger(self.app.store(), self.app.clock.now)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_and_die(env_file: Path, session: date, point: str, order: int) -> None:
    """Run the night of `session` for real and die at `point` of the `order`-th order."""
    DoomedLedger.point, DoomedLedger.countdown = point, order
    runner.PlatformAPI = DoomedAPI  # type: ignore[misc]
    runner.execute(build(env_file), NIGHTLY, session, Options(trading_dry_run=False), lambda _: None)


def hold_claim(home: Path, held: Any, let_go: Any) -> None:
    """Hold the workspace as a running night does, until told."""
    with claim(home, NIGHTLY):
        held.set()
        let_go.wait()
