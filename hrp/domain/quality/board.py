"""Bars as dense matrices, one row a session and one column a symbol, and the few operations that the checks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from hrp.domain.corporate_actions import ActionKind
from hrp.domain.sessions import EXCHANGE_ZONE, close_at
from hrp.errors import DataError

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
PRICES = ("open", "high", "low", "close")
BACK_SESSIONS = 5  # how far back the last close is looked for, and the span of a level
VOLUME_SESSIONS = 20  # a month: longer than an earnings week, shorter than a season
NORMAL = 1.4826  # median absolute deviation to standard deviation, of a normal distribution
_FULL_DAY = time(16)


@dataclass(frozen=True)
class Board:
    """Bars of `symbols` over consecutive `sessions`; float64, NaN where there is no number.

    `bars` and `second` hold open, high, low, close, volume and close, volume. `expected`: which names should have a
    bar. `actions`: new shares for one old, and USD a share, on the ex-session (1 and 0 without an action).
    `strays`: (row, column) of the session that follows a bar which is dated on no session, and that date.
    """

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    bars: dict[str, Matrix]
    second: dict[str, Matrix]
    actions: dict[str, Matrix]
    expected: Mask
    strays: dict[tuple[int, int], date]

    @cached_property
    def prices(self) -> dict[str, Matrix]:
        """Prices that are prices: finite and positive, else NaN; in shares of the first session."""
        return {name: usable(self.bars[name]) * self._factor for name in PRICES}

    @cached_property
    def activity(self) -> Matrix:
        """Volume relative to the usual of VOLUME_SESSIONS sessions."""
        volume = usable(self.bars["volume"]) / self._factor
        return volume / usual(volume, VOLUME_SESSIONS, BACK_SESSIONS)

    @cached_property
    def _factor(self) -> Matrix:
        """What a price is multiplied by, so that no action on record moves the series; a split by its ratio, a dividend
        by close before / (close before - dividend), as CRSP's cumulative factors."""
        splits, paid = self.actions["split"], self.actions["dividend"]
        before = last(usable(self.bars["close"]))
        steps: Matrix = splits * np.where((paid > 0) & (paid < before), before / (before - paid), 1.0)
        return np.cumprod(steps, axis=0, dtype=np.float64)

    @cached_property
    def short_days(self) -> Mask:
        """Sessions that close early."""
        return np.array([close_at(day).astimezone(EXCHANGE_ZONE).time() < _FULL_DAY for day in self.sessions], bool)


def board(
    bars: pd.DataFrame,
    sessions: Sequence[date],
    symbols: Sequence[str],
    second: pd.DataFrame | None = None,
    actions: pd.DataFrame | None = None,
) -> Board:
    """Lay long frames out, every name expected; rows of other symbols and outside the sessions are left aside.

    Args:
        bars: symbol, session, open, high, low, close (USD), volume (shares).
        second: symbol, session, close, volume of another vendor; of two rows of one key the last counts.
        actions: symbol, ex_session, kind, value, as the store has them.

    Raises:
        DataError: a symbol has two bars in one session.
    """
    twice = bars.loc[bars.duplicated(["symbol", "session"]), "symbol"]
    if len(twice):
        names = ", ".join(map(str, sorted(twice.unique(), key=str)))
        raise DataError(f"more than one bar a session for {names} up to session {sessions[-1]}")
    days, columns = pd.DatetimeIndex(pd.to_datetime(list(sessions))), pd.Index(list(symbols), dtype=object)
    own = _Lines.of(bars, "session", days, columns)
    other = _Lines.of(_NO_SECOND if second is None else second, "session", days, columns)
    known = _NO_ACTIONS if actions is None else actions
    steps = {kind: _Lines.of(known[known["kind"] == str(kind)], "ex_session", days, columns) for kind in _UNMOVED}
    return Board(
        tuple(sessions),
        tuple(symbols),
        {name: own.matrix(name, np.nan) for name in (*PRICES, "volume")},
        {name: other.matrix(name, np.nan) for name in ("close", "volume")},
        {str(kind): lines.matrix("value", _UNMOVED[kind]) for kind, lines in steps.items()},
        np.ones((len(days), len(columns)), bool),
        own.strays(days),
    )


_UNMOVED = {ActionKind.SPLIT: 1.0, ActionKind.DIVIDEND: 0.0}
_NO_SECOND = pd.DataFrame({"symbol": [], "session": [], "close": [], "volume": []})
_NO_ACTIONS = pd.DataFrame({"symbol": [], "ex_session": [], "kind": [], "value": []})


@dataclass(frozen=True, slots=True)
class _Lines:
    """A long frame, and the row and column of a matrix in which each of its lines belongs, -1 for none."""

    frame: pd.DataFrame
    stamps: pd.DatetimeIndex
    row: npt.NDArray[np.intp]
    column: npt.NDArray[np.intp]
    shape: tuple[int, int]

    @classmethod
    def of(cls, frame: pd.DataFrame, day: str, days: pd.DatetimeIndex, columns: pd.Index) -> _Lines:
        stamps = pd.DatetimeIndex(pd.to_datetime(frame[day]))
        column = columns.get_indexer(pd.Index(frame["symbol"]))
        return cls(frame, stamps, days.get_indexer(stamps), column, (len(days), len(columns)))

    def matrix(self, name: str, missing: float) -> Matrix:
        laid = np.full(self.shape, missing)
        known = (self.row >= 0) & (self.column >= 0)
        laid[self.row[known], self.column[known]] = self.frame[name].to_numpy(np.float64)[known]
        return laid

    def strays(self, days: pd.DatetimeIndex) -> dict[tuple[int, int], date]:
        """Row of the session that follows, column, and date of the lines that are dated between two sessions."""
        after = days.searchsorted(self.stamps)
        stray = (self.row < 0) & (self.column >= 0) & (after > 0) & (after < len(days))
        return {(int(after[i]), int(self.column[i])): self.stamps[int(i)].date() for i in np.flatnonzero(stray)}


def usable(matrix: Matrix) -> Matrix:
    """Finite positive numbers, else NaN."""
    return np.where(np.isfinite(matrix) & (matrix > 0), matrix, np.nan)


def back(matrix: Matrix, sessions: int = 1) -> Matrix:
    """The value `sessions` sessions before, NaN where there is none."""
    shifted = np.full_like(matrix, np.nan)
    shifted[sessions:] = matrix[: max(len(matrix) - sessions, 0)]
    return shifted


def last(matrix: Matrix) -> Matrix:
    """The last number of the BACK_SESSIONS sessions before."""
    found = back(matrix)
    for sessions in range(2, BACK_SESSIONS + 1):
        found = np.where(np.isnan(found), back(matrix, sessions), found)
    return found


def usual(matrix: Matrix, sessions: int, at_least: int) -> Matrix:
    """The median of the `sessions` sessions before, NaN with fewer than `at_least` numbers."""
    # The columns one after the other, with gaps as long as the window: one call, several times faster than one each.
    chained = pd.Series(np.pad(matrix.T, ((0, 0), (0, sessions)), constant_values=np.nan).ravel())
    medians = chained.rolling(sessions, min_periods=at_least).median().to_numpy(np.float64)
    return back(medians.reshape(matrix.shape[1], len(matrix) + sessions)[:, : len(matrix)].T)


def middle(matrix: Matrix) -> Matrix:
    """The median over the names of each session, as a column."""
    return pd.DataFrame(matrix).median(axis=1).to_numpy(np.float64)[:, None]
