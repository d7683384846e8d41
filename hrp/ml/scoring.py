"""How good predictions were, session by session (pure)."""

from __future__ import annotations

import numpy as np
import pandas as pd

SPREAD_PCT = 0.2


def rank_ic(predictions: pd.Series[float], labels: pd.Series[float]) -> pd.Series[float]:
    """Spearman correlation of prediction and label in each session, index session.

    Both come with the same index (session, symbol). Sessions in which either is constant have none and are left out.
    """
    ranks = pd.DataFrame({"p": predictions, "y": labels}).groupby(level="session").rank()
    ranks = ranks - ranks.groupby(level="session").transform("mean")
    sums = pd.DataFrame({"py": ranks.p * ranks.y, "pp": ranks.p**2, "yy": ranks.y**2}).groupby(level="session").sum()
    moving = sums[(sums.pp > 0) & (sums.yy > 0)]
    return moving.py / np.sqrt(moving.pp * moving.yy)


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


def top_minus_bottom(predictions: pd.Series[float], labels: pd.Series[float]) -> float:
    """Mean label of the best-predicted fifth less that of the worst, averaged over sessions; a fraction per horizon."""
    sections = predictions.groupby(level="session")
    place, size = sections.rank(method="first"), sections.transform("size")
    count = np.maximum(np.floor(size * SPREAD_PCT + 1e-9), 1)
    top = labels[place > size - count].groupby(level="session").mean()
    bottom = labels[place <= count].groupby(level="session").mean()
    return float((top - bottom).mean())


def score(scored: pd.DataFrame, horizon: int) -> dict[str, float]:
    """The walk-forward metrics of a frame with the columns prediction, label and fold, index (session, symbol).

    Returns:
        mean_rank_ic: mean of the daily rank correlations, in [-1, 1].
        rank_ic_tstat: its t-statistic, overlap taken into account.
        hit_rate, top_minus_bottom: see the functions of these names.
        rank_ic_fold_1, ...: mean_rank_ic of each fold.
        oos_sessions, oos_rows: how much evidence there is.
    """
    predictions, labels = scored["prediction"], scored["label"]
    daily = rank_ic(predictions, labels)
    folds = {
        f"rank_ic_fold_{fold}": float(rank_ic(part["prediction"], part["label"]).mean())
        for fold, part in scored.groupby("fold")
    }
    return {
        "mean_rank_ic": float(daily.mean()),
        "rank_ic_tstat": overlap_tstat(daily, horizon),
        "hit_rate": hit_rate(predictions, labels),
        "top_minus_bottom": top_minus_bottom(predictions, labels),
        **folds,
        "oos_sessions": float(len(daily)),
        "oos_rows": float(len(scored)),
    }
