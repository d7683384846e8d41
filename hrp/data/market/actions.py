"""Splits and dividends as they were stated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas as pd

from hrp.data.frames import registered, require_columns, require_tickers, require_unique
from hrp.data.market.bars import known, newest_closes
from hrp.data.rows import Connection, fetch_value, utc
from hrp.domain.corporate_actions import ActionKind, CorporateAction

ACTION_COLUMNS = ("symbol", "ex_session", "kind", "value", "source")


def save_corporate_actions(con: Connection, actions: pd.DataFrame, known_at: datetime) -> int:
    """Add the actions that are new or differ from the latest known ones; how many rows were written.

    Args:
        actions: symbol, ex_session, kind, value, source. A split's value is new shares for one old, a dividend's USD a
            share; a missing value withdraws an action stated earlier.
    """
    require_columns(actions, ACTION_COLUMNS, "corporate actions")
    require_tickers(actions["symbol"], "corporate actions")
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
    condition, params = known("ex_session", symbols, first, last, known_by)
    sql = f"""
    SELECT symbol, ex_session, kind, value::DOUBLE AS value, source FROM (
        SELECT * FROM corporate_actions WHERE {condition}
        QUALIFY row_number() OVER (PARTITION BY symbol, ex_session, kind ORDER BY known_at DESC) = 1
    ) WHERE value IS NOT NULL ORDER BY ex_session, symbol, kind
    """
    return con.execute(sql, params).df()


def actions_of(
    con: Connection, symbols: Iterable[str], first: date, last: date, known_by: datetime | None = None
) -> list[CorporateAction]:
    """The actions on `symbols` ex `first` to `last`, as known, oldest first; splits have the close before."""
    frame = load_corporate_actions(con, sorted(symbols), first, last, known_by)
    actions = []
    for symbol, day, kind, value in zip(*(frame[c] for c in ("symbol", "ex_session", "kind", "value")), strict=True):
        ex_session = pd.Timestamp(day).date()
        split = kind == ActionKind.SPLIT
        close = newest_closes(con, [symbol], ex_session - timedelta(days=1), known_by).get(symbol) if split else None
        actions.append(CorporateAction(symbol, ex_session, ActionKind(kind), Decimal(str(value)), close))
    return actions
