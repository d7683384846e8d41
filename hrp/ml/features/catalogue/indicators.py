"""Features that traders read off a chart of one name: volume, oscillators, trend.

Where the originals smooth with an unlimited memory, these take plain sums over a window, or cut the memory off.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from hrp.ml.features.catalogue.prices import true_range
from hrp.ml.features.core import rsi
from hrp.ml.features.definition import Feature, NaNPolicy
from hrp.ml.features.operations import (
    age_of_highest,
    age_of_lowest,
    change,
    correlation,
    deviation,
    exponential_mean,
    fit,
    highest,
    lag,
    lowest,
    mean,
    residual,
    slope,
    total,
)
from hrp.ml.features.panel import Matrix

_WINDOW = NaNPolicy.WINDOW
_C, _V, _CV, _HLC = ("close",), ("volume",), ("close", "volume"), ("high", "low", "close")
_HLCV = (*_HLC, "volume")


def typical(high: Matrix, low: Matrix, close: Matrix) -> Matrix:
    return (high + low + close) / 3.0


def illiquidity(close: Matrix, volume: Matrix) -> Matrix:
    """Mean absolute return per million dollars traded in 21 sessions; missing if one saw no trade (Amihud 2002)."""
    return mean(np.abs(change(close, 1)) / (close * volume / 1e6), 21)


def _signed_volume(close: Matrix, volume: Matrix, window: int) -> Matrix:
    return total(np.sign(close - lag(close, 1)) * volume, window) / total(volume, window)


def _money_flow_index(high: Matrix, low: Matrix, close: Matrix, volume: Matrix, window: int) -> Matrix:
    price = typical(high, low, close)
    move, flow = price - lag(price, 1), price * volume
    gains, losses = total(flow * (move > 0) + 0.0 * move, window), total(flow * (move < 0) + 0.0 * move, window)
    return 100.0 * gains / (gains + losses)


def _chaikin(high: Matrix, low: Matrix, close: Matrix, volume: Matrix, window: int) -> Matrix:
    location = np.where(high == low, 0.0, (2.0 * close - high - low) / (high - low))
    return total(location * volume, window) / total(volume, window)


def _average_price(high: Matrix, low: Matrix, close: Matrix, volume: Matrix, window: int) -> Matrix:
    return total(typical(high, low, close) * volume, window) / total(volume, window)


def _score(x: Matrix, window: int) -> Matrix:
    return (x - mean(x, window)) / deviation(x, window)


def _stochastic(high: Matrix, low: Matrix, close: Matrix, window: int) -> Matrix:
    bottom = lowest(low, window)
    return 100.0 * (close - bottom) / (highest(high, window) - bottom)


def _slow_stochastic(high: Matrix, low: Matrix, close: Matrix, window: int) -> Matrix:
    return mean(_stochastic(high, low, close, window), 3)


def _macd(close: Matrix) -> Matrix:
    return (exponential_mean(close, 12, 104) - exponential_mean(close, 26, 104)) / close


def _directional(high: Matrix, low: Matrix, close: Matrix, window: int) -> tuple[Matrix, Matrix]:
    up, down = high - lag(high, 1), lag(low, 1) - low
    none = 0.0 * (up + down)
    across = total(true_range(high, low, close), window)
    plus = total(np.where((up > down) & (up > 0), up, none), window)
    minus = total(np.where((down > up) & (down > 0), down, none), window)
    return plus / across, minus / across


def _direction(high: Matrix, low: Matrix, close: Matrix, window: int) -> Matrix:
    plus, minus = _directional(high, low, close, window)
    return plus - minus


def _directional_index(high: Matrix, low: Matrix, close: Matrix, window: int) -> Matrix:
    plus, minus = _directional(high, low, close, window)
    return 100.0 * mean(np.abs(plus - minus) / (plus + minus), window)


def _vortex(high: Matrix, low: Matrix, close: Matrix, window: int) -> Matrix:
    up, down = np.abs(high - lag(low, 1)), np.abs(low - lag(high, 1))
    return (total(up, window) - total(down, window)) / total(true_range(high, low, close), window)


# fmt: off
VOLUME = (
    Feature("dollar_volume_21", _CV, 21, lambda close, volume: np.log(mean(close * volume, 21)), _WINDOW,
            "log of the mean dollars traded in 21 sessions; none if nothing traded",
            "Brennan, Chordia and Subrahmanyam (1998)"),
    Feature("illiquidity_21", _CV, 22, illiquidity, _WINDOW,
            "mean absolute return per million dollars traded in 21 sessions; none if one saw no trade",
            "Amihud (2002)"),
    Feature("volume_score_63", _V, 63, lambda volume: _score(volume, 63), _WINDOW,
            "volume less its mean of 63 sessions, in their standard deviations",
            "Gervais, Kaniel and Mingelgrin (2001)"),
    Feature("volume_variation_63", _V, 63, lambda volume: deviation(volume, 63) / mean(volume, 63), _WINDOW,
            "standard deviation of 63 volumes over their mean", "Chordia, Subrahmanyam and Anshuman (2001)"),
    Feature("volume_trend_63", _V, 63, lambda volume: slope(volume, 63) / mean(volume, 63), _WINDOW,
            "slope of 63 volumes a session, over their mean", "Lee and Swaminathan (2000)"),
    Feature("signed_volume_21", _CV, 22, lambda close, volume: _signed_volume(close, volume, 21), _WINDOW,
            "volume of rises less that of falls, over that of 21 sessions", "Granville (1963), over a window"),
    Feature("return_volume_correlation_63", _CV, 64,
            lambda close, volume: correlation(change(close, 1), np.log(volume + 1.0), 63), _WINDOW,
            "correlation of 63 returns with log volume", "Karpoff (1987)"),
    Feature("money_flow_index_14", _HLCV, 15, partial(_money_flow_index, window=14), _WINDOW,
            "dollars of rises over those of rises and falls of the typical price, 0 to 100",
            "Quong and Soudack (1989)"),
    Feature("chaikin_money_flow_21", _HLCV, 21, partial(_chaikin, window=21), _WINDOW,
            "volume weighted by where in the range it closed, over volume, -1 to 1", "Chaikin (1982)"),
    Feature("average_price_distance_21", _HLCV, 21,
            lambda high, low, close, volume: close / _average_price(high, low, close, volume, 21) - 1.0, _WINDOW,
            "close over the volume-weighted typical price of 21 sessions, less 1",
            "Berkowitz, Logue and Noser (1988)"),
)

OSCILLATORS = (
    Feature("rsi_2", _C, 3, lambda close: rsi(close, 2), _WINDOW,
            "gains over gains and losses of 2 sessions, 0 to 100", "Connors and Alvarez (2009), plain sums"),
    Feature("stochastic_14", _HLC, 14, partial(_stochastic, window=14), _WINDOW,
            "close between lowest low and highest high of 14 sessions, 0 to 100", "Lane (1984)"),
    Feature("stochastic_slow_14_3", _HLC, 16, partial(_slow_stochastic, window=14), _WINDOW,
            "mean of the last three values of stochastic_14", "Lane (1984)"),
    Feature("aroon_25", ("high", "low"), 26,
            lambda high, low: (age_of_lowest(low, 26) - age_of_highest(high, 26)) / 25.0, _WINDOW,
            "sessions since the lowest low less those since the highest high, over 25; -1 to 1", "Chande (1995)"),
    Feature("bollinger_20", _C, 20, lambda close: _score(close, 20), _WINDOW,
            "close less its mean of 20 sessions, in their standard deviations", "Bollinger (2001)"),
    Feature("bollinger_width_20", _C, 20, lambda close: 4.0 * deviation(close, 20) / mean(close, 20), _WINDOW,
            "four standard deviations of 20 closes over their mean", "Bollinger (2001)"),
    Feature("macd_12_26", _C, 104, _macd, _WINDOW,
            "exponential means of spans 12 and 26, their difference over close; cut off after 104 sessions",
            "Appel (2005)"),
    Feature("macd_histogram_12_26_9", _C, 139, lambda close: _macd(close) - exponential_mean(_macd(close), 9, 36),
            _WINDOW, "macd_12_26 less its exponential mean of span 9, cut off after 36 sessions", "Appel (2005)"),
)

TREND = (
    Feature("mean_distance_200", _C, 200, lambda close: close / mean(close, 200) - 1.0, _WINDOW,
            "close over its mean of 200 sessions, less 1", "Brock, Lakonishok and LeBaron (1992)"),
    Feature("mean_cross_10_50", _C, 50, lambda close: mean(close, 10) / mean(close, 50) - 1.0, _WINDOW,
            "mean close of 10 sessions over that of 50, less 1", "Brock, Lakonishok and LeBaron (1992)"),
    Feature("mean_cross_50_200", _C, 200, lambda close: mean(close, 50) / mean(close, 200) - 1.0, _WINDOW,
            "mean close of 50 sessions over that of 200, less 1", "Brock, Lakonishok and LeBaron (1992)"),
    Feature("log_slope_63", _C, 63, lambda close: slope(np.log(close), 63), _WINDOW,
            "slope of 63 log closes a session", "Clenow (2015)"),
    Feature("log_slope_fit_90", _C, 90, lambda close: slope(np.log(close), 90) * fit(np.log(close), 90), _WINDOW,
            "slope of 90 log closes times the R² of their line", "Clenow (2015)"),
    Feature("line_distance_63", _C, 63, lambda close: residual(close, 63) / close, _WINDOW,
            "close above the line through 63 closes, over close", "Wilcox and Crittenden (2005)"),
    Feature("age_of_high_252", ("high",), 252, lambda high: age_of_highest(high, 252) / 251.0, _WINDOW,
            "sessions since the highest high of 252, over 251; 0 for today", "Bhootra and Hur (2013)"),
    Feature("direction_14", _HLC, 15, partial(_direction, window=14), _WINDOW,
            "upward less downward movement over true range, 14 sessions", "Wilder (1978)"),
    Feature("directional_index_14", _HLC, 28, partial(_directional_index, window=14), _WINDOW,
            "mean strength of the direction of 14 sessions, 0 to 100, plain means", "Wilder (1978)"),
    Feature("vortex_14", _HLC, 15, partial(_vortex, window=14), _WINDOW,
            "reach of highs from the low before less that of lows from the high before, over true range",
            "Botes and Siepman (2010)"),
)
# fmt: on
