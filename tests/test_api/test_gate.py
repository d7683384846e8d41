"""What the gate measures beside the files: the champion on the same sessions, costs; and what the ledger keeps."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from laboratory import MODEL, trained_again
from sklearn.tree import ExtraTreeRegressor
from workspaces import Workspace

from hrp.api import deployments, hypotheses
from hrp.api.gate import compare, daily_rank_ic, horizon_of, tried_on_same_data
from hrp.api.platform import PlatformAPI
from hrp.domain.deployment import CHAMPION, DeploymentAction, ModelVersion
from hrp.domain.sessions import previous_session, sessions_between
from hrp.errors import PromotionRefusedError
from hrp.ml.features import CORE, Panel
from hrp.ml.search import Space, search
from hrp.ml.training import ridge, train
from hrp.ports import TrainedModel
from hrp.rehearsal.market import made_bars
from hrp.wiring import App

LAST = date(2022, 12, 28)


@pytest.fixture
def app(lab: Workspace) -> App:
    return lab.app


def by_hand(app: App, prediction_times: float = 1.0) -> ModelVersion:
    """A version of a model without a hypothesis; its stored predictions are multiplied."""
    model = replace(trained_again(app, 2), model_name="by-hand")
    reference = model.reference.assign(prediction=model.reference["prediction"] * prediction_times)
    return app.registry().register(replace(model, reference=reference))


def promote(app: App, version: ModelVersion) -> None:
    PlatformAPI(app).deploy_model(version.model_name, version.version, actor="me", reason="to see")


def last_checks(app: App) -> dict[str, dict[str, object]]:
    line = deployments.ledger(app, "by-hand")[-1]
    return {str(check["check"]): check for check in line.evidence["checks"]}


def test_a_version_is_compared_with_the_champion_on_the_sessions_that_both_predicted(app: App):
    first, second = by_hand(app), by_hand(app, -1.0)
    daily = daily_rank_ic(app, app.registry().load_reference(first), horizon_of(app, first))

    found = compare(app, second, first.version)

    assert found is not None
    assert (found.champion, found.sessions) == (first.version, len(daily))
    assert found.champion_rank_ic == pytest.approx(daily.mean())
    # Turned round, every rank correlation is its own negative, so the difference is minus twice it.
    assert found.difference == pytest.approx(-2 * daily.mean())
    assert found.low < found.difference < found.high < 0
    assert compare(app, first, first.version) is None
    other = replace(app, settings=app.settings.model_copy(update={"label_horizon_sessions": 21}))
    assert compare(other, second, first.version) == found  # what it was trained for, whatever is set now


def test_what_is_surely_worse_than_the_champion_is_refused_with_the_figures(app: App):
    promote(app, by_hand(app))
    worse = by_hand(app, -1.0)

    with pytest.raises(
        PromotionRefusedError, match=r"WORSE_THAN_CHAMPION: rank IC less that of v1 is -0\.\d+, -0\.\d+ to"
    ):
        promote(app, worse)
    assert deployments.ledger(app, "by-hand")[-1].action is DeploymentAction.REFUSE
    assert last_checks(app)["rank IC less champion's"]["verdict"] == "refused"


def test_a_champion_whose_files_are_gone_does_not_keep_another_from_replacing_it(app: App):
    lost = by_hand(app)
    promote(app, lost)
    shutil.rmtree(app.registry().artifact_root / lost.run_id)
    sound = by_hand(app)

    promote(app, sound)

    assert app.registry().alias("by-hand", CHAMPION) == sound.version
    assert last_checks(app)["rank IC less champion's"]["verdict"] == "not measured"


def test_the_ledger_keeps_every_figure_of_a_promotion(app: App):
    version = by_hand(app)
    backtest = PlatformAPI(app).backtest_record(version)

    promote(app, version)

    told = last_checks(app)
    assert told["mean rank IC"] == {
        "check": "mean rank IC", "figure": version.metrics["mean_rank_ic"], "bar": "> 0", "verdict": "passed",
        "reason": "",
    }  # fmt: skip
    assert told["rows of reference"]["figure"] == len(app.registry().load_reference(version))
    assert told["turnover a year"]["figure"] == pytest.approx(backtest.stats["turnover_a_year"])
    once, twice = (told[name]["figure"] for name in ("net return a year", "net return a year at twice the costs"))
    assert backtest.stats["annual_return"] > once > twice
    assert {check["verdict"] for check in told.values()} == {"passed", "told", "not measured"}


def random_walks(sessions: int) -> Panel:
    """Bars of twelve names that follow nothing."""
    days, rng = sessions_between(date(2020, 1, 2), date(2022, 12, 28))[:sessions], np.random.default_rng(0)
    close = 50 * np.exp(rng.normal(0, 0.02, (sessions, 12)).cumsum(axis=0))
    keys = pd.MultiIndex.from_product([days, [f"N{number:02}" for number in range(12)]], names=["session", "symbol"])
    bars = pd.DataFrame({"close": close.ravel(), "volume": rng.uniform(1e5, 2e5, close.size)}, index=keys)
    return Panel.from_bars(bars.assign(open=bars["close"], high=bars["close"], low=bars["close"]).reset_index())


def chosen_of(panel: Panel, name: str, space: Space, build: Callable[[int], Any]) -> TrainedModel:
    """The best of a search, trained."""
    asked = {"feature_set": CORE, "through": panel.sessions[-1].date(), "horizon": 1, "folds": 2, "build": build}
    found = search(panel, space, **asked)
    return train(panel, model_name=name, found=found, calibrate=lambda _: {"prediction": 0.25}, **asked)


def tree(seed: int) -> ExtraTreeRegressor:
    return ExtraTreeRegressor(max_depth=3, random_state=seed)


def test_noise_that_was_tried_two_hundred_times_is_refused_and_the_ledger_keeps_the_figures(app: App):
    noise = app.registry().register(chosen_of(random_walks(480), "by-hand", {"random_state": range(200)}, tree))

    with pytest.raises(PromotionRefusedError, match=r"SHARPE_DEFLATED: .* after 200 trials, 0.95 is required"):
        promote(app, noise)

    assert noise.metrics["sharpe_oos"] > 1  # it looks like an edge
    told = last_checks(app)
    assert told["trials"]["figure"] == 200
    assert told["deflated Sharpe"]["figure"] == pytest.approx(noise.metrics["deflated_sharpe"])
    refused = {name for name, check in told.items() if check["verdict"] == "refused"}
    assert refused >= {"rank IC, lower end", "deflated Sharpe", "probability of overfitting"}


def test_a_planted_edge_that_was_searched_for_passes(app: App):
    edge = Panel.from_bars(made_bars())
    found = app.registry().register(chosen_of(edge, "by-hand", {"ridge__alpha": [0.1, 10.0, 1000.0]}, ridge))

    promote(app, found)

    told = last_checks(app)
    judged = ("rank IC, lower end", "deflated Sharpe", "probability of overfitting")
    assert (told["trials"]["figure"], [told[name]["verdict"] for name in judged]) == (3, ["passed"] * 3)


def test_training_again_and_again_on_the_same_data_is_a_search_too(app: App):
    model = replace(trained_again(app, 2), model_name="by-hand")
    versions = [
        app.registry().register(replace(model, metrics={**model.metrics, "hit_rate": rate}, trained_through=through))
        for rate, through in [(0.5, LAST), (0.51, LAST), (0.51, LAST), (0.52, previous_session(LAST))]
    ]

    assert [tried_on_same_data(app, version) for version in versions] == [2, 2, 2, 1]
    told = {check.name: check.figure for check in PlatformAPI(app).judge_version("by-hand", 1)}
    assert told["trials"] == 2


def test_looks_at_the_held_out_sessions_count_against_the_version(app: App):
    version = app.registry().version(MODEL, 2)
    for reason in ("", "again", "and again"):
        hypotheses.take_look(app, version, actor="me", reason=reason)

    told = {check.name: check.figure for check in PlatformAPI(app).judge_version(MODEL, 2)}

    assert told["trials"] == version.metrics["trials"] + 2


def test_without_prices_of_what_followed_nothing_is_compared_and_nothing_refused(app: App):
    first, second = by_hand(app), by_hand(app, -1.0)
    with app.store().write() as con:
        con.execute("DELETE FROM prices_raw")

    assert daily_rank_ic(app, app.registry().load_reference(first), horizon_of(app, first)).empty
    assert compare(app, second, first.version) is None
    told = {check.name: check.verdict for check in PlatformAPI(app).judge_version("by-hand", second.version)}
    assert told["net return a year"] == "not measured"
