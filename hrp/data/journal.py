"""Job runs, and the chain of events. Every function takes an open connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from hrp.data.rows import Connection, fetch, fetch_value, insert, plain, utc, where
from hrp.domain.lineage import GENESIS, Event, canonical, event_hash, first_broken
from hrp.errors import DataError

RUNNING = "running"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a job as stored; what comes after `started_at` is None while it runs."""

    run_id: str
    job: str
    session: date | None
    status: str
    dry_run: bool
    started_at: datetime
    finished_at: datetime | None = None
    seconds: float | None = None
    rows: int | None = None
    detail: Mapping[str, object] | None = None
    error: str | None = None


def start_run(con: Connection, run_id: str, job: str, session: date | None, at: datetime, *, dry_run: bool) -> None:
    """Write down that a job has begun; its status is `running` until `finish_run`."""
    record = {"run_id": run_id, "job": job, "session": session, "status": RUNNING}
    insert(con, "job_runs", [{**record, "dry_run": dry_run, "started_at": at}])


def mark_killed(con: Connection) -> None:
    """Runs that never ended, seen by whoever holds the workspace alone: their process is dead."""
    con.execute("UPDATE job_runs SET status = 'killed' WHERE status = ?", [RUNNING])


def finish_run(
    con: Connection,
    run_id: str,
    status: str,
    at: datetime,
    seconds: float,
    rows: int = 0,
    detail: Mapping[str, object] | None = None,
    error: str | None = None,
) -> None:
    """Write down how a job has ended.

    Raises:
        DataError: no run of this id was started.
    """
    sql = """
    UPDATE job_runs SET status = ?, finished_at = ?, seconds = ?, rows = ?, detail = ?, error = ? WHERE run_id = ?
    """
    outcome = [status, utc(at), seconds, rows, canonical(dict(detail or {})), error]
    if not fetch_value(con, sql, [*outcome, run_id]):
        raise DataError(f"no run {run_id} to finish; start_run comes first")


def load_runs(
    con: Connection, *, session: date | None = None, job: str | None = None, limit: int | None = None
) -> list[RunRecord]:
    """Runs, newest first, those that meet the conditions given."""
    clause, params = where({"session = ?": session, "job = ?": job})
    sql = f"SELECT * FROM job_runs {clause} ORDER BY started_at DESC, rowid DESC LIMIT ?"
    rows = fetch(con, sql, [*params, limit])
    return [
        RunRecord(**{**row, "detail": None if row["detail"] is None else json.loads(row["detail"])}) for row in rows
    ]


def last_status(con: Connection, job: str, session: date) -> str | None:
    """How the newest run of `job` for `session` ended, runs that have not ended apart; None if there is none."""
    sql = """
    SELECT status FROM job_runs WHERE job = ? AND session = ? AND status <> ?
    ORDER BY started_at DESC, rowid DESC LIMIT 1
    """
    return fetch_value(con, sql, [job, session, RUNNING])  # type: ignore[no-any-return]


def append_event(con: Connection, event: Event) -> str:
    """Add `event` to the chain; its hash."""
    last = fetch(con, "SELECT seq, hash FROM lineage ORDER BY seq DESC LIMIT 1")
    seq, previous = (last[0]["seq"] + 1, last[0]["hash"]) if last else (1, GENESIS)
    event = replace(event, at=utc(event.at), details=plain(event.details))
    link = event_hash(previous, event)
    record = {
        "seq": seq,
        "happened_at": event.at,
        "event_type": event.event_type,
        "session": event.session,
        "run_id": event.run_id,
        "actor": event.actor,
        "subject": event.subject,
        "details": canonical(event.details),
        "previous_hash": previous,
        "hash": link,
    }
    insert(con, "lineage", [record])
    return link


def load_events(
    con: Connection, *, event_type: str | None = None, session: date | None = None, subject: str | None = None
) -> list[Event]:
    """Events, oldest first, those that meet the conditions given."""
    clause, params = where({"event_type = ?": event_type, "session = ?": session, "subject = ?": subject})
    return [_event(row) for row in fetch(con, f"SELECT * FROM lineage {clause} ORDER BY seq", params)]


def verify_chain(con: Connection) -> int | None:
    """The `seq` of the first event that is not the one written, or that follows a removed one; None if all agree."""
    rows = fetch(con, "SELECT * FROM lineage ORDER BY seq")
    broken = first_broken((row["hash"], _event(row)) for row in rows)
    return None if broken is None else int(rows[broken]["seq"])


def _event(row: dict[str, Any]) -> Event:
    return Event(
        event_type=row["event_type"],
        at=row["happened_at"],
        actor=row["actor"],
        subject=row["subject"],
        session=row["session"],
        run_id=row["run_id"],
        details=json.loads(row["details"]),
    )
