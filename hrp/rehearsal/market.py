"""A small market with moods that last for weeks, so that a model has something to learn and nothing drifts."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from hrp.domain.sessions import sessions_between

FIRST, LAST = date(2019, 6, 3), date(2022, 12, 28)
SYMBOLS = ("AAA", "BBB", "BRK.B", "CCC", "DDD", "EEE", "FFF", "GGG", "NA", "ON", "TRUE", "ZZZ")


def made_bars(seed: int = 11) -> pd.DataFrame:
    """Bars of SYMBOLS from FIRST to LAST: symbol, session, open, high, low, close, volume."""
    days = sessions_between(FIRST, LAST)
    random = np.random.default_rng(seed)
    market = random.normal(0.0002, 0.006, len(days))
    return pd.concat(
        [_bars(symbol, 40 + 10 * place, days, market, random) for place, symbol in enumerate(SYMBOLS)],
        ignore_index=True,
    )


def _bars(symbol: str, price: float, days: list[date], market: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    size = len(days)
    mood = np.zeros(size)
    for day, push in enumerate(random.normal(0, 0.0012, size)[1:], start=1):
        mood[day] = 0.96 * mood[day - 1] + push
    close = np.round(price * np.exp(np.cumsum(market + mood + random.normal(0, 0.008, size))), 2)
    before = np.concatenate([close[:1], close[:-1]])
    opened = np.round(before * np.exp(random.normal(0, 0.003, size)), 2)
    return pd.DataFrame(
        {
            "symbol": symbol,
            "session": days,
            "open": opened,
            "high": np.round(np.maximum(opened, close) * (1 + random.exponential(0.003, size)), 2),
            "low": np.round(np.minimum(opened, close) / (1 + random.exponential(0.003, size)), 2),
            "close": close,
            "volume": (np.exp(random.normal(13, 0.3, size)) / 100).round() * 100,
        }
    )
