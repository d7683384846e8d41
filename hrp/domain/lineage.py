"""The chain of events: each record carries the hash of the one before, so a changed record shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `subject` is what it happened to: a symbol, an order, a model, a job."""

    event_type: str
    at: datetime
    actor: str
    subject: str
    session: date | None = None
    run_id: str | None = None
    details: Mapping[str, object] | None = None


def plain(value: Decimal) -> str:
    """A number as text without exponent and trailing zeros: `0.10` and `0.1` are one number, so one text."""
    return f"{value.normalize() + 0:f}"


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces; dates, decimals and enums as text: equal values, equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_text)


def _text(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)


def digest(value: object) -> str:
    """sha256 (hex) of the canonical form of `value`."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def event_hash(previous: str, event: Event) -> str:
    """The hash of `event` chained to the hash of the record before it."""
    body = [
        previous, event.event_type, event.at.astimezone(UTC).isoformat(), event.actor, event.subject,
        event.session, event.run_id, dict(event.details or {}),
    ]  # fmt: skip
    return digest(body)


def first_broken(records: Iterable[tuple[str, Event]]) -> int | None:
    """The position of the first (hash, event) whose hash is not that of the chain, or None if all agree."""
    previous = GENESIS
    for position, (stored, event) in enumerate(records):
        if stored != event_hash(previous, event):
            return position
        previous = stored
    return None
