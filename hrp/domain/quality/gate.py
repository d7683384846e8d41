"""The gate: every check over a board, and the findings of one session or of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from hrp.domain.quality.board import BACK_SESSIONS, Board, board
from hrp.domain.quality.findings import CHECKS, Effect, Finding
from hrp.domain.quality.flags import (
    NOISE_SESSIONS,
    Flag,
    Moves,
    SecondVendor,
    bar_flags,
    decimal_slip,
    jumps,
    level_shift,
    repeated,
    reversed_close,
    stale,
    strays,
)
from hrp.domain.quality.market import alarms
from hrp.domain.sessions import FIRST_SESSION, sessions_between

# The bar before has a usual gap, of NOISE_SESSIONS gaps, the oldest of which looks back for its close.
HISTORY_SESSIONS = 1 + NOISE_SESSIONS + BACK_SESSIONS


def look_back(session: date) -> list[date]:
    """The sessions that the checks of `session` read: itself, and up to HISTORY_SESSIONS before it."""
    first = max(FIRST_SESSION, session - timedelta(days=2 * HISTORY_SESSIONS))
    return sessions_between(first, session)[-HISTORY_SESSIONS - 1 :]


def check_session(
    bars: pd.DataFrame,
    expected: Sequence[str],
    session: date,
    coverage_floor: float,
    *,
    second: pd.DataFrame | None = None,
    actions: pd.DataFrame | None = None,
) -> list[Finding]:
    """Everything suspicious about `session`, and about the session before in the light of this one.

    Args:
        bars: symbol, session, open, high, low, close, volume of the sessions of `look_back`, unadjusted.
        expected: the symbols that should have a bar; others are not looked at.
        coverage_floor: the smallest share of usable bars, a fraction in (0, 1].
        second: symbol, session, close, volume of another vendor, where there is one.
        actions: symbol, ex_session, kind (split, dividend), value: the steps that are on record.

    Returns:
        Findings sorted by check and symbol. A name with several faults appears once for each.

    Raises:
        DataError: a symbol has two bars in one session.
    """
    days = look_back(session)
    seen = board(bars, days, sorted(set(expected)), second=second, actions=actions)
    return sorted(_findings(seen, coverage_floor, len(days) - 1), key=lambda f: (f.check, f.symbol))


def check_history(
    bars: pd.DataFrame,
    coverage_floor: float,
    *,
    second: pd.DataFrame | None = None,
    actions: pd.DataFrame | None = None,
) -> list[Finding]:
    """What `check_session` finds in each session from the first bar to the last, by session, check and symbol.

    A name is expected from its first bar until HISTORY_SESSIONS after its last.
    """
    stamps = pd.to_datetime(bars["session"])
    days = sessions_between(stamps.min().date(), stamps.max().date())
    laid = board(bars, days, sorted(set(bars["symbol"])), second=second, actions=actions)
    with_bar = pd.DataFrame(np.isfinite(laid.bars["close"]) | np.isfinite(laid.bars["volume"]))
    expected = with_bar.rolling(HISTORY_SESSIONS + 1, min_periods=1).max().to_numpy() > 0
    seen = replace(laid, expected=expected)
    return sorted(_findings(seen, coverage_floor, 0), key=lambda f: (f.session, f.check, f.symbol))


def _findings(seen: Board, floor: float, first: int) -> Iterator[Finding]:
    """What is found in the rows from `first` on."""
    second = SecondVendor.of(seen)
    flags = list(_flags(seen, second))
    for flag in flags:
        acting = flag.acting
        for i, j in np.argwhere(flag.mask[first:]) + np.array([first, 0]):
            effect, detail = CHECKS[flag.check].effect, flag.text(i, j)
            if not acting[i, j]:
                effect, detail = Effect.WARN, f"{detail}, second vendor agrees"
            yield Finding(seen.sessions[i], flag.check, seen.symbols[j], effect, detail)
    for alarm in alarms(seen, {flag.check: flag for flag in flags}, second, floor):
        for i in np.flatnonzero(alarm.rows[first:]) + first:
            yield Finding(seen.sessions[i], alarm.check, "", CHECKS[alarm.check].effect, alarm.text(int(i)))


def _flags(seen: Board, second: SecondVendor) -> Iterator[Flag]:
    yield from bar_flags(seen)
    slip = decimal_slip(seen)
    moves = Moves.of(seen, slip.mask)
    took_back = reversed_close(seen, moves, second.vouched)
    jump = jumps(moves, took_back.mask)
    yield from (slip, strays(seen), stale(seen), took_back, jump, second.flag())
    yield from repeated(seen, second.vouched)
    yield level_shift(seen, moves, jump.mask | took_back.mask)
