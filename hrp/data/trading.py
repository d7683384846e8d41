"""Plans, orders, fills, positions, equity, breaks and tracking. Every function takes an open connection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd

from hrp.data.db import Store
from hrp.data.rows import Connection, fetch, fetch_value, insert, utc, where
from hrp.domain.lineage import canonical
from hrp.domain.orders import Order, OrderSide, OrderStatus, OrderType, TimeInForce
from hrp.domain.plan import Plan
from hrp.domain.positions import Break, Fill, Position
from hrp.errors import DataError

_EXCHANGE_DAY = "(executed_at AT TIME ZONE 'America/New_York')::DATE"


def save_plan(con: Connection, plan: Plan, run_id: str, at: datetime) -> bool:
    """Write down the plan, its lines, clips and orders; False if this very plan is stored already.

    Raises:
        DataError: another plan is stored for the session and account: a night decides once.
    """
    plan_hash = plan.plan_hash  # computed afresh each time it is asked for
    stored = load_plan_hash(con, plan.session, plan.account)
    if stored == plan_hash:
        return False
    if stored is not None:
        raise DataError(
            f"session {plan.session} of {plan.account} has plan {stored[:12]} already, {plan_hash[:12]} differs; "
            f"a night decides once: carry the stored plan out with: hrp run live-trader --session {plan.session}"
        )
    record = {
        "plan_hash": plan_hash,
        "session": plan.session,
        "for_session": plan.for_session,
        "account": plan.account,
        "equity_usd": plan.equity,
        "cash_usd": plan.cash,
        "record": canonical(plan.as_record()),
        "run_id": run_id,
        "created_at": at,
    }
    insert(con, "plans", [record])
    _save_lines(con, plan, plan_hash)
    _save_orders(con, plan, plan_hash, at)
    return True


def _save_lines(con: Connection, plan: Plan, plan_hash: str) -> None:
    lines = [
        {
            "plan_hash": plan_hash,
            "symbol": line.symbol,
            "prediction": line.prediction,
            "weight": line.weight,
            "price": line.price,
            "desired": line.desired,
            "target": line.target,
            "held": line.held,
            "working": line.working,
            "order_ref": line.order.order_ref if line.order else None,
        }
        for line in plan.lines
    ]
    clips = [
        {
            "plan_hash": plan_hash,
            "symbol": line.symbol,
            "seq": seq,
            "limit_code": clip.limit,
            "shares_before": clip.before,
            "shares_after": clip.after,
            "detail": clip.detail,
        }
        for line in plan.lines
        for seq, clip in enumerate(line.clips)
    ]
    insert(con, "plan_lines", lines)
    insert(con, "plan_clips", clips)


def _save_orders(con: Connection, plan: Plan, plan_hash: str, at: datetime) -> None:
    orders = [*plan.orders, *plan.denied]
    records = [
        {
            "order_ref": order.order_ref,
            "symbol": order.symbol,
            "side": order.side,
            "quantity": order.quantity,
            "order_type": order.order_type,
            "limit_price": order.limit_price,
            "tif": order.tif,
            "session": plan.session,
            "for_session": plan.for_session,
            "account": plan.account,
            "strategy": order.strategy,
            "plan_hash": plan_hash,
            "status": order.status,
            "denial": order.denial,
            "broker_order_id": order.broker_order_id,
            "perm_id": order.perm_id,
            "created_at": at,
            "updated_at": at,
        }
        for order in orders
    ]
    insert(con, "orders", records)
    insert(con, "order_events", [_event(order, 1, None, order.denial or "planned", at) for order in orders])


def load_plan_hash(con: Connection, session: date, account: str) -> str | None:
    """The hash of the plan of `session` for `account`, or None."""
    sql = "SELECT plan_hash FROM plans WHERE session = ? AND account = ?"
    return fetch_value(con, sql, [session, account])  # type: ignore[no-any-return]


def load_plan_record(con: Connection, session: date, account: str) -> dict[str, Any] | None:
    """What the plan of `session` for `account` says, as `Plan.as_record` gave it (in JSON's types), or None.

    Raises:
        DataError: the stored text is not the one that was hashed.
    """
    rows = fetch(con, "SELECT plan_hash, record FROM plans WHERE session = ? AND account = ?", [session, account])
    if not rows:
        return None
    plan_hash, text = rows[0]["plan_hash"], rows[0]["record"]
    if hashlib.sha256(text.encode()).hexdigest() != plan_hash:
        raise DataError(
            f"plan {plan_hash[:12]} of session {session} was changed after it was stored; do not trade on it"
        )
    record: dict[str, Any] = json.loads(text)
    return record


def load_orders(
    con: Connection,
    *,
    session: date | None = None,
    account: str | None = None,
    statuses: Collection[OrderStatus] | None = None,
) -> list[Order]:
    """Orders that meet the conditions given, as they stand now: by session, sales first, then by symbol."""
    wanted = None if statuses is None else [str(status) for status in statuses]
    clause, params = where(
        {"session = ?": session, "account = ?": account, "status IN (SELECT unnest(?::VARCHAR[]))": wanted}
    )
    rows = fetch(con, f"SELECT * FROM orders {clause} ORDER BY session, side = 'buy', symbol, order_ref", params)
    return [_order(row) for row in rows]


def _order(row: dict[str, Any]) -> Order:
    return Order(
        symbol=row["symbol"],
        side=OrderSide(row["side"]),
        quantity=row["quantity"],
        order_type=OrderType(row["order_type"]),
        limit_price=row["limit_price"],
        tif=TimeInForce(row["tif"]),
        order_ref=row["order_ref"],
        session=row["session"],
        for_session=row["for_session"],
        account=row["account"],
        strategy=row["strategy"],
        plan_hash=row["plan_hash"],
        status=OrderStatus(row["status"]),
        denial=row["denial"],
        broker_order_id=row["broker_order_id"],
        perm_id=row["perm_id"],
    )


def _event(order: Order, seq: int, from_status: OrderStatus | None, evidence: str, at: datetime) -> dict[str, object]:
    return {
        "order_ref": order.order_ref,
        "seq": seq,
        "recorded_at": at,
        "from_status": from_status,
        "to_status": order.status,
        "evidence": evidence,
        "broker_order_id": order.broker_order_id,
        "perm_id": order.perm_id,
    }


@dataclass(frozen=True, slots=True)
class StoreLedger:
    """The life of orders, in the store. Every call is committed when it returns."""

    store: Store
    clock_now: Callable[[], datetime]

    def record_status(
        self,
        order_ref: str,
        status: OrderStatus,
        evidence: str,
        *,
        broker_order_id: int | None = None,
        perm_id: int | None = None,
    ) -> None:
        """Write down that the order now has `status`, and why; a repetition that brings nothing new changes nothing.

        Raises:
            OrderError: the order cannot go from its status to this one.
            DataError: the store has no such order.
        """
        with self.store.write() as con:
            rows = fetch(con, "SELECT * FROM orders WHERE order_ref = ?", [order_ref])
            if not rows:
                raise DataError(f"no order {order_ref} in {self.store.path}; an order is planned before it is sent")
            before = _order(rows[0])
            after = before if status is before.status else before.moved_to(status)
            after = replace(
                after,
                broker_order_id=before.broker_order_id if broker_order_id is None else broker_order_id,
                perm_id=before.perm_id if perm_id is None else perm_id,
            )
            if after != before:
                _record(con, before, after, evidence, self.clock_now())


def _record(con: Connection, before: Order, after: Order, evidence: str, at: datetime) -> None:
    con.execute(
        "UPDATE orders SET status = ?, broker_order_id = ?, perm_id = ?, updated_at = ? WHERE order_ref = ?",
        [str(after.status), after.broker_order_id, after.perm_id, utc(at), after.order_ref],
    )
    seq = 1 + fetch_value(con, "SELECT max(seq) FROM order_events WHERE order_ref = ?", [after.order_ref])
    insert(con, "order_events", [_event(after, seq, before.status, evidence, at)])


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
    """Replace the breaks of (session, account); how many there are now."""
    con.execute("DELETE FROM breaks WHERE session = ? AND account = ?", [session, account])
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
