"""The words that formulas are made of: functions of [session × symbol] matrices that return one of the same shape.

A row of the result depends on its window alone, `window` sessions that end with the row's own, to the last bit. It is
missing if any of them is; `lag` and `change` read one or two sessions and ignore what lies between.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from hrp.ml.features.panel import Matrix


@cache
def _kernels() -> ModuleType:
    # numba takes a third of a second to import, and most commands compute no feature.
    from hrp.ml.features import kernels

    return kernels


def _dense(x: Matrix) -> Matrix:
    # One layout for all, because a kernel is compiled anew for every other one.
    return np.require(x, np.float64, ["C", "W"])


def lag(x: Matrix, sessions: int) -> Matrix:
    """The value of `sessions` sessions before."""
    out = np.empty_like(x)
    out[:sessions] = np.nan
    out[sessions:] = x[: max(len(x) - sessions, 0)]
    return out


def change(x: Matrix, sessions: int) -> Matrix:
    """Relative change since `sessions` sessions before."""
    return x / lag(x, sessions) - 1.0


def total(x: Matrix, window: int) -> Matrix:
    """Sum."""
    out: Matrix = _kernels().total(_dense(x), window)
    return out


def mean(x: Matrix, window: int) -> Matrix:
    """Arithmetic mean."""
    return total(x, window) / window


def highest(x: Matrix, window: int) -> Matrix:
    """Maximum."""
    out: Matrix = _kernels().highest(_dense(x), window)
    return out


def lowest(x: Matrix, window: int) -> Matrix:
    """Minimum."""
    return -highest(-x, window)


def age_of_highest(x: Matrix, window: int) -> Matrix:
    """Sessions since the maximum, 0 to `window - 1`; of equal ones the oldest."""
    out: Matrix = _kernels().age_of_highest(_dense(x), window)
    return out


def age_of_lowest(x: Matrix, window: int) -> Matrix:
    """Sessions since the minimum, 0 to `window - 1`; of equal ones the oldest."""
    return age_of_highest(-x, window)


def deviation(x: Matrix, window: int) -> Matrix:
    """Sample standard deviation (one degree of freedom lost)."""
    return np.sqrt(_comoment(x, x, window) / (window - 1))


def correlation(x: Matrix, y: Matrix, window: int) -> Matrix:
    """Pearson's; missing if either never changes."""
    return _comoment(x, y, window) / np.sqrt(_comoment(x, x, window) * _comoment(y, y, window))


def beta(x: Matrix, y: Matrix, window: int) -> Matrix:
    """Slope of the least-squares line of x on y; missing if y never changes."""
    return _comoment(x, y, window) / _comoment(y, y, window)


def slope(x: Matrix, window: int) -> Matrix:
    """Change per session along the least-squares line through the window."""
    return _trend(x, window) / _time_variation(window)


def fit(x: Matrix, window: int) -> Matrix:
    """R² of the least-squares line through the window, 0 to 1; missing if x never changes."""
    along = _trend(x, window)
    return along * along / (_comoment(x, x, window) * _time_variation(window))


def residual(x: Matrix, window: int) -> Matrix:
    """The newest value less that of the least-squares line through the window."""
    return x - mean(x, window) - slope(x, window) * ((window - 1) / 2.0)


def quantile(x: Matrix, window: int, share: float) -> Matrix:
    """The value below which `share` of the window lies, interpolated linearly."""
    out: Matrix = _kernels().quantile(_dense(x), window, share)
    return out


def rank(x: Matrix, window: int) -> Matrix:
    """Rank of the newest value in its window over `window`, in (0, 1], ties averaged."""
    out: Matrix = _kernels().rank(_dense(x), window)
    return out / window


def weighted_mean(x: Matrix, weights: Matrix) -> Matrix:
    """Mean with the weights of each age, newest first; their sum does not matter."""
    out: Matrix = _kernels().weighted(_dense(x), weights / weights.sum())
    return x + out


def exponential_mean(x: Matrix, span: int, window: int) -> Matrix:
    """Exponential moving average with smoothing 2 / (span + 1), cut off after `window` sessions."""
    return weighted_mean(x, np.power(1.0 - 2.0 / (span + 1.0), np.arange(float(window))))


def when(condition: NDArray[np.bool_], known: Matrix) -> Matrix:
    """1 where the condition holds, else 0; missing where `known` is."""
    return np.where(np.isnan(known), np.nan, condition)


def section_mean(x: Matrix) -> Matrix:
    """Mean of the session's names that have a value, as a column [session × 1]; the others are left out."""
    out: Matrix = _kernels().section_mean(_dense(x))
    return out


def section_rank(x: Matrix) -> Matrix:
    """Rank among the names of the session over their number, in (0, 1], ties averaged; missing where x is."""
    finite = np.where(np.isfinite(x), x, np.nan)
    out: Matrix = _kernels().section_rank(finite, np.argsort(finite, axis=1))
    return out


def section_score(x: Matrix) -> Matrix:
    """Distance from the mean of the session's names in their standard deviations; missing where x is."""
    apart = x - section_mean(x)
    return apart / np.sqrt(section_mean(apart * apart))


def store(values: Matrix, present: NDArray[np.bool_], starts: NDArray[np.int64], column: Matrix) -> None:
    """Write the present values of each row into `column` from its start on; what is not finite becomes missing."""
    _kernels().store(_dense(values), present, starts, column)


def _comoment(x: Matrix, y: Matrix, window: int) -> Matrix:
    out: Matrix = _kernels().comoment(_dense(x), _dense(y), window)
    return out


def _trend(x: Matrix, window: int) -> Matrix:
    out: Matrix = _kernels().trend(_dense(x), window)
    return out


def _time_variation(window: int) -> float:
    return window * (window * window - 1) / 12.0
