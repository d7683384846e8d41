from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kurtosis, skew, spearmanr

from hrp.domain.overfitting import deflated_again
from hrp.ml.scoring import hit_rate, overlap_tstat, rank_ic, score, sharpe, top_minus_bottom

DAYS = pd.bdate_range("2024-01-01", periods=60)


def keyed(values: np.ndarray) -> pd.Series:
    index = pd.MultiIndex.from_product([DAYS[: len(values)], list("ABCDEFGHIJ")[: values.shape[1]]])
    return pd.Series(values.ravel(), index=index.set_names(["session", "symbol"]))


def test_rank_ic_is_spearmans_correlation_of_each_session():
    rng = np.random.default_rng(1)
    predictions, labels = rng.normal(size=(3, 8)), rng.normal(size=(3, 8)).round(0)

    daily = rank_ic(keyed(predictions), keyed(labels))

    assert daily.tolist() == pytest.approx(
        [spearmanr(p, y).statistic for p, y in zip(predictions, labels, strict=True)]
    )


def test_a_session_of_equal_predictions_has_no_rank_ic():
    daily = rank_ic(keyed(np.array([[1.0, 1.0], [1.0, 2.0]])), keyed(np.array([[1.0, 2.0], [1.0, 2.0]])))

    assert daily.to_dict() == {DAYS[1]: pytest.approx(1.0)}


def test_the_t_statistic_counts_overlapping_labels_once():
    fresh = pd.Series(np.random.default_rng(2).normal(0.1, 1.0, 400))
    overlapping = fresh.rolling(5).mean().dropna()

    plain = overlapping.mean() / (overlapping.std() / np.sqrt(len(overlapping)))
    alone = fresh.mean() / (fresh.std() / np.sqrt(len(fresh)))

    assert overlap_tstat(fresh, 1) == pytest.approx(alone, rel=0.01)
    assert overlap_tstat(overlapping, 5) < 0.6 * plain
    assert math.isnan(overlap_tstat(pd.Series([1.0, 1.0]), 1))
    assert math.isnan(overlap_tstat(pd.Series([1.0]), 1))


def test_hit_rate_counts_the_right_side_of_the_mean():
    predictions = keyed(np.array([[101.0, 102.0, 103.0, 106.0]]))  # mean 103

    assert hit_rate(predictions, keyed(np.array([[-1.0, 1.0, 0.0, 1.0]]))) == 0.75


def test_the_spread_is_the_best_fifth_less_the_worst():
    labels = keyed(np.array([[9.0, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -3.0, -4.0]]))
    three = keyed(np.array([[1.0, 2.0, 3.0]]))

    assert top_minus_bottom(keyed(-np.arange(10.0)[None]), labels).tolist() == pytest.approx([8.5 + 3.5])
    assert top_minus_bottom(three, three).tolist() == pytest.approx([2.0])


def test_a_sharpe_ratio_knows_its_shape_and_counts_overlapping_returns_once():
    returns = np.random.default_rng(3).gamma(2.0, 0.01, 500) - 0.015

    measured = sharpe(returns, horizon=5)

    assert measured.ratio == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert measured.observations == 100
    assert measured.skew == pytest.approx(skew(returns), rel=0.01)
    assert measured.kurtosis == pytest.approx(kurtosis(returns, fisher=False), rel=0.01)
    assert math.isnan(sharpe(np.ones(10), 1).ratio)


def test_overlap_changes_the_certainty_of_a_sharpe_ratio_as_independent_returns_would():
    # The spread of ratios over many overlapping series is that of ratios of a fifth as many independent returns.
    rng = np.random.default_rng(4)
    ratios = [sharpe(np.convolve(rng.normal(size=1004), np.ones(5), "valid"), 5).ratio for _ in range(400)]

    assert np.std(ratios) == pytest.approx(1 / math.sqrt(200), rel=0.1)


def half_right() -> pd.DataFrame:
    """Five names in four sessions, two of a fold that is all right and two of one that is all wrong."""
    values = np.tile(np.arange(5.0), (4, 1))
    earned = values.copy()
    earned[2:] *= -1
    return pd.DataFrame({"prediction": keyed(values), "earned": keyed(earned)}).assign(fold=[1] * 10 + [2] * 10)


def test_a_score_states_the_whole_and_each_fold():
    metrics = score(half_right(), horizon=1)

    assert metrics["rank_ic_fold_1"] == pytest.approx(1.0)
    assert metrics["rank_ic_fold_2"] == pytest.approx(-1.0)
    assert metrics["mean_rank_ic"] == pytest.approx(0.0)
    assert (metrics["oos_sessions"], metrics["oos_rows"]) == (4, 20)
    assert metrics["top_minus_bottom"] == metrics["sharpe_oos"] == 0.0
    assert metrics["rank_ic_low"] < 0 < metrics["rank_ic_high"]


def test_a_score_is_deflated_by_the_trials_that_it_was_chosen_from():
    frame = half_right().assign(earned=lambda rows: rows["earned"] + 0.7 * rows["prediction"])

    alone = score(frame, horizon=1)
    chosen = score(frame, horizon=1, tried={"trials": 50.0, "trials_sharpe_variance": 0.1, "pbo": 0.4})

    assert alone["trials"] == 1
    assert chosen["deflated_sharpe"] < alone["deflated_sharpe"]
    assert chosen["rank_ic_low"] < alone["rank_ic_low"] < alone["rank_ic_high"] < chosen["rank_ic_high"]
    assert chosen["deflated_sharpe"] == deflated_again(chosen)
    assert (chosen["trials"], chosen["pbo"]) == (50, 0.4)
