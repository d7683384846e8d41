"""Bars, corporate actions, universe, instruments and quality findings. Every function takes an open connection.

What is known about the past changes, so bars, actions, membership and instruments are never overwritten: a new
statement is a new row with its `known_at`, and a reader may ask for what was known by an instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas as pd

from hrp.data.frames import registered, require_columns, require_no_infinity, require_symbols, require_unique
from hrp.data.rows import Connection, fetch, fetch_value, insert, utc
from hrp.domain.corporate_actions import ActionKind, CorporateAction
from hrp.domain.positions import Instrument
from hrp.domain.quality import Effect, Finding
from hrp.errors import DataError

BAR_COLUMNS = ("symbol", "session", "open", "high", "low", "close", "volume", "source")
ACTION_COLUMNS = ("symbol", "ex_session", "kind", "value", "source")
MEMBER_COLUMNS = ("symbol", "start_session", "end_session")

_STAGE_BARS = """
CREATE OR REPLACE TEMP TABLE incoming AS
SELECT symbol::VARCHAR AS symbol, session::DATE AS session, open::DECIMAL(18, 6) AS open, high::DECIMAL(18, 6) AS high,
       low::DECIMAL(18, 6) AS low, close::DECIMAL(18, 6) AS close, volume::BIGINT AS volume, source::VARCHAR AS source
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
    SELECT symbol, session, open, high, low, close, volume FROM incoming
    EXCEPT
    SELECT symbol, session, open, high, low, close, volume FROM known
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


def save_prices(con: Connection, bars: pd.DataFrame, known_at: datetime, run_id: str) -> int:
    """Add the bars that are new or say something else than the latest known ones; how many rows were written.

    Args:
        bars: symbol (text), session, open, high, low, close (USD), volume (shares), source, in any order; unique by
            (symbol, session). A missing number stays missing, nothing is repaired.

    Raises:
        DataError: a column is missing, a symbol is not text, a key stands twice, a price is infinite or no number, or
            a different bar known at the same instant or later is stored already.
    """
    require_columns(bars, BAR_COLUMNS, "bars")
    if bars.empty:
        return 0
    require_symbols(bars["symbol"], "bars")
    require_no_infinity(bars, ("open", "high", "low", "close", "volume"), "bars")
    instant = utc(known_at)
    with registered(con, "bars", bars[list(BAR_COLUMNS)]):
        con.execute(_STAGE_BARS)
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
    con: Connection, symbols: Sequence[str] | None, first: date, last: date, known_by: datetime | None = None
) -> pd.DataFrame:
    """Unadjusted bars of `first` to `last` (both included), as known by `known_by` (None: as known now).

    Args:
        symbols: the names wanted, None for all; a name without bars is absent from the result.

    Returns:
        Long, sorted by (session, symbol): symbol (str), session (datetime64, midnight, no zone), open, high, low,
        close (USD), volume (shares), all float64 with NaN where missing, and source (str).
    """
    condition, params = _known("session", symbols, first, last, known_by)
    sql = f"""
    SELECT symbol, session, open::DOUBLE AS open, high::DOUBLE AS high, low::DOUBLE AS low, close::DOUBLE AS close,
           volume::DOUBLE AS volume, source
    FROM prices_raw WHERE {condition}
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
    condition, params = _known("session", list(symbols), session, session, known_by)
    sql = f"""
    SELECT symbol, close FROM prices_raw WHERE {condition}
    QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY known_at DESC) = 1
    ORDER BY symbol
    """
    return {symbol: close for symbol, close in con.execute(sql, params).fetchall() if close is not None and close > 0}


def newest_closes(con: Connection, symbols: Iterable[str], session: date) -> dict[str, Decimal]:
    """The newest positive close in USD up to `session` by symbol, as known now; a symbol without one is absent."""
    sql = """
    SELECT symbol, close FROM prices_raw
    WHERE symbol IN (SELECT unnest(?::VARCHAR[])) AND session <= ? AND close > 0
    QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY session DESC, known_at DESC) = 1
    """
    return dict(con.execute(sql, [list(symbols), session]).fetchall())


def save_corporate_actions(con: Connection, actions: pd.DataFrame, known_at: datetime) -> int:
    """Add the actions that are new or differ from the latest known ones; how many rows were written.

    Args:
        actions: symbol, ex_session, kind, value, source. A split's value is new shares for one old, a dividend's USD a
            share; a missing value withdraws an action stated earlier.
    """
    require_columns(actions, ACTION_COLUMNS, "corporate actions")
    require_symbols(actions["symbol"], "corporate actions")
    require_unique(actions[["symbol", "ex_session", "kind"]], "corporate actions")
    sql = """
    INSERT INTO corporate_actions BY NAME
    SELECT a.symbol::VARCHAR AS symbol, a.ex_session::DATE AS ex_session, a.kind::VARCHAR AS kind,
           a.value::DECIMAL(18, 8) AS value, a.source::VARCHAR AS source, ?::TIMESTAMPTZ AS known_at
    FROM actions AS a LEFT JOIN (
        SELECT * FROM corporate_actions
        QUALIFY row_number() OVER (PARTITION BY symbol, ex_session, kind ORDER BY known_at DESC) = 1
    ) AS stored ON stored.symbol = a.symbol AND stored.ex_session = a.ex_session::DATE AND stored.kind = a.kind
    WHERE stored.symbol IS NULL OR stored.value IS DISTINCT FROM a.value::DECIMAL(18, 8)
    """
    with registered(con, "actions", actions[list(ACTION_COLUMNS)]):
        return int(fetch_value(con, sql, [utc(known_at)]))


def load_corporate_actions(
    con: Connection, symbols: Sequence[str] | None, first: date, last: date, known_by: datetime | None = None
) -> pd.DataFrame:
    """Actions whose ex-session lies in `first` to `last`, as known by `known_by`, withdrawn ones left out.

    Returns:
        Sorted by (ex_session, symbol, kind): symbol, ex_session (datetime64), kind, value (float64), source.
    """
    condition, params = _known("ex_session", symbols, first, last, known_by)
    sql = f"""
    SELECT symbol, ex_session, kind, value::DOUBLE AS value, source FROM (
        SELECT * FROM corporate_actions WHERE {condition}
        QUALIFY row_number() OVER (PARTITION BY symbol, ex_session, kind ORDER BY known_at DESC) = 1
    ) WHERE value IS NOT NULL ORDER BY ex_session, symbol, kind
    """
    return con.execute(sql, params).df()


def actions_of(con: Connection, symbols: Iterable[str], first: date, last: date) -> list[CorporateAction]:
    """The actions on `symbols` ex `first` to `last`, oldest first; splits have the close before."""
    frame = load_corporate_actions(con, sorted(symbols), first, last)
    actions = []
    for symbol, day, kind, value in zip(*(frame[c] for c in ("symbol", "ex_session", "kind", "value")), strict=True):
        ex_session = pd.Timestamp(day).date()
        split = kind == ActionKind.SPLIT
        close = newest_closes(con, [symbol], ex_session - timedelta(days=1)).get(symbol) if split else None
        actions.append(CorporateAction(symbol, ex_session, ActionKind(kind), Decimal(str(value)), close))
    return actions


def _known(
    session_column: str, symbols: Sequence[str] | None, first: date, last: date, known_by: datetime | None
) -> tuple[str, list[object]]:
    condition, params = f"{session_column} BETWEEN ? AND ?", [first, last]
    extra: list[object] = []
    if symbols is not None:
        condition += " AND symbol IN (SELECT unnest(?::VARCHAR[]))"
        extra.append(list(symbols))
    if known_by is not None:
        condition += " AND known_at <= ?"
        extra.append(utc(known_by))
    return condition, [*params, *extra]


def save_universe(con: Connection, name: str, members: pd.DataFrame, known_at: datetime) -> int:
    """State the whole membership of universe `name`; rows written, 0 if it says what is known already.

    Args:
        members: symbol, start_session, end_session (last session as a member; missing: still one). Names that have
            left stay in it with their interval.
    """
    require_columns(members, MEMBER_COLUMNS, "universe members")
    require_symbols(members["symbol"], "universe members")
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
    """The members of universe `name` on session `as_of`, sorted; empty if nothing is known of it."""
    horizon = utc(known_by) if known_by else None
    sql = """
    SELECT DISTINCT symbol FROM universe
    WHERE name = $name AND start_session <= $as_of AND coalesce(end_session >= $as_of, true)
      AND known_at = (
          SELECT max(known_at) FROM universe WHERE name = $name AND coalesce(known_at <= $horizon::TIMESTAMPTZ, true)
      )
    ORDER BY symbol
    """
    return [row[0] for row in con.execute(sql, {"name": name, "as_of": as_of, "horizon": horizon}).fetchall()]


def save_instruments(con: Connection, instruments: Iterable[Instrument], known_at: datetime) -> int:
    """Add the instruments that are new or have changed; how many rows were written."""
    stored = set(_latest_instruments(con))
    news = {instrument for instrument in instruments if instrument not in stored}
    records = [
        {
            "con_id": instrument.con_id,
            "symbol": instrument.symbol,
            "primary_exchange": instrument.primary_exchange,
            "currency": instrument.currency,
            "known_at": known_at,
        }
        for instrument in sorted(news, key=lambda instrument: instrument.con_id)
    ]
    return insert(con, "instruments", records)


def load_instruments(con: Connection) -> dict[str, Instrument]:
    """The instrument that each symbol names now; of two that bore the name, the one learned of last."""
    return {instrument.symbol: instrument for instrument in _latest_instruments(con)}


def _latest_instruments(con: Connection) -> list[Instrument]:
    sql = """
    SELECT con_id, symbol, primary_exchange, currency FROM instruments
    QUALIFY row_number() OVER (PARTITION BY con_id ORDER BY known_at DESC) = 1 ORDER BY known_at, con_id
    """
    return [Instrument(**row) for row in fetch(con, sql)]


def save_findings(con: Connection, session: date, findings: Sequence[Finding], run_id: str) -> int:
    """Replace the quality findings of `session`; how many there are now."""
    con.execute("DELETE FROM quality_findings WHERE session = ?", [session])
    records = [
        {
            "session": session,
            "check_name": finding.check,
            "symbol": finding.symbol,
            "effect": finding.effect,
            "detail": finding.detail,
            "run_id": run_id,
        }
        for finding in findings
    ]
    return insert(con, "quality_findings", records)


def load_findings(con: Connection, session: date) -> list[Finding]:
    """The quality findings of `session`, by check and symbol."""
    rows = con.execute(
        "SELECT session, check_name, symbol, effect, detail FROM quality_findings WHERE session = ? ORDER BY ALL",
        [session],
    ).fetchall()
    return [Finding(day, check, symbol, Effect(effect), detail) for day, check, symbol, effect, detail in rows]


def _day(value: object) -> date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()  # type: ignore[arg-type, call-overload]
