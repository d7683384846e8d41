"""The fourteen features that the first strategies are made of."""

from __future__ import annotations

import numpy as np

from hrp.ml.features.definition import Feature, FeatureSet, NaNPolicy
from hrp.ml.features.operations import beta, change, deviation, highest, lag, mean, section_mean, section_rank, total
from hrp.ml.features.panel import Matrix


def momentum_252_21(close: Matrix) -> Matrix:
    return lag(close, 21) / lag(close, 252) - 1.0


def rsi(close: Matrix, window: int) -> Matrix:
    move = change_in_price(close)
    gains, losses = total(np.maximum(move, 0.0), window), total(np.maximum(-move, 0.0), window)
    return 100.0 * gains / (gains + losses)


def change_in_price(close: Matrix) -> Matrix:
    return close - lag(close, 1)


def market_relative(close: Matrix, sessions: int) -> Matrix:
    returns = change(close, sessions)
    return returns - section_mean(returns)


def market(close: Matrix) -> Matrix:
    """The equal-weighted mean return of the names that have one, for every name."""
    return np.broadcast_to(section_mean(change(close, 1)), close.shape)


_ENDS, _WINDOW = NaNPolicy.ENDPOINTS, NaNPolicy.WINDOW
_MOMENTUM = "Jegadeesh and Titman (1993)"

# fmt: off
CORE = FeatureSet("core", (
    Feature("momentum_5", ("close",), 6, lambda close: change(close, 5), _ENDS,
            "return over 5 sessions", "Lehmann (1990)"),
    Feature("momentum_21", ("close",), 22, lambda close: change(close, 21), _ENDS,
            "return over 21 sessions", _MOMENTUM),
    Feature("momentum_63", ("close",), 64, lambda close: change(close, 63), _ENDS,
            "return over 63 sessions", _MOMENTUM),
    Feature("momentum_126", ("close",), 127, lambda close: change(close, 126), _ENDS,
            "return over 126 sessions", _MOMENTUM),
    Feature("momentum_252_21", ("close",), 253, momentum_252_21, _ENDS,
            "return from 252 to 21 sessions ago: a year without its last month", _MOMENTUM),
    Feature("reversal_1", ("close",), 2, lambda close: -change(close, 1), _ENDS,
            "minus the return of the session", "Lehmann (1990)"),
    Feature("volatility_21", ("close",), 22, lambda close: deviation(change(close, 1), 21), _WINDOW,
            "standard deviation of 21 one-session returns, not annualised", "Ang, Hodrick, Xing and Zhang (2006)"),
    Feature("volatility_63", ("close",), 64, lambda close: deviation(change(close, 1), 63), _WINDOW,
            "standard deviation of 63 one-session returns, not annualised", "Ang, Hodrick, Xing and Zhang (2006)"),
    Feature("volume_ratio_5_63", ("volume",), 63, lambda volume: mean(volume, 5) / mean(volume, 63), _WINDOW,
            "mean volume of 5 sessions over that of 63; none if nothing traded",
            "Gervais, Kaniel and Mingelgrin (2001)"),
    Feature("distance_to_high_252", ("close", "high"), 252,
            lambda close, high: close / highest(high, 252) - 1.0, _WINDOW,
            "close below the highest high of 252 sessions, at most 0", "George and Hwang (2004)"),
    Feature("rsi_14", ("close",), 15, lambda close: rsi(close, 14), _WINDOW,
            "gains over gains and losses of 14 sessions, 0 to 100, plain sums; none if the price never moved",
            "Wilder (1978), in Cutler's form, which has a finite memory"),
    Feature("momentum_rank_252_21", ("close",), 253, lambda close: section_rank(momentum_252_21(close)), _ENDS,
            "rank of momentum_252_21 among the names of the session, in (0, 1], ties averaged", _MOMENTUM,
            cross_section=True),
    Feature("market_relative_21", ("close",), 22, lambda close: market_relative(close, 21), _ENDS,
            "return over 21 sessions less the mean of all names that have one", "Blitz, Huij and Martens (2011)",
            cross_section=True),
    Feature("beta_126", ("close",), 127, lambda close: beta(change(close, 1), market(close), 126), _WINDOW,
            "slope of 126 one-session returns on the mean return of all names", "Frazzini and Pedersen (2014)",
            cross_section=True),
))
# fmt: on
