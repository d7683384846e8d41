"""Daily bars out of a Parquet file, the corporate actions beside them, and what is known of both at an instant.

The file has the columns symbol, session, open, high, low, close (USD) and volume (shares), in any order, one row a
symbol and session. A price that is missing or not positive is None. Symbols are turned into the spelling of the wire:
`BRK.B` and `BRK-B` become `BRK B`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hrp.domain.sessions import close_at
from hrp.errors import DataError
from hrp.gateway.actions import Action, read_actions, splits_of, times
from hrp.gateway.clock import closed_session, running_session

_PRICES = ("open", "high", "low", "close")
_COLUMNS = ("symbol", "session", *_PRICES, "volume")
_PRICE_DECIMALS = 6
_BARS_KEPT = 10_000
_ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Bar:
    """One session of one instrument: prices in USD as stored, None where the file has none."""

    session: date
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    volume: int


@dataclass(frozen=True, slots=True)
class _Panel:
    """All rows, sorted by symbol and session, and which of them are whose."""

    rows: dict[str, slice]
    days: npt.NDArray[np.datetime64]
    prices: dict[str, npt.NDArray[np.float64]]
    volumes: npt.NDArray[np.int64]


class Market:
    """Every bar and every corporate action of the files. It knows the future: show clients a `MarketView`."""

    def __init__(self, path: Path, actions: Path | None = None) -> None:
        """Read the bars at `path` and the `actions`, if there is such a file.

        Raises:
            DataError: no such file, a column is missing, or two rows have one key.
        """
        self.path = path
        self._files = [path, *([actions] if actions else [])]
        self._load()

    def reload_if_changed(self) -> bool:
        """Read the files again if one was rewritten; True if one was.

        Raises:
            DataError: a new file cannot be used; what was read before stands.
        """
        if [_signature(file) for file in self._files] == self._signatures:
            return False
        self._load()
        return True

    def _load(self) -> None:
        signatures = [_signature(file) for file in self._files]
        panel = _load(self.path)
        actions = [action for file in self._files[1:] for action in read_actions(file)]
        self._panel, self._actions, self._signatures = panel, actions, signatures
        self._splits = splits_of(actions)
        self._bars = lru_cache(maxsize=_BARS_KEPT)(self._find_bar)
        self._closes = lru_cache(maxsize=_BARS_KEPT)(self._find_close)

    def actions(self, session: date) -> list[Action]:
        """What takes place at the open of `session`, in order."""
        return [action for action in self._actions if action.ex_session == session]

    def new_shares(self, symbol: str, after: date, until: date) -> Fraction:
        """How many shares one share of `symbol` has become by splits after session `after`, up to `until`."""
        splits = self._splits.get(symbol)
        return math.prod((s.ratio for s in splits if after < s.ex_session <= until), start=_ONE) if splits else _ONE

    def newest_close(self, symbol: str, session: date) -> Bar | None:
        """The newest bar of `symbol` with a close that is not newer than `session`, or None."""
        return self._closes(symbol, session)

    def symbols(self) -> list[str]:
        """Every symbol, sorted, as on the wire."""
        return sorted(self._panel.rows)

    def bar(self, symbol: str, session: date) -> Bar | None:
        """The bar of `symbol` in `session`, or None."""
        return self._bars(symbol, session)

    def first_session(self, symbol: str) -> date | None:
        """The session of the oldest bar of `symbol`, or None."""
        rows = self._panel.rows.get(symbol)
        return self._session(rows.start) if rows else None

    def last_session(self) -> date:
        """The newest session in the file."""
        newest: date = self._panel.days.max().item()
        return newest

    def newest_first(self, symbol: str, session: date) -> Iterator[Bar]:
        """The bars of `symbol` that are not newer than `session`, newest first."""
        rows = self._panel.rows.get(symbol, slice(0, 0))
        stop = rows.start + int(np.searchsorted(self._panel.days[rows], np.datetime64(session), side="right"))
        return (self._bar(at) for at in range(stop - 1, rows.start - 1, -1))

    def _find_bar(self, symbol: str, session: date) -> Bar | None:
        rows = self._panel.rows.get(symbol)
        if rows is None:
            return None
        at = rows.start + int(np.searchsorted(self._panel.days[rows], np.datetime64(session)))
        return self._bar(at) if at < rows.stop and self._panel.days[at] == np.datetime64(session) else None

    def _find_close(self, symbol: str, session: date) -> Bar | None:
        return next((bar for bar in self.newest_first(symbol, session) if bar.close), None)

    def _session(self, at: int) -> date:
        session: date = self._panel.days[at].item()
        return session

    def _bar(self, at: int) -> Bar:
        opened, high, low, close = (_price(self._panel.prices[name][at]) for name in _PRICES)
        return Bar(self._session(at), opened, high, low, close, int(self._panel.volumes[at]))


@dataclass(frozen=True, slots=True)
class MarketView:
    """What of a market is public at `now`: bars of closed sessions, and the open of the running one."""

    market: Market
    now: datetime

    def is_listed(self, symbol: str) -> bool:
        """True if `symbol` has traded by now."""
        first = self.market.first_session(symbol)
        return first is not None and (first <= closed_session(self.now) or first == running_session(self.now))

    def running_open(self, symbol: str) -> Decimal | None:
        """The opening price in USD of the running session, or None."""
        session = running_session(self.now)
        bar = self.market.bar(symbol, session) if session else None
        return bar.open if bar else None

    def closed_bars(self, symbol: str, count: int) -> list[Bar]:
        """The last `count` bars of closed sessions, oldest first."""
        newest = self.market.newest_first(symbol, closed_session(self.now))
        return list(itertools.islice(newest, count))[::-1]

    def last_close(self, symbol: str, before: date | None = None) -> Decimal | None:
        """The newest known close in USD (of a session older than `before`, if given), or None.

        It is the price of a share of today: a split that has taken place since divides it.
        """
        closed = closed_session(self.now)
        bar = self.market.newest_close(symbol, closed if before is None else min(closed, before - timedelta(days=1)))
        if bar is None or bar.close is None:
            return None
        shares = self.market.new_shares(symbol, bar.session, running_session(self.now) or closed)
        return bar.close if shares == 1 else round(times(bar.close, 1 / shares), _PRICE_DECIMALS)

    def last_price(self, symbol: str) -> Decimal | None:
        """The newest known price in USD: the open of the running session, else the last close."""
        return self.running_open(symbol) or self.last_close(symbol)


def last_close_instant(market: Market) -> datetime:
    """When the newest session of the file closes."""
    return close_at(market.last_session())


def _signature(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise DataError(f"there is no market file {path}; name bars with --market, actions with --actions") from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _load(path: Path) -> _Panel:
    panel = _panel(_read(path))
    pa.default_memory_pool().release_unused()
    for symbol, rows in panel.rows.items():
        same = np.flatnonzero(np.diff(panel.days[rows]) == np.timedelta64(0, "D"))
        if len(same):
            twice = panel.days[rows][same[0]]
            raise DataError(f"market file {path} holds {symbol} {twice} twice; write each key once")
    return panel


def _panel(table: Any) -> _Panel:
    symbols = table["symbol"].combine_chunks().dictionary_encode()
    codes, names = symbols.indices.to_numpy(), symbols.dictionary.to_pylist()
    bounds = itertools.pairwise([0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)])
    return _Panel(
        rows={name: slice(start, stop) for name, (start, stop) in zip(names, bounds, strict=True)},
        days=table["session"].to_numpy().astype("datetime64[D]"),
        prices={name: table[name].to_numpy() for name in _PRICES},
        volumes=table["volume"].to_numpy(),
    )


def _read(path: Path) -> Any:
    """The file as a table of plain columns, sorted by symbol and session, symbols as on the wire."""
    try:
        missing = set(_COLUMNS) - set(pq.read_schema(path).names)
        if missing:
            raise DataError(f"market file {path} lacks the columns {sorted(missing)}")
        table = _plain(pq.read_table(path, columns=list(_COLUMNS)))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"market file {path} cannot be read: {error}") from error
    if not table.num_rows:
        raise DataError(f"market file {path} holds no rows")
    return table.sort_by([("symbol", "ascending"), ("session", "ascending")])


def _plain(table: Any) -> Any:
    columns = {"symbol": pc.replace_substring_regex(table["symbol"].cast(pa.string()), r"[.-]", " ")}
    columns["session"] = table["session"].cast(pa.date32())
    columns |= {name: table[name].cast(pa.float64()) for name in _PRICES}
    columns["volume"] = pc.fill_null(table["volume"].cast(pa.int64()), 0)
    return pa.table(columns)


def _price(stored: float) -> Decimal | None:
    if not math.isfinite(stored) or stored <= 0:
        return None
    return Decimal(repr(round(float(stored), _PRICE_DECIMALS)))
