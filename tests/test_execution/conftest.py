from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from hrp.domain.orders import OrderStatus
from hrp.execution.broker import BrokerConfig, IBKRBroker
from hrp.gateway import client

from .night import ACCOUNT, AFTER_CLOSE, SESSIONS

OPENS = {"AAPL": 100.0, "BRK.B": 400.0, "TRUE": 10.0}


class Ledger:
    """Keeps what it is told, in order; `Ledger.of(ref)` are the statuses of one order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, OrderStatus, str]] = []

    def record_status(self, order_ref: str, status: OrderStatus, evidence: str, **_news: object) -> None:
        self.lines.append((order_ref, status, evidence))

    def record_note(self, order_ref: str, note: str) -> None:
        raise NotImplementedError

    def batch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def of(self, order_ref: str) -> list[OrderStatus]:
        return [status for ref, status, _ in self.lines if ref == order_ref]


@dataclass
class FixedClock:
    at: datetime = AFTER_CLOSE

    def now(self) -> datetime:
        return self.at

    def elapsed(self) -> float:
        return 0.0


@dataclass(frozen=True)
class PaperGateway:
    state: Path
    port: int

    def broker(self, client_id: int = 7) -> IBKRBroker:
        return IBKRBroker(BrokerConfig("127.0.0.1", self.port, client_id, ACCOUNT, timeout=5, grace_seconds=0.2))

    def received(self) -> list[str]:
        """The references of the orders that arrived."""
        return [str(message.order_ref) for message in client.message_log(self.state, direction="in", message_id=3)]

    def orders_received(self) -> int:
        return len(self.received())

    def advance(self, to: datetime) -> None:
        client.advance(self.state, to)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


WIDE = tuple(f"S{number:02d}" for number in range(60))


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _market(tmp_path_factory, OPENS)


@pytest.fixture
def wide_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaperGateway]:
    """A gateway whose market has the sixty names `WIDE`."""
    folder = tmp_path_factory.mktemp("wide")
    yield from _running(folder / "gateway", _market(tmp_path_factory, dict.fromkeys(WIDE, 50.0)))


def _market(tmp_path_factory: pytest.TempPathFactory, opens: dict[str, float]) -> Path:
    """Each name opens a dollar higher than the session before and closes half a dollar above its open."""
    rows = [
        {
            "symbol": symbol,
            "session": session,
            "open": o,
            "high": o + 1,
            "low": o - 1,
            "close": o + 0.5,
            "volume": 10**6,
        }
        for symbol, first in opens.items()
        for o, session in ((first + day, session) for day, session in enumerate(SESSIONS))
    ]
    path = tmp_path_factory.mktemp("market") / "bars.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


@pytest.fixture
def gateway(tmp_path: Path, market: Path) -> Iterator[PaperGateway]:
    """The paper gateway, an hour after the close of the first session, with a million dollars."""
    yield from _running(tmp_path / "gateway", market)


@pytest.fixture(scope="session")
def quiet_gateway(tmp_path_factory: pytest.TempPathFactory, market: Path) -> Iterator[PaperGateway]:
    """The same, shared by the tests after which no order may have arrived."""
    yield from _running(tmp_path_factory.mktemp("quiet") / "gateway", market)


def _running(state: Path, market: Path) -> Iterator[PaperGateway]:
    running = client.start(state, market, ACCOUNT, clock=AFTER_CLOSE)
    yield PaperGateway(state, running.port)
    client.stop(state)
