"""Daily history for clients: bars of closed sessions, restated for every split since as TWS restates them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hrp.domain.sessions import close_at, open_at, previous_session
from hrp.errors import SessionError
from hrp.gateway import replies
from hrp.gateway.actions import times
from hrp.gateway.books import Books
from hrp.gateway.clock import closed_session, parse_instant, running_session
from hrp.gateway.market import Bar
from hrp.gateway.records import Instrument
from hrp.gateway.requests import HeadTimestamp, HistoricalData
from hrp.gateway.wire import Fields

_HISTORY_ERROR = 162
_MOST_SESSIONS = 30_000
_MOST_DIGITS = 6
_PRICE_DECIMALS = 6
_BEGINNING = datetime(1990, 1, 1, tzinfo=UTC)
_DAYS = {"W": 7, "M": 30.436875, "Y": 365.2425}


def head_timestamp(books: Books, request: HeadTimestamp, instrument: Instrument) -> list[Fields]:
    """When the history of `instrument` begins."""
    first = books.market.first_session(instrument.symbol)
    return [replies.head_timestamp(request.req_id, open_at(first), epoch=request.epoch)] if first else []


def history(books: Books, request: HistoricalData, instrument: Instrument) -> list[Fields]:
    """Daily bars of closed sessions, or error 162 where the gateway has no such data."""
    end = parse_instant(request.end) if request.end else books.now
    if request.bar_size != "1 day" or request.what != "TRADES" or request.keep_up_to_date:
        wanted = f"{request.bar_size} {request.what}{', kept up to date' if request.keep_up_to_date else ''}"
        return [_no_history(request, f"only finished '1 day' TRADES bars, not {wanted}")]
    if end is None:
        return [_no_history(request, f"end {request.end!r} is no time in UTC or US/Eastern")]
    start = _start(request.duration, min(end, books.now))
    if start is None:
        return [_no_history(request, f"duration {request.duration!r} is not N D, N W, N M or N Y")]
    bars = _bars(books, instrument, start, min(end, books.now))
    if not bars:
        return [_no_history(request, f"no data for {instrument.symbol}")]
    return [replies.historical_data(request.req_id, start, min(end, books.now), bars)]


def _bars(books: Books, instrument: Instrument, start: datetime, end: datetime) -> list[Bar]:
    bars = books.view.closed_bars(instrument.symbol, _MOST_SESSIONS)
    today = running_session(books.now) or closed_session(books.now)
    return [
        _restated(bar, books.market.new_shares(instrument.symbol, bar.session, today))
        for bar in bars
        if start < close_at(bar.session) <= end
    ]


def _restated(bar: Bar, shares: Fraction) -> Bar:
    """`bar` in shares of today, of which one of its day has become `shares`."""
    if shares == 1:
        return bar

    def price(stored: Decimal | None) -> Decimal | None:
        return None if stored is None else round(times(stored, 1 / shares), _PRICE_DECIMALS)

    opened, high, low, close = map(price, (bar.open, bar.high, bar.low, bar.close))
    return Bar(bar.session, opened, high, low, close, round(bar.volume * shares))


def _start(duration: str, end: datetime) -> datetime | None:
    """The instant after which bars are wanted: days count sessions, the other units calendar days."""
    count, _, unit = duration.partition(" ")
    if not count.isdecimal() or not int(count[:_MOST_DIGITS]) or unit not in ("D", *_DAYS):
        return None
    days = min(int(count[:_MOST_DIGITS]) * _DAYS.get(unit, 1), (end - _BEGINNING).days)
    with suppress(SessionError):
        return close_at(previous_session(closed_session(end), int(days))) if unit == "D" else end - timedelta(days=days)
    return _BEGINNING


def _no_history(request: HistoricalData, cause: str) -> Fields:
    text = f"Historical Market Data Service error message:{cause}"
    return replies.error(request.req_id, _HISTORY_ERROR, text)
