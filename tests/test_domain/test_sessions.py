"""Exchange sessions: holidays, early closes, daylight saving, and the clock around them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.sessions import (
    FIRST_SESSION,
    LAST_SESSION,
    close_at,
    is_session,
    last_closed,
    last_opened,
    next_session,
    open_at,
    previous_session,
    require_closed,
    require_session,
    sessions_apart,
    sessions_between,
)
from hrp.errors import EXIT_USAGE, SessionError


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "trades"),
    [
        (date(2022, 3, 11), True),
        (date(2022, 3, 12), False),  # Saturday
        (date(2022, 11, 24), False),  # Thanksgiving
        (date(2022, 11, 25), True),  # the half day after it
        (date(2022, 12, 26), False),  # Christmas, which fell on a Sunday
        (date(2012, 10, 29), False),  # hurricane Sandy
        (date(1980, 1, 2), False),  # before the calendar begins
        (date(2060, 1, 2), False),  # after it ends
    ],
)
def test_the_exchange_trades_on_some_days(day: date, trades: bool) -> None:
    assert is_session(day) is trades


@pytest.mark.parametrize(
    ("day", "message"),
    [
        (date(2022, 3, 12), "2022-03-12 is not an XNYS session; nearest: --session 2022-03-11 or --session 2022-03-14"),
        (date(2022, 11, 24), "nearest: --session 2022-11-23 or --session 2022-11-25"),
        (date(1980, 1, 2), r"1980-01-02 is outside the XNYS calendar \(1990-01-02 to 2050-12-30\); use --session"),
    ],
)
def test_a_day_without_trading_is_refused_and_its_neighbours_are_named(day: date, message: str) -> None:
    with pytest.raises(SessionError, match=message) as refused:
        require_session(day)

    assert refused.value.exit_code == EXIT_USAGE
    assert require_session(date(2022, 3, 11)) == date(2022, 3, 11)


@pytest.mark.parametrize(
    ("session", "opens", "closes"),
    [
        (date(2022, 3, 11), "2022-03-11T14:30", "2022-03-11T21:00"),  # winter, the last session of it
        (date(2022, 3, 14), "2022-03-14T13:30", "2022-03-14T20:00"),  # summer
        (date(2022, 11, 4), "2022-11-04T13:30", "2022-11-04T20:00"),
        (date(2022, 11, 7), "2022-11-07T14:30", "2022-11-07T21:00"),
        (date(2022, 11, 25), "2022-11-25T14:30", "2022-11-25T18:00"),  # 13:00 in New York
    ],
)
def test_a_session_opens_and_closes_by_new_york_time(session: date, opens: str, closes: str) -> None:
    assert open_at(session) == utc(opens)
    assert close_at(session) == utc(closes)
    assert close_at(session).tzinfo is UTC


@pytest.mark.parametrize(
    ("now", "closed"),
    [
        ("2022-03-11T20:59:59", date(2022, 3, 10)),
        ("2022-03-11T21:00:00", date(2022, 3, 11)),
        ("2022-03-11T23:59:59", date(2022, 3, 11)),
        ("2022-03-12T00:00:01", date(2022, 3, 11)),  # past midnight UTC it is still Friday evening in New York
        ("2022-03-13T12:00:00", date(2022, 3, 11)),
        ("2022-03-14T00:30:00", date(2022, 3, 11)),  # Monday in UTC
        ("2022-03-14T19:59:59", date(2022, 3, 11)),
        ("2022-03-14T20:00:00", date(2022, 3, 14)),  # an hour earlier than on Friday
        ("2022-11-24T23:00:00", date(2022, 11, 23)),  # a holiday
        ("2022-11-25T17:59:59", date(2022, 11, 23)),
        ("2022-11-25T18:00:00", date(2022, 11, 25)),
        ("2022-12-26T22:00:00", date(2022, 12, 23)),
    ],
)
def test_the_last_closed_session(now: str, closed: date) -> None:
    assert last_closed(utc(now)) == closed


def test_the_last_closed_session_does_not_depend_on_the_zone_of_the_instant() -> None:
    evening = utc("2022-03-12T00:30:00")

    for zone in ("America/New_York", "Europe/Berlin", "Pacific/Auckland"):
        assert last_closed(evening.astimezone(ZoneInfo(zone))) == date(2022, 3, 11)


@pytest.mark.parametrize(
    ("now", "opened"),
    [
        ("2022-03-11T14:29:59", date(2022, 3, 10)),
        ("2022-03-11T14:30:00", date(2022, 3, 11)),
        ("2022-03-11T21:00:00", date(2022, 3, 11)),
        ("2022-03-13T12:00:00", date(2022, 3, 11)),
        ("2022-03-14T13:30:00", date(2022, 3, 14)),
    ],
)
def test_the_last_opened_session(now: str, opened: date) -> None:
    assert last_opened(utc(now)) == opened


@pytest.mark.parametrize(
    ("session", "following"),
    [
        (date(2022, 3, 10), date(2022, 3, 11)),
        (date(2022, 3, 11), date(2022, 3, 14)),  # a weekend
        (date(2022, 1, 14), date(2022, 1, 18)),  # a long weekend: Monday is Martin Luther King's
        (date(2022, 4, 14), date(2022, 4, 18)),  # Good Friday
        (date(2001, 9, 10), date(2001, 9, 17)),
    ],
)
def test_the_next_session_and_the_one_before_it(session: date, following: date) -> None:
    assert next_session(session) == following
    assert previous_session(following) == session
    assert sessions_between(session, following) == [session, following]


def test_sessions_are_counted_not_days() -> None:
    assert previous_session(date(2022, 1, 18), 3) == date(2022, 1, 12)
    assert previous_session(date(2022, 1, 18), 0) == date(2022, 1, 18)
    assert sessions_apart(date(2022, 1, 12), date(2022, 1, 18)) == 3
    assert sessions_apart(date(2022, 1, 18), date(2022, 1, 12)) == -3
    assert sessions_apart(date(2022, 1, 18), date(2022, 1, 18)) == 0
    assert len(sessions_between(date(2022, 1, 1), date(2022, 12, 31))) == 251


def test_the_calendar_holds_its_first_and_its_last_session() -> None:
    every = sessions_between(FIRST_SESSION, LAST_SESSION)

    assert (every[0], every[-1]) == (FIRST_SESSION, LAST_SESSION)
    assert is_session(FIRST_SESSION)
    assert is_session(LAST_SESSION)
    assert previous_session(every[1]) == FIRST_SESSION
    assert next_session(every[-2]) == LAST_SESSION


@pytest.mark.parametrize("session", [date(2022, 3, 11), date(2022, 3, 14), date(2050, 1, 3)])
def test_a_session_that_has_not_closed_is_refused(session: date) -> None:
    with pytest.raises(SessionError, match=f"session {session} closes at .*; the last closed session is 2022-03-10"):
        require_closed(session, utc("2022-03-11T20:59:00"))


def test_a_session_that_has_closed_is_accepted_the_moment_it_closes() -> None:
    assert require_closed(date(2022, 3, 11), utc("2022-03-11T21:00:00")) == date(2022, 3, 11)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: last_closed(utc("1970-01-01T00:00:00")),  # a machine whose clock was never set
        lambda: sessions_between(date(1980, 1, 1), date(1991, 1, 1)),
        lambda: previous_session(FIRST_SESSION),
        lambda: next_session(LAST_SESSION),
        lambda: previous_session(date(2022, 3, 11), 100_000),
        lambda: next_session(date(2022, 3, 12)),
        lambda: close_at(date(2022, 3, 12)),
        lambda: sessions_apart(date(2022, 3, 12), date(2022, 3, 13)),
    ],
)
def test_what_the_calendar_cannot_answer_is_an_error_of_the_caller(ask: object) -> None:
    with pytest.raises(SessionError):
        ask()


def test_an_instant_without_a_zone_is_not_an_instant() -> None:
    with pytest.raises(TypeError):
        last_closed(datetime.fromisoformat("2022-03-11T21:00"))


@given(st.timedeltas(timedelta(0), timedelta(days=59 * 365)))
def test_exactly_one_session_is_the_last_closed(since_1991: timedelta) -> None:
    now = utc("1991-01-01") + since_1991
    session = last_closed(now)

    assert close_at(session) <= now < close_at(next_session(session))
    assert now - close_at(session) < timedelta(days=8)  # the longest closure was after 2001-09-10
