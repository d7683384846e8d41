"""Daily bars, splits and dividends of Yahoo Finance, through yfinance."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from hrp.data.sources.frames import ActionRow, actions_of, bars_of, vendor_names
from hrp.domain.corporate_actions import ActionKind
from hrp.domain.rebased import Adjustment, undo_splits
from hrp.domain.sessions import EXCHANGE_ZONE
from hrp.errors import ConfigError, DataError, SourceUnavailableError

_VENDOR = "Yahoo"
_CLASS_MARK = "-"
_DECIMALS = 6  # of a dividend
_HISTORIES_KEPT = 256
_COLUMNS = ("Open", "High", "Low", "Close", "Volume", "Dividends", "Stock Splits")


class YahooSource:
    """`hrp.ports.PriceSource` over yfinance; for personal use, says Yahoo.

    Yahoo restates its bars and dividends for every split up to now and has no others, so the history is always asked
    for up to now, and its splits are undone.
    """

    name = "yahoo"
    adjustment = Adjustment.RAW

    def __init__(self, cache: Path, timeout: float, session: object | None = None) -> None:
        """`cache` is a folder for what yfinance remembers of Yahoo, `timeout` in seconds.

        `session` of requests or curl_cffi, if Yahoo is reached in another way than directly.

        Raises:
            ConfigError: yfinance is not installed.
        """
        try:
            import yfinance  # an extra, and slow to import: only whoever asks pays
        except ImportError as error:
            raise ConfigError("prices of Yahoo need yfinance; run: pip install 'hrp[yfinance]'") from error
        cache.mkdir(parents=True, exist_ok=True)
        yfinance.set_tz_cache_location(str(cache))
        yfinance.config.debug.hide_exceptions = False  # else a failure is an empty history
        logging.getLogger("yfinance").setLevel(logging.CRITICAL)
        self._yfinance: Any = yfinance
        self._timeout, self._session = timeout, session
        self._history = lru_cache(maxsize=_HISTORIES_KEPT)(self._fetch)  # its bars and its actions are one answer

    def fetch_symbols(self) -> list[str]:
        """Raises UsageError: there are thousands."""
        return list(vendor_names(None, _CLASS_MARK, _VENDOR))

    def fetch_bars(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Bars of `symbols` as they were traded, as the port `PriceSource` says; unknown names have none.

        Raises:
            UsageError: no symbols were named.
            SourceUnavailableError: Yahoo does not answer, or wants to be left alone for a while.
            DataError: it answers with something else than a history.
        """
        parts = [
            raw_bars(symbol, self._history(name, first), self.name)
            for name, symbol in vendor_names(symbols, _CLASS_MARK, _VENDOR).items()
        ]
        bars = pd.concat([part for part in parts if len(part)] or [bars_of([], self.name)], ignore_index=True)
        kept = bars[bars["session"].between(pd.Timestamp(first), pd.Timestamp(last))]
        return kept.sort_values(["session", "symbol"], ignore_index=True)

    def fetch_actions(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Splits and dividends ex `first` to `last`; Yahoo announces none. Raises as `fetch_bars`."""
        rows = [
            row
            for name, symbol in vendor_names(symbols, _CLASS_MARK, _VENDOR).items()
            for row in raw_actions(symbol, self._history(name, first))
            if first <= row[1] <= last
        ]
        return actions_of(rows, self.name)

    def _fetch(self, name: str, first: date) -> pd.DataFrame:
        """What yfinance has of `name` from `first` to now: `_COLUMNS` by day, nothing for a name it does not know."""
        errors = self._yfinance.exceptions
        # Else it asks for the zone of each name, and takes a name that Yahoo does not know for a failure.
        self._yfinance.cache.get_tz_cache().store(name, EXCHANGE_ZONE.key)
        try:
            history: pd.DataFrame = self._yfinance.Ticker(name, session=self._session).history(
                start=first, interval="1d", auto_adjust=False, actions=True, keepna=True, timeout=self._timeout
            )
        except errors.YFTickerMissingError:
            return pd.DataFrame(columns=list(_COLUMNS), index=pd.DatetimeIndex([]))
        except (OSError, errors.YFRateLimitError, errors.YFDataException) as error:
            raise SourceUnavailableError(
                f"{_VENDOR} gave no history of {name} ({error}); run it again later"
            ) from error
        except (ValueError, LookupError, TypeError, errors.YFException) as error:
            raise DataError(f"{_VENDOR} gave no history of {name} ({error!r}); is yfinance up to date?") from error
        return history.set_axis(pd.DatetimeIndex(history.index).tz_localize(None).normalize())


def raw_bars(symbol: str, history: pd.DataFrame, source: str) -> pd.DataFrame:
    """The bars of `symbol` as they were traded, out of what yfinance states by day in today's shares."""
    columns = [history[name].astype(float) for name in _COLUMNS[:5]]
    bars = bars_of(zip([symbol] * len(history), history.index, *columns, strict=True), source)
    return undo_splits(bars, _splits(symbol, history))


def raw_actions(symbol: str, history: pd.DataFrame) -> list[ActionRow]:
    """The splits of `symbol`, and its dividends in USD for a share of their day."""
    splits = _splits(symbol, history)
    days, ratios = splits["ex_session"], splits["value"]
    rows = [(symbol, day.date(), ActionKind.SPLIT, ratio) for day, ratio in zip(days, ratios, strict=True)]
    paid = history["Dividends"][history["Dividends"] > 0]
    for day, amount in zip(pd.DatetimeIndex(paid.index), paid, strict=True):
        rows.append((symbol, day.date(), ActionKind.DIVIDEND, round(amount * ratios[days > day].prod(), _DECIMALS)))
    return rows


def _splits(symbol: str, history: pd.DataFrame) -> pd.DataFrame:
    values = history["Stock Splits"][history["Stock Splits"] > 0].astype(float)
    return pd.DataFrame({"symbol": symbol, "ex_session": values.index, "value": values.to_numpy()})
