"""Strategies, the deployments ledger, predictions and drift."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from hrp.data import models
from hrp.domain.deployment import Deployment, DeploymentAction, DeploymentState, HypothesisStatus, Strategy
from hrp.domain.drift import DriftCheck, DriftFamily, DriftReport, DriftVerdict
from hrp.errors import DataError

from .night import LATER, NEXT, NIGHT, SESSION

STRATEGY = Strategy("HYP-2026-001", "momentum", "core", HypothesisStatus.DEPLOYED, Decimal("0.5"), "core")
PROMOTED = Deployment(
    model_name="core",
    action=DeploymentAction.PROMOTE,
    state=DeploymentState.DONE,
    from_version=None,
    to_version=1,
    artifact_sha256="ab" * 32,
    session=SESSION,
    actor="researcher",
    reason="better",
    at=NIGHT,
    evidence={"ic": 0.031, "folds": {10: None, 9: Decimal("0.1")}, "when": SESSION},
)
AS_JSON = {"ic": 0.031, "folds": {"10": None, "9": "0.1"}, "when": "2022-12-27"}


def test_hypothesis_ids_count_up_within_their_year(con):
    assert models.new_hypothesis_id(con, 2026) == "HYP-2026-001"
    models.save_strategy(con, STRATEGY)
    models.save_strategy(con, replace(STRATEGY, hypothesis_id="HYP-2025-041"))
    assert models.new_hypothesis_id(con, 2026) == "HYP-2026-002"
    assert models.new_hypothesis_id(con, 2025) == "HYP-2025-042"


def test_a_strategy_is_replaced_by_its_id_and_found_by_its_status(con):
    models.save_strategy(con, replace(STRATEGY, status=HypothesisStatus.DRAFT))
    models.save_strategy(con, STRATEGY)
    assert models.load_strategies(con) == models.load_strategies(con, HypothesisStatus.DEPLOYED) == [STRATEGY]
    assert models.load_strategies(con, HypothesisStatus.DRAFT) == []


def test_the_ledger_comes_back_oldest_first_with_instants_in_utc(con):
    elsewhere = replace(PROMOTED, to_version=2, from_version=1, at=LATER.astimezone(timezone(timedelta(hours=-5))))
    other = replace(PROMOTED, model_name="other", evidence={})
    for entry in (PROMOTED, other, elsewhere):
        models.append_deployment(con, entry)
    assert models.load_deployments(con, "core") == [
        replace(PROMOTED, evidence=AS_JSON),
        replace(elsewhere, evidence=AS_JSON, at=LATER),
    ]
    assert models.load_deployments(con)[1] == other


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE deployments SET to_version = 3 WHERE seq = 2",
        "UPDATE deployments SET reason = 'because' WHERE seq = 2",
        "DELETE FROM deployments WHERE seq = 1",
    ],
)
def test_a_ledger_that_was_changed_is_refused(con, tampering):
    for version in (1, 2, 3):
        models.append_deployment(con, replace(PROMOTED, to_version=version))
    con.execute(tampering)
    with pytest.raises(DataError, match=r"line 2 \(core, promote\) is not the one that was written"):
        models.load_deployments(con, "other")


def scores(**values: float) -> pd.Series:
    return pd.Series(values)


def test_a_rerun_replaces_the_predictions_of_its_version(con):
    models.save_predictions(con, SESSION, "S", "core", 1, scores(AAPL=0.1, OLD=0.2), "r1", NIGHT)
    models.save_predictions(con, SESSION, "S", "core", 1, scores(TRUE=-0.3, AAPL=0.1 + 0.2), "r2", NIGHT)
    stored = models.load_predictions(con, SESSION, "S")
    assert stored["symbol"].tolist() == ["AAPL", "TRUE"]
    assert stored["prediction"].tolist() == [0.1 + 0.2, -0.3]  # to the last bit
    assert stored["run_id"].tolist() == ["r2", "r2"]


def test_of_two_versions_the_one_that_predicted_last_counts_and_history_has_both(con):
    models.save_predictions(con, SESSION, "S", "core", 2, scores(AAPL=0.2), "r1", NIGHT)
    models.save_predictions(con, SESSION, "S", "core", 1, scores(AAPL=0.1), "r2", LATER)
    assert models.predicted_version(con, SESSION, "S") == 1
    assert models.load_predictions(con, SESSION, "S")["prediction"].tolist() == [0.1]
    assert models.load_predictions(con, SESSION, "S", 2)["prediction"].tolist() == [0.2]
    assert models.load_prediction_history(con, "S")["model_version"].tolist() == [1, 2]
    assert models.load_prediction_history(con, model_name="core", model_version=2)["strategy"].tolist() == ["S"]
    assert models.load_prediction_history(con, "S", first=NEXT).empty
    assert models.predicted_version(con, NEXT, "S") is None
    assert models.load_predictions(con, NEXT, "S").empty


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_prediction_that_is_no_number_is_refused_with_its_name(con, wrong):
    with pytest.raises(DataError, match=r"core v1 for session 2022-12-27: 1 are not finite numbers, first \['TRUE'\]"):
        models.save_predictions(con, SESSION, "S", "core", 1, scores(AAPL=0.1, TRUE=wrong), "r", NIGHT)


def report(version: int, *checks: DriftCheck) -> DriftReport:
    return DriftReport(SESSION, "S", "core", version, checks)


OK = DriftCheck(DriftFamily.FEATURE, "momentum", "psi", 0.1, 0.2, DriftVerdict.OK)
UNCHECKED = DriftCheck(DriftFamily.CONCEPT, "ic", "spearman", None, 0.2, DriftVerdict.COULD_NOT_CHECK, "too few")


def test_a_drift_report_comes_back_as_it_was_with_its_order(con):
    models.save_drift(con, report(1, OK), "r1", NIGHT)
    models.save_drift(con, report(1, UNCHECKED, OK), "r2", NIGHT)
    models.save_drift(con, report(2, OK), "r3", LATER)
    assert models.load_drift(con, SESSION, "S", 1) == report(1, UNCHECKED, OK)
    assert models.load_drift(con, SESSION, "S") == report(2, OK)
    assert models.load_drift(con, NEXT, "S") is None


def test_in_the_documented_views_a_check_that_did_not_run_counts_as_drift(con):
    models.save_drift(con, report(1, UNCHECKED, OK), "r", NIGHT)
    detected = con.execute("SELECT drift_type, is_drift_detected FROM model_drift_checks ORDER BY ALL").fetchall()
    assert detected == [("concept", True), ("feature", False)]
    history = con.execute("SELECT model_name, model_version, metric_name FROM model_performance_history").fetchall()
    assert history == [("core", 1, "spearman")]
