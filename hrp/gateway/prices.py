"""Delayed prices for clients, out of what is public at the simulated instant."""

from __future__ import annotations

from hrp.gateway import replies
from hrp.gateway.books import Books
from hrp.gateway.clock import exchange_day, running_session
from hrp.gateway.records import Instrument
from hrp.gateway.requests import MarketData
from hrp.gateway.wire import Fields

DELAYED = 3
DELAYED_TYPES = (DELAYED, 4)
NOT_SUBSCRIBED = "Requested market data is not subscribed."
_LAST, _HIGH, _LOW, _VOLUME, _CLOSE, _OPEN = 68, 72, 73, 74, 75, 76


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
