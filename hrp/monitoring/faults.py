"""Data faults: what is wrong with the current window itself, before its distribution is compared.

A distance between distributions drops missing values and dilutes one bad night among many good ones, so a dead feed
can look like no drift. These shares are looked at beside it, and the newest session is looked at on its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from hrp.domain.drift import DriftCheck, DriftFamily, judge
from hrp.errors import DataError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
KEYS = ["session", "symbol"]

# How much worse than the reference a share may be. One session is a small sample, so it is allowed more.
WINDOW_ALLOWANCE = 0.05
NEWEST_ALLOWANCE = 0.25
# With more than half of a session where the reference has never been, the two do not overlap in any useful sense.
OUTSIDE_LIMIT = 0.5
# How many of the newest sessions of the reference say how often a value normally repeats itself.
REPEAT_SESSIONS = 63


def require_panel(frame: pd.DataFrame, name: str) -> None:
    """Nothing, if `frame` is keyed by session and symbol.

    Raises:
        DataError: a key column is missing or empty in places, a symbol is not text, or a key stands there twice.
    """
    absent = [key for key in KEYS if key not in frame.columns]
    if absent:
        raise DataError(f"the {name} has no column {' or '.join(absent)}; it needs session and symbol in each row")
    if frame[KEYS].isna().any(axis=None):
        raise DataError(f"the {name} has rows without session or symbol; find them where the frame is built")
    if not pd.api.types.is_string_dtype(frame["symbol"]) and len(frame):
        raise DataError(f"the {name} holds symbols that are not text (dtype {frame['symbol'].dtype})")
    if (twice := int(frame.duplicated(KEYS).sum())) > 0:
        row = frame.loc[frame.duplicated(KEYS), KEYS].iloc[0]
        raise DataError(f"the {name} holds {twice} keys twice, first {row['symbol']} at {row['session']}")


def finite_values(frame: pd.DataFrame, column: str, name: str, at_least: int) -> pd.Series[float]:
    """The finite values of `column`, in the order of the rows; an infinite one counts as missing.

    Raises:
        DataError: `frame`, called `name` in the message, has no such column, no numbers in it or fewer than
            `at_least` finite ones.
    """
    if column not in frame.columns:
        raise DataError(f"the {name} has no column {column}")
    if not _is_numeric(frame, column):
        raise DataError(f"the {name} holds {frame[column].dtype} in column {column}, not numbers")
    values = frame[column].to_numpy(dtype=float, na_value=np.nan)
    values = values[np.isfinite(values)]
    if len(values) < at_least:
        raise DataError(f"the {name} has {len(values)} finite values in {len(frame)} rows, {at_least} are needed")
    return pd.Series(values)


def newest_sessions(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """The rows of the `count` newest sessions of `frame`."""
    sessions = sorted(frame["session"].unique())[-count:]
    rows: pd.DataFrame = frame[frame["session"] >= sessions[0]]
    return rows


def fault_checks(current: pd.DataFrame, reference: pd.DataFrame, columns: Sequence[str]) -> list[DriftCheck]:
    """Four checks of family DATA for each of the numeric `columns`; each value is a share in [0, 1].

    `missing_share`          rows of the window without a finite value
    `missing_share_newest`   the same in the newest session alone
    `repeated_share_newest`  values of the newest session equal to the same symbol's value one session before
    `outside_share_newest`   values of the newest session beyond the smallest or largest of the reference

    The first three are held against the reference's own share plus an allowance, so that a feature which is often
    missing or changes rarely does not alarm for being what it always was. A share that cannot be computed (a window
    of one session has no session before) is `COULD_NOT_CHECK`. Both frames are panels; nothing is said about a
    column that is not numeric in both, and nothing if one of them is empty.
    """
    names = [name for name in columns if _is_numeric(current, name) and _is_numeric(reference, name)]
    if not names or current.empty or reference.empty:
        return []
    newest, before = newest_sessions(current, 1), newest_sessions(reference, REPEAT_SESSIONS)
    normally_missing = _missing(reference, names)
    measured = (
        ("missing_share", _missing(current, names), normally_missing + WINDOW_ALLOWANCE),
        ("missing_share_newest", _missing(newest, names), normally_missing + NEWEST_ALLOWANCE),
        (
            "repeated_share_newest",
            _repeated(newest_sessions(current, 2), names),
            _repeated(before, names) + NEWEST_ALLOWANCE,
        ),
        ("outside_share_newest", _outside(newest, reference, names), pd.Series(OUTSIDE_LIMIT, index=names)),
    )
    return [
        _check(name, method, float(shares[name]), float(limits[name]))
        for name in names
        for method, shares, limits in measured
    ]


def _is_numeric(frame: pd.DataFrame, column: str) -> bool:
    return column in frame.columns and pd.api.types.is_numeric_dtype(frame[column])


def _check(column: str, method: str, share: float, limit: float) -> DriftCheck:
    known = not np.isnan(share) and not np.isnan(limit)
    value = share if known else None
    detail = f"{share:.1%} of the values, {limit:.1%} is allowed" if known else "nothing to compare"
    return DriftCheck(DriftFamily.DATA, column, method, value, limit if known else 0.0, judge(value, limit), detail)


def _matrix(frame: pd.DataFrame, columns: list[str]) -> Floats:
    values = frame[columns].to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _share(hits: Flags, of: Flags, columns: list[str]) -> pd.Series[float]:
    counts = of.sum(axis=0)
    return pd.Series(np.where(counts > 0, hits.sum(axis=0) / np.maximum(counts, 1), np.nan), index=columns)


def _missing(frame: pd.DataFrame, columns: list[str]) -> pd.Series[float]:
    missing = np.isnan(_matrix(frame, columns))
    return _share(missing, np.ones_like(missing), columns)


def _repeated(frame: pd.DataFrame, columns: list[str]) -> pd.Series[float]:
    """Of the values that have one by the same symbol in the session before: the share that equals it."""
    ordinal = {session: place for place, session in enumerate(sorted(frame["session"].unique()))}
    place = frame["session"].map(ordinal).to_numpy()
    symbol, _ = pd.factorize(frame["symbol"])
    order = np.lexsort((place, symbol))
    values, place, symbol = _matrix(frame, columns)[order], place[order], symbol[order]

    follows = (symbol[1:] == symbol[:-1]) & (place[1:] == place[:-1] + 1)
    now, then = values[1:][follows], values[:-1][follows]
    return _share(now == then, ~np.isnan(now) & ~np.isnan(then), columns)


def _outside(current: pd.DataFrame, reference: pd.DataFrame, columns: list[str]) -> pd.Series[float]:
    values, known = _matrix(current, columns), _matrix(reference, columns)
    low, high = np.fmin.reduce(known), np.fmax.reduce(known)
    return _share((values < low) | (values > high), ~np.isnan(values) & ~np.isnan(low), columns)
