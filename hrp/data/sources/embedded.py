"""The set of daily closes that comes with skfolio."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from hrp.data.market import ACTION_COLUMNS, BAR_COLUMNS
from hrp.data.sources.frames import cut
from hrp.domain.rebased import Adjustment
from hrp.errors import ConfigError


class SkfolioSource:
    """Twenty large US stocks, 1990 to 2022, from skfolio: no account, no key, no network.

    Only the closes are real (adjusted, rounded to 4 decimals). Open, high, low and volume are made by a seeded rule
    over each symbol's whole history, so that every range asked for has equal rows.
    """

    name = "skfolio:close;made:ohlv"
    adjustment = Adjustment.TOTAL_RETURN

    def __init__(self, seed: int = 20260102) -> None:
        self._seed = seed

    def fetch_symbols(self) -> list[str]:
        """Every symbol of the set."""
        return sorted(self._closes.columns)

    def fetch_bars(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Bars of `symbols` (None: all) from `first` to `last`, as the port `PriceSource` says."""
        return cut(self._bars, symbols, first, last)

    def fetch_actions(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """None: the closes are adjusted already."""
        return pd.DataFrame(columns=list(ACTION_COLUMNS))

    def load_index(self) -> pd.Series:
        """The level of the S&P 500 by session (datetime64 index), named `SP500`."""
        from skfolio.datasets import load_sp500_index  # optional: see _closes

        levels: pd.Series = load_sp500_index()["SP500"]
        return levels.rename_axis("session")

    @cached_property
    def _closes(self) -> pd.DataFrame:
        try:
            from skfolio.datasets import load_sp500_dataset  # optional, and slow to import: only whoever asks pays
        except ImportError as error:
            raise ConfigError("the embedded prices need skfolio; run: pip install 'hrp[demo]'") from error
        closes: pd.DataFrame = load_sp500_dataset()
        return closes.round(4)

    @cached_property
    def _bars(self) -> pd.DataFrame:
        made = [_made_bars(symbol, closes, self._seed) for symbol, closes in self._closes.items()]
        bars = pd.concat(made, ignore_index=True).assign(source=self.name)
        return bars.sort_values(["session", "symbol"], ignore_index=True)[list(BAR_COLUMNS)]


def _made_bars(symbol: object, closes: pd.Series, seed: int) -> pd.DataFrame:
    """Real closes with an open between the last close and this one, a range around both, and a volume."""
    key = int.from_bytes(hashlib.sha256(str(symbol).encode()).digest()[:8])
    random = np.random.default_rng([seed, key])
    close = closes.to_numpy()
    before = np.concatenate([close[:1], close[:-1]])
    opened = np.maximum((before * (close / before) ** random.uniform(0, 1, close.size)).round(2), 0.01)
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    return pd.DataFrame(
        {
            "symbol": str(symbol),
            "session": closes.index,
            "open": opened,
            "high": (top * (1 + random.exponential(0.004, close.size))).round(4),
            "low": (bottom / (1 + random.exponential(0.004, close.size))).round(4),
            "close": close,
            "volume": (np.exp(random.normal(15.5, 0.35, close.size)) / 100).round() * 100,
        }
    )
