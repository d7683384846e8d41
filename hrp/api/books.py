"""The account's books: what a sync writes, and what people read of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pandas as pd

from hrp.data import journal, looks, market, trading
from hrp.data.rows import Connection
from hrp.domain.book import Book
from hrp.domain.orders import UNRESOLVED, Order, OrderStatus
from hrp.domain.pnl import Profit, profit
from hrp.domain.positions import Break, BrokerState, Fill, Position
from hrp.domain.reconcile import find_breaks
from hrp.errors import UsageError
from hrp.wiring import App


def store_snapshot(app: App, session: date, state: BrokerState) -> list[Break]:
    """Keep the broker's positions and money as those of `session`, and every difference from the ledger's own book.

    The ledger's book is the account's first snapshot and all executions since; on the first day there is nothing
    to compare with.
    """
    account = state.account.account
    with app.store().write() as con:
        _mark(con, state.positions, session)
        opening = _opening(con, account, session)
        fills = [] if opening is None else _fills_since(con, opening)
        breaks = [] if opening is None else _breaks(con, session, state, opening, fills)
        result = _profit(con, state, opening, fills)
        trading.save_positions(con, session, account, state.positions, state.at)
        trading.save_equity(con, _equity(session, state, result))
        trading.save_breaks(con, session, account, breaks)
    return breaks


def _mark(con: Connection, positions: Sequence[Position], session: date) -> None:
    """Price each holding at the newest stored close up to `session`, if there is one."""
    closes = market.newest_closes(con, [position.symbol for position in positions], session)
    for position in positions:
        if position.symbol in closes:
            position.update_price(closes[position.symbol])


def _opening(con: Connection, account: str, session: date) -> trading.Equity | None:
    """The first snapshot's money, if it was taken before `session`."""
    earlier = [row for row in trading.load_equity(con, account) if row.session < session]
    return earlier[0] if earlier else None


def _fills_since(con: Connection, opening: trading.Equity) -> list[Fill]:
    return [fill for fill in trading.load_fills(con, opening.account) if fill.executed_at > opening.synced_at]


def _breaks(
    con: Connection, session: date, state: BrokerState, opening: trading.Equity, fills: Sequence[Fill]
) -> list[Break]:
    held = {p.symbol: p.quantity for p in trading.load_positions(con, opening.account, opening.session)}
    book = Book(opening.cash_usd, held).after(fills)
    return find_breaks(
        session,
        opening.account,
        book.held,
        state.held(),
        book.cash,
        state.account.cash,
        orders=trading.load_orders(con, account=opening.account),
        working=state.working,
        fills=state.fills,
    )


def _profit(con: Connection, state: BrokerState, opening: trading.Equity | None, fills: Sequence[Fill]) -> Profit:
    held: Sequence[Position] = (
        state.positions if opening is None else trading.load_positions(con, opening.account, opening.session)
    )
    prices = {p.symbol: p.current_price for p in state.positions if p.current_price is not None}
    return profit(fills, prices, held)


def _equity(session: date, state: BrokerState, result: Profit) -> trading.Equity:
    return trading.Equity(
        session=session,
        account=state.account.account,
        net_liquidation_usd=state.account.net_liquidation,
        cash_usd=state.account.cash,
        synced_at=state.at,
        realized_pnl_usd=result.realized,
        unrealized_pnl_usd=result.unrealized,
        commissions_usd=result.commissions,
    )


def resolve_order(app: App, order_ref: str, reason: str) -> Order:
    """End an order whose fate is unknown, on a person's word that it is not at the broker.

    Should the broker have it after all, the next sync says so as a break.

    Raises:
        UsageError: there is no such order, or its fate is known.
    """
    with app.store().read() as con:
        found = [order for order in trading.load_orders(con) if order.order_ref == order_ref]
    if not found:
        raise UsageError(f"there is no order {order_ref}; see: hrp orders")
    if found[0].status not in UNRESOLVED:
        raise UsageError(f"order {order_ref} is {found[0].status}; only one whose fate is unknown is resolved by hand")
    trading.StoreLedger(app.store(), app.clock.now).record_status(
        order_ref, OrderStatus.CANCELLED, f"not at the broker, by hand: {reason}"
    )
    return found[0]


def plan_facts(app: App, session: date, account: str) -> dict[str, object] | None:
    """Figures of the stored plan, or None: its hash, the session it is for, equity in USD, lines and clips."""
    with app.store().read() as con:
        plan_hash = trading.load_plan_hash(con, session, account)
        record = trading.load_plan_record(con, session, account)
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
        money = looks.newest_equity(con)
        orders = trading.load_orders(con, session=session)
        alarms = looks.drift(con, session, every=False)
        breaks = [b for row in money for b in trading.load_breaks(con, row["account"])]
    denied = [order for order in orders if order.status is OrderStatus.DENIED]
    sections = {
        "runs": [f"{run.job}: {run.status} ({run.seconds or 0:.1f} s){_because(run.error)}" for run in reversed(runs)],
        "account": [f"{r['account']}: equity {r['net_liquidation_usd']} USD, cash {r['cash_usd']} USD" for r in money],
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
