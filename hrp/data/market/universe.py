"""Who belongs to a universe, and since when that was known."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd

from hrp.data import listings
from hrp.data.frames import require_columns, require_tickers, require_unique
from hrp.data.rows import Connection, insert, utc
from hrp.domain.identity import ticker_in

MEMBER_COLUMNS = ("symbol", "start_session", "end_session")


def save_universe(con: Connection, name: str, members: pd.DataFrame, known_at: datetime) -> int:
    """State the whole membership of universe `name`; rows written, 0 if it says what is known already.

    Args:
        members: symbol, start_session, end_session (last session as a member; missing: still one). Names that have
            left stay in it with their interval.
    """
    require_columns(members, MEMBER_COLUMNS, "universe members")
    require_tickers(members["symbol"], "universe members")
    require_unique(members[["symbol", "start_session"]], "universe members")
    stated = {
        (str(symbol), _day(start), _day(end))
        for symbol, start, end in members[list(MEMBER_COLUMNS)].itertuples(index=False, name=None)
    }
    latest = "(SELECT max(known_at) FROM universe WHERE name = $name)"
    stored = con.execute(
        f"SELECT symbol, start_session, end_session FROM universe WHERE name = $name AND known_at = {latest}",
        {"name": name},
    ).fetchall()
    if set(stored) == stated:
        return 0
    records = [
        {"name": name, "symbol": symbol, "start_session": start, "end_session": end, "known_at": known_at}
        for symbol, start, end in sorted(stated, key=lambda member: (member[0], str(member[1])))
    ]
    return insert(con, "universe", records)


def load_universe(con: Connection, name: str, as_of: date, known_by: datetime | None = None) -> list[str]:
    """The members of universe `name` on session `as_of`, as they are called then, sorted; empty if none is known."""
    members = load_members(con, name, as_of, as_of, known_by)["symbol"].unique()
    known = listings.load_listings(con, known_by)
    return sorted({ticker_in(known, symbol, as_of) for symbol in members} if known else members)


def load_members(con: Connection, name: str, first: date, last: date, known_by: datetime | None = None) -> pd.DataFrame:
    """Every membership of universe `name` that has a session of `first` to `last` in it, as known by `known_by`.

    Returns:
        Sorted by all: symbol (as it was stated), start_session, end_session (datetime64, NaT: still a member).
    """
    horizon = utc(known_by) if known_by else None
    sql = """
    SELECT symbol, start_session, end_session FROM universe
    WHERE name = $name AND start_session <= $last AND coalesce(end_session >= $first, true)
      AND known_at = (
          SELECT max(known_at) FROM universe WHERE name = $name AND coalesce(known_at <= $horizon::TIMESTAMPTZ, true)
      )
    ORDER BY ALL
    """
    return con.execute(sql, {"name": name, "first": first, "last": last, "horizon": horizon}).df()


def _day(value: object) -> date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()  # type: ignore[arg-type, call-overload]
