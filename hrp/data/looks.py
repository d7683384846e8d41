"""What people look at most: small answers as plain dictionaries, fast because nothing but DuckDB is loaded."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from hrp.data.rows import Connection, fetch, where

Row = dict[str, Any]


def newest_runs(con: Connection) -> list[Row]:
    """The last run of each job: job, session, status, started_at, seconds, error."""
    return fetch(
        con,
        """SELECT job, session, status, started_at, seconds, error FROM job_runs
        QUALIFY row_number() OVER (PARTITION BY job ORDER BY started_at DESC, rowid DESC) = 1
        ORDER BY started_at, job""",
    )


def newest_equity(con: Connection) -> list[Row]:
    """Money at the last sync of each account, with the number of holdings, unexplained breaks and locks in force."""
    return fetch(
        con,
        """SELECT e.account, e.session, e.net_liquidation_usd, e.cash_usd, e.unrealized_pnl_usd, e.realized_pnl_usd,
            (SELECT count(*) FROM positions p WHERE p.account = e.account AND p.session = e.session) AS positions,
            (SELECT count(*) FROM breaks b
             WHERE b.account = e.account AND b.session = e.session AND b.cause = '') AS breaks,
            (SELECT count(*) FROM locks k WHERE k.account = e.account AND k.lifted_at IS NULL) AS locks
        FROM equity e QUALIFY row_number() OVER (PARTITION BY e.account ORDER BY e.session DESC) = 1
        ORDER BY e.account""",
    )


def breaks(con: Connection) -> list[Row]:
    """What the last sync of each account found: the unexplained first."""
    return fetch(
        con,
        """SELECT b.session, b.kind, b.subject, b.ledger, b.broker, b.cause, b.explanation, b.account FROM breaks b
        JOIN (SELECT account, max(session) AS session FROM position_syncs GROUP BY account) USING (account, session)
        ORDER BY b.account, b.cause <> '', b.kind, b.subject""",
    )


def locks(con: Connection) -> list[Row]:
    """What must not be traded until a person has resolved it, oldest first."""
    return fetch(
        con,
        """SELECT scope, subject, kind, session AS since, reason, account FROM locks WHERE lifted_at IS NULL
        ORDER BY account, opened_at, scope, subject""",
    )


def strategies(con: Connection) -> list[Row]:
    """Each hypothesis with its model, when it was last moved, the newest predictions and the newest drift verdict."""
    return fetch(
        con,
        """SELECT h.hypothesis_id, h.title, h.status, h.model_name, h.allocation,
            d.to_version AS champion, d.decided_at AS deployed_at,
            p.session AS predicted_session, p.names AS predictions,
            c.session AS drift_session, c.verdict AS drift_verdict
        FROM hypotheses h
        LEFT JOIN (SELECT * FROM deployments WHERE state = 'done' AND action IN ('promote', 'rollback')
            QUALIFY row_number() OVER (PARTITION BY model_name ORDER BY seq DESC) = 1) d USING (model_name)
        LEFT JOIN (SELECT strategy, session, count(*) AS names FROM predictions GROUP BY strategy, session
            QUALIFY row_number() OVER (PARTITION BY strategy ORDER BY session DESC) = 1) p
            ON p.strategy = h.hypothesis_id
        LEFT JOIN (SELECT strategy, session,
                CASE WHEN bool_or(verdict = 'drift') THEN 'drift'
                     WHEN bool_or(verdict = 'could_not_check') THEN 'could_not_check' ELSE 'ok' END AS verdict
            FROM drift_checks GROUP BY strategy, session
            QUALIFY row_number() OVER (PARTITION BY strategy ORDER BY session DESC) = 1) c
            ON c.strategy = h.hypothesis_id
        ORDER BY h.hypothesis_id""",
    )


def orders(con: Connection, session: date | None, symbol: str | None, limit: int) -> list[Row]:
    """Orders, the newest session first; denied ones with their reason."""
    clause, values = where({"session = ?": session, "symbol = ?": symbol})
    return fetch(
        con,
        f"""SELECT session, for_session, symbol, side, quantity, order_type, limit_price, status, denial, order_ref
        FROM orders {clause} ORDER BY session DESC, symbol LIMIT ?""",
        [*values, limit],
    )


def positions(con: Connection) -> list[Row]:
    """The holdings of the last sync, largest first."""
    return fetch(
        con,
        """SELECT symbol, quantity, entry_price, current_price, market_value, unrealized_pnl, unrealized_pnl_pct,
            hypothesis_id, as_of_date, account FROM live_positions ORDER BY market_value DESC NULLS LAST, symbol""",
    )


def trades(con: Connection, symbol: str | None, first: date | None, last: date | None, limit: int) -> list[Row]:
    """Executions, the newest first."""
    clause, values = where({"symbol = ?": symbol, "filled_at::DATE >= ?": first, "filled_at::DATE <= ?": last})
    return fetch(
        con,
        f"""SELECT filled_at, symbol, side, filled_quantity, filled_price, commission, status, order_id, trade_id
        FROM executed_trades {clause} ORDER BY filled_at DESC, symbol LIMIT ?""",
        [*values, limit],
    )


def drift(con: Connection, session: date | None, every: bool) -> list[Row]:
    """Drift checks of `session` (default: the newest); only those that are not ok unless `every`."""
    return fetch(
        con,
        """SELECT session, hypothesis_id, model_name, model_version, drift_type, column_name, method, metric_value,
            threshold, verdict, detail FROM model_drift_checks
        WHERE session = coalesce(?, (SELECT max(session) FROM drift_checks)) AND (verdict <> 'ok' OR ?)
        ORDER BY hypothesis_id, verdict, drift_type, column_name""",
        [session, every],
    )


def ledger(con: Connection, model_name: str | None) -> list[Row]:
    """The deployments ledger, the newest line first; `evidence` is what the gate found, if it was asked."""
    clause, values = where({"model_name = ?": model_name})
    rows = fetch(
        con,
        f"""SELECT seq, decided_at, model_name, action, state, from_version, to_version, session, actor, reason,
            evidence
        FROM deployments {clause} ORDER BY seq DESC""",
        values,
    )
    return [{**row, "evidence": json.loads(row["evidence"])} for row in rows]
