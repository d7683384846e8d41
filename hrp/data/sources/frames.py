"""What every source makes of what it got: the columns of the store, in one order."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date

import pandas as pd

from hrp.data.market import ACTION_COLUMNS, BAR_COLUMNS
from hrp.domain.corporate_actions import ActionKind
from hrp.errors import UsageError

_CLASS_MARK = re.compile(r"[.\- ]")
BarRow = tuple[str, date, float, float, float, float, float]
ActionRow = tuple[str, date, ActionKind, float]


def cut(bars: pd.DataFrame, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
    """The bars of `symbols` (None: all) from `first` to `last`."""
    wanted = bars["session"].between(pd.Timestamp(first), pd.Timestamp(last))
    if symbols is not None:
        wanted &= bars["symbol"].isin(list(symbols))
    return bars[wanted].reset_index(drop=True)


def bars_of(rows: Iterable[BarRow], source: str) -> pd.DataFrame:
    """Bars in the columns and the order of the store.

    Args:
        rows: symbol, session (a date), open, high, low, close (USD) and volume (shares) of each.
    """
    bars = pd.DataFrame(rows, columns=list(BAR_COLUMNS[:-1])).assign(source=source)
    bars["session"] = pd.to_datetime(bars["session"])
    return bars.sort_values(["session", "symbol"], ignore_index=True)


def actions_of(rows: Iterable[ActionRow], source: str) -> pd.DataFrame:
    """Corporate actions in the columns of the store; several of one kind on one day are one.

    Args:
        rows: symbol, ex-session, kind and value of each. A day's dividends add up, its splits multiply.
    """
    together: dict[tuple[str, date, ActionKind], list[float]] = {}
    for symbol, day, kind, value in rows:
        together.setdefault((symbol, day, kind), []).append(value)
    joined = [
        (*key, math.prod(values) if key[2] is ActionKind.SPLIT else math.fsum(values))
        for key, values in sorted(together.items())
    ]
    actions = pd.DataFrame(joined, columns=list(ACTION_COLUMNS[:-1])).assign(source=source)
    return actions.astype({"kind": str, "value": float}).assign(ex_session=pd.to_datetime(actions["ex_session"]))


def vendor_names(symbols: Sequence[str] | None, mark: str, vendor: str) -> dict[str, str]:
    """The names asked for by the vendor's writing of them, in which class shares carry `mark` (`BRK.B`, `BRK-B`).

    Raises:
        UsageError: no names, or two that the vendor writes alike.
    """
    if symbols is None:
        raise UsageError(
            f"{vendor} has thousands of names, say which: hrp data backfill --symbols AAPL,MSFT --from DAY --to DAY"
        )
    names = {_CLASS_MARK.sub(mark, symbol): symbol for symbol in symbols}
    if len(names) < len(set(symbols)):
        doubled = sorted(set(symbols) - set(names.values()))
        raise UsageError(f"{vendor} knows {doubled[0]} and another name by one symbol; ask for one of them")
    return names
