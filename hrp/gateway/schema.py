"""The tables of the state file, and how records become rows and rows records.

Money is stored as whole cents, prices as texts, instants as ISO 8601 in UTC, so that nothing is rounded on the way.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from hrp.gateway.records import Execution, Instrument, Kind, Order, Side, Status, Tif

FILE_NAME = "gateway.sqlite"
VERSION = "2"
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS instruments (con_id INTEGER PRIMARY KEY, symbol TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS orders (
    perm_id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, order_id INTEGER NOT NULL,
    con_id INTEGER NOT NULL REFERENCES instruments, exchange TEXT NOT NULL, side TEXT NOT NULL,
    quantity INTEGER NOT NULL, kind TEXT NOT NULL, limit_price TEXT, tif TEXT NOT NULL, order_ref TEXT NOT NULL,
    session TEXT NOT NULL, status TEXT NOT NULL, placed_at TEXT NOT NULL, sent TEXT NOT NULL, good_till TEXT,
    estimate TEXT NOT NULL, reserved_cents INTEGER NOT NULL, filled INTEGER NOT NULL, average_price TEXT NOT NULL,
    last_price TEXT NOT NULL, commission_cents INTEGER, ended_at TEXT, reason TEXT NOT NULL,
    UNIQUE (client_id, order_id));
CREATE INDEX IF NOT EXISTS working_orders ON orders (side, con_id, quantity, filled, reserved_cents)
    WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS ended_orders ON orders (ended_at);
CREATE TABLE IF NOT EXISTS executions (
    sequence INTEGER PRIMARY KEY, exec_id TEXT NOT NULL UNIQUE, perm_id INTEGER NOT NULL REFERENCES orders,
    con_id INTEGER NOT NULL REFERENCES instruments, side TEXT NOT NULL, quantity INTEGER NOT NULL, price TEXT NOT NULL,
    commission_cents INTEGER NOT NULL, realized_cents INTEGER, at TEXT NOT NULL, session TEXT NOT NULL,
    cumulative INTEGER NOT NULL, average_price TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS executions_by_session ON executions (session, con_id, quantity, realized_cents);
CREATE INDEX IF NOT EXISTS executions_by_name ON executions (con_id, session, quantity, realized_cents);
CREATE INDEX IF NOT EXISTS executions_by_order ON executions (perm_id);
CREATE TABLE IF NOT EXISTS holdings (
    con_id INTEGER PRIMARY KEY REFERENCES instruments, quantity INTEGER NOT NULL, cost_cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS applied_actions (
    con_id INTEGER NOT NULL REFERENCES instruments, ex_session TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
    shares_before INTEGER NOT NULL, shares_after INTEGER NOT NULL, cash_cents INTEGER NOT NULL,
    PRIMARY KEY (con_id, ex_session, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS equity (session TEXT PRIMARY KEY, cents INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY, at TEXT NOT NULL, direction TEXT NOT NULL, client_id INTEGER NOT NULL,
    message_id INTEGER NOT NULL, fields TEXT NOT NULL);
INSERT OR IGNORE INTO facts VALUES ('schema', '{VERSION}');
COMMIT;
"""
_ORDER = (
    "perm_id client_id order_id con_id exchange side quantity kind limit_price tif order_ref session status placed_at "
    "sent good_till estimate reserved_cents filled average_price last_price commission_cents ended_at reason"
)
_EXECUTION = (
    "exec_id perm_id con_id side quantity price commission_cents realized_cents at session cumulative average_price"
)
ORDER_COLUMNS = tuple(_ORDER.split())
EXECUTION_COLUMNS = tuple(_EXECUTION.split())


def cents(amount: Decimal) -> int:
    """`amount` in USD, which has whole cents, as cents."""
    return int(amount * 100)


def usd(whole_cents: int) -> Decimal:
    """`whole_cents` as USD."""
    return Decimal(whole_cents).scaleb(-2)


def order_row(order: Order) -> tuple[object, ...]:
    """`order` in the order of `ORDER_COLUMNS`."""
    return (
        order.perm_id,
        order.client_id,
        order.order_id,
        order.instrument.con_id,
        order.exchange,
        order.side,
        order.quantity,
        order.kind,
        None if order.limit is None else format(order.limit, "f"),
        order.tif,
        order.order_ref,
        order.session.isoformat(),
        order.status,
        order.placed_at.isoformat(),
        json.dumps(dict(order.sent)),
        order.good_till.isoformat() if order.good_till else None,
        format(order.estimate, "f"),
        cents(order.reserved),
        order.filled,
        format(order.average_price, "f"),
        format(order.last_price, "f"),
        None if order.commission is None else cents(order.commission),
        order.ended_at.isoformat() if order.ended_at else None,
        order.reason,
    )


def order_of(row: Any) -> Order:
    """The order in `row`: `ORDER_COLUMNS` and symbol, by name."""
    return Order(
        perm_id=row["perm_id"],
        client_id=row["client_id"],
        order_id=row["order_id"],
        instrument=Instrument(row["con_id"], row["symbol"]),
        exchange=row["exchange"],
        side=Side(row["side"]),
        quantity=row["quantity"],
        kind=Kind(row["kind"]),
        limit=Decimal(row["limit_price"]) if row["limit_price"] else None,
        tif=Tif(row["tif"]),
        order_ref=row["order_ref"],
        session=date.fromisoformat(row["session"]),
        status=Status(row["status"]),
        placed_at=datetime.fromisoformat(row["placed_at"]),
        sent=json.loads(row["sent"]),
        good_till=datetime.fromisoformat(row["good_till"]) if row["good_till"] else None,
        estimate=Decimal(row["estimate"]),
        filled=row["filled"],
        average_price=Decimal(row["average_price"]),
        last_price=Decimal(row["last_price"]),
        commission=None if row["commission_cents"] is None else usd(row["commission_cents"]),
        ended_at=datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None,
        reason=row["reason"],
    )


def execution_row(execution: Execution) -> tuple[object, ...]:
    """`execution` in the order of `EXECUTION_COLUMNS`."""
    return (
        execution.exec_id,
        execution.perm_id,
        execution.instrument.con_id,
        execution.side,
        execution.quantity,
        format(execution.price, "f"),
        cents(execution.commission),
        None if execution.realized is None else cents(execution.realized),
        execution.at.isoformat(),
        execution.session.isoformat(),
        execution.cumulative,
        format(execution.average_price, "f"),
    )


def execution_of(row: Any) -> Execution:
    """The execution in `row`: `EXECUTION_COLUMNS`, symbol, and client_id, order_id, order_ref of its order."""
    return Execution(
        exec_id=row["exec_id"],
        perm_id=row["perm_id"],
        client_id=row["client_id"],
        order_id=row["order_id"],
        instrument=Instrument(row["con_id"], row["symbol"]),
        side=Side(row["side"]),
        quantity=row["quantity"],
        price=Decimal(row["price"]),
        commission=usd(row["commission_cents"]),
        realized=None if row["realized_cents"] is None else usd(row["realized_cents"]),
        order_ref=row["order_ref"],
        at=datetime.fromisoformat(row["at"]),
        session=date.fromisoformat(row["session"]),
        cumulative=row["cumulative"],
        average_price=Decimal(row["average_price"]),
    )
