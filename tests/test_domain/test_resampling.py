from __future__ import annotations

from itertools import combinations
from statistics import mean

import numpy as np
import pytest
from scipy.stats import bootstrap

from hrp.domain.resampling import block_length, mean_interval, overfitting_probability
from hrp.errors import DataError


def overlapping(rng: np.random.Generator, count: int, horizon: int) -> np.ndarray:
    """Moving sums over `horizon` sessions of noise around 0, as labels of neighbouring sessions are."""
    return np.convolve(rng.normal(size=count + horizon - 1), np.ones(horizon), "valid")


def test_blocks_of_one_are_the_ordinary_bootstrap():
    values = np.random.default_rng(1).normal(0.5, 1.0, 200)
    plain = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval

    assert mean_interval(values, 1, seed=3, draws=20_000) == pytest.approx((plain.low, plain.high), abs=0.01)


def test_the_interval_of_overlapping_values_holds_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(4)
    series = [overlapping(rng, 1000, 5) for _ in range(300)]

    def coverage(block: int) -> float:
        ends = [mean_interval(values, block, seed=5, draws=400) for values in series]
        return mean(low <= 0 <= high for low, high in ends)

    assert 0.90 <= coverage(block_length(1000, 5)) <= 0.98
    assert coverage(1) < 0.75  # what blocks are for


def test_an_interval_is_the_same_for_the_same_seed_and_wider_for_more_certainty():
    values = np.random.default_rng(6).normal(size=100)

    low, high = mean_interval(values, 5, seed=7)
    wider = mean_interval(values, 5, seed=7, level=0.99)

    assert (low, high) == mean_interval(values, 5, seed=7)
    assert wider[0] < low < values.mean() < high < wider[1]
    assert np.isnan(mean_interval(values[:0], 1, seed=7)).all()


@pytest.mark.parametrize(
    ("count", "horizon", "expected"), [(1000, 1, 10), (1000, 5, 20), (8000, 1, 20), (30, 21, 15), (1, 5, 1)]
)
def test_a_block_holds_the_overlap_and_at_most_half_of_the_series(count, horizon, expected):
    assert block_length(count, horizon) == expected


def test_the_probability_of_overfitting_is_that_of_its_definition():
    performance = np.random.default_rng(8).normal(0.05, 1.0, (61, 9))
    blocks = np.array_split(performance[:60], 6)
    below = losses = 0
    for chosen in combinations(range(6), 3):
        inside = np.concatenate([blocks[i] for i in chosen])
        outside = np.concatenate([blocks[i] for i in range(6) if i not in chosen])
        best = int(np.argmax(inside.mean(axis=0) / inside.std(axis=0)))
        ratios = outside.mean(axis=0) / outside.std(axis=0)
        rank = sorted(ratios).index(ratios[best]) + 1
        logit = np.log(rank / 10 / (1 - rank / 10))
        below += logit <= 0
        losses += ratios[best] <= 0

    assert overfitting_probability(performance, blocks=6) == (below / 20, losses / 20)


def test_noise_is_overfitted_half_of_the_time_and_an_edge_hardly_ever():
    rng = np.random.default_rng(9)
    noise = [overfitting_probability(rng.normal(size=(480, 50))) for _ in range(60)]
    edge = rng.normal(size=(480, 50))
    edge[:, 17] += 0.4

    assert mean(pbo for pbo, _ in noise) == pytest.approx(0.5, abs=0.06)
    assert mean(loss for _, loss in noise) == pytest.approx(0.5, abs=0.06)
    assert overfitting_probability(edge) == (0.0, 0.0)


def test_copies_of_one_good_trial_stand_at_the_median_and_lose_nothing():
    good = np.random.default_rng(10).normal(0.5, 1.0, (240, 1))

    assert overfitting_probability(np.repeat(good, 5, axis=1)) == (1.0, 0.0)


@pytest.mark.parametrize(("shape", "blocks"), [((240, 1), 12), ((23, 2), 12), ((240, 2), 3)])
def test_what_cannot_be_halved_and_ranked_is_refused(shape, blocks):
    with pytest.raises(DataError, match=rf"got {shape[1]} trials and {shape[0]} observations for {blocks} blocks"):
        overfitting_probability(np.zeros(shape), blocks)
