"""Which instrument a ticker names, and since when that was known. Every function takes an open connection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hrp.data.rows import Connection, fetch, insert, utc, where
from hrp.domain.identity import Listing, own_ticker, require_consistent


def save_listings(con: Connection, listings: Iterable[Listing], known_at: datetime) -> int:
    """Add the listings that are new or end otherwise than was known; how many rows were written.

    A rename is two of them: the old ticker's with its last session, and the new ticker's. A listing that ends before
    it began is withdrawn.

    Raises:
        DataError: a ticker is malformed, or what is then known contradicts itself; nothing was saved.
    """
    stated = {_key(listing): listing for listing in listings}
    for listing in stated.values():
        own_ticker(listing.ticker)
    stored = {_key(listing): listing for listing in _latest(con, None)}
    news = [listing for key, listing in sorted(stated.items()) if stored.get(key) != listing]
    require_consistent([one for one in {**stored, **stated}.values() if not _withdrawn(one)])
    records = [
        {
            "instrument": listing.instrument,
            "ticker": listing.ticker,
            "first_session": listing.first,
            "last_session": listing.last,
            "known_at": known_at,
        }
        for listing in news
    ]
    return insert(con, "listings", records)


def load_listings(con: Connection, known_by: datetime | None = None) -> list[Listing]:
    """Every listing, as known by `known_by` (None: as known now), by instrument and first session."""
    return [listing for listing in _latest(con, known_by) if not _withdrawn(listing)]


def _latest(con: Connection, known_by: datetime | None) -> list[Listing]:
    clause, params = where({"known_at <= ?": known_by and utc(known_by)})
    sql = f"""
    SELECT instrument, ticker, first_session AS first, last_session AS last FROM listings {clause}
    QUALIFY row_number() OVER (PARTITION BY instrument, ticker, first_session ORDER BY known_at DESC) = 1
    ORDER BY instrument, first_session, ticker
    """
    return [Listing(**row) for row in fetch(con, sql, params)]


def _key(listing: Listing) -> tuple[str, str, str]:
    return listing.instrument, listing.ticker, listing.first.isoformat()


def _withdrawn(listing: Listing) -> bool:
    return listing.last is not None and listing.last < listing.first
