"""What else could have come out: intervals by the block bootstrap, overfitting by cross-validation (pure)."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hrp.errors import DataError

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

DRAWS = 2000
SPLIT_BLOCKS = 12


def block_length(count: int, horizon: int) -> int:
    """Observations in a block: four horizons, that overlap stays inside, or the cube root of `count` if that is more.

    Never more than half of `count`. A horizon of 1 does not overlap.
    """
    overlap = 4 * horizon if horizon > 1 else 1
    return max(1, min(max(overlap, round(math.cbrt(count))), count // 2))


def mean_interval(
    values: Vector, block: int, *, seed: int, level: float = 0.95, draws: int = DRAWS
) -> tuple[float, float]:
    """Lower and upper end of the interval that holds the mean of a dependent series with probability `level`.

    A normal interval with the standard error of a circular block bootstrap (Politis and Romano 1992): whole blocks of
    `block` neighbours, the end joined to the beginning. Percentiles would need a hundred thousand draws for the levels
    that many trials ask for. NaN for an empty series.

    Args:
        values: one finite number an observation, in time order.
        seed: equal seeds, equal interval.
    """
    n = len(values)
    if n == 0:
        return float("nan"), float("nan")
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values[: block - 1]]))])
    block_means = (sums[block:] - sums[:-block]) / block
    starts = np.random.default_rng(seed).integers(0, n, size=(draws, -(-n // block)))
    mean = float(values.mean())
    reach = NormalDist().inv_cdf((1 + level) / 2) * float(block_means[starts].mean(axis=1).std())
    return mean - reach, mean + reach


def overfitting_probability(performance: Matrix, blocks: int = SPLIT_BLOCKS) -> tuple[float, float]:
    """How often the trial chosen in sample is at or below the median out of sample, and how often it loses there.

    Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and Zhu 2017): of `blocks` equal spans
    of time every half is in sample once, the other half out of sample; performance is the Sharpe ratio.

    Args:
        performance: [observation × trial], finite, in time order; what does not fill the last block is left out.

    Raises:
        DataError: fewer than two trials, or fewer than two observations a block.
    """
    rows, trials = performance.shape
    size = rows // blocks
    if trials < 2 or size < 2 or blocks % 2:
        raise DataError(
            f"the probability of overfitting needs 2 trials, an even number of blocks and 2 observations in each, got "
            f"{trials} trials and {rows} observations for {blocks} blocks; search more, over more sessions"
        )
    parts = performance[: size * blocks].reshape(blocks, size, trials)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    inside = np.zeros((len(halves), blocks))
    np.put_along_axis(inside, halves, 1.0, axis=1)
    count = size * blocks // 2
    in_sample = _sharpes(inside @ sums, inside @ squares, count)
    outside = 1.0 - inside
    out_of_sample = _sharpes(outside @ sums, outside @ squares, count)
    chosen = np.take_along_axis(out_of_sample, in_sample.argmax(axis=1)[:, None], axis=1)
    # Ties count half: trials that are copies of one another stand at the median.
    rank = ((out_of_sample < chosen).sum(axis=1) + (out_of_sample == chosen).sum(axis=1) / 2 + 0.5) / (trials + 1)
    return float((rank <= 0.5).mean()), float((chosen <= 0).mean())


def _sharpes(sums: Matrix, squares: Matrix, count: int) -> Matrix:
    mean = sums / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 1e-12)
