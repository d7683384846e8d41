from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest

from hrp.domain.deployment import ModelVersion
from hrp.domain.promotion import GateEvidence, GatePolicy, judge_promotion

FEATURES = ("momentum", "volatility")
VERSION = ModelVersion(
    "alpha", 3, "run", "0" * 64, "core", FEATURES, date(2026, 2, 6),
    metrics={"mean_rank_ic": 0.02, "rank_ic_tstat": 2.1, "oos_sessions": 500.0},
    thresholds={"momentum": 0.2, "prediction": 0.25},
)  # fmt: skip
EVIDENCE = GateEvidence(loaded_features=FEATURES, has_reference=True, reproduced=True)
POLICY = GatePolicy(min_ic=0.0, min_ic_tstat=1.0, min_sessions=252)


def reasons(version=VERSION, evidence=EVIDENCE, computed=None, policy=POLICY) -> list[str]:
    sets = {"core": (*FEATURES, "further")} if computed is None else computed
    return judge_promotion(version, evidence, feature_sets=sets, policy=policy)


def test_a_version_with_nothing_against_it_passes():
    assert reasons() == []


def measured(**metrics: float) -> ModelVersion:
    return replace(VERSION, metrics={**VERSION.metrics, **metrics})


@pytest.mark.parametrize(
    ("version", "evidence", "expected"),
    [
        (VERSION, GateEvidence(failure="files are gone"), "DOES_NOT_LOAD: files are gone"),
        (VERSION, replace(EVIDENCE, loaded_features=("momentum", "x")),
         "SIGNATURE_MISMATCH: without volatility; with x"),
        (VERSION, replace(EVIDENCE, loaded_features=FEATURES[::-1]),
         "SIGNATURE_MISMATCH: the same features in another order"),
        (VERSION, replace(EVIDENCE, has_reference=False),
         "NO_REFERENCE: no out-of-sample history to measure drift against"),
        (VERSION, replace(EVIDENCE, reproduced=False),
         "NOT_REPRODUCED: the stored sample is predicted otherwise than when the model was trained"),
        (replace(VERSION, feature_set="wide"), EVIDENCE, "UNKNOWN_FEATURE_SET: wide, computed are core"),
        (replace(VERSION, metrics={}), EVIDENCE,
         "NO_EVIDENCE: walk-forward metrics lack mean_rank_ic, rank_ic_tstat, oos_sessions"),
        (measured(rank_ic_tstat=math.nan), EVIDENCE, "NO_EVIDENCE: walk-forward metrics lack rank_ic_tstat"),
        (measured(mean_rank_ic=0.0), EVIDENCE, "WEAK_IC: mean rank IC 0.0000, more than 0 is required"),
        (measured(rank_ic_tstat=0.99), EVIDENCE, "WEAK_TSTAT: t of rank IC 0.99, 1 is required"),
        (measured(oos_sessions=251.0), EVIDENCE, "TOO_FEW_SESSIONS: 251 out of sample, 252 are required"),
        (replace(VERSION, thresholds={}), EVIDENCE, "NO_THRESHOLDS: no drift limit is attached"),
        (replace(VERSION, thresholds={"momentum": math.inf}), EVIDENCE,
         "BAD_THRESHOLDS: no finite drift limit for momentum"),
    ],
)  # fmt: skip
def test_each_fault_alone_is_refused_with_its_reason(version, evidence, expected):
    assert reasons(version, evidence) == [expected]


def test_a_feature_that_the_night_does_not_compute_is_refused():
    assert reasons(computed={"core": ("momentum",)}) == ["FEATURES_NOT_COMPUTED: core lacks volatility"]
    assert reasons(computed={}) == ["UNKNOWN_FEATURE_SET: core, computed are none"]


def test_every_reason_is_given_at_once():
    bare = replace(VERSION, metrics={}, thresholds={}, feature_set="wide")

    codes = [reason.partition(":")[0] for reason in reasons(bare, GateEvidence())]

    assert codes == [
        "SIGNATURE_MISMATCH", "NO_REFERENCE", "NOT_REPRODUCED", "UNKNOWN_FEATURE_SET", "NO_EVIDENCE", "NO_THRESHOLDS",
    ]  # fmt: skip
