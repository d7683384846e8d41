"""Panels of drawn numbers: rows keyed by session and symbol."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from hrp.domain.sessions import sessions_between

SYMBOLS = ["TRUE", "NA", "NAN", "INF", "ON", *(f"S{number:02d}" for number in range(15))]
SESSIONS = sessions_between(date(2022, 1, 3), date(2024, 12, 31))


def independent(
    seed: int, first: int, count: int, columns: tuple[str, ...] = ("momentum", "prediction")
) -> pd.DataFrame:
    """`count` sessions from the `first` on, every value an independent standard normal."""
    values = np.random.default_rng(seed).normal(size=(count, len(SYMBOLS), len(columns)))
    return _frame(first, values, columns)


def persistent(seed: int, count: int, columns: tuple[str, ...]) -> pd.DataFrame:
    """Values that remember 95 % of the session before; a quarter of their variance is common to all symbols."""
    shocks = np.random.default_rng(seed).normal(size=(count, len(SYMBOLS) + 1, len(columns)))
    states = [shocks[0]]
    for shock in shocks[1:]:
        states.append(0.95 * states[-1] + np.sqrt(1 - 0.95**2) * shock)
    walk = np.stack(states)
    return _frame(0, np.sqrt(0.25) * walk[:, :1] + np.sqrt(0.75) * walk[:, 1:], columns)


def _frame(first: int, values: np.ndarray, columns: tuple[str, ...]) -> pd.DataFrame:
    sessions = SESSIONS[first : first + len(values)]
    keys = pd.MultiIndex.from_product([sessions, SYMBOLS], names=["session", "symbol"])
    return pd.DataFrame(values.reshape(len(keys), len(columns)), index=keys, columns=list(columns)).reset_index()
