"""Bars and corporate actions out of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from hrp.data.frames import own_tickers
from hrp.data.market import ACTION_COLUMNS, BAR_COLUMNS
from hrp.data.sources.frames import cut
from hrp.domain.corporate_actions import ActionKind
from hrp.domain.rebased import Adjustment
from hrp.errors import DataError

NUMBERS = ("open", "high", "low", "close", "volume")
_ACTIONS = "actions"  # name of the file beside the bars, without its ending
_EMPTY = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


class FolderSource:
    """Bars in a file or a folder of files, Parquet or CSV.

    Columns: symbol (text), session or date, open, high, low, close (USD), volume (shares); others are ignored. Beside
    the bars may lie `actions.parquet` or `actions.csv` with symbol, ex_session, kind (`split`: value is new shares for
    one old; `dividend`: USD a share) and value; an empty value withdraws an action that was stated before.
    """

    adjustment = Adjustment.RAW

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"files:{path.name}"

    def fetch_symbols(self) -> list[str]:
        """Every symbol in the files. Raises DataError as `fetch_bars` does."""
        return sorted(self._bars["symbol"].unique())

    def fetch_bars(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Bars of `symbols` (None: all) from `first` to `last`, as the port `PriceSource` says; files are read once.

        Raises:
            DataError: there is no file, a column is missing or of the wrong kind, or a symbol is not text.
        """
        return cut(self._bars, symbols, first, last)

    def fetch_actions(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Every action that the files know, past and coming, whatever was asked for, as the port `PriceSource` says.

        Raises:
            DataError: a column is missing or of the wrong kind, or a value is not positive.
        """
        folder = self._path if self._path.is_dir() else self._path.parent
        files = [file for file in (folder / f"{_ACTIONS}{suffix}" for suffix in _READERS) if file.exists()]
        frames = [_read_actions(file).assign(source=self.name) for file in files]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(ACTION_COLUMNS))

    @cached_property
    def _bars(self) -> pd.DataFrame:
        folder = self._path.is_dir()
        found = sorted(f for f in self._path.iterdir() if f.suffix in _READERS) if folder else [self._path]
        files = [file for file in found if file.stem != _ACTIONS]
        if not files or not files[0].exists():
            raise DataError(f"no .parquet or .csv file at {self._path}; set HRP_PRICE_SOURCE to a folder that has some")
        bars = pd.concat([_read(file) for file in files], ignore_index=True).assign(source=self.name)
        return bars.sort_values(["session", "symbol"], ignore_index=True)


def _read(file: Path) -> pd.DataFrame:
    """One file, its columns brought to BAR_COLUMNS without `source`; nothing in it is repaired."""
    frame = _frame(file, BAR_COLUMNS[:-1])
    return pd.DataFrame(
        {
            "symbol": frame["symbol"].astype(str),
            "session": _converted(file, frame["session"], _sessions),
            **{name: _converted(file, frame[name], _numbers) for name in NUMBERS},
        }
    )


def _read_actions(file: Path) -> pd.DataFrame:
    """The file's actions, in ACTION_COLUMNS without `source`."""
    frame = _frame(file, ACTION_COLUMNS[:-1])
    values = _converted(file, frame["value"], _numbers)
    kinds = frame["kind"].astype(str)
    unknown = sorted(set(kinds) - {str(kind) for kind in ActionKind})
    if unknown:
        raise DataError(f"{file}, column kind: {unknown[0]!r} is none of {', '.join(ActionKind)}; mend the file")
    if (values <= 0).any() or np.isinf(values).any():
        raise DataError(
            f"{file}, column value: a split or dividend must be positive, got {values.min()}; mend the file"
        )
    days = _converted(file, frame["ex_session"], _sessions)
    return pd.DataFrame({"symbol": frame["symbol"].astype(str), "ex_session": days, "kind": kinds, "value": values})


def _frame(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The file as it stands; it has `columns`, and its symbols are text."""
    reader = _READERS.get(file.suffix)
    if reader is None:
        raise DataError(f"{file} is neither .parquet nor .csv")
    try:
        frame = reader(file)
    except (OSError, ValueError) as error:  # pyarrow's and pandas' parsing errors are ValueErrors
        raise DataError(f"cannot read {file}: {error}") from error
    if "session" not in frame.columns:
        frame = frame.rename(columns={"date": "session"})
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(f"{file} lacks the columns {missing}; it has {list(frame.columns)}")
    return frame.assign(symbol=own_tickers(frame["symbol"], str(file)))


def _converted(file: Path, values: pd.Series, convert: Callable[[pd.Series], pd.Series]) -> pd.Series:
    try:
        return convert(values)
    except (ValueError, TypeError) as error:
        raise DataError(f"{file}, column {values.name}: {error}; mend the file and run the command again") from error


def _sessions(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        raise TypeError(f"{values.iloc[0]!r} is a number, not a date")  # pandas would count nanoseconds from 1970
    return pd.to_datetime(values).dt.tz_localize(None).dt.normalize()


def _numbers(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values).astype(float)


def _read_csv(file: Path) -> pd.DataFrame:
    """Empty numbers are missing; a symbol is whatever text stands there, `NA` and `TRUE` included."""
    texts = dict.fromkeys(("symbol", "session", "date", "ex_session", "kind"), str)
    return pd.read_csv(file, dtype=texts, keep_default_na=False, na_values=dict.fromkeys((*NUMBERS, "value"), _EMPTY))


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {".parquet": pd.read_parquet, ".csv": _read_csv}
