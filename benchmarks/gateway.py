"""How fast the paper gateway is, and what it keeps of clients that are gone: `python benchmarks/gateway.py`.

A thousand orders go through one real client whose own limit of 45 messages a second is lifted, and are acknowledged and
filled; the limit alone would cost 22 s. Before that, a hundred clients connect in a row.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
from ib_insync import IB, MarketOrder, Stock

from hrp.gateway import client

ORDERS = 1000
CONNECTS = 100
CLIENT_LIMIT = 45
ACCOUNT = "DU1234567"
NAMES = [f"N{number:03}" for number in range(100)]
DAYS = [date(2024, 1, 2), date(2024, 1, 3)]
IN_SESSION = datetime(2024, 1, 3, 15, tzinfo=UTC)


def main() -> None:
    asyncio.set_event_loop(asyncio.new_event_loop())
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        running = client.start(state, _market(Path(folder)), ACCOUNT, clock=IN_SESSION)
        try:
            _connects(running.port, running.pid)
            _orders(running.port)
        finally:
            client.stop(state)


def _orders(port: int) -> None:
    ib = IB()
    ib.client.MaxRequests = 0
    ib.connect("127.0.0.1", port, clientId=1)
    acknowledged: dict[int, float] = {}
    ib.openOrderEvent += lambda trade: acknowledged.setdefault(trade.order.orderId, time.perf_counter())
    sent: dict[int, float] = {}
    started = time.perf_counter()
    for number in range(ORDERS):
        order = MarketOrder("BUY", 1, tif="DAY", account=ACCOUNT, orderRef=f"bench-{number}")
        ib.placeOrder(Stock(NAMES[number % len(NAMES)], "SMART", "USD"), order)
        sent[order.orderId] = time.perf_counter()
    while not all(trade.fills and trade.fills[0].commissionReport.commission for trade in ib.trades()):
        ib.sleep(0.005)
    seconds = time.perf_counter() - started
    ib.disconnect()
    waits = [1000 * (acknowledged[number] - at) for number, at in sent.items()]
    limit = ORDERS / CLIENT_LIMIT
    print(
        f"{ORDERS} orders acknowledged and filled in {seconds:.2f} s; the client's own limit would cost {limit:.1f} s"
    )
    print(f"orders={ORDERS} ack_ms_median={statistics.median(waits):.1f} ratio_to_client_limit={seconds / limit:.2f}")


def _connects(port: int, pid: int) -> None:
    _connect_once(port)
    before = _held(pid)
    started = time.perf_counter()
    for _ in range(CONNECTS):
        _connect_once(port)
    seconds = time.perf_counter() - started
    after = _held(pid)
    print(
        f"connects={CONNECTS} seconds={seconds:.2f} descriptors={before[0]}->{after[0]} rss_kb={before[1]}->{after[1]}"
    )


def _connect_once(port: int) -> None:
    ib = IB()
    ib.connect("127.0.0.1", port, clientId=2)
    ib.disconnect()
    ib.sleep(0.01)


def _held(pid: int) -> tuple[int, int]:
    """Open file descriptors and resident memory in kB of a process."""
    status = (Path("/proc") / str(pid) / "status").read_text().split()
    return len(list((Path("/proc") / str(pid) / "fd").iterdir())), int(status[status.index("VmRSS:") + 1])


def _market(folder: Path) -> Path:
    rows = [(name, day, 100.0, 101.0, 99.0, 100.5, 1_000_000) for name in NAMES for day in DAYS]
    path = folder / "market.parquet"
    columns = ["symbol", "session", "open", "high", "low", "close", "volume"]
    pd.DataFrame(rows, columns=columns).to_parquet(path)
    return path


if __name__ == "__main__":
    main()
