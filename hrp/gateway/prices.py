"""Market data for clients: delayed prices and daily history, out of what is public at the simulated instant."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from hrp.domain.sessions import close_at, open_at, previous_session
from hrp.errors import SessionError
from hrp.gateway import replies
from hrp.gateway.books import Books
from hrp.gateway.clock import closed_session, exchange_day, parse_instant, running_session
from hrp.gateway.market import Bar
from hrp.gateway.records import Instrument
from hrp.gateway.requests import HeadTimestamp, HistoricalData, MarketData
from hrp.gateway.wire import Fields

DELAYED = 3
DELAYED_TYPES = (DELAYED, 4)
NOT_SUBSCRIBED = "Requested market data is not subscribed."
_LAST, _HIGH, _LOW, _VOLUME, _CLOSE, _OPEN = 68, 72, 73, 74, 75, 76
_HISTORY_ERROR = 162
_MOST_SESSIONS = 30_000
_MOST_DIGITS = 6
_BEGINNING = datetime(1990, 1, 1, tzinfo=UTC)
_DAYS = {"W": 7, "M": 30.436875, "Y": 365.2425}


def first_ticks(books: Books, request: MarketData, instrument: Instrument) -> list[Fields]:
    """The answer to a data request of a client that takes delayed data, which is all there is."""
    warning = f"{NOT_SUBSCRIBED} Displaying delayed market data."
    head = [
        replies.error(request.req_id, 10167, warning),
        replies.market_data_type(request.req_id, DELAYED),
        replies.tick_parameters(request.req_id),
    ]
    tail = [replies.snapshot_end(request.req_id)] if request.snapshot else []
    return [*head, *ticks(books, request.req_id, instrument), *tail]


def ticks(books: Books, req_id: int, instrument: Instrument) -> list[Fields]:
    """The prices of the running session, which are its open alone, else those of the last one; and the close before."""
    view = books.view
    session = running_session(books.now)
    bar = None if session else next(iter(view.closed_bars(instrument.symbol, 1)), None)
    shown = session or (bar.session if bar else exchange_day(books.now))
    day = (
        (_LAST, view.last_price(instrument.symbol)),
        (_OPEN, bar.open if bar else view.running_open(instrument.symbol)),
        (_HIGH, bar.high if bar else None),
        (_LOW, bar.low if bar else None),
        (_CLOSE, view.last_close(instrument.symbol, before=shown)),
    )
    prices = [replies.tick_price(req_id, kind, price) for kind, price in day if price is not None]
    return [*prices, replies.tick_size(req_id, _VOLUME, bar.volume)] if bar else prices


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
    return [bar for bar in bars if start < close_at(bar.session) <= end]


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
