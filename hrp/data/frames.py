"""What a frame must be before it may enter the store: complete columns, symbols that are text, unique keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd

from hrp.data.rows import Connection
from hrp.domain.identity import own_ticker
from hrp.errors import DataError

MEND_SYMBOLS = (
    "read the column as text (in pandas: dtype={'symbol': str}, keep_default_na=False), then run the command again"
)


def require_columns(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raises DataError naming the `columns` that `frame` lacks."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(
            f"{what} lack the columns {missing}; they have {list(frame.columns)}, needed are {list(columns)}"
        )


def require_symbols(symbols: pd.Series | pd.Index, what: str) -> None:
    """Every symbol must be text: `TRUE` and `NA` are tickers, True and NaN are what a careless reader makes of them.

    Raises:
        DataError: naming the first wrong row, its value, and how to mend it.
    """
    wrong = [value for value in pd.unique(symbols) if not (isinstance(value, str) and value.strip())]
    if not wrong:
        return
    row, value = next((row, v) for row, v in enumerate(symbols) if not (isinstance(v, str) and v.strip()))
    raise DataError(f"{what}, row {row}: symbol is {value!r} ({type(value).__name__}), not text; {MEND_SYMBOLS}")


def own_tickers(symbols: pd.Series, what: str) -> pd.Series:
    """`symbols` as HRP writes them (`BRK-B` is `BRK.B`).

    Raises:
        DataError: one is not text, or is no ticker; the message names the first such row and its value.
    """
    require_symbols(symbols, what)
    own = {}
    for symbol in pd.unique(symbols):
        try:
            own[symbol] = own_ticker(symbol)
        except DataError as error:
            row = next(row for row, value in enumerate(symbols) if value == symbol)
            raise DataError(f"{what}, row {row}: {error}; mend the row or take it out") from error
    return symbols.map(own).astype(str)


def require_tickers(symbols: pd.Series, what: str) -> None:
    """Raises DataError naming the first row whose symbol is no ticker in HRP's writing."""
    own = own_tickers(symbols, what)
    other = (own.to_numpy() != symbols.to_numpy()).nonzero()[0]
    if len(other):
        row = int(other[0])
        raise DataError(
            f"{what}, row {row}: {symbols.iloc[row]!r} is written {own.iloc[row]!r} here, or it is two names"
        )


def require_unique(keys: pd.DataFrame, what: str) -> None:
    """Raises DataError naming the first row of `keys` that stands there twice."""
    twice = keys.duplicated()
    if twice.any():
        key = ", ".join(f"{name}={value}" for name, value in keys[twice].iloc[0].items())
        raise DataError(f"{what} have {int(twice.sum())} duplicate keys, first: {key}; remove them, none was saved")


def require_no_infinity(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raises DataError naming the first row with an infinite number in `columns`; missing values may pass."""
    infinite = np.isinf(frame[list(columns)].to_numpy(dtype=float, na_value=np.nan))
    if infinite.any():
        row, column = (int(place[0]) for place in np.nonzero(infinite))
        key = ", ".join(str(frame[name].iloc[row])[:10] for name in ("symbol", "session") if name in frame)
        raise DataError(
            f"{what}, row {row}: {columns[column]} is infinite ({key}); leave it empty in the source if it is not "
            "known, then run the command again"
        )


@contextmanager
def registered(con: Connection, name: str, frame: pd.DataFrame) -> Iterator[None]:
    """`frame` as the relation `name` inside the block."""
    con.register(name, frame)
    try:
        yield
    finally:
        con.unregister(name)
