"""What sending a night's orders costs, stage by stage, against a gateway: `python benchmarks/orders.py [COUNT]`.

The client's own rate limit (45 messages a second) is the floor; `adapter_overhead` is what everything else between
the first order and the last acknowledgement adds to it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd

from hrp.data import orders as store_orders
from hrp.data.db import Store
from hrp.data.ledger import StoreLedger
from hrp.domain.lost import Bounds
from hrp.domain.orders import Order, OrderSide, order_ref
from hrp.domain.plan import Plan, PlanLine
from hrp.execution.broker import BrokerConfig, IBKRBroker
from hrp.execution.orders import OrderManager, Outcome
from hrp.gateway import client

ACCOUNT, SESSION, NEXT = "DU1234567", date(2026, 1, 5), date(2026, 1, 6)
EVENING = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)
PRICE, RATE = Decimal(50), 45


class SteadyClock:
    def now(self) -> datetime:
        return EVENING

    def elapsed(self) -> float:
        return time.perf_counter()


class Stages:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start


class TimedBroker(IBKRBroker):
    stages: Stages

    def place(self, *args):
        with self.stages("wait for acknowledgements and the rate limit"):
            return super().place(*args)


class TimedLedger(StoreLedger):
    stages: Stages

    def record_status(self, *args, **news):
        with self.stages("commits"):
            super().record_status(*args, **news)


def main(count: int) -> None:
    symbols = [f"S{number:03d}" for number in range(count)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        running = client.start(folder / "gateway", _market(folder, symbols), ACCOUNT, clock=EVENING)
        try:
            _report(count, *_send(folder, running.port, symbols))
        finally:
            client.stop(folder / "gateway")


def _market(folder: Path, symbols: list[str]) -> Path:
    price = {"open": 50.0, "high": 51.0, "low": 49.0, "close": 50.0, "volume": 10**6}
    rows = [{"symbol": symbol, "session": day, **price} for symbol in symbols for day in (SESSION, NEXT)]
    pd.DataFrame(rows).to_parquet(folder / "bars.parquet")
    return folder / "bars.parquet"


def _plan(symbols: list[str]) -> Plan:
    orders = [
        Order(
            symbol, OrderSide.BUY, 10, order_ref=order_ref(SESSION, ACCOUNT, "S", symbol, OrderSide.BUY),
            session=SESSION, for_session=NEXT, account=ACCOUNT,
        )
        for symbol in symbols
    ]  # fmt: skip
    none = Decimal(0)
    lines = [PlanLine(o.symbol, 0.1, none, PRICE, 10, (), 10, none, none, o) for o in orders]
    return Plan(SESSION, NEXT, ACCOUNT, Decimal(10**6), Decimal(10**6), {}, {}, tuple(lines))


def _send(folder: Path, port: int, symbols: list[str]) -> tuple[Stages, float]:
    """The stages, and the seconds from the first order to the last acknowledgement."""
    stages = Stages()
    store = Store(folder / "hrp.duckdb", folder / "published")
    store.migrate()
    with store.write() as con:
        store_orders.save_plan(con, _plan(symbols), "run", EVENING)
    with store.read() as con:
        orders = store_orders.load_orders(con)
    ledger = TimedLedger(store, lambda: EVENING)
    broker = TimedBroker(BrokerConfig("127.0.0.1", port, 7, ACCOUNT))
    ledger.stages = broker.stages = stages
    bounds = Bounds(sends=len(orders), shares=dict.fromkeys(symbols, Decimal(10)), prices=dict.fromkeys(symbols, PRICE))
    with stages("connect"):
        broker.connect()
    manager = OrderManager(broker, ledger, SteadyClock(), orders)
    with stages("state and reconcile"):
        manager.settle(lambda _: {})
    with stages("qualify"):
        instruments = broker.qualify(symbols)
    start = time.perf_counter()
    sent = manager.submit_all(orders, instruments, bounds)
    seconds = time.perf_counter() - start
    with stages("disconnect"):
        broker.disconnect()
    assert all(done.outcome is Outcome.SUBMITTED for done in sent)
    return stages, seconds


def _report(count: int, stages: Stages, sending: float) -> None:
    timed = stages.seconds
    inside = timed["commits"] + timed["wait for acknowledgements and the rate limit"]
    timed["everything else while sending"] = sending - inside
    for name, seconds in timed.items():
        print(f"{name:45} {seconds:8.3f} s")
    floor = count / RATE
    overhead = 100 * (sending / floor - 1)
    print(f"orders={count} sending={sending:.2f}s rate_limit={floor:.2f}s adapter_overhead={overhead:.1f}%")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
