from __future__ import annotations

from math import inf, nan
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import wasserstein_distance

from hrp.domain.drift import DriftCheck, DriftFamily, DriftVerdict, worst
from hrp.errors import DataError
from hrp.monitoring.drift import EvidentlyDetector, calibrate
from hrp.ports import DriftDetector

from .panels import independent, persistent

OK, DRIFT, COULD_NOT_CHECK = DriftVerdict.OK, DriftVerdict.DRIFT, DriftVerdict.COULD_NOT_CHECK
LIMITS = {"momentum": 0.2, "prediction": 0.2}


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    return independent(seed=1, first=0, count=252)


@pytest.fixture
def current() -> pd.DataFrame:
    return independent(seed=2, first=252, count=63)


def distance(checks: list[DriftCheck], column: str) -> DriftCheck:
    [check] = [check for check in checks if check.column == column and check.method == "wasserstein"]
    return check


def measure(current: pd.DataFrame, reference: pd.DataFrame, limits: dict[str, float] = LIMITS) -> list[DriftCheck]:
    detector: DriftDetector = EvidentlyDetector()
    return detector.measure(current, reference, limits)


def test_a_window_like_the_reference_is_ok_in_every_check(current, reference):
    checks = measure(current, reference)

    assert worst([check.verdict for check in checks]) is OK
    assert all(check.value is not None and 0 <= check.value <= check.threshold for check in checks)


def test_each_threshold_gets_one_distance_and_its_family(current, reference):
    checks = measure(current, reference)

    assert distance(checks, "momentum").family is DriftFamily.FEATURE
    assert distance(checks, "prediction").family is DriftFamily.PREDICTION
    assert {check.family for check in checks if check.method != "wasserstein"} == {DriftFamily.DATA}


@pytest.mark.parametrize("sigmas", [0.5, 50.0, 1e9])
def test_the_distance_of_a_shift_is_the_shift_in_standard_deviations(current, reference, sigmas):
    current["momentum"] += sigmas

    check = distance(measure(current, reference), "momentum")

    assert check.verdict is DRIFT
    assert check.value == pytest.approx(sigmas, rel=0.02, abs=0.1)


def test_a_shift_of_tiny_predictions_is_not_shrunk(current, reference):
    reference = reference.assign(prediction=reference["prediction"] * 1e-5)
    current["prediction"] = current["prediction"] * 1e-5 + 5e-5

    check = distance(measure(current, reference), "prediction")

    assert check.value == pytest.approx(5, abs=0.1)


def test_one_absurd_value_does_not_hide_a_shift(current, reference):
    current["momentum"] += 2
    current.loc[0, "momentum"] = 1e6

    assert distance(measure(current, reference), "momentum").verdict is DRIFT


def test_one_bad_session_among_63_alarms(current, reference):
    newest = current["session"] == current["session"].max()
    current.loc[newest, "momentum"] += 50

    checks = measure(current, reference)

    assert distance(checks, "momentum").verdict is DRIFT
    assert [c.method for c in checks if c.family is DriftFamily.DATA and c.verdict is DRIFT] == ["outside_share_newest"]


def test_a_shift_in_one_column_leaves_the_other_ok(current, reference):
    current["momentum"] += 3

    assert distance(measure(current, reference), "prediction").verdict is OK


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda frame: frame.drop(columns="momentum"), "has no column momentum"),
        (lambda frame: frame.assign(momentum=nan), "0 finite values in 1260 rows, 100 are needed"),
        (lambda frame: frame.assign(momentum=inf), "0 finite values in 1260 rows"),
        (lambda frame: frame.head(99), "99 finite values in 99 rows, 100 are needed"),
        (lambda frame: frame.head(0), "0 finite values in 0 rows"),
        (lambda frame: frame.assign(momentum="0.5"), "in column momentum, not numbers"),
    ],
)
def test_a_column_that_cannot_be_compared_is_could_not_check_and_says_why(current, reference, spoil, said):
    check = distance(measure(spoil(current), reference), "momentum")

    assert (check.verdict, check.value) == (COULD_NOT_CHECK, None)
    assert said in check.detail


def test_a_reference_that_cannot_serve_is_could_not_check(current, reference):
    constant = distance(measure(current, reference.assign(momentum=0.1)), "momentum")
    absent = distance(measure(current, reference.drop(columns="momentum")), "momentum")

    assert (constant.verdict, constant.detail) == (COULD_NOT_CHECK, "the reference is constant at 0.1")
    assert (absent.verdict, absent.detail) == (COULD_NOT_CHECK, "the reference has no column momentum")


def test_what_evidently_refuses_is_could_not_check_with_its_words(current, reference):
    checks = EvidentlyDetector(min_rows=0).measure(current.head(0), reference, LIMITS)

    assert [check.verdict for check in checks] == [COULD_NOT_CHECK, COULD_NOT_CHECK]
    assert checks[0].detail == "Evidently refused: Distribution can't be empty."


def test_numbers_that_overflow_are_could_not_check(current, reference):
    small = reference.assign(momentum=reference["momentum"] * 1e-5)

    check = distance(measure(current.assign(momentum=1.7e308), small), "momentum")

    assert check.verdict is COULD_NOT_CHECK


@pytest.mark.parametrize("limit", [nan, inf, 0.0, -0.2])
def test_a_threshold_that_is_no_positive_number_never_passes(current, reference, limit):
    check = distance(measure(current, reference, {"momentum": limit}), "momentum")

    assert check.verdict is COULD_NOT_CHECK


def test_no_thresholds_means_no_checks_which_the_report_calls_could_not_check(current, reference):
    assert measure(current, reference, {}) == []
    assert worst([]) is COULD_NOT_CHECK


def test_a_long_reference_is_thinned_without_changing_the_distance(current):
    long = pd.concat(
        [independent(seed, 0, 252).assign(symbol=lambda f, s=seed: f["symbol"] + str(s)) for seed in range(9)]
    )

    check = distance(measure(current.assign(momentum=current["momentum"] + 1), long), "momentum")

    exact = wasserstein_distance(long["momentum"], current["momentum"] + 1) / long["momentum"].std(ddof=0)
    assert len(long) == 45_360
    assert check.value == pytest.approx(exact, rel=0.001)


def test_windows_of_the_own_history_never_alarm_with_the_calibrated_thresholds():
    history = persistent(seed=3, count=300, columns=("momentum", "prediction"))
    limits = calibrate(history, ["momentum", "prediction"])
    sessions = sorted(history["session"].unique())

    for start in range(0, 300 - 63, 40):
        window = history[history["session"].isin(sessions[start : start + 63])]
        verdicts = {c.verdict for c in measure(window, history, limits) if c.method == "wasserstein"}
        assert verdicts == {OK}


def test_independent_rows_calibrate_to_the_documented_floor(reference):
    assert calibrate(reference, ["momentum", "prediction"]) == {"momentum": 0.2, "prediction": 0.2}


def test_the_calibrated_threshold_is_the_margin_times_the_farthest_window():
    reference = independent(seed=4, first=0, count=126)
    late = reference["session"] >= sorted(reference["session"].unique())[63]
    reference.loc[late, "momentum"] += 10
    spread = reference["momentum"].std(ddof=0)

    limits = calibrate(reference, ["momentum"], step_sessions=63, margin=2.0)

    # Two halves ten apart: each lies 10 from the other, in units of the whole's spread.
    assert limits["momentum"] == pytest.approx(2.0 * 10 / spread, rel=0.02)


def test_later_windows_of_slow_columns_seldom_alarm_and_a_large_shift_still_does():
    columns = tuple("abcd")
    alarms = shifted = nights = 0
    for seed in range(5):
        panel = persistent(seed, 504 + 126, columns)
        sessions = sorted(panel["session"].unique())
        history = panel[panel["session"] < sessions[504]]
        limits = calibrate(history, columns, step_sessions=21)
        for start in (504, 567):
            window = panel[panel["session"].isin(sessions[start : start + 63])]
            alarms += DRIFT in {c.verdict for c in measure(window, history, limits)}
            shifted += distance(measure(window.assign(a=window["a"] + 5), history, limits), "a").verdict is DRIFT
            nights += 1

    assert alarms <= 1
    assert shifted == nights == 10


def test_a_history_shorter_than_two_windows_is_refused():
    with pytest.raises(DataError, match="covers 125 sessions and thresholds for windows of 63 sessions need 126"):
        calibrate(independent(seed=1, first=0, count=125), ["momentum"])
    with pytest.raises(DataError, match="covers 0 sessions"):
        calibrate(independent(seed=1, first=0, count=125).head(0), ["momentum"])


def test_a_column_that_cannot_be_given_a_threshold_is_named(reference):
    with pytest.raises(DataError, match="no drift threshold for momentum: the reference is constant at 1"):
        calibrate(reference.assign(momentum=1.0), ["momentum"])
    early = reference["session"] < sorted(reference["session"].unique())[6]
    with pytest.raises(DataError, match="no window of the reference has 100 finite values"):
        calibrate(reference.assign(momentum=reference["momentum"].where(early)), ["momentum"])


def test_the_page_is_written_whole_without_a_word(tmp_path: Path, current, reference, capfd):
    path = tmp_path / "reports" / "drift.html"

    assert EvidentlyDetector().write_report(current, reference, path) == path

    text = path.read_text()
    assert "momentum" in text and "Wasserstein distance (normed)" in text
    assert list(path.parent.iterdir()) == [path]
    assert capfd.readouterr() == ("", "")


def test_a_page_without_a_column_is_refused(tmp_path: Path, current, reference):
    with pytest.raises(DataError, match=r"nothing to draw .* momentum: the current window has 0 finite values"):
        EvidentlyDetector().write_report(current.head(0), reference, tmp_path / "drift.html")
    assert list(tmp_path.iterdir()) == []
