"""Daily bars as matrices (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.errors import DataError

Matrix = NDArray[np.float64]

FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Daily bars as dense float64 matrices [session × symbol]; NaN where there is no bar.

    `sessions` ascend and are the exchange sessions of the store without a gap; `symbols` ascend. Prices are USD,
    adjusted as the caller wants them; volume is shares.
    """

    sessions: pd.DatetimeIndex
    symbols: pd.Index[str]
    open: Matrix
    high: Matrix
    low: Matrix
    close: Matrix
    volume: Matrix

    @classmethod
    def from_bars(cls, bars: pd.DataFrame) -> Self:
        """The panel of a long frame with the columns session, symbol, open, high, low, close, volume.

        Rows are placed by key, in whatever order they come. What cannot be a price (zero, negative, infinite) or a
        volume (negative, infinite) counts as missing.

        Raises:
            DataError: no rows, a missing column, a symbol that is not text, or two rows for one key.
        """
        _check_bars(bars)
        rows, sessions = pd.factorize(pd.to_datetime(bars["session"]).astype("datetime64[us]"), sort=True)
        columns, symbols = pd.factorize(bars["symbol"].astype("str"), sort=True)
        cells = rows * len(symbols) + columns
        _refuse_duplicates(bars, cells)
        shape = (len(sessions), len(symbols))
        matrices = {
            field: _dense(bars[field], cells, shape, above=-1.0 if field == "volume" else 0.0) for field in FIELDS
        }
        return cls(
            pd.DatetimeIndex(sessions, name="session"), pd.Index(symbols, name="symbol", dtype="str"), **matrices
        )

    def tail(self, sessions: int) -> Panel:
        """The last `sessions` sessions, or all if there are fewer."""
        return self.rows(slice(max(len(self.sessions) - sessions, 0), None))

    def through(self, session: date) -> Panel:
        """What was known at the close of `session`: that session and all before it."""
        return self.rows(slice(0, int(self.sessions.searchsorted(pd.Timestamp(session), side="right"))))

    def rows(self, rows: slice) -> Panel:
        """Some of the sessions, all symbols."""
        return Panel(self.sessions[rows], self.symbols, *(getattr(self, field)[rows] for field in FIELDS))

    def columns(self, symbols: slice) -> Panel:
        """Some of the symbols, all sessions."""
        matrices = (np.ascontiguousarray(getattr(self, field)[:, symbols]) for field in FIELDS)
        return Panel(self.sessions, self.symbols[symbols], *matrices)

    def wide(self, field: str) -> pd.DataFrame:
        """One field as a frame, index session, columns symbol."""
        return pd.DataFrame(getattr(self, field), index=self.sessions, columns=self.symbols)

    @property
    def day(self) -> Matrix:
        """Days since 1970-01-01 of each session, the same for every symbol."""
        days = self.sessions.to_numpy().astype("datetime64[D]").astype(np.float64)
        return np.broadcast_to(days[:, None], self.close.shape)


def _check_bars(bars: pd.DataFrame) -> None:
    missing = [column for column in ("session", "symbol", *FIELDS) if column not in bars.columns]
    if missing:
        raise DataError(f"bars lack the columns {', '.join(missing)}; they have {', '.join(map(str, bars.columns))}")
    if bars.empty:
        raise DataError("there are no bars to compute features from; run: hrp run prices")
    odd = [symbol for symbol in bars["symbol"].unique() if not isinstance(symbol, str)]
    if odd:
        raise DataError(f"symbols must be text, the bars hold {odd[0]!r} ({type(odd[0]).__name__})")


def _refuse_duplicates(bars: pd.DataFrame, cells: NDArray[np.int64]) -> None:
    repeated = pd.Series(cells).duplicated().to_numpy()
    if repeated.any():
        first = bars.iloc[int(repeated.argmax())]
        raise DataError(
            f"{int(repeated.sum())} bars repeat a key, first that of {first['symbol']} in session {first['session']}"
        )


def _dense(values: pd.Series[Any], cells: NDArray[np.int64], shape: tuple[int, int], above: float) -> Matrix:
    flat = np.full(shape[0] * shape[1], np.nan)
    flat[cells] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    flat[~(np.isfinite(flat) & (flat > above))] = np.nan
    return flat.reshape(shape)
