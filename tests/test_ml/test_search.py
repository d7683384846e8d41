"""Searches over made markets: what is noise is refused with its figures, what is planted passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import ExtraTreeRegressor

from hrp.domain.overfitting import judge_statistics
from hrp.errors import DataError, UsageError
from hrp.ml.features import CORE, Panel
from hrp.ml.search import search
from hrp.ml.training import train
from hrp.ml.trials import Search

from .test_training import noise_market, reverting_market

ALPHAS = {"ridge__alpha": [0.1, 10.0, 1000.0, 100000.0]}
TREES = {"random_state": range(200)}


def tree(seed: int) -> ExtraTreeRegressor:
    return ExtraTreeRegressor(max_depth=3, random_state=seed)


def asked(panel: Panel, **changes: Any) -> dict[str, Any]:
    """The arguments that a search and the training of its best trial share."""
    return {"feature_set": CORE, "through": panel.sessions[-1].date(), "horizon": 1, "folds": 2} | changes


@pytest.fixture(scope="module")
def noise() -> Panel:
    return noise_market(0, sessions=400, symbols=12)


@pytest.fixture(scope="module")
def edge() -> Panel:
    return reverting_market(3, sessions=500, symbols=12)


@pytest.fixture(scope="module")
def found(edge: Panel) -> Search:
    return search(edge, ALPHAS, **asked(edge))


def test_noise_that_was_tried_two_hundred_times_is_refused_in_figures(noise):
    arguments = asked(noise, build=tree, folds=1)
    tried = search(noise, TREES, **arguments)

    metrics = train(noise, model_name="noise", found=tried, **arguments).metrics
    reasons = judge_statistics(metrics)

    assert metrics["sharpe_oos"] > 1.5  # it looks like an edge
    assert metrics["trials"] == 200
    assert metrics["rank_ic_low"] < 0 < metrics["rank_ic_high"]
    assert metrics["deflated_sharpe"] < 0.8
    assert metrics["pbo"] > 0.3
    assert [reason.partition(":")[0] for reason in reasons] == ["IC_NOT_PROVEN", "SHARPE_DEFLATED", "OVERFITTED"]
    assert f"{metrics['deflated_sharpe']:.3f} is the probability of skill after 200 trials" in reasons[1]


def test_a_planted_edge_passes(edge, found):
    metrics = train(edge, model_name="edge", found=found, **asked(edge)).metrics

    assert judge_statistics(metrics) == []
    assert metrics["deflated_sharpe"] > 0.99
    assert metrics["rank_ic_low"] > 0.1


def test_a_search_tells_of_every_trial(edge, found):
    table = found.table()

    assert [trial.params for trial in found.trials] == [{"ridge__alpha": alpha} for alpha in ALPHAS["ridge__alpha"]]
    assert table["number"].tolist() == [1, 2, 3, 4]
    assert table["ridge__alpha"].tolist() == ["0.1", "10.0", "1000.0", "100000.0"]
    assert table["sharpe"].max() == found.best.sharpe
    assert set(table["seed"]) == {7}
    assert found.tried["trials"] == 4
    assert found.tried["trials_sharpe_variance"] == pytest.approx(table["sharpe"].var())


def test_the_model_that_is_trained_is_the_best_trial_with_its_figures(edge, found):
    model = train(edge, model_name="edge", found=found, **asked(edge))

    assert model.estimator.get_params()["ridge__alpha"] == found.best.params["ridge__alpha"]
    assert model.metrics["sharpe_per_observation"] == pytest.approx(found.best.sharpe)
    assert model.metrics["mean_rank_ic"] == pytest.approx(found.best.mean_rank_ic)
    assert model.trials is not None
    pd.testing.assert_frame_equal(model.trials, found.table())


def test_combinatorial_splits_judge_every_session(edge):
    by_walk = search(edge, ALPHAS, **asked(edge, folds=5))
    by_choice = search(edge, ALPHAS, test_folds=2, **asked(edge, folds=5))

    assert len(by_choice.spreads) > len(by_walk.spreads)
    assert by_choice.spreads.index.is_unique
    assert by_choice.spreads.index.is_monotonic_increasing
    assert by_choice.best.mean_rank_ic > 0.1


def test_a_draw_repeats_nothing_and_is_a_function_of_the_seed(edge):
    space = {"ridge__alpha": np.geomspace(1, 1e4, 12).tolist(), "ridge__fit_intercept": [True, False]}

    def drawn(seed: int) -> list[dict[str, Any]]:
        return [trial.params for trial in search(edge, space, draws=5, seed=seed, **asked(edge, folds=1)).trials]

    first = drawn(1)

    assert drawn(1) == first
    assert drawn(2) != first
    assert len({tuple(sorted(params.items())) for params in first}) == 5
    assert all(params["ridge__alpha"] in space["ridge__alpha"] for params in first)


def test_more_draws_than_there_are_try_all(edge):
    assert len(search(edge, ALPHAS, draws=99, **asked(edge, folds=1)).trials) == 4


@pytest.mark.parametrize(
    ("space", "draws", "message"),
    [
        ({}, None, "at least one parameter"),
        ({"ridge__alpha": []}, None, "at least one value"),
        ({"ridge__depth": [1]}, None, "no parameter 'ridge__depth'; it has .*ridge__alpha"),
        (ALPHAS, 0, "at least 1 draw"),
    ],
)
def test_a_search_for_nothing_is_refused(edge, space, draws, message):
    with pytest.raises(UsageError, match=message):
        search(edge, space, draws=draws, **asked(edge))


def test_one_trial_is_no_choice(edge):
    single = search(edge, {"ridge__alpha": [1.0]}, **asked(edge, folds=1))

    assert single.tried == {"trials": 1.0}


def test_too_few_sessions_to_tell_luck_from_choice_are_refused(edge):
    short = Search(search(edge, ALPHAS, **asked(edge, folds=1)).trials, pd.DataFrame(np.zeros((20, 4))))

    with pytest.raises(DataError, match="20 observations for 12 blocks"):
        _ = short.tried
