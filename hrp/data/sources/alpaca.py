"""Daily bars, splits and dividends of Alpaca."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

import pandas as pd
from pydantic import BaseModel, Field

from hrp.data.sources.frames import ActionRow, actions_of, bars_of, vendor_names
from hrp.data.sources.http import Access, Params, VendorClient
from hrp.domain.corporate_actions import ActionKind
from hrp.domain.rebased import Adjustment
from hrp.domain.sessions import exchange_day

_VENDOR = "Alpaca"
_CLASS_MARK = "."
_MOST_BARS, _MOST_ACTIONS, _NAMES_AT_ONCE = 10_000, 1_000, 100
_KINDS = "forward_split,reverse_split,stock_dividend,cash_dividend"
# An action is listed by the day on which it is booked: of a dividend that is the day of payment.
_LATEST_PAYMENT = timedelta(days=120)


class _Page(BaseModel):
    next_page_token: str | None = None


Page = TypeVar("Page", bound=_Page)


class _Bar(BaseModel):
    at: datetime = Field(alias="t")  # midnight in New York
    open: float = Field(alias="o")
    high: float = Field(alias="h")
    low: float = Field(alias="l")
    close: float = Field(alias="c")
    volume: float = Field(alias="v")


class _Bars(_Page):
    bars: Mapping[str, list[_Bar]] | None = None


class _Split(BaseModel):
    symbol: str
    ex_date: date
    old_rate: float
    new_rate: float


class _Paid(BaseModel):
    symbol: str
    ex_date: date
    rate: float


class _Listed(BaseModel):
    forward_splits: list[_Split] = []
    reverse_splits: list[_Split] = []
    stock_dividends: list[_Paid] = []
    cash_dividends: list[_Paid] = []


class _Actions(_Page):
    corporate_actions: _Listed


class AlpacaSource:
    """`hrp.ports.PriceSource` over the market data interface of Alpaca.

    `feed` is `sip`, every US exchange, or `iex`, one of them: its volumes and closes are not the market's.
    """

    adjustment = Adjustment.RAW

    def __init__(self, access: Access, feed: str) -> None:
        """Raises ConfigError without its two keys."""
        self.name = f"alpaca:{feed}"
        self._feed, self._client = feed, VendorClient(_VENDOR, access)

    def fetch_symbols(self) -> list[str]:
        """Raises UsageError: there are thousands."""
        return list(vendor_names(None, _CLASS_MARK, _VENDOR))

    def fetch_bars(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Raw bars of `symbols`, as the port `PriceSource` says; names that Alpaca does not know have none.

        Raises:
            UsageError: no symbols were named.
            ConfigError, SourceUnavailableError, DataError: as `VendorClient.get`.
        """
        names = vendor_names(symbols, _CLASS_MARK, _VENDOR)
        # Noon is after the instant that stamps the bar and before any that a plan without recent data is refused.
        span: Params = {"start": f"{first}T00:00:00Z", "end": f"{last}T12:00:00Z", "limit": _MOST_BARS}
        asked: Params = {"timeframe": "1Day", "adjustment": "raw", "feed": self._feed, **span}
        rows = [
            (names[symbol], exchange_day(bar.at), bar.open, bar.high, bar.low, bar.close, bar.volume)
            for page in self._pages("/v2/stocks/bars", names, asked, _Bars)
            for symbol, bars in (page.bars or {}).items()
            for bar in bars
            if symbol in names
        ]
        return bars_of(rows, self.name)

    def fetch_actions(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Splits, stock and cash dividends ex `first` to `last`. Raises as `fetch_bars`."""
        names = vendor_names(symbols, _CLASS_MARK, _VENDOR)
        span: Params = {"start": first.isoformat(), "end": (last + _LATEST_PAYMENT).isoformat(), "limit": _MOST_ACTIONS}
        asked: Params = {"types": _KINDS, **span}
        rows = (
            (names[symbol], day, kind, value)
            for page in self._pages("/v1/corporate-actions", names, asked, _Actions)
            for symbol, day, kind, value in _told(page.corporate_actions)
            if symbol in names and first <= day <= last
        )
        return actions_of(rows, self.name)

    def _pages(self, path: str, names: Mapping[str, str], asked: Params, shape: type[Page]) -> Iterator[Page]:
        for start in range(0, len(names), _NAMES_AT_ONCE):
            params = {**asked, "symbols": ",".join(list(names)[start : start + _NAMES_AT_ONCE])}
            while True:
                page = self._client.get(path, params, shape)
                yield page
                if not page.next_page_token:
                    break
                params = {**params, "page_token": page.next_page_token}


def _told(listed: _Listed) -> Iterator[ActionRow]:
    for split in (*listed.forward_splits, *listed.reverse_splits):
        yield split.symbol, split.ex_date, ActionKind.SPLIT, split.new_rate / split.old_rate
    for paid in listed.stock_dividends:
        yield paid.symbol, paid.ex_date, ActionKind.SPLIT, 1 + paid.rate
    for paid in listed.cash_dividends:
        yield paid.symbol, paid.ex_date, ActionKind.DIVIDEND, paid.rate
