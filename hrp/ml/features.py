"""Features: declared functions of a dense price panel, each one line or a few (pure).

A feature's row for a session uses that session and the `lookback_sessions - 1` before it, nothing later and nothing
earlier. Formulas are built from operations whose result does not depend on where an array begins (sums are added
up in window order, never updated from row to row), so tonight's row computed alone equals, to the last bit, the same
row of the whole history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.errors import DataError, UsageError

Matrix = NDArray[np.float64]

FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Daily bars as dense float64 matrices [session × symbol]; NaN where there is no bar.

    `sessions` ascend and are the exchange sessions of the store without a gap; `symbols` ascend. Prices are USD,
    adjusted as the caller wants them; volume is shares.
    """

    sessions: pd.DatetimeIndex
    symbols: pd.Index[str]
    open: Matrix
    high: Matrix
    low: Matrix
    close: Matrix
    volume: Matrix

    @classmethod
    def from_bars(cls, bars: pd.DataFrame) -> Self:
        """The panel of a long frame with the columns session, symbol, open, high, low, close, volume.

        Rows are placed by key, in whatever order they come. What cannot be a price (zero, negative, infinite) or a
        volume (negative, infinite) counts as missing.

        Raises:
            DataError: no rows, a missing column, a symbol that is not text, or two rows for one key.
        """
        _check_bars(bars)
        rows, sessions = pd.factorize(pd.to_datetime(bars["session"]).astype("datetime64[us]"), sort=True)
        columns, symbols = pd.factorize(bars["symbol"].astype("str"), sort=True)
        cells = rows * len(symbols) + columns
        _refuse_duplicates(bars, cells)
        shape = (len(sessions), len(symbols))
        matrices = {
            field: _dense(bars[field], cells, shape, above=-1.0 if field == "volume" else 0.0) for field in FIELDS
        }
        return cls(
            pd.DatetimeIndex(sessions, name="session"), pd.Index(symbols, name="symbol", dtype="str"), **matrices
        )

    def tail(self, sessions: int) -> Panel:
        """The last `sessions` sessions, or all if there are fewer."""
        return self._rows(slice(max(len(self.sessions) - sessions, 0), None))

    def through(self, session: date) -> Panel:
        """What was known at the close of `session`: that session and all before it."""
        return self._rows(slice(0, int(self.sessions.searchsorted(pd.Timestamp(session), side="right"))))

    def wide(self, field: str) -> pd.DataFrame:
        """One field as a frame, index session, columns symbol."""
        return pd.DataFrame(getattr(self, field), index=self.sessions, columns=self.symbols)

    def _rows(self, rows: slice) -> Panel:
        return Panel(self.sessions[rows], self.symbols, *(getattr(self, field)[rows] for field in FIELDS))


def _check_bars(bars: pd.DataFrame) -> None:
    missing = [column for column in ("session", "symbol", *FIELDS) if column not in bars.columns]
    if missing:
        raise DataError(f"bars lack the columns {', '.join(missing)}; they have {', '.join(map(str, bars.columns))}")
    if bars.empty:
        raise DataError("there are no bars to compute features from; run: hrp run prices")
    odd = [symbol for symbol in bars["symbol"].unique() if not isinstance(symbol, str)]
    if odd:
        raise DataError(f"symbols must be text, the bars hold {odd[0]!r} ({type(odd[0]).__name__})")


def _refuse_duplicates(bars: pd.DataFrame, cells: NDArray[np.int64]) -> None:
    repeated = pd.Series(cells).duplicated().to_numpy()
    if repeated.any():
        first = bars.iloc[int(repeated.argmax())]
        raise DataError(
            f"{int(repeated.sum())} bars repeat a key, first that of {first['symbol']} in session {first['session']}"
        )


def _dense(values: pd.Series[Any], cells: NDArray[np.int64], shape: tuple[int, int], above: float) -> Matrix:
    flat = np.full(shape[0] * shape[1], np.nan)
    flat[cells] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    flat[~(np.isfinite(flat) & (flat > above))] = np.nan
    return flat.reshape(shape)


class NaNPolicy(StrEnum):
    """When a feature of a name has no value (a name without a close in a session has no row there at all)."""

    ENDPOINTS = "missing if either end of its window is missing; holes between are ignored"
    WINDOW = "missing if any session of its window is missing"


@dataclass(frozen=True, slots=True)
class Feature:
    """`formula` gets the matrices named in `inputs`, in that order, and returns a matrix of the same shape.

    It sees nothing else of the panel. `lookback_sessions` counts the sessions that a row needs, its own included.
    """

    name: str
    inputs: tuple[str, ...]
    lookback_sessions: int
    formula: Callable[..., Matrix]
    nan_policy: NaNPolicy
    doc: str
    source: str


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features under one name, in the order of their columns.

    Raises:
        UsageError: two features share a name, or one asks for a field that the panel does not have.
    """

    name: str
    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        repeated = {name for name in self.names if self.names.count(name) > 1}
        if repeated:
            raise UsageError(f"feature set {self.name} names {', '.join(sorted(repeated))} twice")
        for feature in self.features:
            if unknown := set(feature.inputs) - set(FIELDS):
                raise UsageError(f"feature {feature.name} asks for {sorted(unknown)}, a panel has {', '.join(FIELDS)}")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def lookback_sessions(self) -> int:
        """Sessions that the last row needs: how much history a night has to read."""
        return max(feature.lookback_sessions for feature in self.features)


def compute(feature_set: FeatureSet, panel: Panel, last_only: bool = False) -> pd.DataFrame:
    """Feature values, index (session, symbol), one float64 column per feature.

    There is a row for every session and symbol with a close, and NaN for a feature that has no value there.
    `last_only` computes the last session alone, from its look-back alone, with the same result.
    """
    rows = slice(-1, None) if last_only else slice(None)
    present = np.isfinite(panel.close[rows]).ravel()
    keys = pd.MultiIndex.from_product([panel.sessions[rows], panel.symbols], names=["session", "symbol"])
    columns = {feature.name: _evaluate(feature, panel, last_only).ravel()[present] for feature in feature_set.features}
    return pd.DataFrame(columns, index=keys[present])


def _evaluate(feature: Feature, panel: Panel, last_only: bool) -> Matrix:
    seen = panel.tail(feature.lookback_sessions) if last_only else panel
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = feature.formula(*(getattr(seen, field) for field in feature.inputs))
    rows = values[-1:] if last_only else values
    return np.where(np.isfinite(rows), rows, np.nan)


def _lagged(x: Matrix, sessions: int) -> Matrix:
    out = np.full_like(x, np.nan)
    out[sessions:] = x[: max(len(x) - sessions, 0)]
    return out


def _change(x: Matrix, sessions: int) -> Matrix:
    return x / _lagged(x, sessions) - 1.0


def _rolling(combine: np.ufunc, x: Matrix, window: int) -> Matrix:
    # Combined newest to oldest, term by term: the same order for every row, so the same bits wherever the array begins.
    out = np.full_like(x, np.nan)
    if len(x) >= window:
        whole = out[window - 1 :]
        whole[:] = x[window - 1 :]
        for age in range(1, window):
            combine(whole, x[window - 1 - age : len(x) - age], out=whole)
    return out


def _mean(x: Matrix, window: int) -> Matrix:
    return _rolling(np.add, x, window) / window


def _deviation(x: Matrix, window: int) -> Matrix:
    # Two passes, because a mean of squares less a squared mean loses everything on a price that hardly moves.
    mean = _mean(x, window)
    squares = np.zeros_like(x)
    for age in range(window):
        squares += (_lagged(x, age) - mean) ** 2
    return np.sqrt(squares / (window - 1))


def _market(returns: Matrix) -> Matrix:
    # The equal-weighted mean of the names that have a return in the session, as a column [session × 1].
    known = np.isfinite(returns)
    mean: Matrix = np.where(known, returns, 0.0).sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True)
    return mean


def _rsi(close: Matrix, window: int) -> Matrix:
    move = close - _lagged(close, 1)
    gains = _rolling(np.add, np.maximum(move, 0.0), window)
    losses = _rolling(np.add, np.maximum(-move, 0.0), window)
    return 100.0 * gains / (gains + losses)


def _beta(close: Matrix, window: int) -> Matrix:
    returns = _change(close, 1)
    market = np.broadcast_to(_market(returns), returns.shape)
    covariance: Matrix = _mean(returns * market, window) - _mean(returns, window) * _mean(market, window)
    variance: Matrix = _mean(market * market, window) - _mean(market, window) ** 2
    return covariance / variance


def _momentum_252_21(close: Matrix) -> Matrix:
    return _lagged(close, 21) / _lagged(close, 252) - 1.0


def _section_rank(x: Matrix) -> Matrix:
    ranks: Matrix = pd.DataFrame(x).rank(axis=1, pct=True).to_numpy()
    return ranks


def _market_relative(close: Matrix, sessions: int) -> Matrix:
    returns = _change(close, sessions)
    return returns - _market(returns)


_ENDS, _WINDOW = NaNPolicy.ENDPOINTS, NaNPolicy.WINDOW
_MOMENTUM = "Jegadeesh and Titman (1993)"

# fmt: off
CORE = FeatureSet("core", (
    Feature("momentum_5", ("close",), 6, lambda close: _change(close, 5), _ENDS,
            "return over 5 sessions", "Lehmann (1990)"),
    Feature("momentum_21", ("close",), 22, lambda close: _change(close, 21), _ENDS,
            "return over 21 sessions", _MOMENTUM),
    Feature("momentum_63", ("close",), 64, lambda close: _change(close, 63), _ENDS,
            "return over 63 sessions", _MOMENTUM),
    Feature("momentum_126", ("close",), 127, lambda close: _change(close, 126), _ENDS,
            "return over 126 sessions", _MOMENTUM),
    Feature("momentum_252_21", ("close",), 253, _momentum_252_21, _ENDS,
            "return from 252 to 21 sessions ago: a year without its last month", _MOMENTUM),
    Feature("reversal_1", ("close",), 2, lambda close: -_change(close, 1), _ENDS,
            "minus the return of the session", "Lehmann (1990)"),
    Feature("volatility_21", ("close",), 22, lambda close: _deviation(_change(close, 1), 21), _WINDOW,
            "standard deviation of 21 one-session returns, not annualised", "Ang, Hodrick, Xing and Zhang (2006)"),
    Feature("volatility_63", ("close",), 64, lambda close: _deviation(_change(close, 1), 63), _WINDOW,
            "standard deviation of 63 one-session returns, not annualised", "Ang, Hodrick, Xing and Zhang (2006)"),
    Feature("volume_ratio_5_63", ("volume",), 63, lambda volume: _mean(volume, 5) / _mean(volume, 63), _WINDOW,
            "mean volume of 5 sessions over that of 63; none if nothing traded",
            "Gervais, Kaniel and Mingelgrin (2001)"),
    Feature("distance_to_high_252", ("close", "high"), 252,
            lambda close, high: close / _rolling(np.maximum, high, 252) - 1.0, _WINDOW,
            "close below the highest high of 252 sessions, at most 0", "George and Hwang (2004)"),
    Feature("rsi_14", ("close",), 15, lambda close: _rsi(close, 14), _WINDOW,
            "gains over gains and losses of 14 sessions, 0 to 100, plain sums; none if the price never moved",
            "Wilder (1978), in Cutler's form, which has a finite memory"),
    Feature("momentum_rank_252_21", ("close",), 253, lambda close: _section_rank(_momentum_252_21(close)), _ENDS,
            "rank of momentum_252_21 among the names of the session, in (0, 1], ties averaged", _MOMENTUM),
    Feature("market_relative_21", ("close",), 22, lambda close: _market_relative(close, 21), _ENDS,
            "return over 21 sessions less the mean of all names that have one", "Blitz, Huij and Martens (2011)"),
    Feature("beta_126", ("close",), 127, lambda close: _beta(close, 126), _WINDOW,
            "slope of 126 one-session returns on the mean return of all names", "Frazzini and Pedersen (2014)"),
))
# fmt: on

FEATURE_SETS: Mapping[str, FeatureSet] = MappingProxyType({CORE.name: CORE})


def feature_set_named(name: str) -> FeatureSet:
    """The registered feature set `name`.

    Raises:
        UsageError: there is none; the message names those that exist.
    """
    if name not in FEATURE_SETS:
        raise UsageError(f"there is no feature set {name!r}; there are: {', '.join(FEATURE_SETS)}")
    return FEATURE_SETS[name]
