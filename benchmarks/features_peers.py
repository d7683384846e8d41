"""The same features by general engines, as each says them best: polars over long frames, pandas over wide ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

WINDOWS = (5, 10, 20, 30, 60)
TINY = 1e-12


def polars_features(bars, names: list[str]):
    """`bars` long, sorted by symbol and session; those of alpha158 that are named."""
    import polars as pl

    every = {**_polars_candles(pl), **{k: v for d in WINDOWS for k, v in _polars_rolling(pl, d).items()}}
    return bars.select("session", "symbol", *(every[name].over("symbol").alias(name) for name in names))


def _polars_candles(pl):
    o, h, low, c = (pl.col(field) for field in ("open", "high", "low", "close"))
    top, bottom, length = pl.max_horizontal(o, c), pl.min_horizontal(o, c), h - low + TINY
    return {
        "KMID": (c - o) / o, "KLEN": (h - low) / o, "KMID2": (c - o) / length,
        "KUP": (h - top) / o, "KUP2": (h - top) / length, "KLOW": (bottom - low) / o, "KLOW2": (bottom - low) / length,
        "KSFT": (2 * c - h - low) / o, "KSFT2": (2 * c - h - low) / length,
        "OPEN0": o / c, "HIGH0": h / c, "LOW0": low / c, "VWAP0": (h + low + c) / 3 / c,
    }  # fmt: skip


def _polars_rolling(pl, d: int):
    h, low, c, v = (pl.col(field) for field in ("high", "low", "close", "volume"))
    time = pl.int_range(pl.len()).cast(pl.Float64)
    slope = pl.rolling_cov(c, time, window_size=d) / (d * (d + 1) / 12)
    top, bottom, ratio = h.rolling_max(d), low.rolling_min(d), c / c.shift(1)
    peak, trough = _polars_position(pl, h, top, d), _polars_position(pl, low, bottom, d)
    rises, falls = ((x.cast(pl.Float64)).rolling_mean(d) for x in (c > c.shift(1), c < c.shift(1)))
    active = (ratio - 1).abs() * v
    every = {
        "ROC": c.shift(d) / c, "MA": c.rolling_mean(d) / c, "STD": c.rolling_std(d) / c, "BETA": slope / c,
        "RSQR": pl.rolling_corr(c, time, window_size=d) ** 2,
        "RESI": (c - c.rolling_mean(d) - slope * (d - 1) / 2) / c,
        "MAX": top / c, "MIN": bottom / c,
        "QTLU": c.rolling_quantile(0.8, "linear", d) / c, "QTLD": c.rolling_quantile(0.2, "linear", d) / c,
        "RANK": c.rolling_rank(d, method="average") / d, "RSV": (c - bottom) / (top - bottom + TINY),
        "IMAX": peak / d, "IMIN": trough / d, "IMXD": (peak - trough) / d,
        "CORR": pl.rolling_corr(c, (v + 1).log(), window_size=d),
        "CORD": pl.rolling_corr(ratio, (v / v.shift(1) + 1).log(), window_size=d),
        "CNTP": rises, "CNTN": falls, "CNTD": rises - falls,
        "VMA": v.rolling_mean(d) / (v + TINY), "VSTD": v.rolling_std(d) / (v + TINY),
        "WVMA": active.rolling_std(d) / (active.rolling_mean(d) + TINY),
    }  # fmt: skip
    for prefix, x in (("SUM", c), ("VSUM", v)):
        move = x - x.shift(1)
        up, down, path = (y.rolling_sum(d) for y in (move.clip(lower_bound=0), (-move).clip(lower_bound=0), move.abs()))
        path = path + TINY
        every |= {f"{prefix}P": up / path, f"{prefix}N": down / path, f"{prefix}D": (up - down) / path}
    return {f"{name}{d}": expression for name, expression in every.items()}


def _polars_position(pl, x, extreme, d: int):
    ages = [pl.when(x.shift(age) == extreme).then(age) for age in range(d)]
    return (d - pl.max_horizontal(ages)).cast(pl.Float64)


def pandas_wide(bars: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The fourteen, each index session and columns symbol, from the wide frames of `bars`."""
    o, h, low, c, v = (bars[field] for field in ("open", "high", "low", "close", "volume"))
    return {
        "KMID": (c - o) / o,
        "KLEN": (h - low) / o,
        "KUP": (h - np.maximum(o, c)) / o,
        "KLOW": (np.minimum(o, c) - low) / o,
        "KSFT": (2 * c - h - low) / o,
        "ROC5": c.shift(5) / c,
        "ROC20": c.shift(20) / c,
        "MA5": c.rolling(5).mean() / c,
        "MA20": c.rolling(20).mean() / c,
        "STD5": c.rolling(5).std() / c,
        "STD20": c.rolling(20).std() / c,
        "MAX20": h.rolling(20).max() / c,
        "MIN20": low.rolling(20).min() / c,
        "VMA5": v.rolling(5).mean() / (v + TINY),
    }
