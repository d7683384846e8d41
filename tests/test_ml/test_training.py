from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hrp.errors import DataError, StaleDataError
from hrp.ml.dataset import data_sha256
from hrp.ml.features import CORE, Feature, FeatureSet, NaNPolicy, Panel, compute
from hrp.ml.labels import KINDS, label_named
from hrp.ml.training import fitted, train

from .conftest import long_bars


def small(panel: Panel, **changes):
    arguments = {"model_name": "alpha", "feature_set": CORE, "through": panel.sessions[-1].date(), "folds": 3}
    return train(panel, **(arguments | changes))


def random_walk(seed: int, sessions: int = 700, symbols: int = 20) -> pd.DataFrame:
    steps = np.random.default_rng(seed).normal(0, 0.02, (sessions, symbols))
    days = pd.bdate_range("2020-01-01", periods=sessions)
    return pd.DataFrame(50 * np.exp(steps.cumsum(axis=0)), index=days, columns=[f"S{i:02}" for i in range(symbols)])


def noise_market(seed: int, **size: int) -> Panel:
    return Panel.from_bars(long_bars(random_walk(seed, **size)))


def reverting_market(seed: int, **size: int) -> Panel:
    """A market in which every return takes back 30 % of the one before."""
    steps = np.log(random_walk(seed, **size)).diff().fillna(0.0)
    for row in range(1, len(steps)):
        steps.iloc[row] -= 0.3 * steps.iloc[row - 1]
    return Panel.from_bars(long_bars(50 * np.exp(steps.cumsum())))


def forest(seed: int) -> object:
    return make_pipeline(
        SimpleImputer(keep_empty_features=True), ExtraTreesRegressor(3, max_depth=4, random_state=seed)
    )


def sha256(estimator: object) -> str:
    return hashlib.sha256(pickle.dumps(estimator)).hexdigest()


def test_training_twice_gives_the_same_bytes_and_numbers(bars, panel, trained):
    shuffled = Panel.from_bars(bars.sample(frac=1.0, random_state=3))
    again = small(shuffled, calibrate=lambda _: dict(trained.thresholds))

    assert sha256(again.estimator) == sha256(trained.estimator)
    assert again.metrics == trained.metrics
    assert again.params == trained.params
    pd.testing.assert_frame_equal(again.reference, trained.reference, check_exact=True)
    pd.testing.assert_frame_equal(again.sample, trained.sample, check_exact=True)


def test_a_model_with_chance_in_it_is_a_function_of_its_seed(panel):
    one, same, other = (small(panel, build=forest, seed=seed) for seed in (1, 1, 2))

    assert (sha256(one.estimator), one.metrics) == (sha256(same.estimator), same.metrics)
    assert sha256(one.estimator) != sha256(other.estimator)


def test_a_run_records_what_it_was_made_of(panel, trained):
    through = panel.sessions[-60].date()

    assert trained.params["data_sha256"] == data_sha256(panel)
    assert small(panel, through=through).params["data_sha256"] == data_sha256(panel.through(through))
    assert trained.params["label"] == "forward_return_5"


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_can_be_fitted_on_any_label_and_is_judged_on_what_positions_earn(kind, panel):
    model = small(panel, label=kind, horizon=3)

    assert model.params["label"] == f"{kind}_3"
    assert abs(model.metrics["top_minus_bottom"]) < 0.05  # a return, whatever the unit of the label
    assert model.reference["session"].max() == panel.sessions[-1 - label_named(kind, 3).reach]


def test_a_label_that_looks_ahead_is_not_trained_on(panel, monkeypatch):
    planted = replace(label_named("forward_return", 5), target=lambda _, earned: earned.shift(-1))
    monkeypatch.setattr("hrp.ml.labels.KINDS", {"planted": planted})

    with pytest.raises(DataError, match="reads beyond the 5 sessions"):
        small(panel, label="planted")


@pytest.mark.parametrize("build", [LinearRegression, lambda: make_pipeline(StandardScaler(), LinearRegression())])
def test_an_estimator_that_takes_weights_gets_those_of_the_rows(build):
    rows = pd.DataFrame({"x": [0.0, 0.0, 1.0], "label": [0.0, 3.0, 5.0], "weight": [2.0, 1.0, 1.0]})

    assert fitted(build(), rows, ["x"]).predict(rows[["x"]]).tolist() == pytest.approx([1.0, 1.0, 5.0])


def test_an_estimator_without_weights_is_fitted_without():
    rows = pd.DataFrame({"x": [0.0, 0.0, 1.0], "label": [0.0, 3.0, 5.0], "weight": [2.0, 1.0, 1.0]})

    assert fitted(KNeighborsRegressor(2), rows, ["x"]).predict(rows[["x"]])[0] == 1.5


def test_what_comes_after_the_session_changes_nothing(bars, panel):
    through = panel.sessions[-60].date()
    later = bars.copy()
    later.loc[later["session"] > pd.Timestamp(through), ["open", "high", "low", "close"]] *= 3.0

    a, b = small(panel, through=through), small(Panel.from_bars(later), through=through)

    assert a.metrics == b.metrics
    pd.testing.assert_frame_equal(a.sample, b.sample, check_exact=True)
    assert a.trained_through == through


def test_no_label_matures_after_the_session(panel):
    through = panel.sessions[-1]

    reference = small(panel, horizon=7).reference

    assert reference["session"].max() == panel.sessions[-8]
    assert reference["session"].max() < through


def test_the_reference_is_the_out_of_sample_history_of_two_years_at_most(panel, trained):
    keys = trained.reference.set_index(["session", "symbol"]).index

    assert list(trained.reference.columns) == ["session", "symbol", *CORE.names, "prediction"]
    assert keys.is_unique
    assert trained.reference["session"].nunique() <= 504
    features = compute(CORE, panel).loc[keys]
    pd.testing.assert_frame_equal(trained.reference.set_index(["session", "symbol"])[list(CORE.names)], features)


def test_the_sample_is_what_the_final_model_predicts(trained):
    predicted = trained.estimator.predict(trained.sample[list(CORE.names)])

    assert len(trained.sample) == 200
    np.testing.assert_allclose(predicted, trained.sample["prediction"], rtol=0, atol=1e-12)


def test_thresholds_come_from_whoever_calibrates_on_the_reference(panel):
    def calibrate(reference):
        return {"prediction": float(reference["prediction"].std())}

    model = small(panel, calibrate=calibrate)

    assert model.thresholds == {"prediction": model.reference["prediction"].std()}
    assert small(panel).thresholds == {}


def test_the_first_session_to_fit_on_can_be_named(panel):
    first = panel.sessions[300].date()

    assert small(panel, first=first).params["first"] == first.isoformat()


def test_a_signal_that_is_there_is_found_and_one_that_is_not_is_not():
    signal = small(reverting_market(3), horizon=1).metrics
    noise = small(noise_market(3), horizon=1).metrics

    assert signal["mean_rank_ic"] > 0.1
    assert signal["rank_ic_tstat"] > 5
    assert signal["top_minus_bottom"] > 0
    assert signal["hit_rate"] > 0.53
    assert abs(noise["rank_ic_tstat"]) < 3


def test_a_feature_that_is_the_label_would_show_so_the_walk_forward_is_wired_right():
    def tomorrow(close):
        ahead = np.full_like(close, np.nan)
        ahead[:-5] = close[5:] / close[:-5] - 1
        return ahead

    cheat = FeatureSet("cheat", (Feature("tomorrow", ("close",), 1, tomorrow, NaNPolicy.ENDPOINTS, "planted", "none"),))

    metrics = small(Panel.from_bars(long_bars(random_walk(4, 200))), feature_set=cheat).metrics

    assert metrics["mean_rank_ic"] == pytest.approx(1.0)


def test_prices_that_end_too_early_are_refused_with_the_command(panel):
    newest = panel.sessions[-1].date()
    wanted = newest + timedelta(days=1)

    with pytest.raises(StaleDataError, match=rf"newest are of {newest}; run: hrp run prices --session {wanted}"):
        small(panel, through=wanted)


def test_too_short_a_history_is_refused_with_its_length(panel):
    with pytest.raises(DataError, match=r"looks back 253 sessions and the panel has 3"):
        small(panel.through(panel.sessions[2].date()), through=panel.sessions[2].date())
    with pytest.raises(DataError, match="too few for 100 walk-forward folds"):
        small(panel, folds=100)
