from __future__ import annotations

import pandas as pd
import pytest

from hrp.domain.drift import DriftFamily, DriftVerdict
from hrp.errors import DataError
from hrp.monitoring.concept import concept_checks

from .panels import independent


@pytest.fixture
def predictions() -> pd.DataFrame:
    return independent(seed=5, first=0, count=41, columns=("prediction",))


def came(predictions: pd.DataFrame, skill: float) -> pd.DataFrame:
    """Returns that follow the predictions with weight `skill`; those of the newest session are not known yet."""
    noise = independent(seed=6, first=0, count=41, columns=("return",))
    noise["return"] = skill * predictions["prediction"] + noise["return"]
    return noise[noise["session"] < noise["session"].max()]


def test_predictions_that_still_rank_are_ok(predictions):
    [check] = concept_checks(predictions, came(predictions, skill=0.5), expected_ic=0.3)

    assert (check.family, check.column, check.verdict) == (DriftFamily.CONCEPT, "prediction", DriftVerdict.OK)
    assert "over 40 sessions, +0.3000 expected" in check.detail


def test_predictions_that_rank_the_wrong_way_round_alarm_without_an_expectation(predictions):
    [check] = concept_checks(predictions, came(predictions, skill=-0.5))

    assert check.verdict is DriftVerdict.DRIFT


def test_a_model_that_lost_its_skill_alarms_and_one_without_expectation_does_not(predictions):
    returns = came(predictions, skill=0)

    assert concept_checks(predictions, returns, expected_ic=0.3)[0].verdict is DriftVerdict.DRIFT
    assert concept_checks(predictions, returns)[0].verdict is DriftVerdict.OK


def test_the_shortfall_is_worked_out_from_the_ranks():
    sessions = sorted(independent(seed=1, first=0, count=3)["session"].unique())
    keys = [(session, symbol) for session in sessions for symbol in ("TRUE", "NA", "NAN", "INF", "ON")]
    frame = pd.DataFrame(keys, columns=["session", "symbol"])
    predictions = frame.assign(prediction=[1.0, 2, 3, 4, 5] * 3)
    returns = frame.assign(**{"return": [1.0, 2, 3, 4, 5, 5, 4, 3, 2, 1, 2, 1, 4, 3, 5]})

    [check] = concept_checks(predictions, returns.iloc[:10], min_sessions=2, expected_ic=0.5)

    # Rank correlations 1 and -1: mean 0, standard deviation sqrt(2), error sqrt(2) / sqrt(2) = 1.
    assert check.value == pytest.approx(0.5)
    assert check.detail == "mean rank IC +0.0000 over 2 sessions, +0.5000 expected, error 1.0000"


def test_identical_sessions_are_not_taken_for_certainty():
    frame = independent(seed=1, first=0, count=3, columns=("prediction",))
    frame["prediction"] = frame.groupby("session").cumcount().astype(float)

    [check] = concept_checks(frame, frame.rename(columns={"prediction": "return"}), min_sessions=2, expected_ic=0.0)

    # 20 names: the error is at least 1 / sqrt(19) / sqrt(3), so a perfect ranking is sqrt(19 * 3) errors above.
    assert check.value == pytest.approx(-((19 * 3) ** 0.5))


def test_returns_over_several_sessions_count_for_fewer(predictions):
    [one] = concept_checks(predictions, came(predictions, skill=-0.5))
    [four] = concept_checks(predictions, came(predictions, skill=-0.5), horizon_sessions=4)

    assert one.value == pytest.approx(2 * four.value)


def test_nothing_is_said_about_a_version_that_is_too_young(predictions):
    young = predictions[predictions["session"].isin(sorted(predictions["session"].unique())[:20])]

    assert concept_checks(young, came(predictions, skill=-0.5)) == []
    assert concept_checks(predictions.head(0), came(predictions, skill=0)) == []


@pytest.mark.parametrize("lost", [0, 19])
def test_returns_that_should_be_there_and_are_not_could_not_be_checked(predictions, lost):
    returns = came(predictions, skill=0.5)
    returns = returns[returns["session"].isin(sorted(returns["session"].unique())[:lost])]

    [check] = concept_checks(predictions, returns)

    assert (check.verdict, check.value) == (DriftVerdict.COULD_NOT_CHECK, None)
    assert check.detail == f"{lost} of 40 sessions can be ranked against returns, 20 are needed"


def test_constant_predictions_rank_nothing_and_could_not_be_checked(predictions):
    [check] = concept_checks(predictions.assign(prediction=0.01), came(predictions, skill=0))

    assert check.verdict is DriftVerdict.COULD_NOT_CHECK


def test_rows_are_joined_by_key_and_never_by_place(predictions):
    returns = came(predictions, skill=0.5)

    shuffled = returns.sample(frac=1, random_state=3)

    assert concept_checks(predictions, shuffled) == concept_checks(predictions, returns)


def test_a_session_is_the_same_as_a_date_and_as_a_timestamp(predictions):
    returns = came(predictions, skill=0.5)

    stamped = returns.assign(session=pd.to_datetime(returns["session"]))

    assert concept_checks(predictions, stamped) == concept_checks(predictions, returns)


def test_a_key_that_stands_there_twice_is_refused(predictions):
    with pytest.raises(DataError, match="frame of realised returns holds 800 keys twice"):
        returns = came(predictions, skill=0)
        concept_checks(predictions, pd.concat([returns, returns]))
