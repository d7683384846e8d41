"""Opens and closes as a dense session × symbol panel, checked once and read session by session."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hrp.domain.corporate_actions import ActionKind, CorporateAction, new_price
from hrp.domain.sessions import sessions_between
from hrp.errors import DataError

Floats = npt.NDArray[np.float64]

PRICE_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Panel:
    """Raw USD prices [session × symbol], NaN where there is none, and the corporate actions by ex-session.

    `marks` carries the last known close forward, for a share of the session: a split since has divided it. The actions
    stand in the order in which they take place: of two on one name the dividend comes first, on the old shares. Prices
    hold six decimals, as the store does, so the float and the Decimal of a price are the same number.
    """

    sessions: tuple[date, ...]
    columns: Mapping[str, int]
    opens: Floats
    closes: Floats
    marks: Floats
    actions: Mapping[date, Sequence[CorporateAction]]

    def prices(self, kind: Floats, row: int, symbols: Iterable[str]) -> dict[str, Decimal]:
        """The prices of `symbols` in one row of `opens`, `closes` or `marks`; a symbol without one is absent."""
        known = {symbol: float(kind[row, self.columns[symbol]]) for symbol in symbols if symbol in self.columns}
        return {symbol: Decimal(repr(price)) for symbol, price in known.items() if math.isfinite(price)}


def make_panel(opens: pd.DataFrame, closes: pd.DataFrame, actions: Iterable[CorporateAction] = ()) -> Panel:
    """A panel out of two frames [session × symbol] of USD prices, NaN where a symbol did not trade, and the `actions`
    on those symbols; an action on anything else is left out.

    Raises:
        DataError: the frames differ in sessions or symbols, a symbol is not text or stands twice, a session of the
            exchange is missing, or a price is neither positive and finite nor NaN.
    """
    symbols = _symbols(opens, closes)
    sessions = _sessions(opens, closes)
    first, last = _matrix(opens[symbols], "open"), _matrix(closes[symbols], "close")
    columns = {symbol: column for column, symbol in enumerate(symbols)}
    taking_place = _by_session([action for action in actions if action.symbol in columns])
    return Panel(sessions, columns, first, last, _marks(sessions, columns, last, taking_place), taking_place)


def _symbols(opens: pd.DataFrame, closes: pd.DataFrame) -> list[str]:
    for frame, name in ((opens, "opens"), (closes, "closes")):
        wrong = [label for label in frame.columns if not isinstance(label, str)]
        if wrong:
            raise DataError(f"{name} has the column {wrong[0]!r}; symbols are text, read them as text")
        if not frame.columns.is_unique:
            raise DataError(
                f"{name} has {frame.columns[frame.columns.duplicated()][0]} twice; keep one column a symbol"
            )
    odd = sorted(set(opens.columns) ^ set(closes.columns))
    if odd:
        raise DataError(f"{odd[0]} stands in only one of opens and closes ({len(odd)} such symbols)")
    return sorted(closes.columns)


def _sessions(opens: pd.DataFrame, closes: pd.DataFrame) -> tuple[date, ...]:
    found, other = (tuple(stamp.date() for stamp in pd.DatetimeIndex(f.index)) for f in (closes, opens))
    if not found or found != other:
        raise DataError(f"opens has {len(other)} sessions and closes {len(found)}; give both the same sessions")
    expected = sessions_between(min(found), max(found))
    if list(found) != expected:
        odd = sorted(set(found) ^ set(expected))
        problem = f"{odd[0]} is missing or not a session" if odd else "they are out of order or repeated"
        raise DataError(f"the sessions from {min(found)} to {max(found)} are not those of the exchange: {problem}")
    return found


def _matrix(frame: pd.DataFrame, name: str) -> Floats:
    values: Floats = np.round(frame.to_numpy(dtype=np.float64, na_value=np.nan), PRICE_DECIMALS)
    wrong = np.argwhere(~np.isnan(values) & ~(np.isfinite(values) & (values > 0)))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"the {name} of {frame.columns[column]} in {frame.index[row]:%Y-%m-%d} is {values[row, column]}; "
            "a price is positive, or NaN where there is none"
        )
    return values


def _by_session(actions: Iterable[CorporateAction]) -> dict[date, list[CorporateAction]]:
    found: dict[date, list[CorporateAction]] = {}
    for action in sorted(actions, key=lambda action: (action.ex_session, action.symbol, action.kind)):
        found.setdefault(action.ex_session, []).append(action)
    return found


def _marks(
    sessions: Sequence[date],
    columns: Mapping[str, int],
    closes: Floats,
    actions: Mapping[date, Sequence[CorporateAction]],
) -> Floats:
    carried: npt.NDArray[Any] = pd.DataFrame(closes).ffill().to_numpy(copy=True)
    for row, session in enumerate(sessions):
        for split in (action for action in actions.get(session, ()) if action.kind is ActionKind.SPLIT):
            column = columns[split.symbol]
            halted = np.isnan(closes[row:, column])
            end = row + (len(halted) if halted.all() else int(halted.argmin()))
            if end > row and np.isfinite(carried[row, column]):
                carried[row:end, column] = float(new_price(Decimal(repr(float(carried[row, column]))), split))
    return carried
