"""Strategies, the deployments ledger, predictions and drift checks. Every function takes an open connection."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from hrp.data.frames import require_symbols, require_unique
from hrp.data.rows import Connection, fetch, fetch_value, insert, plain, utc, where
from hrp.domain.deployment import Deployment, DeploymentAction, DeploymentState, HypothesisStatus, Strategy
from hrp.domain.drift import DriftCheck, DriftFamily, DriftReport, DriftVerdict
from hrp.domain.lineage import GENESIS, canonical, digest
from hrp.errors import DataError


def new_hypothesis_id(con: Connection, year: int) -> str:
    """The next free id of `year`, such as `HYP-2026-001`."""
    prefix = f"HYP-{year}-"
    sql = "SELECT max(substr(hypothesis_id, ?)::INTEGER) FROM hypotheses WHERE starts_with(hypothesis_id, ?)"
    return f"{prefix}{(fetch_value(con, sql, [len(prefix) + 1, prefix]) or 0) + 1:03d}"


def save_strategy(con: Connection, strategy: Strategy) -> None:
    """Add `strategy`, or replace the one with its id."""
    con.execute("DELETE FROM hypotheses WHERE hypothesis_id = ?", [strategy.hypothesis_id])
    record = {
        "hypothesis_id": strategy.hypothesis_id,
        "title": strategy.title,
        "model_name": strategy.model_name,
        "status": strategy.status,
        "allocation": strategy.allocation,
        "universe": strategy.universe,
    }
    insert(con, "hypotheses", [record])


def load_strategies(con: Connection, status: HypothesisStatus | None = None) -> list[Strategy]:
    """Strategies by id, all or those of one `status`."""
    clause, params = where({"status = ?": status})
    rows = fetch(con, f"SELECT * FROM hypotheses {clause} ORDER BY hypothesis_id", params)
    return [Strategy(**{**row, "status": HypothesisStatus(row["status"])}) for row in rows]


def append_deployment(con: Connection, entry: Deployment) -> None:
    """Add one line to the ledger, chained to the line before; lines are never changed."""
    last = fetch(con, "SELECT seq, hash FROM deployments ORDER BY seq DESC LIMIT 1")
    seq, previous = (last[0]["seq"] + 1, last[0]["hash"]) if last else (1, GENESIS)
    record = {
        "model_name": entry.model_name,
        "action": entry.action,
        "state": entry.state,
        "from_version": entry.from_version,
        "to_version": entry.to_version,
        "artifact_sha256": entry.artifact_sha256,
        "session": entry.session,
        "actor": entry.actor,
        "reason": entry.reason,
        "decided_at": utc(entry.at),
        "evidence": plain(entry.evidence),
    }
    chained = {"seq": seq, **record, "evidence": canonical(record["evidence"])}
    insert(con, "deployments", [{**chained, "previous_hash": previous, "hash": _line_hash(previous, record)}])


def load_deployments(con: Connection, model_name: str | None = None) -> list[Deployment]:
    """The ledger, oldest first, whole or of one model.

    Raises:
        DataError: a line is not the one that was written.
    """
    rows = fetch(con, "SELECT * FROM deployments ORDER BY seq")
    previous = GENESIS
    for row in rows:
        row["evidence"] = json.loads(row["evidence"])
        stored = row.pop("hash")
        record = {name: value for name, value in row.items() if name not in ("seq", "previous_hash")}
        if stored != _line_hash(previous, record):
            raise DataError(
                f"deployments: line {row['seq']} ({row['model_name']}, {row['action']}) is not the one that was "
                f"written or follows a removed one; restore the store from a published copy"
            )
        previous = stored
    return [_deployment(row) for row in rows if model_name in (None, row["model_name"])]


def _line_hash(previous: str, record: dict[str, Any]) -> str:
    return digest([previous, record])


def _deployment(row: dict[str, Any]) -> Deployment:
    return Deployment(
        model_name=row["model_name"],
        action=DeploymentAction(row["action"]),
        state=DeploymentState(row["state"]),
        from_version=row["from_version"],
        to_version=row["to_version"],
        artifact_sha256=row["artifact_sha256"],
        session=row["session"],
        actor=row["actor"],
        reason=row["reason"],
        at=row["decided_at"],
        evidence=row["evidence"],
    )


def save_predictions(
    con: Connection,
    session: date,
    strategy: str,
    model_name: str,
    model_version: int,
    scores: pd.Series,
    run_id: str,
    at: datetime,
) -> int:
    """Replace the predictions of one model version for one session; how many there are now.

    Args:
        scores: one finite number per symbol (the index, text, unique).

    Raises:
        DataError: a symbol is not text or stands twice, or a score is not a finite number.
    """
    what = f"predictions of {model_name} v{model_version} for session {session}"
    require_symbols(scores.index, what)
    require_unique(scores.index.to_frame(name="symbol"), what)
    values = scores.to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(values).all():
        names = [str(symbol) for symbol in scores.index[~np.isfinite(values)]]
        raise DataError(f"{what}: {len(names)} are not finite numbers, first {names[:5]}; nothing was saved")
    con.execute(
        "DELETE FROM predictions WHERE session = ? AND strategy = ? AND model_name = ? AND model_version = ?",
        [session, strategy, model_name, model_version],
    )
    key = {"session": session, "strategy": strategy, "model_name": model_name, "model_version": model_version}
    stamp = {"run_id": run_id, "predicted_at": at}
    records = [
        {**key, "symbol": symbol, "prediction": value, **stamp}
        for symbol, value in zip(scores.index, values, strict=True)
    ]
    return insert(con, "predictions", records)


def predicted_version(con: Connection, session: date, strategy: str) -> int | None:
    """The model version that predicted `session` for `strategy` last, or None if there are no predictions."""
    predictions = load_predictions(con, session, strategy)
    return None if predictions.empty else int(predictions["model_version"].iloc[0])


def load_predictions(con: Connection, session: date, strategy: str, model_version: int | None = None) -> pd.DataFrame:
    """The predictions of one version, by default the one that predicted last: one row per symbol.

    Returns:
        Sorted by symbol: symbol, prediction, model_name, model_version, run_id, predicted_at (UTC). Empty if none.
    """
    clause, params = where({"session = ?": session, "strategy = ?": strategy, "model_version = ?": model_version})
    sql = f"""
    SELECT symbol, prediction, model_name, model_version, run_id, predicted_at FROM predictions {clause}
    QUALIFY dense_rank() OVER (ORDER BY predicted_at DESC, model_version DESC, model_name) = 1 ORDER BY symbol
    """
    return con.execute(sql, params).df()


def load_prediction_history(
    con: Connection,
    strategy: str | None = None,
    first: date | None = None,
    last: date | None = None,
    *,
    model_name: str | None = None,
    model_version: int | None = None,
) -> pd.DataFrame:
    """Every stored prediction that meets the conditions given.

    Returns:
        Sorted by (session, strategy, model_version, symbol): session (datetime64), strategy, symbol, model_name,
        model_version, prediction. A session that two versions predicted has both.
    """
    clause, params = where(
        {
            "strategy = ?": strategy,
            "session >= ?": first,
            "session <= ?": last,
            "model_name = ?": model_name,
            "model_version = ?": model_version,
        }
    )
    sql = f"""
    SELECT session, strategy, symbol, model_name, model_version, prediction FROM predictions {clause}
    ORDER BY session, strategy, model_version, symbol
    """
    return con.execute(sql, params).df()


def save_drift(con: Connection, report: DriftReport, run_id: str, at: datetime) -> int:
    """Replace the checks of one model version for one session; how many there are now."""
    key = {
        "session": report.session,
        "strategy": report.strategy,
        "model_name": report.model_name,
        "model_version": report.model_version,
    }
    condition = " AND ".join(f"{name} = ?" for name in key)
    con.execute(f"DELETE FROM drift_checks WHERE {condition}", list(key.values()))
    records = [
        {
            **key,
            "seq": seq,
            "family": check.family,
            "column_name": check.column,
            "method": check.method,
            "value": check.value,
            "threshold": check.threshold,
            "verdict": check.verdict,
            "detail": check.detail,
            "run_id": run_id,
            "checked_at": at,
        }
        for seq, check in enumerate(report.checks)
    ]
    return insert(con, "drift_checks", records)


def load_drift(con: Connection, session: date, strategy: str, model_version: int | None = None) -> DriftReport | None:
    """The report of one version, by default the one checked last; None if nothing was checked."""
    clause, params = where({"session = ?": session, "strategy = ?": strategy, "model_version = ?": model_version})
    sql = f"""
    SELECT * FROM drift_checks {clause}
    QUALIFY dense_rank() OVER (ORDER BY checked_at DESC, model_name, model_version DESC) = 1 ORDER BY seq
    """
    rows = fetch(con, sql, params)
    if not rows:
        return None
    checks = tuple(_drift_check(row) for row in rows)
    return DriftReport(session, strategy, rows[0]["model_name"], rows[0]["model_version"], checks)


def _drift_check(row: dict[str, Any]) -> DriftCheck:
    return DriftCheck(
        family=DriftFamily(row["family"]),
        column=row["column_name"],
        method=row["method"],
        value=row["value"],
        threshold=row["threshold"],
        verdict=DriftVerdict(row["verdict"]),
        detail=row["detail"],
    )
