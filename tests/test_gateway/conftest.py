"""A gateway process for a module of tests, and the real client library to talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hrp.gateway import client
from hrp.gateway.process import Running

from .support import ACCOUNT, at, close_desks, write_market


@dataclass(frozen=True)
class Process:
    """A running gateway and where its state is."""

    state: Path
    market: Path
    running: Running


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A gateway of its own process, at the evening of 2024-01-02."""
    folder = tmp_path_factory.mktemp("gateway")
    market = write_market(folder / "market.parquet")
    running = client.start(folder / "state", market, ACCOUNT, clock=at(2, 22))
    yield Process(folder / "state", market, running)
    client.stop(folder / "state")


@pytest.fixture(autouse=True)
def closed_desks() -> Iterator[None]:
    """No test leaves a file open."""
    yield
    close_desks()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The event loop that the client library expects in the main thread."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.run_until_complete(asyncio.sleep(0))
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def connect(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[int, int], Any]]:
    """Make connected clients of ib_insync; they are disconnected at the end."""
    from ib_insync import IB

    opened: list[Any] = []

    def connect_to(port: int, client_id: int) -> Any:
        ib = IB()
        opened.append(ib)
        ib.connect("127.0.0.1", port, clientId=client_id, timeout=10)
        return ib

    yield connect_to
    for ib in opened:
        ib.disconnect()
    loop.run_until_complete(asyncio.sleep(0.01))
