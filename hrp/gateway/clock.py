"""The simulated clock: exchange time, session events, and how TWS writes an instant. No real clock is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from hrp.domain.sessions import close_at, is_session, last_closed, open_at, sessions_between

NEW_YORK = ZoneInfo("America/New_York")
ZONE_NAME = "US/Eastern"
_OPENING_CUTOFF = timedelta(minutes=2)
_AFTER_CLOSE = timedelta(seconds=10)
_LONGEST_CLOSURE = timedelta(days=14)
_INSTANTS_KEPT = 64
_FIRST_YEAR, _LAST_YEAR = 1990, 2050  # of the exchange's calendar


class EventKind(StrEnum):
    """What happens at an instant of a session."""

    OPEN = "open"
    CLOSE = "close"
    EXPIRY = "expiry"


@dataclass(frozen=True, slots=True)
class Event:
    """A session opens or closes, or orders reach the instant until which they were good."""

    at: datetime
    session: date
    kind: EventKind


def exchange_day(now: datetime) -> date:
    """The calendar day at the exchange."""
    return now.astimezone(NEW_YORK).date()


def tws_text(at: datetime) -> str:
    """`at` the way this gateway writes instants: `YYYYMMDD HH:MM:SS US/Eastern`."""
    return f"{at.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} {ZONE_NAME}"


def events_between(start: datetime, end: datetime) -> list[Event]:
    """Every open and close after `start` and not after `end`, in order."""
    sessions = sessions_between(exchange_day(start), exchange_day(end))
    events = [
        event
        for session in sessions
        for event in (
            Event(open_at(session), session, EventKind.OPEN),
            Event(close_at(session), session, EventKind.CLOSE),
        )
    ]
    return [event for event in events if start < event.at <= end]


@lru_cache(maxsize=_INSTANTS_KEPT)
def running_session(now: datetime) -> date | None:
    """The session between whose open and close `now` lies, or None while the exchange is closed."""
    day = exchange_day(now)
    if is_session(day) and open_at(day) <= now < close_at(day):
        return day
    return None


def next_open(now: datetime) -> date:
    """The first session that opens after `now`."""
    day = exchange_day(now)
    return next(session for session in sessions_between(day, day + _LONGEST_CLOSURE) if open_at(session) > now)


def takes_on_open(now: datetime) -> bool:
    """False in the last two minutes before an open and the first ten seconds after a close."""
    return open_at(next_open(now)) - now > _OPENING_CUTOFF and now - close_at(closed_session(now)) >= _AFTER_CLOSE


def takes_on_close(now: datetime, cutoff: timedelta) -> bool:
    """False in the last `cutoff` before a close, early closes included."""
    running = running_session(now)
    return running is None or close_at(running) - now > cutoff


@lru_cache(maxsize=_INSTANTS_KEPT)
def closed_session(now: datetime) -> date:
    """The newest session whose close is at or before `now`."""
    return last_closed(now)


@lru_cache(maxsize=_INSTANTS_KEPT)
def trading_day(now: datetime) -> date:
    """The day whose executions and completed orders are shown: the exchange's day, or the session before it."""
    day = exchange_day(now)
    return day if is_session(day) else closed_session(now)


def parse_instant(text: str) -> datetime | None:
    """An instant a client wrote: `YYYYMMDD-HH:MM:SS` (UTC), `YYYYMMDD[ HH:MM:SS[ zone]]` (exchange time); else None.

    A zone other than the exchange's or UTC is not understood.
    """
    day, _, rest = text.strip().replace("-", " UTC ", 1).partition(" ")
    words = rest.split()
    zone = UTC if "UTC" in words else NEW_YORK
    times = [word for word in words if word not in ("UTC", ZONE_NAME, NEW_YORK.key)]
    try:
        naive = " ".join((day, *(times or ["00:00:00"])))
        instant = datetime.strptime(naive, "%Y%m%d %H:%M:%S").replace(tzinfo=zone)
    except ValueError:
        return None
    return instant.astimezone(UTC) if _FIRST_YEAR <= instant.year <= _LAST_YEAR else None
