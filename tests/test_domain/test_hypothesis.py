"""The life of a hypothesis: its test is written first and sealed, its looks are counted, its moves are legal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product

import pytest

from hrp.domain.deployment import HypothesisStatus, ModelVersion, Strategy
from hrp.domain.hypothesis import (
    Criterion,
    HypothesisAction,
    HypothesisEvent,
    judge_evidence,
    life_of,
    of_model,
    require_move,
)
from hrp.domain.lineage import digest
from hrp.errors import DataError, HypothesisError, UsageError

A, S = HypothesisAction, HypothesisStatus
AT = datetime(2026, 2, 6, 22, tzinfo=UTC)
TEST = ["rank_ic_low > 0", "deflated_sharpe >= 0.95"]
SEAL = digest(TEST)
GOOD = {"rank_ic_low": 0.01, "deflated_sharpe": 0.97}


def event(action: A, status: S, **evidence: object) -> HypothesisEvent:
    return HypothesisEvent("HYP-2026-001", action, status, "me", "because", AT, evidence)


WRITTEN = event(A.NEW, S.DRAFT, test=TEST)
TESTING = event(A.TEST, S.TESTING, seal=SEAL, newest_version=2, held_out=["2025-02-06", "2026-02-06"])


def look(version: int, trials: int, **metrics: float) -> HypothesisEvent:
    return event(A.LOOK, S.TESTING, version=version, trials=trials, metrics={**GOOD, **metrics})


def version(number: int, **metrics: float) -> ModelVersion:
    return ModelVersion("alpha", number, "run", "0" * 64, "core", ("x",), date(2025, 2, 5), metrics=metrics)


@pytest.mark.parametrize(
    ("text", "met", "missed"),
    [
        ("rank_ic_low > 0", 1e-9, 0.0),
        ("deflated_sharpe>=0.95", 0.95, 0.9499),
        ("  pbo <= .2 ", 0.2, 0.21),
        ("trials < 1e2", 99, 100),
        ("sharpe_oos > -1.5", -1.4, -1.5),
    ],
)
def test_a_criterion_is_a_metric_a_comparison_and_a_bar(text: str, met: float, missed: float):
    criterion = Criterion.parse(text)

    assert (criterion.holds(met), criterion.holds(missed), criterion.holds(float("nan"))) == (True, False, False)
    assert Criterion.parse(str(criterion)) == criterion


@pytest.mark.parametrize("text", ["", "rank_ic_low", "rank_ic_low > much", "> 0", "a == 1", "a > 1 and b > 2", "a >"])
def test_what_is_no_criterion_is_refused_with_an_example(text: str):
    with pytest.raises(UsageError, match="write it as 'rank_ic_low > 0'"):
        Criterion.parse(text)


LEGAL = {
    (None, S.DRAFT), (None, S.DEPLOYED), (S.DRAFT, S.TESTING), (S.DRAFT, S.REJECTED), (S.TESTING, S.VALIDATED),
    (S.TESTING, S.REJECTED), (S.VALIDATED, S.DEPLOYED), (S.VALIDATED, S.REJECTED), (S.VALIDATED, S.RETIRED),
    (S.DEPLOYED, S.RETIRED), (S.RETIRED, S.DEPLOYED),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(product([None, *S], S)))
def test_only_the_moves_of_the_table_are_allowed(before: S | None, after: S):
    if (before, after) in LEGAL:
        require_move("HYP-2026-001", before, after)
        return
    with pytest.raises(HypothesisError, match=f"HYP-2026-001 is {before} and cannot become {after}; it may become"):
        require_move("HYP-2026-001", before, after)


def test_a_history_tells_test_seal_held_out_sessions_and_looks():
    life = life_of([WRITTEN, TESTING, look(3, 1), look(4, 3)])

    assert [str(criterion) for criterion in life.test] == TEST
    assert life.status is S.TESTING
    assert life.trial
    assert (life.trial.seal, life.trial.newest_version, life.trial.began_at) == (SEAL, 2, AT)
    assert life.trial.held_out == (date(2025, 2, 6), date(2026, 2, 6))
    assert [(found.version, found.trials) for found in life.looks] == [(3, 1), (4, 3)]


def test_without_a_history_there_is_no_life():
    assert (life_of([]).status, life_of([]).test, life_of([]).trial) == (None, (), None)


def test_a_test_that_was_changed_after_it_was_sealed_is_found_out():
    easier = replace(WRITTEN, evidence={"test": ["rank_ic_low > -1"]})

    with pytest.raises(DataError, match="the test of HYP-2026-001 is not the one that was sealed"):
        life_of([easier, TESTING])


def test_a_history_with_a_move_that_is_not_allowed_is_refused():
    with pytest.raises(DataError, match="went from draft to deployed, which is not allowed"):
        life_of([WRITTEN, event(A.DEPLOY, S.DEPLOYED)])


def reasons(*looks: HypothesisEvent, of: ModelVersion) -> list[str]:
    return judge_evidence(life_of([WRITTEN, TESTING, *looks]), of)


def test_a_version_that_meets_the_test_on_the_held_out_sessions_validates():
    assert reasons(look(3, 1), of=version(3)) == []


@pytest.mark.parametrize(
    ("looks", "of", "expected"),
    [
        ([], version(3), ["NO_LOOK: alpha v3 was not evaluated on the held-out sessions"]),
        ([look(4, 1)], version(3), ["NO_LOOK: alpha v3 was not evaluated on the held-out sessions"]),
        ([look(2, 1)], version(2), ["TRAINED_BEFORE: alpha v2 is older than the test, which began after v2"]),
        ([look(3, 1, rank_ic_low=0.0)], version(3),
         ["FALSIFIED: rank_ic_low is 0, rank_ic_low > 0 was predicted"]),
        # The held-out sessions decide, not the record that the model was chosen by.
        ([look(3, 1, deflated_sharpe=0.5)], version(3, deflated_sharpe=1.0),
         ["FALSIFIED: deflated_sharpe is 0.5, deflated_sharpe >= 0.95 was predicted"]),
        ([look(3, 1), look(4, 3)], version(3), ["TRIALS_NOT_COUNTED: judged for 1 trials, there were 3"]),
    ],
)  # fmt: skip
def test_without_evidence_nothing_is_validated(looks: list[HypothesisEvent], of: ModelVersion, expected: list[str]):
    assert reasons(*looks, of=of) == expected


def test_a_metric_that_nobody_measured_meets_nothing():
    written = replace(WRITTEN, evidence={"test": ["pbo <= 0.2"]})
    testing = replace(TESTING, evidence={**TESTING.evidence, "seal": digest(["pbo <= 0.2"])})
    life = life_of([written, testing, look(3, 1)])

    assert judge_evidence(life, version(3)) == ["NOT_MEASURED: pbo"]
    assert judge_evidence(life, version(3, pbo=0.1)) == []


def test_a_draft_is_not_judged():
    assert judge_evidence(life_of([WRITTEN]), version(3)) == ["NOT_TESTED: testing has not begun"]


def test_the_open_hypothesis_speaks_for_a_model_else_the_newest():
    def of(number: int, status: S, model: str = "alpha") -> Strategy:
        return Strategy(f"HYP-2026-{number:03}", "", model, status)

    rejected, opened, other = of(1, S.REJECTED), of(2, S.TESTING), of(4, S.DRAFT, "beta")
    assert of_model([other, of(3, S.REJECTED), opened, rejected], "alpha") == opened
    assert of_model([of(3, S.RETIRED), rejected], "alpha") == of(3, S.RETIRED)
    assert of_model([other], "alpha") is None
