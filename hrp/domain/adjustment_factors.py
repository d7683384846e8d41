"""Prices of the past in the shares of the session that looks back: a series is a function of its as-of (pure).

Raw prices are facts and are never changed. What a split or a dividend makes of them is computed when somebody looks
back, from the actions that were known then and ex by then, so no later split reaches into an earlier view. On the
session that looks back every factor is 1: its adjusted close is its raw close.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from itertools import accumulate
from operator import mul
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.domain.corporate_actions import ActionKind, exact_ratio
from hrp.domain.rebased import Adjustment
from hrp.errors import DataError

PRICES = ("open", "high", "low", "close")

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]


def adjusted(bars: pd.DataFrame, actions: pd.DataFrame, as_of: date, *, dividends: bool = False) -> pd.DataFrame:
    """`bars` in the shares of `as_of`: prices divided, volume multiplied by the splits between.

    Args:
        bars: symbol, session, open, high, low, close (USD), volume (shares), unique by (symbol, session). Where the
            columns `adjustment` and `stated` (a day) are there, a bar that is not raw holds the splits up to the day on
            which it was stated already, and only later ones are applied.
        actions: symbol, ex_session, kind, value, as they were known; those that are ex after `as_of` do nothing.
        dividends: True for total returns: prices before an ex-session are multiplied by one less the dividend over the
            close before it (the method of CRSP's adjusted prices). A dividend is paid on the shares before a split of
            the same session.

    Returns:
        The same rows and columns; `bars` itself if no action applies, so that nothing changes, not even the last bit.

    Raises:
        DataError: a split is not positive, or a dividend is not below the close before it.
    """
    due = _due(bars, actions, as_of, [ActionKind.SPLIT, *([ActionKind.DIVIDEND] if dividends else [])])
    if due.empty:
        return bars
    factors = split_factors(bars, due, as_of)
    prices = bars[list(PRICES)].div(factors, axis="index")
    out = bars.assign(**prices, volume=bars["volume"] * factors)
    if dividends:
        kept = _kept_of_dividends(out, due)
        out = out.assign(**out[list(PRICES)].mul(kept, axis="index"))
    return out


def split_factors(bars: pd.DataFrame, actions: pd.DataFrame, as_of: date) -> Floats:
    """New shares at `as_of` for one share of each bar: 1.0 on `as_of` itself and wherever nothing was split since."""
    factors = np.ones(len(bars))
    basis = _basis(bars, (Adjustment.SPLITS, Adjustment.TOTAL_RETURN))
    splits = _due(bars, actions, as_of, [ActionKind.SPLIT])
    for rows, events in _by_symbol(bars, splits):
        days, since = _splits_since(events)
        factors[rows] = since[np.searchsorted(days, basis[rows], side="right")]
    return factors


def _due(bars: pd.DataFrame, actions: pd.DataFrame, as_of: date, kinds: list[ActionKind]) -> pd.DataFrame:
    known = actions[actions["kind"].isin(kinds) & (_days(actions["ex_session"]) <= np.datetime64(as_of))]
    return known[known["symbol"].isin(bars["symbol"].unique())] if len(known) else known


def _by_symbol(bars: pd.DataFrame, actions: pd.DataFrame) -> list[tuple[NDArray[np.intp], pd.DataFrame]]:
    """For each name with actions: the positions of its bars, and its actions by ex-session."""
    if actions.empty:
        return []
    where = bars.groupby("symbol", sort=False, observed=True).indices
    grouped = actions.sort_values("ex_session", kind="stable").groupby("symbol")
    return [(np.asarray(where[symbol]), events) for symbol, events in grouped if symbol in where]


def _splits_since(events: pd.DataFrame) -> tuple[Days, Floats]:
    """Ex-days, ascending, and the product of their ratios from each one on (one longer, ending with 1)."""
    if not (events["value"] > 0).all():
        wrong = events[~(events["value"] > 0)].iloc[0]
        raise DataError(
            f"the split of {wrong['symbol']}, ex {_days(events['ex_session'])[0]}, has the ratio {wrong['value']}; "
            "a ratio is positive: state it again in the source's actions, then run: hrp run prices"
        )
    ratios = [exact_ratio(value) for value in events["value"]]
    since = [Fraction(1), *accumulate(reversed(ratios), mul)]
    return _days(events["ex_session"]), np.array([float(factor) for factor in reversed(since)])


def _kept_of_dividends(bars: pd.DataFrame, due: pd.DataFrame) -> Floats:
    """What is left of each bar's price after the dividends since, a fraction in (0, 1]."""
    kept = np.ones(len(bars))
    sessions, basis = _days(bars["session"]), _basis(bars, (Adjustment.TOTAL_RETURN,))
    closes = bars["close"].to_numpy(dtype=np.float64)
    for rows, events in _by_symbol(bars, due):
        is_split = (events["kind"] == ActionKind.SPLIT).to_numpy()
        days, since = _splits_since(events[is_split])
        paid = events[~is_split]
        ex = _days(paid["ex_session"])
        # In the shares of the session that looks back; a split of the same session counts as later.
        amounts = paid["value"].to_numpy(dtype=np.float64) / since[np.searchsorted(days, ex, side="left")]
        ordered = rows[np.argsort(sessions[rows], kind="stable")]
        shares = _share_of_close(
            sessions[ordered], closes[ordered], ex, amounts, str(paid["symbol"].iloc[:1].squeeze())
        )
        left = np.append(np.cumprod((1.0 - shares)[::-1])[::-1], 1.0)
        kept[rows] = left[np.searchsorted(ex, basis[rows], side="right")]
    return kept


def _share_of_close(sessions: Days, closes: Floats, ex: Days, amounts: Floats, symbol: str) -> Floats:
    """Each dividend as a fraction of the last close before its ex-day; 0 where there is none, as nothing is before."""
    known = np.flatnonzero(np.isfinite(closes))
    before = np.searchsorted(sessions[known], ex, side="left") - 1
    last = np.where(before >= 0, closes[known][np.maximum(before, 0)] if len(known) else np.nan, np.inf)
    if (amounts >= last).any():
        first = int((amounts >= last).argmax())
        raise DataError(
            f"the dividend of {amounts[first]:g} USD of {symbol}, ex {ex[first]}, is not below its last close of "
            f"{last[first]:g} USD; state it again in the source's actions, then run: hrp run prices"
        )
    return np.asarray(amounts / last)


def _basis(bars: pd.DataFrame, holding: tuple[Adjustment, ...]) -> Days:
    """The last day whose actions a bar's price holds already: its own session, or the day it was stated."""
    sessions = _days(bars["session"])
    if "adjustment" not in bars.columns:
        return sessions
    return np.where(bars["adjustment"].isin(holding), np.maximum(sessions, _days(bars["stated"])), sessions)


def _days(values: pd.Series[Any]) -> Days:
    return pd.to_datetime(values).to_numpy().astype("datetime64[D]")
