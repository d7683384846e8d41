from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from hrp.domain.deployment import ModelVersion
from hrp.errors import DataError, FeatureMismatchError, ModelError, RequirementNotMetError
from hrp.ml.features import CORE, compute
from hrp.ml.inference import predict, require_coverage, too_incomplete
from hrp.ports import LoadedModel

SESSION = date(2026, 2, 6)


@pytest.fixture
def loaded(trained) -> LoadedModel:
    stated = ModelVersion("alpha", 3, "run", "0" * 64, "core", trained.features, trained.trained_through)
    return LoadedModel(stated, trained.estimator, trained.reference)


@pytest.fixture
def tonight(panel) -> pd.DataFrame:
    return compute(CORE, panel, last_only=True).droplevel("session")


def test_predictions_follow_the_symbol_and_the_name_of_the_feature_never_the_place(loaded, tonight):
    mixed = tonight.sample(frac=1, random_state=1)[list(reversed(CORE.names))].assign(further="column")

    expected = pd.Series(loaded.estimator.predict(tonight), index=tonight.index)

    predictions = predict(loaded, mixed)
    assert predictions.name == "prediction"
    assert predictions.index.tolist() == sorted(tonight.index)
    np.testing.assert_allclose(predictions, expected[predictions.index], rtol=1e-12)


def test_a_name_that_lacks_features_leaves_and_the_others_keep_their_predictions(loaded, tonight):
    whole = predict(loaded, tonight)
    holes = tonight.copy()
    holes.iloc[3, :8] = np.nan
    holes.iloc[4, :7] = np.nan

    predictions = predict(loaded, holes)

    absent = tonight.index[3]
    assert set(whole.index) - set(predictions.index) == {absent}
    untouched = predictions.index.difference([tonight.index[4]])
    np.testing.assert_allclose(predictions[untouched], whole[untouched], rtol=1e-12)
    assert too_incomplete(loaded, holes) == {absent: "8 of 14 features missing, at most 50% may be"}


def test_no_usable_name_gives_no_prediction(loaded, tonight):
    assert predict(loaded, tonight.iloc[:0]).empty
    assert predict(loaded, tonight * np.nan).empty


def test_a_missing_feature_is_named_with_the_command_that_computes_it(loaded, tonight):
    with pytest.raises(
        FeatureMismatchError,
        match=r"alpha v3 .* 14 features of the set core; 2 are not offered for session 2026-02-06: rsi_14, beta_126; "
        r"run: hrp run features --session 2026-02-06",
    ):
        predict(loaded, tonight.drop(columns=["rsi_14", "beta_126"]), SESSION)


def test_a_repeated_symbol_an_infinite_feature_and_a_symbol_that_is_no_text_are_errors(loaded, tonight):
    with pytest.raises(DataError, match="hold AAPL more than once"):
        predict(loaded, pd.concat([tonight, tonight.loc[["AAPL"]]]))
    with pytest.raises(DataError, match="features of AMD are infinite"):
        predict(loaded, tonight.assign(rsi_14=tonight["rsi_14"].where(tonight.index != "AMD", np.inf)))
    with pytest.raises(DataError, match="symbols of text, they hold True"):
        predict(loaded, tonight.set_axis([True, *tonight.index[1:]], axis="index"))


def test_a_prediction_that_is_no_number_is_an_error(loaded, tonight):
    class Broken:
        def predict(self, rows):
            return np.where(rows.index == "AMD", np.nan, 0.0)

    with pytest.raises(ModelError, match="alpha v3 predicts no finite number for AMD for session 2026-02-06"):
        predict(replace(loaded, estimator=Broken()), tonight, SESSION)


def test_coverage_counts_by_key_and_says_what_is_missing():
    universe = [f"S{i:03}" for i in range(480)]
    predicted = pd.Series(0.0, index=[*universe[:431], *[f"X{i}" for i in range(49)]])

    with pytest.raises(
        RequirementNotMetError,
        match=r"session 2026-02-06 cover 431 of 480 symbols \(89\.8%\), 95% is required; "
        r"without one: S431, .* and 44 more; run: hrp run features --session 2026-02-06",
    ):
        require_coverage(predicted, universe, 0.95, session=SESSION)
    require_coverage(predicted, universe, 0.89, session=SESSION)


def test_an_empty_universe_is_not_covered():
    with pytest.raises(RequirementNotMetError, match=r"0 of 0 symbols"):
        require_coverage([], [], 0.95, session=SESSION)
