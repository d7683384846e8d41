"""Which instrument a ticker names in a session: tickers are reused and changed, instruments are not (pure)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.errors import DataError

_TICKER = re.compile(r"[A-Z0-9][A-Za-z0-9]*(\.[A-Za-z0-9]+)?")
_Places = dict[str, NDArray[np.intp]]  # where the rows of each ticker are
_NONE = np.empty(0, dtype=np.intp)
_CLASS_MARKS = re.compile(r"(?<=[A-Za-z0-9])[-/ ](?=[A-Za-z0-9]+$)")


def own_ticker(text: str) -> str:
    """The one way in which HRP writes a ticker: class shares with a dot, so `BRK-B`, `BRK B` and `BRK/B` are `BRK.B`.

    Raises:
        DataError: it is no ticker, such as `NYSE:LMT`.
    """
    ticker = _CLASS_MARKS.sub(".", text)
    if _TICKER.fullmatch(ticker) is None:
        raise DataError(f"{text!r} is no ticker: a capital, letters and digits, and a dot before a class of shares")
    return ticker


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument under one ticker from `first` to `last`, both included; `last` None: still.

    It says under which ticker the facts about an instrument are stored. For a source that tells the past of a renamed
    name under its present ticker, the present one is stated from the beginning on as well: of two tickers of one
    session the one that ended earlier, the name of then, comes first.
    """

    instrument: str
    ticker: str
    first: date
    last: date | None = None

    @property
    def end(self) -> date:
        return self.last or date.max

    def covers(self, session: date) -> bool:
        return self.first <= session <= self.end

    def __str__(self) -> str:
        return f"{self.instrument} as {self.ticker} from {self.first} to {self.last or 'now'}"


def require_consistent(listings: Iterable[Listing]) -> None:
    """Nothing, if a ticker names one instrument in every session.

    Raises:
        DataError: it names two; the message says which.
    """
    latest: dict[str, Listing] = {}
    for listing in sorted(listings, key=lambda listing: listing.first):
        before = latest.get(listing.ticker)
        if before and listing.first <= before.end:
            raise DataError(f"one ticker cannot name both {before}, and {listing}; end the first one before")
        latest[listing.ticker] = listing


def bearer(listings: Iterable[Listing], ticker: str, session: date) -> str | None:
    """The instrument that `ticker` names in `session`: its bearer then, or the last one before; None if not known."""
    borne = [listing for listing in listings if listing.ticker == ticker and listing.first <= session]
    return max(borne, key=lambda listing: listing.first).instrument if borne else None


def renamed(listings: Collection[Listing], symbol: str, at: date, then: date) -> str:
    """What the instrument that `symbol` names at `at` is called in session `then`; `symbol` if that is not known."""
    return _called(listings, bearer(listings, symbol, at), then) or symbol


def ticker_in(listings: Collection[Listing], member: str, session: date) -> str:
    """What the instrument that a list of members calls `member` is called in `session`.

    Lists of members are often written with later or earlier tickers than those of the session. The name itself if
    nothing is known of it, or if the instrument was not listed then.
    """
    later = [listing for listing in listings if listing.ticker == member and listing.first > session]
    named = bearer(listings, member, session)
    if named is None and later:
        named = min(later, key=lambda listing: listing.first).instrument
    return _called(listings, named, session) or member


def _called(listings: Iterable[Listing], instrument: str | None, session: date) -> str | None:
    own = [one for one in listings if one.instrument == instrument and one.covers(session)]
    return min(own, key=lambda listing: listing.end).ticker if own else None


def tickers_of(listings: Collection[Listing], symbols: Iterable[str], as_of: date) -> set[str]:
    """Every ticker under which facts about `symbols`, as they are called at `as_of`, may be stored."""
    wanted = set(symbols)
    named = {bearer(listings, symbol, as_of) for symbol in wanted} - {None}
    return wanted | {listing.ticker for listing in listings if listing.instrument in named}


def identified(
    frame: pd.DataFrame, listings: Collection[Listing], symbols: Iterable[str], as_of: date, day: str = "session"
) -> pd.DataFrame:
    """The rows of `frame` that are about the instruments which `symbols` name at `as_of`, under those names.

    A row belongs to an instrument if it was listed under the row's ticker on its `day`. Where two of its tickers have
    rows for one day, those of the ticker that ended earlier count. A symbol without a listing keeps its rows; one that
    was first listed after `as_of` keeps those from before, whosever they are.

    Args:
        frame: symbol, the column `day` (datetime64), and whatever else; sorted by it.
    """
    listed = {listing.ticker for listing in listings}
    symbols = sorted(set(symbols))
    if not listed.intersection(symbols):
        return frame
    where: _Places = {str(name): np.asarray(rows) for name, rows in frame.groupby("symbol", sort=False).indices.items()}
    days = pd.to_datetime(frame[day]).to_numpy().astype("datetime64[D]")
    parts = [
        _rows_of(symbol, listings, as_of, where, days) if symbol in listed else where.get(symbol, _NONE)
        for symbol in symbols
    ]
    rows = np.concatenate([_NONE, *parts])
    names = [symbol for symbol, part in zip(symbols, parts, strict=True) for _ in part]
    out = frame.iloc[rows].assign(symbol=names)
    return out.sort_values([day, "symbol"], kind="stable", ignore_index=True)


def _rows_of(
    symbol: str,
    listings: Collection[Listing],
    as_of: date,
    where: _Places,
    days: NDArray[np.datetime64],
) -> NDArray[np.intp]:
    """The positions of the rows of the instrument that `symbol` names."""
    instrument = bearer(listings, symbol, as_of)
    own = [listing for listing in listings if listing.instrument == instrument]
    if not own:
        rows, taken = where.get(symbol, _NONE), min(one.first for one in listings if one.ticker == symbol)
        return rows[days[rows] < np.datetime64(taken)]
    parts = []
    for rank, listing in enumerate(sorted(own, key=lambda one: one.end)):
        rows = where.get(listing.ticker, _NONE)
        rows = rows[(days[rows] >= np.datetime64(listing.first)) & (days[rows] <= np.datetime64(listing.end))]
        parts.append(pd.DataFrame({"row": rows, "day": days[rows], "rank": rank}))
    found = pd.concat(parts, ignore_index=True)
    best = found["rank"] == found.groupby("day")["rank"].transform("min")
    return found.loc[best, "row"].to_numpy(dtype=np.intp)
