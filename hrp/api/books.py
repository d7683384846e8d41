"""The account's books: what a sync writes, and what people read of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pandas as pd

from hrp.data import journal, looks, market, trading
from hrp.data import orders as store_orders
from hrp.data.rows import Connection
from hrp.domain.book import Book
from hrp.domain.lineage import Event
from hrp.domain.orders import UNRESOLVED, Order, OrderStatus
from hrp.domain.pnl import profit
from hrp.domain.positions import Break, BrokerState, Fill, Position
from hrp.domain.reconcile import find_breaks
from hrp.errors import UsageError
from hrp.wiring import App


def store_snapshot(app: App, session: date, state: BrokerState) -> list[Break]:
    """Keep the broker's positions and money as those of `session`, and every difference from the ledger's own book.

    The ledger's book is the account's baseline and all executions since; the first sync founds the baseline.
    """
    account = state.account.account
    with app.store().write() as con:
        _mark(con, state.positions, session)
        baseline = trading.load_baseline(con, account)
        if baseline is None:
            baseline = _found_baseline(con, session, state, "position-sync", "first sync of the account")
        fills = [fill for fill in trading.load_fills(con, account) if fill.executed_at > baseline.accepted_at]
        breaks = _breaks(con, session, state, baseline, fills)
        _save_state(con, session, state, baseline, fills)
        trading.save_breaks(con, session, account, breaks)
    return breaks


def accept_broker(app: App, session: date, state: BrokerState, actor: str, reason: str) -> list[Break]:
    """Take the broker's state for the truth from here on; the breaks that this explains, which no longer count.

    Orders whose fate is unknown are not explained by it: those breaks stay until the orders are resolved.
    """
    with app.store().write() as con:
        before = trading.load_breaks(con, state.account.account)
        _found_baseline(con, session, state, actor, reason)
        details = {"reason": reason, "breaks": [f"{b.kind} {b.subject}: {b.ledger} | {b.broker}" for b in before]}
        event = Event("broker_accepted", app.clock.now(), actor, state.account.account, session, details=details)
        journal.append_event(con, event)
    left = {(found.kind, found.subject) for found in store_snapshot(app, session, state)}
    return [found for found in before if (found.kind, found.subject) not in left]


def _found_baseline(con: Connection, session: date, state: BrokerState, actor: str, reason: str) -> trading.Baseline:
    account = state.account
    baseline = trading.Baseline(
        account.account, state.at, session, account.cash, tuple(state.positions), actor, reason
    )  # fmt: skip
    trading.save_baseline(con, baseline)
    return baseline


def _mark(con: Connection, positions: Sequence[Position], session: date) -> None:
    """Price each holding at the newest stored close up to `session`, if there is one."""
    closes = market.newest_closes(con, [position.symbol for position in positions], session)
    for position in positions:
        if position.symbol in closes:
            position.update_price(closes[position.symbol])


def _breaks(
    con: Connection, session: date, state: BrokerState, baseline: trading.Baseline, fills: Sequence[Fill]
) -> list[Break]:
    book = Book(baseline.cash_usd, {p.symbol: p.quantity for p in baseline.positions}).after(fills)
    return find_breaks(
        session,
        baseline.account,
        book.held,
        state.held(),
        book.cash,
        state.account.cash,
        orders=store_orders.load_orders(con, account=baseline.account),
        working=state.working,
        fills=[fill for fill in state.fills if fill.executed_at > baseline.accepted_at],
    )


def _save_state(
    con: Connection, session: date, state: BrokerState, baseline: trading.Baseline, fills: Sequence[Fill]
) -> None:
    prices = {p.symbol: p.current_price for p in state.positions if p.current_price is not None}
    result = profit(fills, prices, baseline.positions)
    equity = trading.Equity(
        session=session,
        account=baseline.account,
        net_liquidation_usd=state.account.net_liquidation,
        cash_usd=state.account.cash,
        synced_at=state.at,
        realized_pnl_usd=result.realized,
        unrealized_pnl_usd=result.unrealized,
        commissions_usd=result.commissions,
    )
    trading.save_positions(con, session, baseline.account, state.positions, state.at)
    trading.save_equity(con, equity)


def resolve_order(app: App, order_ref: str, reason: str) -> Order:
    """End an order whose fate is unknown, on a person's word that it is not at the broker.

    Should the broker have it after all, the next sync says so as a break.

    Raises:
        UsageError: there is no such order, or its fate is known.
    """
    with app.store().read() as con:
        found = [order for order in store_orders.load_orders(con) if order.order_ref == order_ref]
    if not found:
        raise UsageError(f"there is no order {order_ref}; see: hrp orders")
    if found[0].status not in UNRESOLVED:
        raise UsageError(f"order {order_ref} is {found[0].status}; only one whose fate is unknown is resolved by hand")
    store_orders.StoreLedger(app.store(), app.clock.now).record_status(
        order_ref, OrderStatus.CANCELLED, f"not at the broker, by hand: {reason}"
    )
    return found[0]


def plan_facts(app: App, session: date, account: str) -> dict[str, object] | None:
    """Figures of the stored plan, or None: its hash, the session it is for, equity in USD, lines and clips."""
    with app.store().read() as con:
        plan_hash = store_orders.load_plan_hash(con, session, account)
        record = store_orders.load_plan_record(con, session, account)
    if record is None:
        return None
    return {
        "plan_hash": plan_hash,
        "for_session": record["for_session"],
        "equity_usd": record["equity"],
        "lines": len(record["lines"]),
        "clips": [[line["symbol"], *clip] for line in record["lines"] for clip in line["clips"]],
    }


def live_positions(app: App, as_of_date: date | None) -> pd.DataFrame:
    """Holdings at the newest sync, or the newest one up to a session: one row per account and symbol."""
    sql = """
    SELECT p.* FROM positions p
    JOIN (
        SELECT account, max(session) AS session FROM position_syncs
        WHERE session <= coalesce(?, session) GROUP BY account
    ) AS newest USING (account, session) ORDER BY account, symbol
    """
    with app.store().read() as con:
        return con.execute(sql, [as_of_date]).df()


def executed_trades(app: App, symbol: str | None, first: date | None, last: date | None, limit: int) -> pd.DataFrame:
    """Executions, the newest first."""
    with app.store().read() as con:
        return pd.DataFrame(looks.trades(con, symbol, first, last, limit))


def portfolio_value(app: App) -> Decimal | None:
    """Net liquidation in USD at the newest sync of the configured account; None before the first."""
    with app.store().read() as con:
        rows = trading.load_equity(con, app.settings.require_account())
    return rows[-1].net_liquidation_usd if rows else None


def session_report(app: App, session: date) -> str:
    """One page of text: the runs, the money, the orders and denials, the drift alarms and the breaks of a session."""
    with app.store().read() as con:
        runs = journal.load_runs(con, session=session)
        accounts = [row["account"] for row in looks.newest_equity(con)]
        money = [row for account in accounts for row in trading.load_equity(con, account, session, session)]
        orders = store_orders.load_orders(con, session=session)
        alarms = looks.drift(con, session, every=False)
        breaks = [found for row in money for found in trading.load_breaks(con, row.account, session)]
    denied = [order for order in orders if order.status is OrderStatus.DENIED]
    sections = {
        "runs": [f"{run.job}: {run.status} ({run.seconds or 0:.1f} s){_because(run.error)}" for run in reversed(runs)],
        "account": [f"{row.account}: equity {row.net_liquidation_usd} USD, cash {row.cash_usd} USD" for row in money],
        "orders": [f"{o.side} {o.quantity} {o.symbol}: {o.status}" for o in orders if o not in denied],
        "denied": [f"{o.side} {o.quantity} {o.symbol}: {o.denial}" for o in denied],
        "drift alarms": [f"{a['drift_type']} {a['column_name']}: {a['verdict']} {a['detail']}" for a in alarms],
        "breaks": [f"{b.kind} {b.subject}: ledger {b.ledger}, broker {b.broker}" for b in breaks],
    }
    lines = [f"session {session}"]
    for title, entries in sections.items():
        lines += ["", title, *(f"  {entry}" for entry in entries or ["none"])]
    return "\n".join(lines) + "\n"


def _because(error: str | None) -> str:
    return f": {error}" if error else ""
