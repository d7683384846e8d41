"""The history of every hypothesis, chained by hashes. Every function takes an open connection."""

from __future__ import annotations

import json
from typing import Any

from hrp.data.rows import Connection, fetch, insert, plain, utc
from hrp.domain.deployment import HypothesisStatus
from hrp.domain.hypothesis import HypothesisAction, HypothesisEvent
from hrp.domain.lineage import GENESIS, canonical, digest
from hrp.errors import DataError


def append_event(con: Connection, event: HypothesisEvent) -> None:
    """Add one line to the history, chained to the line before; lines are never changed."""
    last = fetch(con, "SELECT seq, hash FROM hypothesis_events ORDER BY seq DESC LIMIT 1")
    seq, previous = (last[0]["seq"] + 1, last[0]["hash"]) if last else (1, GENESIS)
    record = {
        "hypothesis_id": event.hypothesis_id,
        "action": event.action,
        "status": event.status,
        "actor": event.actor,
        "reason": event.reason,
        "happened_at": utc(event.at),
        "evidence": plain(event.evidence),
    }
    row = {"seq": seq, **record, "evidence": canonical(record["evidence"])}
    insert(con, "hypothesis_events", [{**row, "previous_hash": previous, "hash": digest([previous, record])}])


def load_history(con: Connection, hypothesis_id: str | None = None) -> list[HypothesisEvent]:
    """The history, oldest first, whole or of one hypothesis.

    Raises:
        DataError: a line is not the one that was written, or follows a removed one.
    """
    previous, events = GENESIS, []
    for row in fetch(con, "SELECT * FROM hypothesis_events ORDER BY seq"):
        seq, stored = row.pop("seq"), row.pop("hash")
        del row["previous_hash"]
        row["evidence"] = json.loads(row["evidence"])
        if stored != digest([previous, row]):
            raise DataError(
                f"hypothesis_events: line {seq} ({row['hypothesis_id']}, {row['action']}) is not the one that was "
                f"written or follows a removed one; restore the store from a published copy"
            )
        previous = stored
        events.append(_event(row))
    return [event for event in events if hypothesis_id in (None, event.hypothesis_id)]


def _event(row: dict[str, Any]) -> HypothesisEvent:
    return HypothesisEvent(
        row["hypothesis_id"], HypothesisAction(row["action"]), HypothesisStatus(row["status"]),
        row["actor"], row["reason"], row["happened_at"], row["evidence"],
    )  # fmt: skip
