"""What explains a difference, and the locks of what nothing explains. Every function takes an open connection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hrp.data.rows import Connection, fetch, fetch_value, insert, utc
from hrp.domain.book import Adjustment, AdjustmentKind
from hrp.domain.breaks import Lock, LockScope

_FACTS = ("account", "adjustment_id", "session", "happened_at", "kind", "about", "part", "symbol", "con_id", "shares",
          "price", "evidence", "actor", "reason")  # fmt: skip


def save_adjustments(con: Connection, adjustments: Iterable[Adjustment], at: datetime) -> int:
    """Add adjustments; how many were written. One that is stored already is an error of whoever made it anew."""
    records = [
        {**{name: getattr(a, name) for name in _FACTS}, "cash_usd": a.cash, "recorded_at": at} for a in adjustments
    ]
    return insert(con, "adjustments", records)


def load_adjustments(con: Connection, account: str) -> list[Adjustment]:
    """The adjustments of `account` in the order in which they were written down."""
    sql = "SELECT * FROM adjustments WHERE account = ? ORDER BY recorded_at, rowid"
    return [_adjustment(row) for row in fetch(con, sql, [account])]


def _adjustment(row: dict[str, Any]) -> Adjustment:
    facts = {name: row[name] for name in _FACTS if name != "adjustment_id"}
    return Adjustment(**{**facts, "kind": AdjustmentKind(row["kind"]), "cash": row["cash_usd"]})


def open_lock(con: Connection, lock: Lock) -> bool:
    """Put a lock in force; False if its subject is locked already."""
    if any((held.scope, held.subject) == (lock.scope, lock.subject) for held in load_locks(con, lock.account)):
        return False
    sql = "SELECT count(*) + 1 FROM locks WHERE account = ? AND scope = ? AND subject = ?"
    seq = fetch_value(con, sql, [lock.account, lock.scope, lock.subject])
    insert(con, "locks", [{**{name: getattr(lock, name) for name in Lock.__slots__}, "seq": seq}])
    return True


def load_locks(con: Connection, account: str) -> list[Lock]:
    """The locks of `account` that are in force, oldest first."""
    columns = ", ".join(Lock.__slots__)
    sql = f"SELECT {columns} FROM locks WHERE account = ? AND lifted_at IS NULL ORDER BY opened_at, scope, subject"
    return [Lock(**{**row, "scope": LockScope(row["scope"])}) for row in fetch(con, sql, [account])]


def lift_locks(con: Connection, account: str, subject: str, at: datetime, actor: str, reason: str) -> int:
    """Lift every lock of `subject`; how many there were."""
    sql = """
    UPDATE locks SET lifted_at = ?, lifted_by = ?, lift_reason = ?
    WHERE account = ? AND subject = ? AND lifted_at IS NULL
    """
    return int(fetch_value(con, sql, [utc(at), actor, reason, account, subject]))
