"""Features of the prices of one name: returns, momentum, volatility, ranges."""

from __future__ import annotations

from functools import partial

import numpy as np

from hrp.ml.features.definition import Feature, NaNPolicy
from hrp.ml.features.operations import change, correlation, deviation, highest, lag, lowest, mean, total, when
from hrp.ml.features.panel import Matrix

_ENDS, _WINDOW = NaNPolicy.ENDPOINTS, NaNPolicy.WINDOW
_C, _OC, _HL, _HLC, _OHLC = ("close",), ("open", "close"), ("high", "low"), ("high", "low", "close"), (
    "open", "high", "low", "close",
)  # fmt: skip


def overnight(opens: Matrix, close: Matrix) -> Matrix:
    return opens / lag(close, 1) - 1.0


def true_range(high: Matrix, low: Matrix, close: Matrix) -> Matrix:
    """The session's range, widened to the close before (Wilder 1978)."""
    before = lag(close, 1)
    return np.maximum(high, before) - np.minimum(low, before)


def _moment(close: Matrix, window: int, power: int) -> Matrix:
    returns = change(close, 1)
    scale = mean(returns * returns, window)
    return mean(returns**power, window) / (scale * (np.sqrt(scale) if power == 3 else scale))


def _discreteness(close: Matrix, window: int) -> Matrix:
    returns = change(close, 1)
    return np.sign(change(close, window)) * (
        mean(when(returns < 0, returns), window) - mean(when(returns > 0, returns), window)
    )


def _efficiency(close: Matrix, window: int) -> Matrix:
    return np.abs(close - lag(close, window)) / total(np.abs(close - lag(close, 1)), window)


def _garman_klass(opens: Matrix, high: Matrix, low: Matrix, close: Matrix, window: int) -> Matrix:
    across, along = np.log(high / low), np.log(close / opens)
    variance: Matrix = 0.5 * across * across - (2.0 * np.log(2.0) - 1.0) * along * along
    return np.sqrt(mean(variance, window))


def _rogers_satchell(opens: Matrix, high: Matrix, low: Matrix, close: Matrix) -> Matrix:
    squares: Matrix = np.log(high / close) * np.log(high / opens) + np.log(low / close) * np.log(low / opens)
    return squares


def _yang_zhang(opens: Matrix, high: Matrix, low: Matrix, close: Matrix, window: int) -> Matrix:
    share = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    night, day = deviation(np.log(opens / lag(close, 1)), window), deviation(np.log(close / opens), window)
    inside = mean(_rogers_satchell(opens, high, low, close), window)
    return np.sqrt(night * night + share * day * day + (1.0 - share) * inside)


def _variance_ratio(close: Matrix, sessions: int, window: int) -> Matrix:
    return deviation(change(close, sessions), window) ** 2 / (sessions * deviation(change(close, 1), window) ** 2)


def _choppiness(high: Matrix, low: Matrix, close: Matrix, window: int) -> Matrix:
    width = highest(high, window) - lowest(low, window)
    choppiness: Matrix = np.log(total(true_range(high, low, close), window) / width) / np.log(window)
    return choppiness


# fmt: off
RETURNS = (
    Feature("overnight_return", _OC, 2, overnight, _ENDS,
            "open over the close before, less 1", "Lou, Polk and Skouras (2019)"),
    Feature("intraday_return", _OC, 1, lambda opens, close: close / opens - 1.0, _WINDOW,
            "close over open, less 1", "Lou, Polk and Skouras (2019)"),
    Feature("overnight_mean_21", _OC, 22, lambda opens, close: mean(overnight(opens, close), 21), _WINDOW,
            "mean overnight return of 21 sessions", "Lou, Polk and Skouras (2019)"),
    Feature("intraday_mean_21", _OC, 21, lambda opens, close: mean(close / opens - 1.0, 21), _WINDOW,
            "mean intraday return of 21 sessions", "Lou, Polk and Skouras (2019)"),
    Feature("best_return_21", _C, 22, lambda close: highest(change(close, 1), 21), _WINDOW,
            "highest one-session return of 21 sessions", "Bali, Cakici and Whitelaw (2011)"),
    Feature("worst_return_21", _C, 22, lambda close: lowest(change(close, 1), 21), _WINDOW,
            "lowest one-session return of 21 sessions", "Bali, Cakici and Whitelaw (2011)"),
    Feature("skewness_63", _C, 64, lambda close: _moment(close, 63, 3), _WINDOW,
            "realised skewness of 63 returns about 0", "Amaya, Christoffersen, Jacobs and Vasquez (2015)"),
    Feature("kurtosis_63", _C, 64, lambda close: _moment(close, 63, 4), _WINDOW,
            "realised kurtosis of 63 returns about 0", "Amaya, Christoffersen, Jacobs and Vasquez (2015)"),
    Feature("autocorrelation_63", _C, 65, lambda close: correlation(change(close, 1), lag(change(close, 1), 1), 63),
            _WINDOW, "correlation of 63 returns with those of the session before", "Lo and MacKinlay (1990)"),
)

MOMENTUM = (
    Feature("momentum_10", _C, 11, lambda close: change(close, 10), _ENDS,
            "return over 10 sessions", "Lehmann (1990)"),
    Feature("momentum_126_21", _C, 127, lambda close: lag(close, 21) / lag(close, 126) - 1.0, _ENDS,
            "return from 126 to 21 sessions ago", "Jegadeesh and Titman (1993)"),
    Feature("momentum_252_126", _C, 253, lambda close: lag(close, 126) / lag(close, 252) - 1.0, _ENDS,
            "return from 252 to 126 sessions ago", "Novy-Marx (2012)"),
    Feature("seasonal_252_231", _C, 253, lambda close: lag(close, 231) / lag(close, 252) - 1.0, _ENDS,
            "return of the month that began a year ago", "Heston and Sadka (2008)"),
    Feature("momentum_change_63", _C, 127, lambda close: change(close, 63) - lag(change(close, 63), 63), _ENDS,
            "return over 63 sessions less that over the 63 before", "Gettleman and Marks (2006)"),
    Feature("momentum_per_risk_126", _C, 127, lambda close: change(close, 126) / deviation(change(close, 1), 126),
            _WINDOW, "return over 126 sessions in standard deviations of a session", "Rachev et al. (2007)"),
    Feature("discreteness_126", _C, 127, lambda close: _discreteness(close, 126), _WINDOW,
            "sign of the return times share of falls less share of rises: low if it came in small steps",
            "Da, Gurun and Warachka (2014)"),
    Feature("efficiency_21", _C, 22, lambda close: _efficiency(close, 21), _WINDOW,
            "distance gone over length of the path, 0 to 1", "Kaufman (1995)"),
    Feature("distance_to_low_252", ("close", "low"), 252, lambda close, low: close / lowest(low, 252) - 1.0, _WINDOW,
            "close above the lowest low of 252 sessions, at least 0", "George and Hwang (2004)"),
)

VOLATILITY = (
    Feature("volatility_126", _C, 127, lambda close: deviation(change(close, 1), 126), _WINDOW,
            "standard deviation of 126 one-session returns, not annualised", "Ang, Hodrick, Xing and Zhang (2006)"),
    Feature("volatility_ratio_5_63", _C, 64,
            lambda close: deviation(change(close, 1), 5) / deviation(change(close, 1), 63), _WINDOW,
            "standard deviation of 5 returns over that of 63", "Poterba and Summers (1986)"),
    Feature("downside_63", _C, 64, lambda close: np.sqrt(mean(np.minimum(change(close, 1), 0.0) ** 2, 63)), _WINDOW,
            "root mean square of the negative ones of 63 returns, others as 0", "Sortino and van der Meer (1991)"),
    Feature("parkinson_21", _HL, 21,
            lambda high, low: np.sqrt(mean(np.log(high / low) ** 2, 21) / (4.0 * np.log(2.0))), _WINDOW,
            "volatility of a session from 21 ranges", "Parkinson (1980)"),
    Feature("garman_klass_21", _OHLC, 21, partial(_garman_klass, window=21), _WINDOW,
            "volatility of a session from 21 bars", "Garman and Klass (1980)"),
    Feature("rogers_satchell_21", _OHLC, 21, lambda *bars: np.sqrt(mean(_rogers_satchell(*bars), 21)), _WINDOW,
            "volatility of a session from 21 bars, whatever the drift", "Rogers and Satchell (1991)"),
    Feature("yang_zhang_21", _OHLC, 22, partial(_yang_zhang, window=21), _WINDOW,
            "volatility from close to close from 21 bars and the gaps between", "Yang and Zhang (2000)"),
    Feature("variance_ratio_5_63", _C, 68, lambda close: _variance_ratio(close, 5, 63), _WINDOW,
            "variance of 63 returns over 5 sessions, over 5 times that of one-session returns",
            "Lo and MacKinlay (1988)"),
)

RANGES = (
    Feature("range_1", _HLC, 1, lambda high, low, close: (high - low) / close, _WINDOW,
            "high less low, over close", "Alizadeh, Brandt and Diebold (2002)"),
    Feature("average_true_range_14", _HLC, 15, lambda high, low, close: mean(true_range(high, low, close), 14) / close,
            _WINDOW, "mean true range of 14 sessions over close, plain sums", "Wilder (1978)"),
    Feature("close_location", _HLC, 1, lambda high, low, close: (close - low) / (high - low), _WINDOW,
            "close between low and high, 0 to 1; none without a range", "Chaikin (1982)"),
    Feature("channel_width_21", _HLC, 21, lambda high, low, close: (highest(high, 21) - lowest(low, 21)) / close,
            _WINDOW, "highest high less lowest low of 21 sessions, over close", "Donchian (1960)"),
    Feature("channel_position_63", _HLC, 63,
            lambda high, low, close: (close - lowest(low, 63)) / (highest(high, 63) - lowest(low, 63)), _WINDOW,
            "close between lowest low and highest high of 63 sessions, 0 to 1", "Donchian (1960)"),
    Feature("narrow_range_7", _HL, 7, lambda high, low: (high - low) / highest(high - low, 7), _WINDOW,
            "range over the widest of 7 sessions", "Crabel (1990)"),
    Feature("choppiness_14", _HLC, 15, partial(_choppiness, window=14), _WINDOW,
            "log of the sum of true ranges over the width of the channel, base 14", "Dreiss (1993)"),
    Feature("upper_shadow_21", _OHLC, 21,
            lambda opens, high, low, close: mean((high - np.maximum(opens, close)) / close, 21), _WINDOW,
            "mean upper shadow of 21 candles over close", "Nison (1991)"),
    Feature("lower_shadow_21", _OHLC, 21,
            lambda opens, high, low, close: mean((np.minimum(opens, close) - low) / close, 21), _WINDOW,
            "mean lower shadow of 21 candles over close", "Nison (1991)"),
)
# fmt: on
