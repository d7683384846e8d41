"""Who belonged to a universe when (pure)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NAMED = 5
_ENDS = ("start_session", "end_session")


def is_member(sessions: pd.DatetimeIndex, symbols: pd.Index[str], members: pd.DataFrame) -> NDArray[np.bool_]:
    """True [session × symbol] where a symbol was a member.

    Args:
        sessions: ascending.
        members: symbol, start_session, end_session (missing: still a member), both included.
    """
    inside = np.zeros((len(sessions), len(symbols)), dtype=bool)
    columns = symbols.get_indexer(pd.Index(members["symbol"]))
    days = sessions.to_numpy().astype("datetime64[D]")
    first, last = (pd.to_datetime(members[name]).to_numpy().astype("datetime64[D]") for name in _ENDS)
    starts = days.searchsorted(first, side="left")
    ends = np.where(np.isnat(last), len(days), days.searchsorted(last, side="right"))
    for column, start, end in zip(columns, starts, ends, strict=True):
        if column >= 0:
            inside[start:end, column] = True
    return inside


def strangers(rows: pd.DataFrame, members: pd.DataFrame) -> list[str]:
    """The names of `rows` (session, symbol) that were no members yet, or no longer, in words; empty if all were."""
    days, sessions = pd.factorize(pd.to_datetime(rows["session"]), sort=True)
    names, symbols = pd.factorize(rows["symbol"].astype("str"), sort=True)
    inside = is_member(pd.DatetimeIndex(sessions), pd.Index(symbols), members)
    outside = rows[~inside[days, names]]
    firsts = outside.groupby("symbol")["session"].agg(["min", "size"])
    found = [
        f"UNIVERSE_LOOKAHEAD: {symbol} is used in {row['size']} sessions in which it was no member, first "
        f"{row['min']:%Y-%m-%d}"
        for symbol, row in firsts.iterrows()
    ]
    return found[:NAMED] + ([f"UNIVERSE_LOOKAHEAD: and {len(found) - NAMED} names more"] if found[NAMED:] else [])
