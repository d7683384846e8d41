"""Small markets for the tests: written-out tables and seeded random walks over real exchange sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd

from hrp.domain.portfolio import equal_weights
from hrp.domain.sessions import sessions_between

NAN = float("nan")


def table(first: date, columns: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Prices from the session `first` on, one column a symbol."""
    length = len(next(iter(columns.values())))
    sessions = sessions_between(first, date(first.year + 1, 12, 31))[:length]
    return pd.DataFrame(dict(columns), index=pd.DatetimeIndex(sessions))


@dataclass(frozen=True)
class Market:
    weights: dict[date, dict[str, Decimal]]
    predictions: dict[date, dict[str, float]]
    opens: pd.DataFrame
    closes: pd.DataFrame


def ranked(opens: pd.DataFrame, closes: pd.DataFrame, scores: np.ndarray, count: int) -> Market:
    """Each session wants the `count` names with the best of `scores` [session x symbol], equally."""
    predictions, weights = {}, {}
    for stamp, row in zip(closes.index, scores, strict=True):
        of_session = dict(zip(closes.columns, row.tolist(), strict=True))
        best = sorted(of_session, key=lambda symbol: (-of_session[symbol], symbol))[:count]
        predictions[stamp.date()] = of_session
        weights[stamp.date()] = equal_weights(best, Decimal("0.90"), Decimal(1))
    return Market(weights, predictions, opens, closes)


def random_market(seed: int, sessions: int = 120, symbols: int = 8, holes: float = 0.02) -> Market:
    """Random walks with prices below a cent's resolution, a share `holes` of opens and closes missing."""
    rng = np.random.default_rng(seed)
    shape = (sessions, symbols)
    closes = rng.uniform(3, 400, symbols) * np.exp(rng.normal(0, 0.02, shape).cumsum(axis=0))
    opens = np.vstack([closes[:1], closes[:-1]]) * np.exp(rng.normal(0, 0.004, shape))
    for prices in (opens, closes):
        prices[rng.random(shape) < holes] = NAN
    index = pd.DatetimeIndex(sessions_between(date(2020, 1, 2), date(2022, 12, 30))[:sessions])
    names = [f"S{number}" for number in range(symbols)]
    scores = rng.normal(size=shape).cumsum(axis=0)
    return ranked(pd.DataFrame(opens, index, names), pd.DataFrame(closes, index, names), scores, symbols // 2)
