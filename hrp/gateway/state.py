"""The durable state, in one SQLite file: clock, cash, orders, executions, holdings, and every message.

One request, or one session event, is one transaction; its messages are in it. WAL with synchronous=FULL: what a client
was told survives kill -9 and a power cut, and the message log can be read while the gateway writes.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hrp.gateway.errors import GatewayError
from hrp.gateway.records import Execution, Holding, Instrument, Order
from hrp.gateway.schema import (
    EXECUTION_COLUMNS,
    FILE_NAME,
    ORDER_COLUMNS,
    SCHEMA,
    cents,
    execution_of,
    execution_row,
    order_of,
    order_row,
    usd,
)

_HIGHEST_CON_ID = 0x3FFFFFFF
_FIRST_PERM_ID = 1_500_000_001


class Ledger:
    """The state file. It stores and finds; it decides nothing."""

    def __init__(self, state_dir: Path) -> None:
        self._connection = sqlite3.connect(state_dir / FILE_NAME, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is stored together, or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        outcome = "ROLLBACK"
        try:
            yield
            outcome = "COMMIT"
        finally:
            self._connection.execute(outcome)

    def found(self, account: str, clock: datetime, cash: Decimal) -> None:
        """Begin with `clock` and `cash` if this file is new; otherwise what it holds stands.

        Raises:
            GatewayError: the file belongs to another account.
        """
        if self._fact("account") is None:
            with self.transaction():
                self._set_fact("account", account)
                self.set_clock(clock)
                self._set_fact("cash_cents", cents(cash))
                self._set_fact("opening_cents", cents(cash))
        elif self.account != account:
            raise GatewayError(
                f"this state directory belongs to account {self.account}, not {account}; use another --state"
            )

    @property
    def is_new(self) -> bool:
        """True before `found`."""
        return self._fact("account") is None

    @property
    def account(self) -> str:
        """The account id."""
        return str(self._fact("account"))

    @property
    def clock(self) -> datetime:
        """The simulated instant (UTC)."""
        return datetime.fromisoformat(str(self._fact("clock")))

    def set_clock(self, now: datetime) -> None:
        """Store the simulated instant."""
        self._set_fact("clock", now.astimezone(UTC).isoformat())

    @property
    def cash(self) -> Decimal:
        """Cash in USD."""
        return usd(int(str(self._fact("cash_cents"))))

    def add_cash(self, change: Decimal) -> None:
        """Change cash by `change` USD."""
        self._set_fact("cash_cents", cents(self.cash + change))

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of `symbol`; its number is made from the symbol once and then kept."""
        row = self._one("SELECT con_id FROM instruments WHERE symbol = ?", symbol)
        if row:
            return Instrument(row[0], symbol)
        con_id = zlib.crc32(symbol.encode()) & _HIGHEST_CON_ID or 1
        while self.instrument_by_number(con_id):
            con_id += 1
        self._run("INSERT INTO instruments VALUES (?, ?)", con_id, symbol)
        return Instrument(con_id, symbol)

    def instrument_by_number(self, con_id: int) -> Instrument | None:
        """The instrument numbered `con_id`, if it was ever named."""
        row = self._one("SELECT con_id, symbol FROM instruments WHERE con_id = ?", con_id)
        return Instrument(*row) if row else None

    def next_perm_id(self) -> int:
        """A number no order has had."""
        return int(self._one("SELECT coalesce(max(perm_id) + 1, ?) FROM orders", _FIRST_PERM_ID)[0])

    def next_order_id(self, client_id: int) -> int:
        """The smallest order id that `client_id` may use."""
        return int(self._one("SELECT coalesce(max(order_id), 0) + 1 FROM orders WHERE client_id = ?", client_id)[0])

    def save_order(self, order: Order) -> None:
        """Store `order`, or what became of it."""
        changes = ", ".join(f"{name} = excluded.{name}" for name in ORDER_COLUMNS[1:])
        self._insert("orders", ORDER_COLUMNS, order_row(order), f"ON CONFLICT (perm_id) DO UPDATE SET {changes}")

    def order(self, client_id: int, order_id: int) -> Order | None:
        """The order that `client_id` numbered `order_id`, or None."""
        found = self._orders("client_id = ? AND order_id = ?", client_id, order_id)
        return found[0] if found else None

    def working_orders(self) -> list[Order]:
        """Orders that may still fill, oldest first."""
        return self._orders("ended_at IS NULL")

    def ended_orders(self, since: datetime) -> list[Order]:
        """Orders that ended at or after `since`, oldest first."""
        return self._orders("ended_at >= ?", since.astimezone(UTC).isoformat())

    def save_execution(self, execution: Execution) -> None:
        """Store a fill."""
        self._insert("executions", EXECUTION_COLUMNS, execution_row(execution))

    def next_exec_id(self) -> str:
        """An id no execution has had: account, running number, part and correction."""
        sequence = int(self._one("SELECT coalesce(max(sequence), 0) + 1 FROM executions")[0])
        return f"{zlib.crc32(self.account.encode()):08x}.{sequence:08x}.01.01"

    def executions(self, first: date) -> list[Execution]:
        """Fills of session `first` and later, oldest first."""
        rows = self._connection.execute(
            "SELECT e.*, o.client_id, o.order_id, o.order_ref, i.symbol FROM executions e "
            "JOIN orders o USING (perm_id) JOIN instruments i ON i.con_id = e.con_id "
            "WHERE e.session >= ? ORDER BY e.sequence",
            (first.isoformat(),),
        )
        return [execution_of(row) for row in rows]

    def holding(self, instrument: Instrument) -> Holding:
        """What is held of `instrument`; nothing is a holding of 0 shares."""
        row = self._one("SELECT quantity, cost_cents FROM holdings WHERE con_id = ?", instrument.con_id)
        return Holding(instrument, row[0], usd(row[1])) if row else Holding(instrument, 0, Decimal("0.00"))

    def holdings(self) -> list[Holding]:
        """Everything ever held, by symbol, holdings of 0 shares included."""
        rows = self._connection.execute(
            "SELECT con_id, symbol, quantity, cost_cents FROM holdings JOIN instruments USING (con_id) ORDER BY symbol"
        )
        return [Holding(Instrument(row[0], row[1]), row[2], usd(row[3])) for row in rows]

    def save_holding(self, holding: Holding) -> None:
        """Store what is held of one instrument."""
        values = (holding.instrument.con_id, holding.quantity, cents(holding.cost))
        self._run("INSERT OR REPLACE INTO holdings VALUES (?, ?, ?)", *values)

    def save_equity(self, session: date, net_liquidation: Decimal) -> None:
        """Store the account's value at the close of `session`."""
        self._run("INSERT OR REPLACE INTO equity VALUES (?, ?)", session.isoformat(), cents(net_liquidation))

    def equity_before(self, session: date) -> Decimal:
        """The account's value in USD at the newest close before `session`, at first the opening cash."""
        row = self._one("SELECT cents FROM equity WHERE session < ? ORDER BY session DESC LIMIT 1", session.isoformat())
        return usd(row[0] if row else int(str(self._fact("opening_cents"))))

    def log(self, direction: str, client_id: int, messages: Sequence[Sequence[str]]) -> None:
        """Append `messages` to the log, stamped with the simulated instant."""
        at = self.clock.isoformat()
        self._connection.executemany(
            "INSERT INTO messages VALUES (NULL, ?, ?, ?, ?, ?)",
            [(at, direction, client_id, message_number(message), "\0".join(message)) for message in messages],
        )

    def _orders(self, condition: str, *values: object) -> list[Order]:
        rows = self._connection.execute(
            f"SELECT * FROM orders JOIN instruments USING (con_id) WHERE {condition} ORDER BY perm_id", values
        )
        return [order_of(row) for row in rows]

    def _insert(self, table: str, columns: Sequence[str], values: Sequence[object], conflict: str = "") -> None:
        marks = ", ".join("?" * len(columns))
        self._run(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) {conflict}", *values)

    def _fact(self, name: str) -> str | None:
        row = self._one("SELECT value FROM facts WHERE name = ?", name)
        return row[0] if row else None

    def _set_fact(self, name: str, value: object) -> None:
        self._run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, str(value))

    def _one(self, query: str, *values: object) -> Any:
        return self._connection.execute(query, values).fetchone()

    def _run(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)


def message_number(message: Sequence[str]) -> int:
    """The number a message begins with; 0 for the handshake, which has none."""
    return int(message[0]) if message and message[0].isdigit() else 0
