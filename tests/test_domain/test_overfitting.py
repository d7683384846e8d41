from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from hrp.domain.overfitting import (
    Sharpe,
    StatisticsPolicy,
    deflated_again,
    deflated_sharpe,
    expected_best_sharpe,
    judge_statistics,
    least_track_record,
    probabilistic_sharpe,
)

SKILLED = {
    "rank_ic_low": 0.01, "rank_ic_high": 0.05, "trials": 200.0, "trials_sharpe_variance": 0.001, "pbo": 0.02,
    "pbo_loss": 0.0, "sharpe_per_observation": 0.2, "sharpe_observations": 500.0, "sharpe_skew": 0.0,
    "sharpe_kurtosis": 3.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "expected"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_the_deflated_sharpe_ratio_is_that_of_the_published_example(trials, skew, kurtosis, expected):
    # Bailey and López de Prado (2014): an annual 2.5 over 1,250 days of 250 a year, the trials' annual variance 1/2
    measured = Sharpe(2.5 / math.sqrt(250), 1250, skew, kurtosis)

    assert deflated_sharpe(measured, trials, 0.5 / 250) == pytest.approx(expected, abs=5e-5)


def test_the_best_of_a_hundred_trials_is_that_of_the_published_example():
    assert expected_best_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


def test_the_best_of_many_trials_without_skill_is_expected_where_simulation_finds_it():
    best = np.random.default_rng(1).normal(0, 0.3, (4000, 200)).max(axis=1).mean()

    assert expected_best_sharpe(200, 0.3**2) == pytest.approx(best, rel=0.01)


@pytest.mark.parametrize(
    ("a_year", "skew", "kurtosis", "years"),
    [(250, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_the_least_track_record_is_that_of_the_published_examples(a_year, skew, kurtosis, years):
    # Bailey and López de Prado (2012): an annual 2 against an annual 1, with 95 % confidence
    root = math.sqrt(a_year)

    assert least_track_record(Sharpe(2 / root, 100, skew, kurtosis), 1 / root) / a_year == pytest.approx(
        years, abs=5e-3
    )


@given(
    ratio=st.floats(0.01, 0.5), skew=st.floats(-2, 1), kurtosis=st.floats(3, 12), confidence=st.floats(0.6, 0.99)
)  # fmt: skip
def test_the_least_track_record_is_the_length_at_which_the_probability_reaches_the_confidence(
    ratio, skew, kurtosis, confidence
):
    length = least_track_record(Sharpe(ratio, 2, skew, kurtosis), confidence=confidence)

    assert probabilistic_sharpe(Sharpe(ratio, length, skew, kurtosis)) == pytest.approx(confidence)


def test_a_ratio_that_does_not_exceed_the_benchmark_never_proves_itself():
    assert least_track_record(Sharpe(0.1, 100), benchmark=0.1) == math.inf


@given(ratio=st.floats(-0.5, 0.5), trials=st.integers(1, 500), more=st.integers(1, 500))
def test_more_trials_never_raise_the_deflated_sharpe_ratio(ratio, trials, more):
    measured = Sharpe(ratio, 250.0)

    assert deflated_sharpe(measured, trials + more) <= deflated_sharpe(measured, trials)


def test_without_skill_the_probability_is_uniform_and_with_it_near_one():
    rng = np.random.default_rng(2)

    def probabilities(mean: float) -> list[float]:
        returns = rng.standard_t(5, (500, 600)) + mean
        ratios = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
        return [probabilistic_sharpe(Sharpe(ratio, 600, 0.0, 9.0)) for ratio in ratios]

    assert kstest(probabilities(0.0), "uniform").pvalue > 0.01
    assert np.quantile(probabilities(0.3), 0.05) > 0.99


@pytest.mark.parametrize("measured", [Sharpe(0.1, 1), Sharpe(math.nan, 100)])
def test_too_few_observations_or_none_that_vary_give_no_probability(measured):
    assert math.isnan(probabilistic_sharpe(measured))


def test_a_record_of_skill_passes():
    assert judge_statistics(SKILLED) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"rank_ic_low": -0.002},
            "IC_NOT_PROVEN: mean rank IC lies between -0.0020 and 0.0500, all of it must be above 0",
        ),
        (
            {"sharpe_per_observation": 0.05},  # luck is √0.001 × (0.423 × 2.576 + 0.577 × 2.905) = 0.0875 of it
            "SHARPE_DEFLATED: 0.202 is the probability of skill after 200 trials, 0.95 is required",
        ),
        (
            {"pbo": 0.47, "pbo_loss": 0.44},
            "OVERFITTED: the trial chosen in sample is below the median out of sample with probability 0.470, at most "
            "0.2 is allowed; it loses with 0.440",
        ),
        (
            {"pbo": math.nan, "rank_ic_low": math.nan},
            "NO_STATISTICS: the metrics lack rank_ic_low, pbo; train it again: hrp train MODEL",
        ),
    ],
)  # fmt: skip
def test_each_figure_below_its_bar_is_a_reason(change, reason):
    assert judge_statistics(SKILLED | change) == [reason]


def test_equally_good_trials_are_not_overfitted_though_luck_ranks_them():
    assert judge_statistics(SKILLED | {"pbo": 0.6, "pbo_loss": 0.01}) == []


def test_a_single_trial_needs_nothing_that_only_a_search_can_tell():
    single = {name: value for name, value in SKILLED.items() if not name.startswith(("pbo", "trials"))}

    assert judge_statistics(single | {"trials": 1.0}) == []
    assert deflated_again(single | {"trials": 1.0}) == probabilistic_sharpe(Sharpe(0.2, 500))


def test_further_looks_count_as_trials():
    single = SKILLED | {"trials": 1.0, "sharpe_per_observation": 0.085}
    del single["trials_sharpe_variance"]

    assert judge_statistics(single) == []
    # luck is √(1/499) × (0.423 × 0.842 + 0.577 × 1.450) = 0.0534 of it
    assert judge_statistics(single, looks=4) == [
        "SHARPE_DEFLATED: 0.760 is the probability of skill after 1 trial and 4 looks, 0.95 is required"
    ]


def test_the_bars_are_the_policys():
    strict = StatisticsPolicy(min_rank_ic_low=0.02, min_deflated_sharpe=0.9999, max_pbo=0.01, max_pbo_loss=-1.0)

    codes = [reason.partition(":")[0] for reason in judge_statistics(SKILLED, strict)]

    assert codes == ["IC_NOT_PROVEN", "SHARPE_DEFLATED", "OVERFITTED"]
