from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest

from hrp.domain.deployment import HypothesisStatus, ModelVersion, Strategy
from hrp.domain.overfitting import Sharpe, deflated_sharpe
from hrp.domain.promotion import Comparison, Costs, GateEvidence, GatePolicy, judge_promotion, refusals

FEATURES = ("momentum", "volatility")
VERSION = ModelVersion(
    "alpha", 3, "run", "0" * 64, "core", FEATURES, date(2026, 2, 6),
    metrics={"mean_rank_ic": 0.02, "rank_ic_tstat": 2.1, "oos_sessions": 500.0},
    thresholds={"momentum": 0.2, "prediction": 0.25},
)  # fmt: skip
EVIDENCE = GateEvidence(loaded_features=FEATURES, reference_rows=1000, max_difference=1e-12, seconds=4.25)
# The figures of a record that is not luck: a ratio of 0.3 over 400 observations is six standard errors from 0.
LASTING = {
    "rank_ic_low": 0.01, "rank_ic_high": 0.03, "trials": 1.0, "deflated_sharpe": 1.0,
    "sharpe_per_observation": 0.3, "sharpe_observations": 400.0, "sharpe_skew": 0.0, "sharpe_kurtosis": 3.0,
}  # fmt: skip
SEARCHED = {**LASTING, "trials": 200.0, "trials_sharpe_variance": 1 / 399, "pbo": 0.05, "pbo_loss": 0.0}
LUCKY = {**SEARCHED, "rank_ic_low": -0.01, "sharpe_per_observation": 0.12, "pbo": 0.55, "pbo_loss": 0.5}
POLICY = GatePolicy(min_ic=0.0, min_ic_tstat=1.0, min_sessions=252)


def reasons(version=VERSION, evidence=EVIDENCE, computed=None, policy=POLICY) -> list[str]:
    sets = {"core": (*FEATURES, "further")} if computed is None else computed
    return refusals(judge_promotion(version, evidence, feature_sets=sets, policy=policy))


def checks(version=VERSION, evidence=EVIDENCE, policy=POLICY) -> dict[str, dict[str, object]]:
    """What is told of each question, by its name."""
    asked = judge_promotion(version, evidence, feature_sets={"core": FEATURES}, policy=policy)
    return {check.name: check.facts() for check in asked}


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
        (VERSION, replace(EVIDENCE, seconds=120.5),
         "SLOW_TO_LOAD: 120.5 s in a clean process, at most 120 s are allowed"),
        (VERSION, replace(EVIDENCE, reference_rows=0),
         "NO_REFERENCE: no out-of-sample history to measure drift against"),
        (VERSION, replace(EVIDENCE, max_difference=1e-8),
         "NOT_REPRODUCED: off by 1e-08, it is predicted otherwise than when the model was trained"),
        (VERSION, replace(EVIDENCE, max_difference=None),
         "NOT_REPRODUCED: no stored sample that it can predict, it is predicted otherwise than when the model was "
         "trained"),
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
        (VERSION, replace(EVIDENCE, comparison=Comparison(2, 400, 0.01, 0.04, -0.03, -0.05, -0.001)),
         "WORSE_THAN_CHAMPION: rank IC less that of v2 is -0.0300, -0.0500 to -0.0010 over 400 sessions"),
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


def hypothesis(status: HypothesisStatus) -> GateEvidence:
    return replace(EVIDENCE, hypothesis=Strategy("HYP-2026-001", "alpha works", "alpha", status))


@pytest.mark.parametrize("status", ["validated", "deployed", "retired"])
def test_what_was_validated_once_may_be_promoted(status: str):
    assert reasons(evidence=hypothesis(HypothesisStatus(status))) == []


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("draft", "see: hrp research show HYP-2026-001"),
        ("testing", "see: hrp research show HYP-2026-001"),
        ("rejected", "write another: hrp research new alpha"),
    ],
)
def test_a_model_whose_hypothesis_is_not_validated_is_refused(status: str, advice: str):
    refused = reasons(evidence=hypothesis(HypothesisStatus(status)))

    assert refused == [f"NOT_VALIDATED: HYP-2026-001 is {status}; {advice}"]


def test_the_best_of_two_hundred_trials_of_noise_is_refused_with_its_figures():
    lucky = measured(**LUCKY)
    # Bailey and López de Prado: the best of 200 such trials without skill is expected at 2.746 standard errors.
    skill = deflated_sharpe(Sharpe(0.12, 400.0), 200, 1 / 399)

    assert 0.3 < skill < 0.4
    assert reasons(lucky) == [
        "IC_NOT_PROVEN: mean rank IC lies between -0.0100 and 0.0300, all of it must be above 0",
        f"SHARPE_DEFLATED: {skill:.3f} is the probability of skill after 200 trials, 0.95 is required",
        "OVERFITTED: the trial chosen in sample is below the median out of sample with probability 0.550, at most 0.2 "
        "is allowed; it loses with 0.500",
    ]
    told = checks(lucky)
    assert (told["trials"]["figure"], told["trials"]["verdict"]) == (200.0, "told")
    assert told["deflated Sharpe"] == {
        "check": "deflated Sharpe", "figure": skill, "bar": ">= 0.95", "verdict": "refused",
        "reason": reasons(lucky)[1],
    }  # fmt: skip


def test_an_edge_that_survives_its_search_passes():
    told = checks(measured(**SEARCHED))

    assert reasons(measured(**SEARCHED)) == []
    assert [told[name]["verdict"] for name in ("rank IC, lower end", "deflated Sharpe", "probability of overfitting")] \
        == ["passed"] * 3  # fmt: skip


def test_a_version_of_a_single_trial_is_held_against_luck_only_if_that_is_asked_for():
    weak = measured(**{**LASTING, "rank_ic_low": -0.01})

    assert reasons(weak) == []
    assert checks(weak)["rank IC, lower end"]["verdict"] == "told"
    assert [reason.partition(":")[0] for reason in reasons(weak, policy=replace(POLICY, always_statistics=True))] == [
        "IC_NOT_PROVEN"
    ]
    (absent,) = reasons(policy=replace(POLICY, always_statistics=True))
    assert absent.startswith("NO_STATISTICS: the metrics lack rank_ic_low")


def test_further_looks_count_as_trials():
    once = measured(**{**LASTING, "sharpe_per_observation": 0.12})
    after = replace(EVIDENCE, looks=200)

    assert reasons(once) == []
    assert reasons(once, after)[0].startswith("SHARPE_DEFLATED: ")
    assert checks(once, after)["trials"]["figure"] == 201.0


def test_every_question_is_told_with_figure_bar_and_verdict():
    full = replace(
        hypothesis(HypothesisStatus.VALIDATED),
        comparison=Comparison(2, 400, 0.05, 0.04, 0.01, -0.02, 0.04), costs=Costs(500, 0.12, 0.09, 35.0),
    )  # fmt: skip

    told = [(*fact.values(),)[:4] for fact in checks(measured(**LASTING), full).values()]

    assert told == [
        ("seconds in a clean process", 4.25, "<= 120", "passed"),
        ("features loaded", 2, "the 2 registered", "passed"),
        ("rows of reference", 1000, "> 0", "passed"),
        ("largest difference to stored predictions", 1e-12, "<= 1e-09", "passed"),
        ("feature set", "core", "computed by the night", "passed"),
        ("sessions out of sample", 500.0, ">= 252", "passed"),
        ("mean rank IC", 0.02, "> 0", "passed"),
        ("t of rank IC", 2.1, ">= 1", "passed"),
        ("trials", 1.0, "", "told"),
        ("rank IC, lower end", 0.01, "", "told"),
        ("rank IC, upper end", 0.03, "", "told"),
        ("deflated Sharpe", pytest.approx(1.0), "", "told"),
        ("probability of overfitting", None, "", "not measured"),
        ("drift limits", 2, "finite", "passed"),
        ("hypothesis", "HYP-2026-001 validated", "validated", "passed"),
        ("rank IC less champion's", 0.01, "-0.0200 to 0.0400 over 400 sessions not below 0, v2", "passed"),
        ("net return a year", 0.12, "", "told"),
        ("net return a year at twice the costs", 0.09, "", "told"),
        ("turnover a year", 35.0, "", "told"),
    ]


def test_what_could_not_be_measured_is_told_as_such_and_refuses_nothing():
    told = checks(evidence=replace(EVIDENCE, seconds=None))

    assert {name for name, fact in told.items() if fact["verdict"] == "not measured"} >= {
        "seconds in a clean process", "hypothesis", "rank IC less champion's", "net return a year",
    }  # fmt: skip
