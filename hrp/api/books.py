"""The account's books: what a sync writes, and what people read of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pandas as pd

from hrp.api.breaks import settle
from hrp.data import adjustments as store_adjustments
from hrp.data import journal, looks, market, trading
from hrp.data import orders as store_orders
from hrp.data.rows import Connection
from hrp.domain.book import when
from hrp.domain.breaks import Records
from hrp.domain.orders import OrderStatus
from hrp.domain.pnl import profit
from hrp.domain.positions import Break, BrokerState, Position
from hrp.wiring import App


def store_snapshot(app: App, session: date, state: BrokerState) -> list[Break]:
    """Keep the broker's positions and money as those of `session`; every difference from the ledger's own book.

    The ledger's book is the account's baseline, founded by the first sync, the executions of HRP's orders since, and
    the adjustments that explained differences became.
    """
    account = state.account.account
    with app.store().write() as con:
        _mark(con, state.positions, session)
        baseline = trading.load_baseline(con, account) or _found_baseline(con, session, state)
        done = settle(app, con, session, state, baseline)
        _save_state(con, session, state, baseline, done.records)
    return list(done.breaks)


def _found_baseline(con: Connection, session: date, state: BrokerState) -> trading.Baseline:
    account, cash = state.account.account, state.account.cash
    baseline = trading.Baseline(
        account, state.at, session, cash, tuple(state.positions), "position-sync", "first sync of the account"
    )  # fmt: skip
    trading.save_baseline(con, baseline)
    return baseline


def _mark(con: Connection, positions: Sequence[Position], session: date) -> None:
    """Price each holding at the newest stored close up to `session`, if there is one."""
    closes = market.newest_closes(con, [position.symbol for position in positions], session)
    for position in positions:
        if position.symbol in closes:
            position.update_price(closes[position.symbol])


def _save_state(
    con: Connection, session: date, state: BrokerState, baseline: trading.Baseline, records: Records
) -> None:
    prices = {p.symbol: p.current_price for p in state.positions if p.current_price is not None}
    result = profit(sorted(records.changes(), key=when), prices, baseline.positions)
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
        held = [lock for account in accounts for lock in store_adjustments.load_locks(con, account)]
    denied = [order for order in orders if order.status is OrderStatus.DENIED]
    sections = {
        "runs": [f"{run.job}: {run.status} ({run.seconds or 0:.1f} s){_because(run.error)}" for run in reversed(runs)],
        "account": [f"{row.account}: equity {row.net_liquidation_usd} USD, cash {row.cash_usd} USD" for row in money],
        "orders": [f"{o.side} {o.quantity} {o.symbol}: {o.status}" for o in orders if o not in denied],
        "denied": [f"{o.side} {o.quantity} {o.symbol}: {o.denial}" for o in denied],
        "drift alarms": [f"{a['drift_type']} {a['column_name']}: {a['verdict']} {a['detail']}" for a in alarms],
        "breaks": [b.told for b in breaks if not b.cause],
        "explained": [b.told for b in breaks if b.cause],
        "locked now": [f"{lock.scope} {lock.subject} since {lock.session}: {lock.kind} {lock.reason}" for lock in held],
    }
    lines = [f"session {session}"]
    for title, entries in sections.items():
        lines += ["", title, *(f"  {entry}" for entry in entries or ["none"])]
    return "\n".join(lines) + "\n"


def _because(error: str | None) -> str:
    return f": {error}" if error else ""
