"""Plans and orders, and the life of each order. Every function takes an open connection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from hrp.data.rows import Connection, fetch, fetch_value, insert, utc, where
from hrp.domain.lineage import canonical
from hrp.domain.orders import Order, OrderSide, OrderStatus, OrderType, TimeInForce
from hrp.domain.plan import Plan
from hrp.errors import DataError

_OF_ORDER = "* EXCLUDE (created_at, updated_at)"  # instants are slow to read, and an account has thousands of orders
NIGHT = "night"  # the kind of plan that a session has one of


def save_plan(con: Connection, plan: Plan, run_id: str, at: datetime, kind: str = NIGHT) -> bool:
    """Write down the plan, its lines, clips and orders; False if this very plan is stored already.

    Raises:
        DataError: another plan is stored for the session and account: a night decides once.
    """
    plan_hash = plan.plan_hash  # computed afresh each time it is asked for
    stored = load_plan_hash(con, plan.session, plan.account) if kind == NIGHT else None
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
        "inputs": canonical(plan.inputs) if plan.inputs else None,
        "kind": kind,
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
            "attempt": order.attempt,
            "lost": order.lost,
            "created_at": at,
            "updated_at": at,
        }
        for order in orders
    ]
    insert(con, "orders", records)
    insert(con, "order_events", [_event(order, 1, None, order.denial or "planned", at) for order in orders])


def load_plan_hash(con: Connection, session: date, account: str) -> str | None:
    """The hash of the plan of `session` for `account`, or None."""
    sql = "SELECT plan_hash FROM plans WHERE session = ? AND account = ? AND kind = ?"
    return fetch_value(con, sql, [session, account, NIGHT])  # type: ignore[no-any-return]


def load_plan_record(con: Connection, session: date, account: str) -> dict[str, Any] | None:
    """What the plan of `session` for `account` says, as `Plan.as_record` gave it (in JSON's types), or None.

    Raises:
        DataError: the stored text is not the one that was hashed.
    """
    sql = "SELECT plan_hash, record FROM plans WHERE session = ? AND account = ? AND kind = ?"
    rows = fetch(con, sql, [session, account, NIGHT])
    if not rows:
        return None
    plan_hash, text = rows[0]["plan_hash"], rows[0]["record"]
    if hashlib.sha256(text.encode()).hexdigest() != plan_hash:
        raise DataError(
            f"plan {plan_hash[:12]} of session {session} was changed after it was stored; do not trade on it"
        )
    record: dict[str, Any] = json.loads(text)
    return record


def load_plan_inputs(con: Connection, session: date, account: str) -> dict[str, Any] | None:
    """What the plan of `session` for `account` was made from (`Plan.inputs`, in JSON's types); None if not stored."""
    sql = "SELECT inputs FROM plans WHERE session = ? AND account = ? AND kind = ?"
    text = fetch_value(con, sql, [session, account, NIGHT])
    return None if text is None else json.loads(text)


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
    rows = fetch(
        con, f"SELECT {_OF_ORDER} FROM orders {clause} ORDER BY session, side = 'buy', symbol, order_ref", params
    )
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
        attempt=row["attempt"],
        lost=row["lost"],
        client_id=row["client_id"],
        sending_at=row["sending_at"],
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
        "attempt": order.attempt,
    }


@dataclass(frozen=True, slots=True)
class Step:
    """One event of an order: how it stands after it, its number, what it was before, and why."""

    order: Order
    seq: int
    before: OrderStatus
    evidence: str
    at: datetime


def load_lives(con: Connection, order_ref: str) -> dict[str, tuple[Order, int]]:
    """The order and all others of its plan by reference, each with the number of its newest event; empty if unknown."""
    sql = """
    SELECT o.*, e.seq FROM orders o JOIN (SELECT order_ref, max(seq) AS seq FROM order_events GROUP BY ALL) e
    USING (order_ref) WHERE plan_hash = (SELECT plan_hash FROM orders WHERE order_ref = ?)
    """
    return {row["order_ref"]: (_order(row), row["seq"]) for row in fetch(con, sql, [order_ref])}


def save_steps(con: Connection, steps: Sequence[Step]) -> None:
    """Keep how orders stand now, and add each step to its order's history."""
    for order, at in ((step.order, step.at) for step in steps):
        con.execute(
            "UPDATE orders SET status = ?, broker_order_id = ?, perm_id = ?, attempt = ?, lost = ?, client_id = ?, "
            "sending_at = ?, updated_at = ? WHERE order_ref = ?",
            [
                str(order.status), order.broker_order_id, order.perm_id, order.attempt, order.lost, order.client_id,
                None if order.sending_at is None else utc(order.sending_at), utc(at), order.order_ref,
            ],
        )  # fmt: skip
    insert(con, "order_events", [_event(s.order, s.seq, s.before, s.evidence, s.at) for s in steps])
