"""The life of a hypothesis over a real store, a real registry and models that were really trained."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from laboratory import HELD_OUT, HYPOTHESIS, MODEL, TEST, trained_again
from workspaces import Workspace

from hrp.api import deployments, hypotheses, strategies
from hrp.api.platform import PlatformAPI
from hrp.data.rows import fetch
from hrp.domain.deployment import HypothesisStatus, Strategy
from hrp.domain.hypothesis import Look, life_of
from hrp.domain.sessions import previous_session, sessions_between
from hrp.errors import DataError, HypothesisError, PromotionRefusedError, UsageError
from hrp.wiring import App

S = HypothesisStatus
LAST = date(2022, 12, 28)
FIRST_HELD_OUT = previous_session(LAST, HELD_OUT - 1)
OLD, NEW = 1, 2
ME = {"actor": "me", "reason": "because"}


@pytest.fixture
def app(lab: Workspace) -> App:
    return lab.app


def look(app: App, version: int = NEW, reason: str = "") -> Look:
    return hypotheses.take_look(app, app.registry().version(MODEL, version), actor="me", reason=reason)


def status(app: App) -> S:
    return hypotheses.find(app, HYPOTHESIS)[0].status


def promote(app: App, version: int = NEW) -> Strategy:
    deployments.promote(app, MODEL, version, session=LAST, **ME)
    return strategies.deploy_strategy(app, MODEL, "unused")


def test_training_leaves_the_held_out_sessions_alone_until_the_hypothesis_is_decided(app: App):
    assert len(sessions_between(FIRST_HELD_OUT, LAST)) == HELD_OUT
    assert hypotheses.last_training_session(app, MODEL, LAST) == previous_session(FIRST_HELD_OUT)
    assert hypotheses.last_training_session(app, MODEL, date(2021, 1, 4)) == date(2021, 1, 4)
    assert hypotheses.last_training_session(app, "another", LAST) == LAST

    hypotheses.reject(app, HYPOTHESIS, **ME)

    assert hypotheses.last_training_session(app, MODEL, LAST) == LAST


def test_a_look_is_taken_on_the_held_out_sessions_alone_and_written_down(app: App):
    seen = look(app)

    # The labels of the last five held-out sessions mature after them.
    assert seen.metrics["oos_sessions"] == HELD_OUT - 5
    assert seen.metrics["rank_ic_low"] > 0
    assert (seen.version, seen.trials) == (NEW, 1)
    assert life_of(hypotheses.find(app, HYPOTHESIS)[1]).looks == (seen,)


def test_a_second_look_needs_a_reason_and_counts_as_a_trial_of_the_deflated_sharpe(app: App):
    first = look(app)
    with pytest.raises(HypothesisError, match="had 1 of its looks at the held-out sessions, the last at v2; another"):
        look(app)

    second = look(app, reason="a broken fold")

    assert (first.trials, second.trials) == (1, 2)
    assert second.metrics["deflated_sharpe"] < first.metrics["deflated_sharpe"]
    assert second.metrics["mean_rank_ic"] == first.metrics["mean_rank_ic"]
    assert [event.reason for event in hypotheses.find(app, HYPOTHESIS)[1][-2:]] == ["the first look", "a broken fold"]


def test_a_version_that_was_trained_on_the_held_out_sessions_is_not_looked_at(app: App):
    app.registry().register(replace(trained_again(app, NEW), trained_through=LAST))

    with pytest.raises(HypothesisError, match="moods v3 was trained through 2022-12-28, which is held out"):
        look(app, 3)
    assert life_of(hypotheses.find(app, HYPOTHESIS)[1]).looks == ()


def test_nothing_is_validated_without_evidence_and_nothing_trades_that_is_not_validated(app: App):
    with pytest.raises(HypothesisError, match="HYP-2022-001 has no evidence: no version was evaluated"):
        hypotheses.validate(app, HYPOTHESIS, None, **ME)
    with pytest.raises(HypothesisError, match="TRAINED_BEFORE: moods v1 is older than the test, which began after v1"):
        hypotheses.validate(app, HYPOTHESIS, OLD, **ME)
    with pytest.raises(HypothesisError, match="NO_LOOK: moods v2 was not evaluated"):
        hypotheses.validate(app, HYPOTHESIS, NEW, **ME)
    with pytest.raises(PromotionRefusedError, match="NOT_VALIDATED: HYP-2022-001 is testing; see: hrp research show"):
        promote(app)
    assert status(app) is S.TESTING


def test_from_its_evidence_to_the_account_and_back(app: App):
    look(app)
    hypotheses.validate(app, HYPOTHESIS, None, **ME)
    deployed = promote(app)

    assert (deployed.hypothesis_id, deployed.status, deployed.allocation) == (HYPOTHESIS, S.DEPLOYED, 1)
    assert strategies.deployed(app) == [deployed]
    strategies.retire_hypothesis(app, HYPOTHESIS, session=LAST, **ME)
    assert (strategies.deployed(app), status(app)) == ([], S.RETIRED)
    assert strategies.deploy_strategy(app, MODEL, "unused").hypothesis_id == HYPOTHESIS

    history = hypotheses.find(app, HYPOTHESIS)[1]
    champion = app.registry().version(MODEL, NEW)
    assert [str(event.action) for event in history] == [
        "new", "test", "look", "validate", "deploy", "retire", "deploy",
    ]  # fmt: skip
    assert history[3].evidence == {
        "version": NEW, "run_id": champion.run_id, "artifact_sha256": champion.artifact_sha256,
    }  # fmt: skip
    assert history[4].evidence == {"version": NEW, "artifact_sha256": champion.artifact_sha256}


def test_what_its_own_test_refutes_is_not_validated_and_once_rejected_stays_so(app: App):
    hypotheses.reject(app, HYPOTHESIS, **ME)
    bold = hypotheses.write(app, "Perfect foresight", MODEL, ["mean_rank_ic >= 0.99"], actor="me")
    hypotheses.begin_testing(app, bold.hypothesis_id, held_out_sessions=HELD_OUT, **ME)
    app.registry().register(trained_again(app, NEW))
    look(app, 3)

    with pytest.raises(HypothesisError, match=r"FALSIFIED: mean_rank_ic is 0\.\d+, mean_rank_ic >= 0.99 was predicted"):
        hypotheses.validate(app, bold.hypothesis_id, None, **ME)
    hypotheses.reject(app, bold.hypothesis_id, **ME)
    with pytest.raises(PromotionRefusedError, match="NOT_VALIDATED: HYP-2022-002 is rejected; write another: hrp"):
        promote(app)
    with pytest.raises(HypothesisError, match="HYP-2022-002 is rejected and cannot become testing; it may become noth"):
        hypotheses.begin_testing(app, bold.hypothesis_id, held_out_sessions=HELD_OUT, **ME)


def test_a_model_has_one_open_hypothesis(app: App):
    with pytest.raises(HypothesisError, match="HYP-2022-001 about moods is testing; reject or retire it first"):
        hypotheses.write(app, "Another", MODEL, TEST, actor="me")
    assert hypotheses.write(app, "Another", "other", TEST, actor="me").hypothesis_id == "HYP-2022-002"


@pytest.mark.parametrize(("test", "wrong"), [([], "needs what would refute it"), (["ic good"], "is not METRIC")])
def test_a_hypothesis_needs_a_test_that_can_fail(app: App, test: list[str], wrong: str):
    with pytest.raises(UsageError, match=wrong):
        hypotheses.write(app, "Vague", "vague", test, actor="me")


def test_a_model_that_is_deployed_by_hand_is_a_hypothesis_whose_evidence_is_the_gates(lab: Workspace):
    app = lab.app
    hand = app.registry().register(replace(trained_again(app, NEW), model_name="by-hand"))
    deployments.promote(app, "by-hand", hand.version, session=LAST, actor="me", reason="I saw it")
    strategy = strategies.deploy_strategy(app, "by-hand", "By hand")

    (event,) = hypotheses.find(app, strategy.hypothesis_id)[1]
    assert (event.status, event.actor, event.reason) == (S.DEPLOYED, "me", "I saw it")
    assert event.evidence == {"version": 1, "artifact_sha256": hand.artifact_sha256}


def test_a_status_that_was_changed_behind_the_back_of_its_history_is_found_out(app: App):
    with app.store().write() as con:
        con.execute("UPDATE hypotheses SET status = 'deployed'")

    with pytest.raises(DataError, match="HYP-2022-001 is deployed and its history ends testing"):
        PlatformAPI(app).judge_version(MODEL, NEW)
    with app.store().read() as con:
        assert len(fetch(con, "SELECT * FROM hypothesis_events")) == 2


def test_there_is_no_hypothesis_of_an_unknown_id(app: App):
    with pytest.raises(UsageError, match="there is no hypothesis HYP-1; see: hrp research list"):
        hypotheses.find(app, "HYP-1")
