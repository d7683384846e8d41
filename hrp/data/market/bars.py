"""Daily bars as they were stated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

import pandas as pd

from hrp.data import history as store_history
from hrp.data.frames import registered, require_columns, require_no_infinity, require_tickers
from hrp.data.rows import Connection, fetch_value, utc
from hrp.domain.rebased import Adjustment
from hrp.domain.sessions import EXCHANGE_ZONE
from hrp.errors import DataError

BAR_COLUMNS = ("symbol", "session", "open", "high", "low", "close", "volume", "source")

_STAGE_BARS = """
CREATE OR REPLACE TEMP TABLE incoming AS
SELECT symbol::VARCHAR AS symbol, session::DATE AS session, open::DECIMAL(18, 6) AS open, high::DECIMAL(18, 6) AS high,
       low::DECIMAL(18, 6) AS low, close::DECIMAL(18, 6) AS close, volume::BIGINT AS volume, source::VARCHAR AS source,
       $adjustment::VARCHAR AS adjustment
FROM bars
"""
# News is what says something else than the latest known bar, and than the latest known by `known_at`: so a repeated
# save is no news, whether or not the bar was restated since. EXCEPT takes two missing values for equal.
_FIND_NEWS = """
CREATE OR REPLACE TEMP TABLE news AS
WITH stored AS (
    SELECT * FROM prices_raw
    WHERE session BETWEEN (SELECT min(session) FROM incoming) AND (SELECT max(session) FROM incoming)
), known AS (
    SELECT * FROM stored
    QUALIFY row_number() OVER (PARTITION BY symbol, session ORDER BY known_at DESC) = 1
    UNION ALL
    SELECT * FROM stored WHERE known_at <= $known_at
    QUALIFY row_number() OVER (PARTITION BY symbol, session ORDER BY known_at DESC) = 1
)
SELECT * FROM incoming SEMI JOIN (
    SELECT symbol, session, open, high, low, close, volume, adjustment FROM incoming
    EXCEPT
    SELECT symbol, session, open, high, low, close, volume, adjustment FROM known
) USING (symbol, session)
"""
_FIND_REWRITE = """
SELECT symbol, session FROM news SEMI JOIN (SELECT symbol, session FROM prices_raw WHERE known_at >= ?)
USING (symbol, session) ORDER BY session, symbol LIMIT 1
"""
_INSERT_NEWS = """
INSERT INTO prices_raw BY NAME
SELECT *, $known_at::TIMESTAMPTZ AS known_at, $run_id AS run_id FROM news ORDER BY session, symbol
"""


def save_prices(
    con: Connection,
    bars: pd.DataFrame,
    known_at: datetime,
    run_id: str,
    adjustment: Adjustment = Adjustment.RAW,
) -> int:
    """Add the bars that are new or say something else than the latest known ones; how many rows were written.

    Args:
        bars: symbol (text), session, open, high, low, close (USD), volume (shares), source, in any order; unique by
            (symbol, session). A missing number stays missing, nothing is repaired.
        adjustment: what the source has done to the prices already.

    Raises:
        DataError: a column is missing, a symbol is not text, a key stands twice, a price is infinite or no number, or
            a different bar known at the same instant or later is stored already.
    """
    require_columns(bars, BAR_COLUMNS, "bars")
    if bars.empty:
        return 0
    require_tickers(bars["symbol"], "bars")
    require_no_infinity(bars, ("open", "high", "low", "close", "volume"), "bars")
    instant = utc(known_at)
    with registered(con, "bars", bars[list(BAR_COLUMNS)]):
        con.execute(_STAGE_BARS, {"adjustment": str(adjustment)})
    _require_unique_bars(con)
    con.execute(_FIND_NEWS, {"known_at": instant})
    _require_later_knowledge(con, instant)
    written = int(fetch_value(con, _INSERT_NEWS, {"known_at": instant, "run_id": run_id}))
    con.execute("DROP TABLE incoming; DROP TABLE news")
    return written


def _require_unique_bars(con: Connection) -> None:
    twice = con.execute("SELECT symbol, session FROM incoming GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL").fetchall()
    if twice:
        symbol, session = twice[0]
        raise DataError(
            f"bars have {len(twice)} duplicate keys, first: symbol={symbol}, session={session}; "
            f"none was saved; remove them from the source, then run: hrp run prices"
        )


def _require_later_knowledge(con: Connection, known_at: datetime) -> None:
    clash = con.execute(_FIND_REWRITE, [known_at]).fetchone()
    if clash:
        raise DataError(
            f"another bar of {clash[0]} for session {clash[1]} is stored as known at {known_at.isoformat()} or later; "
            f"what was known is not rewritten: save the correction with a later known_at"
        )


def load_prices(
    con: Connection,
    symbols: Sequence[str] | None,
    first: date,
    last: date,
    known_by: datetime | None = None,
    *,
    history: str = "",
) -> pd.DataFrame:
    """Bars of `first` to `last` (both included) as they were stated, as known by `known_by` (None: as known now).

    What a name was worth over time, across splits and renames, is `hrp.data.series.load_series`.

    Args:
        symbols: the names wanted, None for all; a name without bars is absent from the result.
        history: where files that `hrp.data.history.write_history` wrote lie, to be read together with the store.

    Returns:
        Long, sorted by (session, symbol): symbol (str), session (datetime64, midnight, no zone), open, high, low,
        close (USD), volume (shares), all float64 with NaN where missing, and source (str).
    """
    return load_stated(con, symbols, first, last, known_by, history=history)[list(BAR_COLUMNS)]


def load_stated(
    con: Connection,
    symbols: Sequence[str] | None,
    first: date,
    last: date,
    known_by: datetime | None = None,
    *,
    history: str = "",
) -> pd.DataFrame:
    """As `load_prices`, with `adjustment` (what the source had done to a bar) and `stated` (the day of New York)."""
    condition, params = known("session", symbols, first, last, known_by)
    facts = f"({store_history.facts(history)})" if history else "prices_raw"
    sql = f"""
    SELECT symbol, session, open::DOUBLE AS open, high::DOUBLE AS high, low::DOUBLE AS low, close::DOUBLE AS close,
           volume::DOUBLE AS volume, source, adjustment, (known_at AT TIME ZONE '{EXCHANGE_ZONE}')::DATE AS stated
    FROM {facts} WHERE {condition}
    QUALIFY row_number() OVER (PARTITION BY symbol, session ORDER BY known_at DESC) = 1
    ORDER BY session, symbol
    """
    return con.execute(sql, params).df()


def newest_session(con: Connection) -> date | None:
    """The newest session of which any bar is stored, or None."""
    return fetch_value(con, "SELECT max(session) FROM prices_raw")  # type: ignore[no-any-return]


def load_closes(
    con: Connection, symbols: Iterable[str], session: date, known_by: datetime | None = None
) -> dict[str, Decimal]:
    """Closes in USD of `session` by symbol; a symbol without a positive close is absent, it never gets a default."""
    condition, params = known("session", list(symbols), session, session, known_by)
    sql = f"""
    SELECT symbol, close FROM prices_raw WHERE {condition}
    QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY known_at DESC) = 1
    ORDER BY symbol
    """
    return {symbol: close for symbol, close in con.execute(sql, params).fetchall() if close is not None and close > 0}


def newest_closes(
    con: Connection, symbols: Iterable[str], session: date, known_by: datetime | None = None
) -> dict[str, Decimal]:
    """The newest positive close in USD up to `session` by symbol, as known; a symbol without one is absent."""
    condition, params = known("session", list(symbols), date.min, session, known_by)
    sql = f"""
    SELECT symbol, close FROM prices_raw WHERE {condition} AND close > 0
    QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY session DESC, known_at DESC) = 1
    """
    return dict(con.execute(sql, params).fetchall())


def known(
    session_column: str, symbols: Sequence[str] | None, first: date, last: date, known_by: datetime | None
) -> tuple[str, list[object]]:
    """The condition for what was known of `symbols` in the sessions `first` to `last`, and its parameters."""
    condition, params = f"{session_column} BETWEEN ? AND ?", [first, last]
    extra: list[object] = []
    if symbols is not None:
        condition += " AND symbol IN (SELECT unnest(?::VARCHAR[]))"
        extra.append(list(symbols))
    if known_by is not None:
        condition += " AND known_at <= ?"
        extra.append(utc(known_by))
    return condition, [*params, *extra]
