"""How good predictions were, session by session (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.domain.overfitting import (
    DEFLATED_SHARPE,
    KURTOSIS,
    OBSERVATIONS,
    RANK_IC_HIGH,
    RANK_IC_LOW,
    SHARPE,
    SKEW,
    TRIALS,
    Sharpe,
    deflated_again,
)
from hrp.domain.resampling import block_length, mean_interval
from hrp.domain.sessions import SESSIONS_A_YEAR

SPREAD_PCT = 0.2
CONFIDENCE = 0.95
ONE_TRIAL: Mapping[str, float] = {TRIALS: 1.0}


def rank_ic(predictions: pd.Series[float], labels: pd.Series[float]) -> pd.Series[float]:
    """Spearman correlation of prediction and label in each session, index session.

    Both are finite and come with the same index (session, symbol). Sessions in which either is constant have none and
    are left out.
    """
    sections = _Sections.of(predictions.index)
    p, y = (_centred_ranks(sections.dense(values)) for values in (predictions, labels))
    covariance, product = (p * y).sum(axis=1), (p * p).sum(axis=1) * (y * y).sum(axis=1)
    moving = product > 0
    return pd.Series(covariance[moving] / np.sqrt(product[moving]), index=sections.sessions[moving])


def overlap_tstat(daily: pd.Series[float], horizon: int) -> float:
    """t-statistic of the mean of `daily`, whose neighbours share `horizon - 1` sessions of their labels.

    Newey-West with `horizon - 1` lags, so that a label over five sessions does not count as five. NaN if there are
    fewer than two values or they do not vary.
    """
    x = daily.to_numpy() - daily.mean()
    n = len(x)
    lags = range(1, min(horizon, n))
    variance = (x @ x + 2 * sum((1 - k / horizon) * (x[k:] @ x[:-k]) for k in lags)) / n if n > 1 else 0.0
    return float(daily.mean() / np.sqrt(variance / n)) if variance > 0 else float("nan")


def hit_rate(predictions: pd.Series[float], labels: pd.Series[float]) -> float:
    """Share of rows predicted on the right side of the mean of their session (labels are already demeaned)."""
    side = predictions - predictions.groupby(level="session").transform("mean")
    return float((np.sign(side) == np.sign(labels)).mean())


def top_minus_bottom(predictions: pd.Series[float], labels: pd.Series[float]) -> pd.Series[float]:
    """Mean label of the best-predicted fifth less that of the worst in each session, a fraction per horizon."""
    sections = _Sections.of(predictions.index)
    place = pd.DataFrame(sections.dense(predictions)).rank(axis="columns", method="first").to_numpy()
    outcome = sections.dense(labels)
    size = np.isfinite(place).sum(axis=1, keepdims=True)
    count = np.maximum(np.floor(size * SPREAD_PCT + 1e-9), 1)
    top = np.where(place > size - count, outcome, 0.0).sum(axis=1, keepdims=True)
    bottom = np.where(place <= count, outcome, 0.0).sum(axis=1, keepdims=True)
    return pd.Series(((top - bottom) / count).ravel(), index=sections.sessions)


@dataclass(frozen=True, slots=True, eq=False)
class _Sections:
    """Where each row of a long frame stands in a dense matrix with one row a session, in whatever columns."""

    sessions: pd.DatetimeIndex
    rows: NDArray[Any]
    columns: NDArray[Any]

    @classmethod
    def of(cls, index: pd.Index) -> Self:
        """The places of an index (session, symbol)."""
        rows, sessions = pd.factorize(index.get_level_values("session"), sort=True)
        columns = pd.Series(rows).groupby(rows).cumcount().to_numpy(np.int64)
        return cls(pd.DatetimeIndex(sessions, name="session"), rows, columns)

    def dense(self, values: pd.Series[float]) -> NDArray[np.float64]:
        """The values of a session in each row, in their order; NaN beyond the last."""
        matrix = np.full((len(self.sessions), int(self.columns.max(initial=-1)) + 1), np.nan)
        matrix[self.rows, self.columns] = values
        return matrix


def _centred_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    ranks: NDArray[np.float64] = pd.DataFrame(values).rank(axis="columns").to_numpy()
    centred: NDArray[np.float64] = np.nan_to_num(ranks - np.nanmean(ranks, axis=1, keepdims=True))
    return centred


def sharpe(returns: NDArray[np.float64], horizon: int) -> Sharpe:
    """The Sharpe ratio of returns over `horizon` sessions that begin in each session, for one horizon.

    They overlap, so only every `horizon`-th counts as an observation. NaN if the returns do not vary.
    """
    centred = returns - returns.mean() if len(returns) else returns
    deviation = math.sqrt(centred @ centred / max(len(returns) - 1, 1))
    if deviation <= 1e-12:
        return Sharpe(math.nan, len(returns) / horizon)
    z = centred / deviation
    return Sharpe(float(returns.mean() / deviation), len(returns) / horizon, float((z**3).mean()), float((z**4).mean()))


def score(
    scored: pd.DataFrame, horizon: int, *, tried: Mapping[str, float] = ONE_TRIAL, seed: int = 7
) -> dict[str, float]:
    """The walk-forward metrics of a frame with the columns prediction, earned and fold, index (session, symbol).

    Args:
        horizon: sessions that each position is held.
        tried: what is known of the trials that this model was chosen from: `trials`, their count, and from a search
            also `trials_sharpe_variance`, `pbo` and `pbo_loss`. It becomes part of the metrics.
        seed: feeds the bootstrap.

    Returns:
        mean_rank_ic: mean of the daily rank correlations of prediction and return, in [-1, 1].
        rank_ic_tstat: its t-statistic, overlap taken into account.
        rank_ic_low, rank_ic_high: the interval that holds it with probability 95 %, by the block bootstrap; with that
            probability for all trials at once (Bonferroni), so the best of many has a wider one.
        hit_rate: see the function. top_minus_bottom: mean of the function of this name.
        sharpe_oos: annual Sharpe ratio of the best-predicted fifth against the worst, without costs.
        sharpe_per_observation, sharpe_observations, sharpe_skew, sharpe_kurtosis: what it is made of, one horizon
            being one observation.
        deflated_sharpe: probability that it is skill, after all trials.
        rank_ic_fold_1, ...: mean_rank_ic of each fold.
        oos_sessions, oos_rows: how much evidence there is.
    """
    predictions, earned = scored["prediction"], scored["earned"]
    daily = rank_ic(predictions, earned)
    spread = top_minus_bottom(predictions, earned)
    block, level = block_length(len(daily), horizon), 1 - (1 - CONFIDENCE) / tried[TRIALS]
    low, high = mean_interval(np.asarray(daily, np.float64), block, seed=seed, level=level)
    folds = scored.loc[:, "fold"].groupby(level="session").first().loc[daily.index]
    figures = {
        "mean_rank_ic": float(daily.mean()),
        "rank_ic_tstat": overlap_tstat(daily, horizon),
        RANK_IC_LOW: low,
        RANK_IC_HIGH: high,
        "hit_rate": hit_rate(predictions, earned),
        "top_minus_bottom": float(spread.mean()),
        **_sharpe_figures(sharpe(np.asarray(spread, np.float64), horizon), horizon),
        **tried,
        **{f"rank_ic_fold_{fold}": float(mean) for fold, mean in daily.groupby(folds).mean().items()},
        "oos_sessions": float(len(daily)),
        "oos_rows": float(len(scored)),
    }
    return figures | {DEFLATED_SHARPE: deflated_again(figures)}


def _sharpe_figures(measured: Sharpe, horizon: int) -> dict[str, float]:
    return {
        "sharpe_oos": measured.ratio * math.sqrt(SESSIONS_A_YEAR / horizon),
        SHARPE: measured.ratio,
        OBSERVATIONS: measured.observations,
        SKEW: measured.skew,
        KURTOSIS: measured.kurtosis,
    }
