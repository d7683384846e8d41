"""Daily bars, splits and dividends of Massive, formerly Polygon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

import pandas as pd
from pydantic import BaseModel, Field

from hrp.data.sources.frames import ActionRow, BarRow, actions_of, bars_of, vendor_names
from hrp.data.sources.http import Access, Params, VendorClient
from hrp.domain.corporate_actions import ActionKind
from hrp.domain.rebased import Adjustment
from hrp.domain.sessions import exchange_day, sessions_between
from hrp.errors import DataError

_VENDOR = "Massive"
_DOLLAR = "USD"
_GOOD = ("OK", "DELAYED")
_CLASS_MARK = "."
_MOST_BARS, _MOST_ACTIONS, _NAMES_AT_ONCE = 50_000, 5_000, 100


class _Page(BaseModel):
    status: str
    next_url: str | None = None


Page = TypeVar("Page", bound=_Page)


class _Bar(BaseModel):
    ticker: str = Field("", alias="T")
    at: int = Field(alias="t")  # milliseconds since 1970: the start of the day, or its close
    open: float = Field(alias="o")
    high: float = Field(alias="h")
    low: float = Field(alias="l")
    close: float = Field(alias="c")
    volume: float = Field(alias="v")


class _Bars(_Page):
    adjusted: bool
    count: int = Field(0, alias="resultsCount")
    results: list[_Bar] = []


class _Split(BaseModel):
    ticker: str
    execution_date: date
    split_from: float
    split_to: float


class _Splits(_Page):
    results: list[_Split] = []


class _Dividend(BaseModel):
    ticker: str
    ex_dividend_date: date
    cash_amount: float
    currency: str = _DOLLAR


class _Dividends(_Page):
    results: list[_Dividend] = []


class MassiveSource:
    """`hrp.ports.PriceSource` over the REST interface of Massive.

    Few sessions of many names are asked for by session, which is one request for the whole market; else each name's
    history is. Dividends are as paid, in the shares of their day.
    """

    name = "massive"
    adjustment = Adjustment.RAW

    def __init__(self, access: Access) -> None:
        """Raises ConfigError without a key."""
        self._client = VendorClient(_VENDOR, access)

    def fetch_symbols(self) -> list[str]:
        """Raises UsageError: there are thousands."""
        return list(vendor_names(None, _CLASS_MARK, _VENDOR))

    def fetch_bars(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Raw bars of `symbols`, as the port `PriceSource` says; names that Massive does not know have none.

        Raises:
            UsageError: no symbols were named.
            ConfigError, SourceUnavailableError, DataError: as `VendorClient.get`; or it is not whole, or not raw.
        """
        names = vendor_names(symbols, _CLASS_MARK, _VENDOR)
        sessions = sessions_between(first, last)
        pages = self._by_session(sessions) if len(sessions) < len(names) else self._by_name(names, first, last)
        rows = (_row(names[ticker], bar) for ticker, bar in pages if ticker in names)
        return bars_of((row for row in rows if first <= row[1] <= last), self.name)

    def fetch_actions(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Splits and dividends in dollars ex `first` to `last`, announced ones included. Raises as `fetch_bars`."""
        names = vendor_names(symbols, _CLASS_MARK, _VENDOR)
        found = (
            row
            for start in range(0, len(names), _NAMES_AT_ONCE)
            for row in self._actions(",".join(list(names)[start : start + _NAMES_AT_ONCE]), first, last)
        )
        return actions_of(((names[row[0]], *row[1:]) for row in found if row[0] in names), self.name)

    def _actions(self, asked: str, first: date, last: date) -> Iterator[ActionRow]:
        for splits in self._pages("/stocks/v1/splits", _between("execution_date", asked, first, last), _Splits):
            for split in splits.results:
                yield split.ticker, split.execution_date, ActionKind.SPLIT, split.split_to / split.split_from
        for page in self._pages("/stocks/v1/dividends", _between("ex_dividend_date", asked, first, last), _Dividends):
            for paid in page.results:
                if paid.currency == _DOLLAR:
                    yield paid.ticker, paid.ex_dividend_date, ActionKind.DIVIDEND, paid.cash_amount

    def _by_session(self, sessions: Sequence[date]) -> Iterator[tuple[str, _Bar]]:
        for session in sessions:
            for bar in self._bars(f"/v2/aggs/grouped/locale/us/market/stocks/{session}", {}):
                yield bar.ticker, bar

    def _by_name(self, names: Iterable[str], first: date, last: date) -> Iterator[tuple[str, _Bar]]:
        for name in names:
            path = f"/v2/aggs/ticker/{quote(name)}/range/1/day/{first}/{last}"
            for bar in self._bars(path, {"sort": "asc", "limit": _MOST_BARS}):
                yield name, bar

    def _bars(self, path: str, params: Params) -> list[_Bar]:
        pages = list(self._pages(path, {"adjusted": "false", **params}, _Bars))
        bars = [bar for page in pages for bar in page.results]
        if bars and any(page.adjusted for page in pages):
            raise DataError(
                f"{_VENDOR} answered {path} with adjusted bars though raw ones were asked for; none was taken"
            )
        promised = max(page.count for page in pages)
        if len(bars) < promised:
            raise DataError(
                f"{_VENDOR} promised {promised} bars for {path} and sent {len(bars)}; run the command again"
            )
        return bars

    def _pages(self, path: str, params: Params, shape: type[Page]) -> Iterator[Page]:
        """Every page. The address of the next one is followed at our own base: a key goes nowhere else."""
        while True:
            page = self._client.get(path, params, shape)
            if page.status not in _GOOD:
                raise DataError(f"{_VENDOR} answered {path} with status {page.status}; run the command again later")
            yield page
            if not page.next_url:
                return
            address = urlsplit(page.next_url)
            path, params = address.path, dict(parse_qsl(address.query))


def _between(day: str, names: str, first: date, last: date) -> Params:
    return {
        "ticker.any_of": names,
        f"{day}.gte": first.isoformat(),
        f"{day}.lte": last.isoformat(),
        "limit": _MOST_ACTIONS,
    }


def _row(symbol: str, bar: _Bar) -> BarRow:
    session = exchange_day(datetime.fromtimestamp(bar.at / 1000, UTC))
    return symbol, session, bar.open, bar.high, bar.low, bar.close, bar.volume
