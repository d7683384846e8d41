"""The 158 features of Qlib's Alpha158, by its published expressions and under its names.

Two things are decided here. A window is whole or the feature is missing, where Qlib starts with whatever there is.
VWAP0 needs a volume-weighted average price, which daily bars do not carry: the typical price stands in for it, the
mean of high, low and close.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from hrp.ml.features.definition import Feature, FeatureSet, NaNPolicy
from hrp.ml.features.operations import (
    age_of_highest,
    age_of_lowest,
    correlation,
    deviation,
    fit,
    highest,
    lag,
    lowest,
    mean,
    quantile,
    rank,
    residual,
    slope,
    total,
    when,
)
from hrp.ml.features.panel import Matrix

WINDOWS = (5, 10, 20, 30, 60)
SOURCE = "Qlib, Alpha158 (Yang, Liu, Zhou, Bian and Liu 2020)"
TINY = 1e-12


def _up(x: Matrix) -> Matrix:
    return np.maximum(x - lag(x, 1), 0.0)


def _down(x: Matrix) -> Matrix:
    return np.maximum(lag(x, 1) - x, 0.0)


def _moved(x: Matrix, d: int) -> Matrix:
    return total(np.abs(x - lag(x, 1)), d) + TINY


def _gain(x: Matrix, d: int) -> Matrix:
    return total(_up(x), d) / _moved(x, d)


def _loss(x: Matrix, d: int) -> Matrix:
    return total(_down(x), d) / _moved(x, d)


def _net(x: Matrix, d: int) -> Matrix:
    return (total(_up(x), d) - total(_down(x), d)) / _moved(x, d)


def _rises(close: Matrix, d: int) -> Matrix:
    move = close - lag(close, 1)
    return mean(when(move > 0, move), d)


def _falls(close: Matrix, d: int) -> Matrix:
    move = close - lag(close, 1)
    return mean(when(move < 0, move), d)


def _activity(close: Matrix, volume: Matrix) -> Matrix:
    return np.abs(close / lag(close, 1) - 1.0) * volume


def _volume_spread(close: Matrix, volume: Matrix, d: int) -> Matrix:
    active = _activity(close, volume)
    return deviation(active, d) / (mean(active, d) + TINY)


def _position(close: Matrix, high: Matrix, low: Matrix, d: int) -> Matrix:
    bottom = lowest(low, d)
    return (close - bottom) / (highest(high, d) - bottom + TINY)


def _corr(close: Matrix, volume: Matrix, d: int) -> Matrix:
    return correlation(close, np.log(volume + 1.0), d)


def _cord(close: Matrix, volume: Matrix, d: int) -> Matrix:
    return correlation(close / lag(close, 1), np.log(volume / lag(volume, 1) + 1.0), d)


_C, _V, _HL, _CV = ("close",), ("volume",), ("high", "low"), ("close", "volume")
_OHLC = ("open", "high", "low", "close")

# fmt: off
# name, inputs, formula, what it says
_BAR: tuple[tuple[str, tuple[str, ...], Callable[..., Matrix], str], ...] = (
    ("KMID", ("close", "open"), lambda c, o: (c - o) / o, "body of the candle over the open"),
    ("KLEN", ("high", "low", "open"), lambda h, lo, o: (h - lo) / o, "range over the open"),
    ("KMID2", _OHLC, lambda o, h, lo, c: (c - o) / (h - lo + TINY), "body over the range"),
    ("KUP", ("high", "open", "close"), lambda h, o, c: (h - np.maximum(o, c)) / o, "upper shadow over the open"),
    ("KUP2", _OHLC, lambda o, h, lo, c: (h - np.maximum(o, c)) / (h - lo + TINY), "upper shadow over the range"),
    ("KLOW", ("low", "open", "close"), lambda lo, o, c: (np.minimum(o, c) - lo) / o, "lower shadow over the open"),
    ("KLOW2", _OHLC, lambda o, h, lo, c: (np.minimum(o, c) - lo) / (h - lo + TINY), "lower shadow over the range"),
    ("KSFT", _OHLC, lambda o, h, lo, c: (2 * c - h - lo) / o, "close against the middle of the range, over the open"),
    ("KSFT2", _OHLC, lambda o, h, lo, c: (2 * c - h - lo) / (h - lo + TINY), "the same over the range"),
    ("OPEN0", ("open", "close"), lambda o, c: o / c, "open over close"),
    ("HIGH0", ("high", "close"), lambda h, c: h / c, "high over close"),
    ("LOW0", ("low", "close"), lambda lo, c: lo / c, "low over close"),
    ("VWAP0", ("high", "low", "close"), lambda h, lo, c: (h + lo + c) / 3.0 / c,
     "average price over close; the typical price (high + low + close) / 3 stands in for the average"),
)

# name, inputs, sessions read before the window, formula, what it says
_ROLLING: tuple[tuple[str, tuple[str, ...], int, Callable[..., Matrix], str], ...] = (
    ("ROC", _C, 1, lambda c, d: lag(c, d) / c, "close before the window over close"),
    ("MA", _C, 0, lambda c, d: mean(c, d) / c, "mean close over close"),
    ("STD", _C, 0, lambda c, d: deviation(c, d) / c, "standard deviation of closes over close"),
    ("BETA", _C, 0, lambda c, d: slope(c, d) / c, "slope of closes a session, over close"),
    ("RSQR", _C, 0, lambda c, d: fit(c, d), "R² of the line through the closes"),
    ("RESI", _C, 0, lambda c, d: residual(c, d) / c, "close above the line through the closes, over close"),
    ("MAX", ("high", "close"), 0, lambda h, c, d: highest(h, d) / c, "highest high over close"),
    ("MIN", ("low", "close"), 0, lambda lo, c, d: lowest(lo, d) / c, "lowest low over close"),
    ("QTLU", _C, 0, lambda c, d: quantile(c, d, 0.8) / c, "80 % quantile of closes over close"),
    ("QTLD", _C, 0, lambda c, d: quantile(c, d, 0.2) / c, "20 % quantile of closes over close"),
    ("RANK", _C, 0, lambda c, d: rank(c, d), "rank of the close in its window, in (0, 1]"),
    ("RSV", ("close", "high", "low"), 0, _position, "close between lowest low and highest high, 0 to 1"),
    ("IMAX", ("high",), 0, lambda h, d: (d - age_of_highest(h, d)) / d, "place of the highest high, 1 for today"),
    ("IMIN", ("low",), 0, lambda lo, d: (d - age_of_lowest(lo, d)) / d, "place of the lowest low, 1 for today"),
    ("IMXD", _HL, 0, lambda h, lo, d: (age_of_lowest(lo, d) - age_of_highest(h, d)) / d,
     "place of the highest high less that of the lowest low"),
    ("CORR", _CV, 0, _corr, "correlation of close and log volume"),
    ("CORD", _CV, 1, _cord, "correlation of the changes of close and of log volume"),
    ("CNTP", _C, 1, _rises, "share of sessions that rose"),
    ("CNTN", _C, 1, _falls, "share of sessions that fell"),
    ("CNTD", _C, 1, lambda c, d: _rises(c, d) - _falls(c, d), "share that rose less share that fell"),
    ("SUMP", _C, 1, _gain, "gains over gains and losses"),
    ("SUMN", _C, 1, _loss, "losses over gains and losses"),
    ("SUMD", _C, 1, _net, "gains less losses, over both"),
    ("VMA", _V, 0, lambda v, d: mean(v, d) / (v + TINY), "mean volume over volume"),
    ("VSTD", _V, 0, lambda v, d: deviation(v, d) / (v + TINY), "standard deviation of volumes over volume"),
    ("WVMA", _CV, 1, _volume_spread, "spread of volume-weighted absolute returns over their mean"),
    ("VSUMP", _V, 1, _gain, "rises of volume over all its changes"),
    ("VSUMN", _V, 1, _loss, "falls of volume over all its changes"),
    ("VSUMD", _V, 1, _net, "rises less falls of volume, over all its changes"),
)
# fmt: on


def _features() -> Iterator[Feature]:
    for name, inputs, formula, doc in _BAR:
        yield Feature(name, inputs, 1, formula, NaNPolicy.WINDOW, doc, SOURCE)
    for name, inputs, more, formula, doc in _ROLLING:
        policy = NaNPolicy.ENDPOINTS if name == "ROC" else NaNPolicy.WINDOW
        for d in WINDOWS:
            yield Feature(f"{name}{d}", inputs, d + more, partial(formula, d=d), policy, f"{doc}; {d} sessions", SOURCE)


ALPHA158 = FeatureSet("alpha158", tuple(_features()))
