"""What a backfill has done, and what the store has of what it asked for. Every function takes an open connection.

The bars of a part and the word that it is done are one transaction, so a backfill that was killed goes on exactly
where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from hrp.data import journal
from hrp.data.rows import Connection
from hrp.domain.lineage import Event

_PART, _END = "backfill_part", "backfill_finished"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which of the sessions and the names asked for have bars in the store."""

    sessions: frozenset[date]
    first_sessions: dict[str, date]


def parts_done(con: Connection, backfill: str) -> set[str]:
    """The parts that `backfill` has done since it was last finished."""
    done: set[str] = set()
    for event in journal.load_events(con, subject=backfill):
        if event.event_type == _END:
            done.clear()
        elif event.event_type == _PART:
            done.add(str((event.details or {})["part"]))
    return done


def record_part(con: Connection, backfill: str, part: str, rows: int, actions: int, at: datetime) -> None:
    """Write down that `part` is done; call it in the transaction that stores its rows."""
    details = {"part": part, "rows": rows, "actions": actions}
    journal.append_event(con, Event(_PART, at, "hrp", backfill, details=details))


def record_end(con: Connection, backfill: str, at: datetime) -> None:
    """Write down that `backfill` is finished: asked for again, it begins anew."""
    journal.append_event(con, Event(_END, at, "hrp", backfill))


def load_coverage(con: Connection, symbols: Sequence[str], first: date, last: date) -> Coverage:
    """What of `symbols` is stored from `first` to `last`."""
    params = [list(symbols), first, last]
    condition = "symbol IN (SELECT unnest(?::VARCHAR[])) AND session BETWEEN ? AND ?"
    days = con.execute(f"SELECT DISTINCT session FROM prices_raw WHERE {condition}", params).fetchall()
    firsts = con.execute(f"SELECT symbol, min(session) FROM prices_raw WHERE {condition} GROUP BY symbol", params)
    return Coverage(frozenset(day for (day,) in days), dict(firsts.fetchall()))


def load_names(con: Connection, universe: str) -> list[str]:
    """Every name that was ever in `universe` by its newest statement, sorted: those that have left included."""
    sql = """
    SELECT DISTINCT symbol FROM universe
    WHERE name = $name AND known_at = (SELECT max(known_at) FROM universe WHERE name = $name) ORDER BY symbol
    """
    return [symbol for (symbol,) in con.execute(sql, {"name": universe}).fetchall()]
