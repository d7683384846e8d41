"""The tables of the durable state: instruments, orders, executions, holdings, corporate actions, equity."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from hrp.gateway.actions import Action
from hrp.gateway.records import Execution, Holding, Instrument, Order, Side
from hrp.gateway.schema import (
    EXECUTION_COLUMNS,
    ORDER_COLUMNS,
    cents,
    execution_of,
    execution_row,
    order_of,
    order_row,
    usd,
)
from hrp.gateway.statefile import StateFile

_HIGHEST_CON_ID = 0x3FFFFFFF
_FIRST_PERM_ID = 1_500_000_001


class Ledger(StateFile):
    """The whole state. It stores and finds; it decides nothing."""

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

    def reserved(self, side: Side) -> Decimal:
        """What the rest of all working orders of `side` is worth in USD."""
        query = "SELECT coalesce(sum(reserved_cents), 0) FROM orders WHERE ended_at IS NULL AND side = ?"
        return usd(self._one(query, side)[0])

    def selling(self, instrument: Instrument) -> int:
        """Shares of `instrument` that working sales still have to sell."""
        query = (
            "SELECT coalesce(sum(quantity - filled), 0) FROM orders WHERE ended_at IS NULL AND con_id = ? AND side = ?"
        )
        return int(self._one(query, instrument.con_id, Side.SELL)[0])

    def expiries(self, until: datetime) -> list[datetime]:
        """The instants up to `until` at which working orders end."""
        rows = self._connection.execute(
            "SELECT DISTINCT good_till FROM orders WHERE ended_at IS NULL AND good_till <= ?",
            (until.astimezone(UTC).isoformat(),),
        )
        return sorted(datetime.fromisoformat(row[0]) for row in rows)

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

    def executions(self, first: date, instrument: Instrument | None = None) -> list[Execution]:
        """Fills of session `first` and later, of `instrument` or of all, oldest first."""
        if instrument is None:
            return self._executions("e.session >= ?", first.isoformat())
        return self._executions("e.con_id = ? AND e.session >= ?", instrument.con_id, first.isoformat())

    def fills_of(self, order: Order) -> list[Execution]:
        """Fills of `order`, oldest first."""
        return self._executions("e.perm_id = ?", order.perm_id)

    def realized_since(self, first: date, instrument: Instrument | None = None) -> Decimal:
        """Profit in USD of the sales in session `first` and later, of `instrument` or of all."""
        query = "SELECT coalesce(sum(realized_cents), 0) FROM executions WHERE session >= ?"
        if instrument is None:
            return usd(self._one(query, first.isoformat())[0])
        return usd(self._one(f"{query} AND con_id = ?", first.isoformat(), instrument.con_id)[0])

    def shares_traded(self, instrument: Instrument, session: date) -> int:
        """Shares of `instrument` bought and sold in `session`."""
        query = "SELECT coalesce(sum(quantity), 0) FROM executions WHERE con_id = ? AND session = ?"
        return int(self._one(query, instrument.con_id, session.isoformat())[0])

    def shares_of_month(self, session: date) -> int:
        """Shares bought and sold in the calendar month of `session`, in sessions before it."""
        query = "SELECT coalesce(sum(quantity), 0) FROM executions WHERE session >= ? AND session < ?"
        return int(self._one(query, session.replace(day=1).isoformat(), session.isoformat())[0])

    def holding(self, instrument: Instrument) -> Holding:
        """What is held of `instrument`; nothing is a holding of 0 shares."""
        row = self._one("SELECT quantity, cost_cents FROM holdings WHERE con_id = ?", instrument.con_id)
        return Holding(instrument, row[0], usd(row[1])) if row else Holding(instrument, 0, Decimal("0.00"))

    def holdings(self, traded_since: date | None = None) -> list[Holding]:
        """What is held, by symbol; with it what traded in session `traded_since` or later and is gone."""
        rows = self._connection.execute(
            "SELECT con_id, symbol, quantity, cost_cents FROM holdings JOIN instruments USING (con_id) "
            "WHERE quantity > 0 OR con_id IN (SELECT con_id FROM executions WHERE session >= ?) ORDER BY symbol",
            ((traded_since or date.max).isoformat(),),
        )
        return [Holding(Instrument(row[0], row[1]), row[2], usd(row[3])) for row in rows]

    def save_holding(self, holding: Holding) -> None:
        """Store what is held of one instrument."""
        values = (holding.instrument.con_id, holding.quantity, cents(holding.cost))
        self._run("INSERT OR REPLACE INTO holdings VALUES (?, ?, ?)", *values)

    def save_action(self, action: Action, before: Holding, after: Holding, cash: Decimal) -> None:
        """Store that `action` made `after` and `cash` USD of `before`; one that is stored cannot be stored again."""
        values = (action.ex_session.isoformat(), action.kind, format(action.value, "f"))
        shares = (before.quantity, after.quantity, cents(cash))
        self._run(
            "INSERT INTO applied_actions VALUES (?, ?, ?, ?, ?, ?, ?)", before.instrument.con_id, *values, *shares
        )

    def save_equity(self, session: date, net_liquidation: Decimal) -> None:
        """Store the account's value at the close of `session`."""
        self._run("INSERT OR REPLACE INTO equity VALUES (?, ?)", session.isoformat(), cents(net_liquidation))

    def equity_before(self, session: date) -> Decimal:
        """The account's value in USD at the newest close before `session`, at first the opening cash."""
        row = self._one("SELECT cents FROM equity WHERE session < ? ORDER BY session DESC LIMIT 1", session.isoformat())
        return usd(row[0] if row else int(str(self._fact("opening_cents"))))

    def _executions(self, condition: str, *values: object) -> list[Execution]:
        rows = self._connection.execute(
            "SELECT e.*, o.client_id, o.order_id, o.order_ref, i.symbol FROM executions e "
            "JOIN orders o USING (perm_id) JOIN instruments i ON i.con_id = e.con_id "
            f"WHERE {condition} ORDER BY e.sequence",
            values,
        )
        return [execution_of(row) for row in rows]

    def _orders(self, condition: str, *values: object) -> list[Order]:
        rows = self._connection.execute(
            f"SELECT * FROM orders JOIN instruments USING (con_id) WHERE {condition} ORDER BY perm_id", values
        )
        return [order_of(row) for row in rows]

    def _insert(self, table: str, columns: Sequence[str], values: Sequence[object], conflict: str = "") -> None:
        marks = ", ".join("?" * len(columns))
        self._run(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) {conflict}", *values)
