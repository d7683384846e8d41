"""Fills, positions, equity, breaks and tracking: what the broker did. Every function takes an open connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd

from hrp.data.rows import Connection, fetch, fetch_value, insert, utc, where
from hrp.domain.breaks import COMMISSION
from hrp.domain.orders import OrderSide
from hrp.domain.positions import Break, Fill, Position

_EXCHANGE_DAY = "(executed_at AT TIME ZONE 'America/New_York')::DATE"


def save_fills(con: Connection, fills: Iterable[Fill], at: datetime) -> int:
    """Take in executions; how many the store had not seen. The same ones again change nothing.

    Of one execution the highest correction counts, and a commission once known is never lost again.
    """
    news: dict[tuple[str, str], Fill] = {}
    for fill in fills:
        key = (fill.account, fill.identity)
        news[key] = _superseded(news[key], fill) if key in news else fill
    stored = {(f.account, f.identity): f for f in _fills_by_identity(con, [identity for _, identity in news])}
    merged = {key: _superseded(stored[key], fill) if key in stored else fill for key, fill in news.items()}
    changed = [fill for key, fill in merged.items() if fill != stored.get(key)]
    con.execute(
        "DELETE FROM fills WHERE (account, fill_id) IN (SELECT (unnest(?::VARCHAR[]), unnest(?::VARCHAR[])))",
        [[fill.account for fill in changed], [fill.identity for fill in changed]],
    )
    insert(con, "fills", [_fill_record(fill, at) for fill in changed])
    return len(news.keys() - stored.keys())


def _superseded(known: Fill, news: Fill) -> Fill:
    """The one of two reports of one execution that counts, with whatever commission is known."""
    last, other = (known, news) if _correction(known) > _correction(news) else (news, known)
    return replace(last, commission=other.commission if last.commission is None else last.commission)


def _correction(fill: Fill) -> tuple[int, str]:
    suffix = fill.exec_id.rpartition(".")[2]
    return (int(suffix) if suffix.isdecimal() else 0, suffix)


def _fill_record(fill: Fill, at: datetime) -> dict[str, object]:
    return {
        "fill_id": fill.identity,
        "exec_id": fill.exec_id,
        "order_ref": fill.order_ref,
        "perm_id": fill.perm_id,
        "account": fill.account,
        "con_id": fill.con_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "quantity": fill.quantity,
        "price": fill.price,
        "executed_at": fill.executed_at,
        "commission_usd": fill.commission,
        "client_id": fill.client_id,
        "recorded_at": at,
    }


def load_fills(con: Connection, account: str, first: date | None = None, last: date | None = None) -> list[Fill]:
    """Executions of `account`, oldest first; `first` and `last` are days in New York, both included."""
    clause, params = where({"account = ?": account, f"{_EXCHANGE_DAY} >= ?": first, f"{_EXCHANGE_DAY} <= ?": last})
    return [_fill(row) for row in fetch(con, f"SELECT * FROM fills {clause} ORDER BY executed_at, exec_id", params)]


def _fills_by_identity(con: Connection, identities: Sequence[str]) -> list[Fill]:
    rows = fetch(con, "SELECT * FROM fills WHERE fill_id IN (SELECT unnest(?::VARCHAR[]))", [list(identities)])
    return [_fill(row) for row in rows]


def _fill(row: dict[str, Any]) -> Fill:
    return Fill(
        exec_id=row["exec_id"],
        order_ref=row["order_ref"],
        perm_id=row["perm_id"],
        account=row["account"],
        con_id=row["con_id"],
        symbol=row["symbol"],
        side=OrderSide(row["side"]),
        quantity=row["quantity"],
        price=row["price"],
        executed_at=row["executed_at"],
        commission=row["commission_usd"],
        client_id=row["client_id"],
    )


def save_positions(
    con: Connection, session: date, account: str, positions: Sequence[Position], synced_at: datetime
) -> None:
    """Replace the snapshot of (session, account); an empty one says that the account is known to be flat."""
    for table in ("positions", "position_syncs"):
        con.execute(f"DELETE FROM {table} WHERE session = ? AND account = ?", [session, account])
    insert(con, "position_syncs", [{"session": session, "account": account, "synced_at": synced_at}])
    records = [
        {
            "session": session,
            "account": account,
            "con_id": position.con_id,
            "symbol": position.symbol,
            "quantity": position.quantity,
            "entry_price": position.entry_price,
            "current_price": position.current_price,
        }
        for position in positions
    ]
    insert(con, "positions", records)


def last_synced_session(con: Connection, account: str, before: date | None = None) -> date | None:
    """The newest session with a snapshot of `account` (earlier than `before`); None: unknown, which is not flat."""
    clause, params = where({"account = ?": account, "session < ?": before})
    return fetch_value(con, f"SELECT max(session) FROM position_syncs {clause}", params)  # type: ignore[no-any-return]


def last_agreed_session(con: Connection, account: str, symbol: str, before: date) -> date | None:
    """The newest session before `before` whose sync found the shares of `symbol` equal, or explained."""
    sql = """
    SELECT max(session) FROM position_syncs AS s WHERE account = $account AND session < $before AND NOT EXISTS (
        SELECT 1 FROM breaks AS b WHERE b.account = s.account AND b.session = s.session
          AND b.kind = 'POSITION' AND b.subject = $symbol AND b.cause = ''
    )
    """
    return fetch_value(con, sql, {"account": account, "symbol": symbol, "before": before})  # type: ignore[no-any-return]


def load_positions(con: Connection, account: str, session: date | None = None) -> list[Position]:
    """The snapshot of `session`, by default the newest, by symbol.

    An empty list means flat or never synced; `last_synced_session` tells which.
    """
    sql = """
    SELECT symbol, quantity, entry_price, current_price, con_id FROM positions
    WHERE account = ? AND session = ? ORDER BY symbol, con_id
    """
    rows = fetch(con, sql, [account, session or last_synced_session(con, account)])
    return [Position(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Equity:
    """The money of `account` at the sync of `session`, USD. Profit and loss is None where it is not known."""

    session: date
    account: str
    net_liquidation_usd: Decimal
    cash_usd: Decimal
    synced_at: datetime
    realized_pnl_usd: Decimal | None = None
    unrealized_pnl_usd: Decimal | None = None
    commissions_usd: Decimal | None = None


def save_equity(con: Connection, equity: Equity) -> None:
    """Add the row of (session, account), or replace it."""
    con.execute("DELETE FROM equity WHERE session = ? AND account = ?", [equity.session, equity.account])
    insert(con, "equity", [{name: getattr(equity, name) for name in Equity.__slots__}])


def load_equity(con: Connection, account: str, first: date | None = None, last: date | None = None) -> list[Equity]:
    """Equity of `account`, oldest session first."""
    clause, params = where({"account = ?": account, "session >= ?": first, "session <= ?": last})
    return [Equity(**row) for row in fetch(con, f"SELECT * FROM equity {clause} ORDER BY session", params)]


def save_breaks(con: Connection, session: date, account: str, breaks: Sequence[Break]) -> int:
    """Replace the breaks of (session, account) that may end by themselves, and add the rest; how many were written.

    One that an adjustment explains is found once and stays on record for its session.
    """
    sql = """
    DELETE FROM breaks WHERE session = ? AND account = ?
      AND (cause IN ('', ?) OR (kind, subject) IN (SELECT (unnest(?::VARCHAR[]), unnest(?::VARCHAR[]))))
    """
    kinds, subjects = [found.kind for found in breaks], [found.subject for found in breaks]
    con.execute(sql, [session, account, COMMISSION, kinds, subjects])
    return insert(con, "breaks", [{name: getattr(found, name) for name in Break.__slots__} for found in breaks])


def load_breaks(con: Connection, account: str, session: date | None = None) -> list[Break]:
    """The breaks of `session`, by default of the newest session that was synced or has breaks."""
    newest = """
    SELECT max(session) FROM (
        SELECT session, account FROM position_syncs UNION ALL SELECT session, account FROM breaks
    ) WHERE account = ?
    """
    wanted = session or fetch_value(con, newest, [account])
    rows = fetch(
        con, "SELECT * FROM breaks WHERE account = ? AND session = ? ORDER BY kind, subject", [account, wanted]
    )
    return [Break(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the ledger's own book of an account starts from: agreed with the broker at `accepted_at`, USD and shares."""

    account: str
    accepted_at: datetime
    session: date
    cash_usd: Decimal
    positions: tuple[Position, ...]
    actor: str
    reason: str


def save_baseline(con: Connection, baseline: Baseline) -> None:
    """Add a baseline, or replace the one of the same instant; the newest of an account counts, earlier ones stay."""
    key = {"account": baseline.account, "accepted_at": baseline.accepted_at}
    for table in ("baselines", "baseline_positions"):
        con.execute(
            f"DELETE FROM {table} WHERE account = ? AND accepted_at = ?::TIMESTAMPTZ",
            [baseline.account, utc(baseline.accepted_at)],
        )
    facts = {name: getattr(baseline, name) for name in ("session", "cash_usd", "actor", "reason")}
    insert(con, "baselines", [{**key, **facts}])
    held = [
        {**key, **{name: getattr(position, name) for name in ("con_id", "symbol", "quantity", "entry_price")}}
        for position in baseline.positions
    ]
    insert(con, "baseline_positions", held)


def load_baseline(con: Connection, account: str) -> Baseline | None:
    """The newest baseline of `account`, or None before its first sync."""
    rows = fetch(con, "SELECT * FROM baselines WHERE account = ? ORDER BY accepted_at DESC LIMIT 1", [account])
    if not rows:
        return None
    held = fetch(
        con,
        """SELECT symbol, quantity, entry_price, con_id FROM baseline_positions
        WHERE account = ? AND accepted_at = ?::TIMESTAMPTZ ORDER BY symbol, con_id""",
        [account, rows[0]["accepted_at"]],
    )
    return Baseline(**rows[0], positions=tuple(Position(**row) for row in held))


def save_tracking(
    con: Connection,
    session: date,
    account: str,
    paper_equity: Decimal,
    backtest_equity: Decimal | None,
    index_level: float | None,
) -> None:
    """Add the row of (session, account), or replace it. Equity in USD, None where there is none."""
    con.execute("DELETE FROM tracking WHERE session = ? AND account = ?", [session, account])
    record = {"session": session, "account": account, "paper_equity_usd": paper_equity}
    insert(con, "tracking", [{**record, "backtest_equity_usd": backtest_equity, "index_level": index_level}])


def load_tracking(con: Connection, account: str) -> pd.DataFrame:
    """By session: session (datetime64), paper_equity_usd, backtest_equity_usd, index_level, float64."""
    sql = """
    SELECT session, paper_equity_usd::DOUBLE AS paper_equity_usd, backtest_equity_usd::DOUBLE AS backtest_equity_usd,
           index_level
    FROM tracking WHERE account = ? ORDER BY session
    """
    return con.execute(sql, [account]).df()
