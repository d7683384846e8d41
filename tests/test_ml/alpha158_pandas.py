"""Alpha158 a second time, from its published expressions alone: wide pandas frames and whole windows.

It shares no code with the product, so that one misreading cannot be in both. Slow: every window is laid out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

WINDOWS = (5, 10, 20, 30, 60)


def alpha158(bars: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The 158 features by name, each index session and columns symbol, from the wide frames of `bars` by field."""
    features = {**_candles(bars), **{k: v for d in WINDOWS for k, v in _rolling(bars, d).items()}}
    return {name: frame.where(np.isfinite(frame)) for name, frame in features.items()}


def _candles(bars: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    opens, high, low, close = (bars[field] for field in ("open", "high", "low", "close"))
    top, bottom = close.where(close > opens, opens), close.where(close < opens, opens)
    length = high - low + 1e-12
    return {
        "KMID": (close - opens) / opens,
        "KLEN": (high - low) / opens,
        "KMID2": (close - opens) / length,
        "KUP": (high - top) / opens,
        "KUP2": (high - top) / length,
        "KLOW": (bottom - low) / opens,
        "KLOW2": (bottom - low) / length,
        "KSFT": (2 * close - high - low) / opens,
        "KSFT2": (2 * close - high - low) / length,
        "OPEN0": opens / close,
        "HIGH0": high / close,
        "LOW0": low / close,
        "VWAP0": (high + low + close) / 3 / close,
    }


def _rolling(bars: Mapping[str, pd.DataFrame], d: int) -> dict[str, pd.DataFrame]:
    high, low, close, volume = (bars[field] for field in ("high", "low", "close", "volume"))
    line, age = np.arange(d) - (d - 1) / 2, np.arange(1, d + 1)
    slope = _windowed(lambda w: (w * line).sum(-1) / (line * line).sum(), d, close)
    straight = _windowed(lambda w: _correlated(w, np.broadcast_to(line, w.shape)) ** 2, d, close)
    last = close.rolling(d).mean() + slope * (d - 1) / 2
    peak = _windowed(lambda w: age[w.argmax(-1)] + 0 * w.sum(-1), d, high)
    trough = _windowed(lambda w: age[w.argmin(-1)] + 0 * w.sum(-1), d, low)
    top, bottom = high.rolling(d).max(), low.rolling(d).min()
    ratio, before = close / close.shift(1), close.shift(1)
    up, down = (
        (close > before).where(before.notna() & close.notna()),
        (close < before).where(before.notna() & close.notna()),
    )
    rises, falls = up.astype(float).rolling(d).mean(), down.astype(float).rolling(d).mean()
    active = (ratio - 1).abs() * volume
    features = {
        "ROC": close.shift(d) / close,
        "MA": close.rolling(d).mean() / close,
        "STD": _deviation(close, d) / close,
        "BETA": slope / close,
        "RSQR": straight,
        "RESI": (close - last) / close,
        "MAX": top / close,
        "MIN": bottom / close,
        "QTLU": close.rolling(d).quantile(0.8) / close,
        "QTLD": close.rolling(d).quantile(0.2) / close,
        "RANK": close.rolling(d).rank(pct=True),
        "RSV": (close - bottom) / (top - bottom + 1e-12),
        "IMAX": peak / d,
        "IMIN": trough / d,
        "IMXD": (peak - trough) / d,
        "CORR": _windowed(_correlated, d, close, np.log(volume + 1)),
        "CORD": _windowed(_correlated, d, ratio, np.log(volume / volume.shift(1) + 1)),
        "CNTP": rises,
        "CNTN": falls,
        "CNTD": rises - falls,
        "VMA": volume.rolling(d).mean() / (volume + 1e-12),
        "VSTD": _deviation(volume, d) / (volume + 1e-12),
        "WVMA": _deviation(active, d) / (active.rolling(d).mean() + 1e-12),
        **{f"SUM{k}": v for k, v in _strength(close, d).items()},
        **{f"VSUM{k}": v for k, v in _strength(volume, d).items()},
    }
    return {f"{name}{d}": frame for name, frame in features.items()}


def _strength(x: pd.DataFrame, d: int) -> dict[str, pd.DataFrame]:
    move = x.diff()
    gains, losses, path = (part.rolling(d).sum() for part in (move.clip(lower=0), -move.clip(upper=0), move.abs()))
    return {"P": gains / (path + 1e-12), "N": losses / (path + 1e-12), "D": (gains - losses) / (path + 1e-12)}


def _windowed(formula: Callable[..., np.ndarray], d: int, *frames: pd.DataFrame) -> pd.DataFrame:
    """`formula` of all windows at once, arrays [session × symbol × d], oldest value first."""
    whole = [np.vstack([np.full((d - 1, f.shape[1]), np.nan), f.to_numpy(dtype=float)]) for f in frames]
    windows = [np.lib.stride_tricks.sliding_window_view(w, d, axis=0) for w in whole]
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(formula(*windows), index=frames[0].index, columns=frames[0].columns)


def _deviation(x: pd.DataFrame, d: int) -> pd.DataFrame:
    return _windowed(lambda w: w.std(-1, ddof=1), d, x)


def _correlated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    return (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
