"""Where daily bars come from: the set that comes with skfolio, or files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from hrp.data.frames import require_symbols
from hrp.data.market import ACTION_COLUMNS, BAR_COLUMNS
from hrp.domain.corporate_actions import ActionKind
from hrp.errors import ConfigError, DataError

NUMBERS = ("open", "high", "low", "close", "volume")
_ACTIONS = "actions"  # name of the file beside the bars, without its ending
_EMPTY = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


class SkfolioSource:
    """Twenty large US stocks, 1990 to 2022, from skfolio: no account, no key, no network.

    Only the closes are real (adjusted, rounded to 4 decimals). Open, high, low and volume are made by a seeded rule
    over each symbol's whole history, so that every range asked for has equal rows.
    """

    name = "skfolio:close;made:ohlv"

    def __init__(self, seed: int = 20260102) -> None:
        self._seed = seed

    def fetch_symbols(self) -> list[str]:
        """Every symbol of the set."""
        return sorted(self._closes.columns)

    def fetch_bars(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Bars of `symbols` (None: all) from `first` to `last`, as the port `PriceSource` says."""
        return _cut(self._bars, symbols, first, last)

    def fetch_actions(self) -> pd.DataFrame:
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


class FolderSource:
    """Bars in a file or a folder of files, Parquet or CSV.

    Columns: symbol (text), session or date, open, high, low, close (USD), volume (shares); others are ignored. Beside
    the bars may lie `actions.parquet` or `actions.csv` with symbol, ex_session, kind (`split`: value is new shares for
    one old; `dividend`: USD a share) and value; an empty value withdraws an action that was stated before.
    """

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
        return _cut(self._bars, symbols, first, last)

    def fetch_actions(self) -> pd.DataFrame:
        """Every action that the files know, past and coming: symbol, ex_session, kind, value, source.

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
    require_symbols(frame["symbol"], str(file))
    return frame


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


def _cut(bars: pd.DataFrame, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
    wanted = bars["session"].between(pd.Timestamp(first), pd.Timestamp(last))
    if symbols is not None:
        wanted &= bars["symbol"].isin(list(symbols))
    return bars[wanted].reset_index(drop=True)
