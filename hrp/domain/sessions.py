"""Exchange sessions: which days trade, when they open and close, and which one has closed last."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import exchange_calendars
import pandas as pd

from hrp.errors import SessionError

EXCHANGE = "XNYS"
EXCHANGE_ZONE = ZoneInfo("America/New_York")
SESSIONS_A_YEAR = 252  # what yearly figures count on
FIRST_SESSION = date(1990, 1, 2)
LAST_SESSION = date(2050, 12, 30)  # stated, because the library's own end depends on the day it is asked
_RANGE = f"{FIRST_SESSION} to {LAST_SESSION}"


def exchange_day(at: datetime) -> date:
    """The calendar day at the exchange of an aware instant; a broker's day begins and ends with it."""
    return at.astimezone(EXCHANGE_ZONE).date()


@cache
def _calendar() -> Any:
    return exchange_calendars.get_calendar(EXCHANGE, start=FIRST_SESSION, end=LAST_SESSION)


def is_session(day: date) -> bool:
    """True if the exchange trades on `day`."""
    calendar = _calendar()
    stamp = pd.Timestamp(day)
    return bool(calendar.first_session <= stamp <= calendar.last_session and calendar.is_session(stamp))


def require_session(day: date) -> date:
    """`day` itself.

    Raises:
        SessionError: `day` is a weekend or a holiday; the message names its neighbours.
    """
    if is_session(day):
        return day
    calendar = _calendar()
    stamp = _stamp(day)
    before = calendar.date_to_session(stamp, direction="previous").date()
    after = calendar.date_to_session(stamp, direction="next").date()
    raise SessionError(f"{day} is not an {EXCHANGE} session; nearest: --session {before} or --session {after}")


def require_closed(session: date, now: datetime) -> date:
    """`session` itself, if it has closed at the aware instant `now`.

    Raises:
        SessionError: not a session, or its close lies ahead.
    """
    require_session(session)
    if close_at(session) > now:
        raise SessionError(
            f"session {session} closes at {close_at(session):%Y-%m-%d %H:%M} UTC and now is {now:%Y-%m-%d %H:%M} UTC; "
            f"the last closed session is {last_closed(now)}"
        )
    return session


def open_at(session: date) -> datetime:
    """The instant (UTC) at which the regular session opens."""
    return _utc(_calendar().session_open(pd.Timestamp(require_session(session))))


def close_at(session: date) -> datetime:
    """The instant (UTC) at which the regular session closes; early closes included."""
    return _utc(_calendar().session_close(pd.Timestamp(require_session(session))))


def next_session(session: date) -> date:
    """The session after `session`."""
    return previous_session(session, -1)


def previous_session(session: date, steps: int = 1) -> date:
    """The session `steps` sessions before `session`."""
    position = _position(session) - steps
    if not 0 <= position < len(_calendar().sessions):
        raise SessionError(f"{abs(steps)} sessions from {session} is outside the {EXCHANGE} calendar ({_RANGE})")
    return _date(_calendar().sessions[position])


def last_closed(now: datetime) -> date:
    """The newest session whose close is at or before the aware instant `now`."""
    day = _date(_calendar().date_to_session(_stamp(now.astimezone(UTC).date()), direction="previous"))
    return day if close_at(day) <= now else previous_session(day)


def last_opened(now: datetime) -> date:
    """The newest session whose open is at or before the aware instant `now`."""
    closed = last_closed(now)
    following = next_session(closed)
    return following if open_at(following) <= now else closed


def sessions_between(first: date, last: date) -> list[date]:
    """Every session from `first` to `last`, both included."""
    return [_date(stamp) for stamp in _calendar().sessions_in_range(_stamp(first), _stamp(last))]


def sessions_apart(earlier: date, later: date) -> int:
    """How many sessions `later` lies after `earlier`: 0 for the same session, negative if it lies before."""
    return _position(later) - _position(earlier)


def _position(session: date) -> int:
    return int(_calendar().sessions.get_loc(pd.Timestamp(require_session(session))))


def _stamp(day: date) -> pd.Timestamp:
    """`day` as the calendar takes it; a SessionError if the calendar does not reach that far."""
    stamp = pd.Timestamp(day)
    if not _calendar().first_session <= stamp <= _calendar().last_session:
        raise SessionError(f"{day} is outside the {EXCHANGE} calendar ({_RANGE}); use --session YYYY-MM-DD inside it")
    return stamp


def _utc(stamp: pd.Timestamp) -> datetime:
    return stamp.to_pydatetime().astimezone(UTC)


def _date(stamp: pd.Timestamp) -> date:
    day: date = stamp.date()
    return day
