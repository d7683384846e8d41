"""What a search has tried, and what that means for the one it chose."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hrp.domain.overfitting import PBO, PBO_LOSS, SHARPE_VARIANCE, TRIALS
from hrp.domain.resampling import overfitting_probability


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of parameters and how it did out of sample; `sharpe` is for one horizon, not annual."""

    number: int
    params: Mapping[str, Any]
    seed: int
    mean_rank_ic: float
    sharpe: float


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Every trial, and the spread of each in every session: [session × number], a fraction per horizon."""

    trials: tuple[Trial, ...]
    spreads: pd.DataFrame

    @property
    def best(self) -> Trial:
        """The trial with the highest Sharpe ratio, the first of equals."""
        return max(self.trials, key=lambda trial: trial.sharpe if math.isfinite(trial.sharpe) else -math.inf)

    @property
    def tried(self) -> dict[str, float]:
        """What the metrics of the chosen model must say of the others, as `hrp.domain.overfitting` reads it."""
        if len(self.trials) == 1:
            return {TRIALS: 1.0}
        pbo, loss = overfitting_probability(self.spreads.to_numpy())
        variance = float(np.var([trial.sharpe for trial in self.trials], ddof=1))
        return {TRIALS: float(len(self.trials)), SHARPE_VARIANCE: variance, PBO: pbo, PBO_LOSS: loss}

    def best_of(self, build: Callable[[int], Any]) -> Any:
        """The unfitted estimator of the best trial."""
        return build(self.best.seed).set_params(**self.best.params)

    def table(self) -> pd.DataFrame:
        """One row a trial: number, seed, mean_rank_ic, sharpe, and its parameters as text."""
        rows = [
            {"number": trial.number, "seed": trial.seed, "mean_rank_ic": trial.mean_rank_ic, "sharpe": trial.sharpe}
            | {name: str(value) for name, value in trial.params.items()}
            for trial in self.trials
        ]
        return pd.DataFrame(rows)
