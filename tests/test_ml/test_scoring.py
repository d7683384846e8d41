from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from hrp.ml.scoring import hit_rate, overlap_tstat, rank_ic, score, top_minus_bottom

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

    assert top_minus_bottom(keyed(-np.arange(10.0)[None]), labels) == pytest.approx(8.5 + 3.5)
    assert top_minus_bottom(three, three) == pytest.approx(2.0)


def test_a_score_states_the_whole_and_each_fold():
    values = np.tile(np.arange(5.0), (4, 1))
    labels = values.copy()
    labels[2:] *= -1
    frame = pd.DataFrame({"prediction": keyed(values), "label": keyed(labels)}).assign(fold=[1] * 10 + [2] * 10)

    metrics = score(frame, horizon=1)

    assert metrics["rank_ic_fold_1"] == pytest.approx(1.0)
    assert metrics["rank_ic_fold_2"] == pytest.approx(-1.0)
    assert metrics["mean_rank_ic"] == pytest.approx(0.0)
    assert (metrics["oos_sessions"], metrics["oos_rows"]) == (4, 20)
