"""How much of a result is luck: Sharpe ratios judged by their length, shape and the number of trials behind them.

Plain arithmetic over a version's metrics, so that whoever asks again, with more trials, can compute it anew. A Sharpe
ratio here is per observation (mean over standard deviation) unless a name says `annual`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

NORMAL = NormalDist()
EULER = 0.5772156649015329

RANK_IC_LOW, RANK_IC_HIGH = "rank_ic_low", "rank_ic_high"
DEFLATED_SHARPE, TRIALS, PBO, PBO_LOSS = "deflated_sharpe", "trials", "pbo", "pbo_loss"
SHARPE, SHARPE_VARIANCE = "sharpe_per_observation", "trials_sharpe_variance"
OBSERVATIONS, SKEW, KURTOSIS = "sharpe_observations", "sharpe_skew", "sharpe_kurtosis"


@dataclass(frozen=True, slots=True)
class Sharpe:
    """A measured Sharpe ratio per observation, with what its error depends on.

    `observations` counts independent ones and need not be whole; `kurtosis` is 3 for a normal distribution.
    """

    ratio: float
    observations: float
    skew: float = 0.0
    kurtosis: float = 3.0

    @property
    def variance(self) -> float:
        """The variance of one observation's share in the error of `ratio` (Mertens 2002); 1 for a normal ratio of 0."""
        return 1.0 - self.skew * self.ratio + (self.kurtosis - 1.0) / 4.0 * self.ratio**2


def probabilistic_sharpe(measured: Sharpe, benchmark: float = 0.0) -> float:
    """Probability, in [0, 1], that the true ratio exceeds `benchmark` (Bailey and López de Prado 2012, eq. 11).

    NaN with fewer than two observations or without a finite ratio.
    """
    if not (measured.observations > 1 and measured.variance > 0):
        return math.nan
    error = math.sqrt(measured.variance / (measured.observations - 1))
    return NORMAL.cdf((measured.ratio - benchmark) / error)


def expected_best_sharpe(trials: float, variance: float) -> float:
    """The best ratio to expect of `trials` independent trials without any skill, whose ratios have this `variance`.

    Bailey and López de Prado (2014), eq. 1. One trial has nothing to choose from: 0.
    """
    if trials <= 1:
        return 0.0
    upper, further = NORMAL.inv_cdf(1 - 1 / trials), NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER) * upper + EULER * further)


def deflated_sharpe(measured: Sharpe, trials: float = 1, variance: float | None = None) -> float:
    """Probability, in [0, 1], that the best of `trials` has skill (Bailey and López de Prado 2014, eq. 2).

    Args:
        trials: how many were tried, this one included.
        variance: of the trials' ratios; None takes that of an estimate without skill, 1 / (observations - 1).
    """
    if variance is None:
        variance = 1 / (measured.observations - 1) if measured.observations > 1 else 0.0
    return probabilistic_sharpe(measured, expected_best_sharpe(trials, variance))


def least_track_record(measured: Sharpe, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Observations after which a ratio like this exceeds `benchmark` with `confidence`; infinite if it is not above.

    Bailey and López de Prado (2012), eq. 13.
    """
    if not measured.ratio > benchmark:
        return math.inf
    return 1 + measured.variance * (NORMAL.inv_cdf(confidence) / (measured.ratio - benchmark)) ** 2


def deflated_again(metrics: Mapping[str, float], looks: int = 0) -> float:
    """The deflated Sharpe ratio of a version's metrics if `looks` more trials are counted; NaN if they do not say."""
    measured = [metrics.get(name, math.nan) for name in (SHARPE, OBSERVATIONS, SKEW, KURTOSIS)]
    return deflated_sharpe(Sharpe(*measured), metrics.get(TRIALS, 1) + looks, metrics.get(SHARPE_VARIANCE))


@dataclass(frozen=True, slots=True)
class StatisticsPolicy:
    """What the figures must show.

    Args:
        min_rank_ic_low: the lower end of the interval of the mean rank IC must exceed it.
        min_deflated_sharpe: least probability of skill after all trials.
        max_pbo: highest probability of backtest overfitting, unless
        max_pbo_loss: the chosen trial loses out of sample no more often than this. Trials that are all equally good
            are ranked by luck, which is overfitting that costs nothing.
    """

    min_rank_ic_low: float = 0.0
    min_deflated_sharpe: float = 0.95
    max_pbo: float = 0.2
    max_pbo_loss: float = 0.05


def judge_statistics(metrics: Mapping[str, float], policy: StatisticsPolicy | None = None, looks: int = 0) -> list[str]:
    """Every reason (`CODE: figures`) to take a version's record for luck; none means that it passes.

    Args:
        metrics: as training records them: rank_ic_low, rank_ic_high, trials, the sharpe_ figures, and with more than
            one trial pbo and pbo_loss.
        looks: trials beyond those in `metrics`, such as looks at the held-out sessions.
    """
    bars = policy or StatisticsPolicy()
    needed = [RANK_IC_LOW, RANK_IC_HIGH, SHARPE, OBSERVATIONS, SKEW, KURTOSIS, TRIALS]
    needed += [SHARPE_VARIANCE, PBO] if metrics.get(TRIALS, 1) > 1 else []
    absent = [name for name in needed if not math.isfinite(metrics.get(name, math.nan))]
    if absent:
        return [f"NO_STATISTICS: the metrics lack {', '.join(absent)}; train it again: hrp train MODEL"]
    return [*_judge_ic(metrics, bars), *_judge_sharpe(metrics, bars, looks), *_judge_overfitting(metrics, bars)]


def _judge_ic(metrics: Mapping[str, float], bars: StatisticsPolicy) -> list[str]:
    low, high = metrics[RANK_IC_LOW], metrics[RANK_IC_HIGH]
    if low > bars.min_rank_ic_low:
        return []
    return [
        f"IC_NOT_PROVEN: mean rank IC lies between {low:.4f} and {high:.4f}, "
        f"all of it must be above {bars.min_rank_ic_low:g}"
    ]


def _judge_sharpe(metrics: Mapping[str, float], bars: StatisticsPolicy, looks: int) -> list[str]:
    found = deflated_again(metrics, looks)
    if found >= bars.min_deflated_sharpe:
        return []
    tried = _counted(metrics[TRIALS], "trial") + (f" and {_counted(looks, 'look')}" if looks else "")
    return [
        f"SHARPE_DEFLATED: {found:.3f} is the probability of skill after {tried}, "
        f"{bars.min_deflated_sharpe:g} is required"
    ]


def _counted(count: float, what: str) -> str:
    return f"{count:.0f} {what}" + ("" if count == 1 else "s")


def _judge_overfitting(metrics: Mapping[str, float], bars: StatisticsPolicy) -> list[str]:
    pbo, loss = metrics.get(PBO, 0.0), metrics.get(PBO_LOSS, 1.0)
    if pbo <= bars.max_pbo or loss <= bars.max_pbo_loss:
        return []
    return [
        f"OVERFITTED: the trial chosen in sample is below the median out of sample with probability {pbo:.3f}, at most "
        f"{bars.max_pbo:g} is allowed; it loses with {loss:.3f}"
    ]
