"""How records cross into SQL and back: a value travels as text, and the type of its column reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

import duckdb

from hrp.domain.lineage import canonical
from hrp.errors import DataError

Connection: TypeAlias = duckdb.DuckDBPyConnection
_INSTANT = "TIMESTAMP WITH TIME ZONE"
Parameters: TypeAlias = Sequence[object] | dict[str, object]


def utc(instant: datetime) -> datetime:
    """`instant` in UTC.

    Raises:
        DataError: it has no time zone.
    """
    if instant.tzinfo is None:
        raise DataError(f"instant {instant.isoformat()} has no time zone; pass an aware one, e.g. datetime.now(UTC)")
    return instant.astimezone(UTC)


def plain(details: Mapping[str, object] | None) -> dict[str, object]:
    """`details` as JSON gives it back, so that a hash over it is the same before and after storing."""
    record: dict[str, object] = json.loads(canonical(dict(details or {})))
    return record


def insert(con: Connection, table: str, records: Sequence[Mapping[str, object]]) -> int:
    """Insert `records` (all with the same keys, the columns) in one statement; how many there were."""
    if not records:
        return 0
    columns = list(records[0])
    lists = ", ".join("unnest(?::VARCHAR[])" for _ in columns)
    values = [[_text(record[column]) for record in records] for column in columns]
    con.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {lists}", values)
    return len(records)


def fetch(con: Connection, sql: str, params: Parameters = ()) -> list[dict[str, Any]]:
    """The rows of a query as dictionaries; instants are aware UTC."""
    con.execute(sql, params)
    columns = con.description or ()
    names = [column[0] for column in columns]
    instants = [column[0] for column in columns if column[1] == _INSTANT]
    rows = [dict(zip(names, row, strict=True)) for row in con.fetchall()]
    for row in rows:
        for name in instants:
            row[name] = _value(row[name])
    return rows


def fetch_value(con: Connection, sql: str, params: Parameters = ()) -> Any:
    """The first column of the first row, or None without a row."""
    row = con.execute(sql, params).fetchone()
    return None if row is None else _value(row[0])


def where(conditions: Mapping[str, object]) -> tuple[str, list[object]]:
    """A WHERE clause of those `conditions` (SQL with one `?`: value) whose value is not None, and its parameters."""
    given = {condition: value for condition, value in conditions.items() if value is not None}
    return (f"WHERE {' AND '.join(given)}" if given else ""), list(given.values())


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case Decimal():
            return f"{value:f}"
        case float():
            return repr(float(value))
        case datetime():
            return utc(value).isoformat()
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _value(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
