"""A real store with one plan in it, and one run of a night over it as the trader does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from hrp.data import orders as store_orders
from hrp.data import trading
from hrp.data.db import Store
from hrp.data.ledger import StoreLedger
from hrp.data.rows import fetch
from hrp.domain.book import Book
from hrp.domain.lost import Bounds
from hrp.domain.orders import SENDABLE, Order, OrderStatus
from hrp.domain.plan import Plan, PlanLine
from hrp.domain.positions import BrokerState, Fill
from hrp.execution.orders import OrderManager, Submission
from hrp.execution.settle import Settlement
from hrp.ports import Broker, Clock

from .night import ACCOUNT, AFTER_CLOSE, SESSIONS

PRICE = Decimal(100)


class Ledgers:
    """The store in `folder`; a new one holds a plan of `orders`. Nothing is held at the start."""

    def __init__(self, folder: Path, orders: Sequence[Order] = ()) -> None:
        self.store = Store(folder / "hrp.duckdb", folder / "published")
        self.ledger = StoreLedger(self.store, lambda: AFTER_CLOSE)
        if orders:
            self.store.migrate()
            with self.store.write() as con:
                store_orders.save_plan(con, _plan(orders), "run", AFTER_CLOSE)

    def orders(self) -> list[Order]:
        with self.store.read() as con:
            return store_orders.load_orders(con)

    def statuses(self) -> dict[str, OrderStatus]:
        """By symbol."""
        return {order.symbol: order.status for order in self.orders()}

    def fills(self) -> list[Fill]:
        with self.store.read() as con:
            return trading.load_fills(con, ACCOUNT)

    def life(self, order: Order) -> list[tuple[int, str, int | None]]:
        """Every step of an order: attempt, status, order id."""
        sql = "SELECT attempt, to_status, broker_order_id AS id FROM order_events WHERE order_ref = ? ORDER BY seq"
        with self.store.read() as con:
            return [(row["attempt"], row["to_status"], row["id"]) for row in fetch(con, sql, [order.order_ref])]

    def evidence(self, order: Order) -> list[str]:
        with self.store.read() as con:
            rows = fetch(con, "SELECT evidence FROM order_events WHERE order_ref = ? ORDER BY seq", [order.order_ref])
        return [row["evidence"] for row in rows]

    def book(self, state: BrokerState) -> Mapping[str, Decimal]:
        """Keep the executions; what is held by all of them."""
        with self.store.write() as con:
            trading.save_fills(con, state.fills, state.at)
        return Book(Decimal(0), {}).after(self.fills()).held

    def manager(self, broker: Broker, clock: Clock) -> OrderManager:
        return OrderManager(broker, self.ledger, clock, self.orders())

    def run(self, broker: Broker, clock: Clock, bounds: Bounds = Bounds()) -> tuple[Settlement, list[Submission]]:  # noqa: B008
        """Settle, and send what is left of the plan unless a fate is unknown."""
        with broker:
            manager = self.manager(broker, clock)
            settled = manager.settle(self.book)
            pending = [order for order in manager.get_all_orders() if order.status in SENDABLE]
            return settled, [] if settled.doubts else manager.submit_all(pending, bounds=bounds)


def _plan(orders: Sequence[Order]) -> Plan:
    lines = [
        PlanLine(o.symbol, 0.1, Decimal(0), PRICE, o.quantity, (), o.quantity, Decimal(0), Decimal(0), o)
        for o in orders
    ]
    money = Decimal(1_000_000)
    return Plan(SESSIONS[0], SESSIONS[1], ACCOUNT, money, money, {}, {}, tuple(lines))
