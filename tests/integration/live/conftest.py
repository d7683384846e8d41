"""The contract of the broker's adapter, against the paper gateway or, with ENABLE_INTEGRATION=1, against a real TWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median

import pytest

from hrp.execution.ibapi import INSTALLED

from .desk import Desk, trade
from .venue import AFTER_OPEN, SESSIONS, Venue, evening, named, paper_gateway

LATENCIES = pytest.StashKey[list[float]]()
IS_REAL = os.environ.get("ENABLE_INTEGRATION") == "1"


@pytest.fixture(scope="session")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """The server of these tests; every test leaves it as it was."""
    if IS_REAL:
        yield named(os.environ)
        return
    with paper_gateway(tmp_path_factory.mktemp("live")) as venue:
        settle_in(venue)
        yield venue


def settle_in(venue: Venue) -> None:
    """Give the account holdings, a sale on the day of their purchase, and a working order of another client."""
    with venue.broker() as broker:
        trade(venue, broker, "AAPL", 10)
        trade(venue, broker, "BRK.B", 5)
        venue.advance(AFTER_OPEN)
        trade(venue, broker, "BRK.B", -2, limit=Decimal(1))
    venue.advance(evening(SESSIONS[1]))
    with venue.broker(client=2) as stranger:
        Desk(venue).place(stranger)


@pytest.fixture
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Venue]:
    """A paper gateway of the test's own, whose clock it may move; the fixture's parameter is the terms of trading."""
    if IS_REAL:
        pytest.skip("needs a market that can be moved, which only the paper gateway has")
    with paper_gateway(tmp_path, getattr(request, "param", None)) as stage:
        yield stage


@pytest.fixture
def desk(venue: Venue) -> Iterator[Desk]:
    """Harmless orders; whatever is left of them is cancelled after the test."""
    desk = Desk(venue)
    yield desk
    desk.take_back()


@pytest.fixture
def latencies(pytestconfig: pytest.Config) -> list[float]:
    """Seconds that connections took; printed at the end."""
    return pytestconfig.stash.setdefault(LATENCIES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    seconds = config.stash.get(LATENCIES, [])
    if seconds:
        where = "a real server" if IS_REAL else "the paper gateway"
        terminalreporter.write_line(
            f"{INSTALLED} connected to {where} and proved the account in {median(seconds) * 1000:.1f} ms "
            f"(median of {len(seconds)})"
        )
