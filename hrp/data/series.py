"""What a name's history is, looked back at from a session: one instrument, in the shares of that session."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

import pandas as pd

from hrp.data.listings import load_listings
from hrp.data.market import BAR_COLUMNS, load_corporate_actions, load_members, load_stated
from hrp.data.rows import Connection
from hrp.domain.adjustment_factors import adjusted
from hrp.domain.identity import identified, ticker_in, tickers_of


def load_series(
    con: Connection,
    symbols: Collection[str],
    first: date,
    last: date,
    known_by: datetime | None = None,
    *,
    dividends: bool = False,
    history: str = "",
) -> pd.DataFrame:
    """Bars of `first` to `last` as they look from the close of `last`, as known by `known_by` (None: as known now).

    `symbols` are tickers of session `last`; each has the bars of the instrument that it names there, whatever that was
    called before, in the shares of `last`. On `last` itself prices are what was stated.

    Args:
        dividends: True for total returns.
        history: as in `hrp.data.market.load_prices`.

    Returns:
        As `hrp.data.market.load_prices`; equal to it, to the last bit, where nothing was split or renamed.

    Raises:
        DataError: an action cannot be applied.
    """
    listings = load_listings(con, known_by)
    tickers = sorted(tickers_of(listings, symbols, last))
    bars = load_stated(con, tickers, first, last, known_by, history=history)
    actions = load_corporate_actions(con, tickers, first, last, known_by)
    bars = identified(bars, listings, symbols, last)
    actions = identified(actions, listings, symbols, last, day="ex_session")
    return adjusted(bars, actions, last, dividends=dividends)[list(BAR_COLUMNS)]


def load_membership(
    con: Connection, universe: str, first: date, last: date, known_by: datetime | None = None
) -> pd.DataFrame:
    """Who belonged to `universe` in any session of `first` to `last`, those who have left included.

    Returns:
        symbol (the ticker of session `last`, or for who was gone by then the one that was stated), start_session,
        end_session (datetime64, NaT: still a member), both included.
    """
    listings = load_listings(con, known_by)
    members = load_members(con, universe, first, last, known_by)
    return members.assign(symbol=[ticker_in(listings, symbol, last) for symbol in members["symbol"]])
