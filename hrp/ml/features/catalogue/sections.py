"""Features of a name among the others of its session, of the market as a whole, and of the calendar."""

from __future__ import annotations

import numpy as np

from hrp.ml.features.catalogue.indicators import illiquidity
from hrp.ml.features.core import market, market_relative, momentum_252_21
from hrp.ml.features.definition import Feature, NaNPolicy
from hrp.ml.features.operations import (
    beta,
    change,
    correlation,
    deviation,
    highest,
    lag,
    mean,
    section_mean,
    section_rank,
    section_score,
    when,
)
from hrp.ml.features.panel import Matrix

_ENDS, _WINDOW, _SECTION, _CALENDAR = NaNPolicy.ENDPOINTS, NaNPolicy.WINDOW, NaNPolicy.SECTION, NaNPolicy.CALENDAR
_C, _V, _CV, _DAY = ("close",), ("volume",), ("close", "volume"), ("day",)
MOST_SESSIONS_IN_A_MONTH = 23


def _own_risk(close: Matrix, window: int) -> Matrix:
    returns, common = change(close, 1), market(close)
    shared = correlation(returns, common, window)
    return deviation(returns, window) * np.sqrt(np.maximum(1.0 - shared * shared, 0.0))


def _alpha(close: Matrix, window: int) -> Matrix:
    returns, common = change(close, 1), market(close)
    return mean(returns, window) - beta(returns, common, window) * mean(common, window)


def _for_all(column: Matrix, close: Matrix) -> Matrix:
    return np.broadcast_to(column, close.shape)


def _breadth(close: Matrix, window: int) -> Matrix:
    average = mean(close, window)
    return _for_all(section_mean(when(close > average, close - average)), close)


def _dispersion(close: Matrix, sessions: int) -> Matrix:
    apart = market_relative(close, sessions)
    return _for_all(np.sqrt(section_mean(apart * apart)), close)


def _date(day: Matrix) -> np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]:
    return day.astype("datetime64[D]")


def _month(day: Matrix) -> Matrix:
    return _date(day).astype("datetime64[M]").astype(np.float64)


def _day_of_month(day: Matrix) -> Matrix:
    gone: Matrix = (_date(day) - _date(day).astype("datetime64[M]")).astype(np.float64)
    return gone + 1.0


def _angle(day: Matrix) -> Matrix:
    gone: Matrix = (_date(day) - _date(day).astype("datetime64[Y]")).astype(np.float64)
    return 2.0 * np.pi * gone / 365.25


def _session_of_month(day: Matrix) -> Matrix:
    month = _month(day)
    before = [lag(month, age) for age in range(MOST_SESSIONS_IN_A_MONTH)]
    count: Matrix = np.sum([when(month == then, before[-1]) for then in before], axis=0)
    return count


# fmt: off
RANKS = (
    Feature("return_rank_1", _C, 2, lambda close: section_rank(change(close, 1)), _ENDS,
            "rank of the session's return among its names, in (0, 1]", "Lehmann (1990)", cross_section=True),
    Feature("return_rank_5", _C, 6, lambda close: section_rank(change(close, 5)), _ENDS,
            "rank of momentum_5 among the names of the session, in (0, 1]", "Lehmann (1990)", cross_section=True),
    Feature("return_rank_63", _C, 64, lambda close: section_rank(change(close, 63)), _ENDS,
            "rank of momentum_63 among the names of the session, in (0, 1]", "Jegadeesh and Titman (1993)",
            cross_section=True),
    Feature("momentum_score_252_21", _C, 253, lambda close: section_score(momentum_252_21(close)), _ENDS,
            "momentum_252_21 less the mean of the session's names, in their standard deviations",
            "Asness, Moskowitz and Pedersen (2013)", cross_section=True),
    Feature("volatility_rank_63", _C, 64, lambda close: section_rank(deviation(change(close, 1), 63)), _WINDOW,
            "rank of volatility_63 among the names of the session, in (0, 1]", "Ang, Hodrick, Xing and Zhang (2006)",
            cross_section=True),
    Feature("dollar_volume_rank_21", _CV, 21, lambda close, volume: section_rank(mean(close * volume, 21)), _WINDOW,
            "rank of the mean dollars traded in 21 sessions, in (0, 1]", "Brennan, Chordia and Subrahmanyam (1998)",
            cross_section=True),
    Feature("illiquidity_rank_21", _CV, 22, lambda close, volume: section_rank(illiquidity(close, volume)), _WINDOW,
            "rank of illiquidity_21 among the names of the session, in (0, 1]", "Amihud (2002)", cross_section=True),
    Feature("high_rank_252", ("close", "high"), 252,
            lambda close, high: section_rank(close / highest(high, 252)), _WINDOW,
            "rank of distance_to_high_252 among the names of the session, in (0, 1]", "George and Hwang (2004)",
            cross_section=True),
    Feature("volume_ratio_rank_5_63", _V, 63, lambda volume: section_rank(mean(volume, 5) / mean(volume, 63)), _WINDOW,
            "rank of volume_ratio_5_63 among the names of the session, in (0, 1]",
            "Gervais, Kaniel and Mingelgrin (2001)", cross_section=True),
)

MARKET = (
    Feature("market_relative_1", _C, 2, lambda close: market_relative(close, 1), _ENDS,
            "return of the session less the mean of all names that have one", "Lehmann (1990)", cross_section=True),
    Feature("market_relative_63", _C, 64, lambda close: market_relative(close, 63), _ENDS,
            "return over 63 sessions less the mean of all names that have one", "Blitz, Huij and Martens (2011)",
            cross_section=True),
    Feature("market_correlation_63", _C, 64, lambda close: correlation(change(close, 1), market(close), 63), _WINDOW,
            "correlation of 63 returns with the mean return of all names", "Pollet and Wilson (2010)",
            cross_section=True),
    Feature("own_risk_63", _C, 64, lambda close: _own_risk(close, 63), _WINDOW,
            "standard deviation of 63 returns that the mean return of all names leaves unexplained",
            "Ang, Hodrick, Xing and Zhang (2006)", cross_section=True),
    Feature("alpha_126", _C, 127, lambda close: _alpha(close, 126), _WINDOW,
            "mean of 126 returns less beta_126 times the mean return of all names", "Jensen (1968)",
            cross_section=True),
    Feature("market_return_21", _C, 22, lambda close: _for_all(section_mean(change(close, 21)), close), _SECTION,
            "mean return over 21 sessions of all names that have one", "Cooper, Gutierrez and Hameed (2004)",
            cross_section=True),
    Feature("market_volatility_21", _C, 22, lambda close: deviation(market(close), 21), _SECTION,
            "standard deviation of 21 mean returns of all names", "Moreira and Muir (2017)", cross_section=True),
    Feature("breadth_50", _C, 50, lambda close: _breadth(close, 50), _SECTION,
            "share of names above their mean of 50 sessions", "Zweig (1986)", cross_section=True),
    Feature("dispersion_21", _C, 22, lambda close: _dispersion(close, 21), _SECTION,
            "standard deviation of the names' returns over 21 sessions", "Stivers and Sun (2010)", cross_section=True),
)

CALENDAR = (
    Feature("day_of_week", _DAY, 1, lambda day: (day + 3.0) % 7.0, _CALENDAR,
            "0 for Monday to 4 for Friday", "French (1980)"),
    Feature("day_of_month", _DAY, 1, _day_of_month, _CALENDAR,
            "1 to 31", "Ariel (1987)"),
    Feature("session_of_month", _DAY, MOST_SESSIONS_IN_A_MONTH, _session_of_month, _CALENDAR,
            "1 for the first session of the month", "Lakonishok and Smidt (1988)"),
    Feature("month", _DAY, 1, lambda day: _month(day) % 12.0 + 1.0, _CALENDAR,
            "1 to 12", "Rozeff and Kinney (1976)"),
    Feature("year_sine", _DAY, 1, lambda day: np.sin(_angle(day)), _CALENDAR,
            "sine of the time of year, a full turn from January to December", "Bouman and Jacobsen (2002)"),
    Feature("year_cosine", _DAY, 1, lambda day: np.cos(_angle(day)), _CALENDAR,
            "cosine of the time of year", "Bouman and Jacobsen (2002)"),
    Feature("days_closed", _DAY, 2, lambda day: day - lag(day, 1) - 1.0, _CALENDAR,
            "days without a session since the session before", "French and Roll (1986)"),
)
# fmt: on
