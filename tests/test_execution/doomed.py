"""A process that sends a night's orders and dies by SIGKILL at the point that it is given, or is told to stop."""

from __future__ import annotations

import os
import signal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hrp.agents.stopping import told_to_stop
from hrp.execution import translate
from hrp.execution.broker import BrokerConfig, IBKRBroker
from hrp.execution.orders import OrderManager

from .conftest import FixedClock
from .ledgers import Ledgers
from .night import ACCOUNT

PROCESSES = get_context("forkserver")

COMMITTED, WRITTEN, ACKNOWLEDGED = "before the socket write", "before the answer", "before the commit of the answer"


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DoomedBroker(IBKRBroker):
    """Dies at `point` of the first order."""

    def __init__(self, config: BrokerConfig, point: str) -> None:
        super().__init__(config)
        self._point = point

    def place(self, *args: Any) -> Any:
        if self._point == COMMITTED:
            _die()
        if self._point == WRITTEN:
            translate.answer = lambda *_: _die()  # asked for the first time when the order has left
        word = super().place(*args)
        _die()
        return word


def config(port: int) -> BrokerConfig:
    return BrokerConfig("127.0.0.1", port, 7, ACCOUNT, timeout=5, grace_seconds=0.2)


def run_and_die(folder: Path, port: int, point: str) -> None:
    Ledgers(folder).run(DoomedBroker(config(port), point), FixedClock())


def run_until_told(folder: Path, port: int, ready: Any) -> None:
    """Send everything; `ready` is set when the first order is about to leave."""
    ledgers = Ledgers(folder)
    with IBKRBroker(config(port)) as broker, told_to_stop() as should_stop:

        def stop_is_asked_for() -> bool:
            ready.set()
            return should_stop()

        manager = OrderManager(broker, ledgers.ledger, FixedClock(), ledgers.orders(), should_stop=stop_is_asked_for)
        manager.submit_all(ledgers.orders())
