"""The quality gate: what is wrong with the prices of a session, and what each finding forbids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import pandas as pd

from hrp.errors import DataError

HISTORY_SESSIONS = 6  # bars before the session that the checks look back on
JUMP_FLOOR = 0.25  # a day's return this far from the market's median is suspect, if it is also ...
JUMP_MADS = 12.0  # ... this many robust standard deviations away
FROZEN_FEED_SHARE = 0.10  # more repeated bars than this share of the market: the feed, not the names, stands still
BAR = ["open", "high", "low", "close", "volume"]


class Effect(StrEnum):
    """What a finding does, from mild to grave."""

    WARN = "warn"
    QUARANTINE = "quarantine"  # this name is not traded tonight
    STOP = "stop"  # the night stops


@dataclass(frozen=True, slots=True)
class Finding:
    """`symbol` is empty for a finding about the whole market."""

    session: date
    check: str
    symbol: str
    effect: Effect
    detail: str


def check_session(bars: pd.DataFrame, expected: Sequence[str], session: date, coverage_floor: float) -> list[Finding]:
    """Everything suspicious about `session`.

    Args:
        bars: symbol, session, open, high, low, close, volume of `session` and the HISTORY_SESSIONS before it.
        expected: the symbols that should have a bar.
        coverage_floor: the smallest share of usable bars, a fraction in (0, 1].

    Returns:
        Findings sorted by check and symbol. A name with several faults appears once for each.

    Raises:
        DataError: a symbol has two bars in one session.
    """
    twice = sorted(bars.loc[bars.duplicated(["symbol", "session"]), "symbol"].unique())
    if twice:
        raise DataError(f"more than one bar a session for {', '.join(map(str, twice))} up to session {session}")
    days = pd.to_datetime(bars["session"]).dt.date
    today = bars[days == session].set_index("symbol").reindex(sorted(set(expected)))
    past = bars[days < session]
    last = past.sort_values("session").groupby("symbol").tail(1).set_index("symbol").reindex(today.index)
    rows = [
        *_row_faults(today),
        *_repeats(today, last),
        *_jumps(today, last),
        *_stale(today, past),
    ]
    findings = [Finding(session, check, symbol, effect, detail) for check, symbol, effect, detail in rows]
    findings += _market(findings, len(today), session, coverage_floor)
    return sorted(findings, key=lambda f: (f.check, f.symbol))


def quarantined(findings: Sequence[Finding]) -> dict[str, str]:
    """Symbols that must not be traded, each with its coded reason."""
    reasons: dict[str, str] = {}
    for finding in findings:
        if finding.effect is Effect.QUARANTINE:
            reasons.setdefault(finding.symbol, f"QUARANTINED: check={finding.check}, {finding.detail}")
    return reasons


def stopped_by(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that stop the night."""
    return [finding for finding in findings if finding.effect is Effect.STOP]


_Row = tuple[str, str, Effect, str]


def _row_faults(today: pd.DataFrame) -> Iterator[_Row]:
    prices = today[["open", "high", "low", "close"]].astype(float)
    missing = prices.isna()
    bad = (prices <= 0) | np.isinf(prices)
    body_high, body_low = prices[["open", "close"]].max(axis=1), prices[["open", "close"]].min(axis=1)
    crossed = (prices["high"] < body_high) | (prices["low"] > body_low)
    for symbol in today.index[missing.all(axis=1)]:
        yield "MISSING_BAR", symbol, Effect.QUARANTINE, "no bar"
    for symbol in today.index[missing.any(axis=1) & ~missing.all(axis=1)]:
        yield "NULL_PRICE", symbol, Effect.QUARANTINE, f"null={'/'.join(prices.columns[missing.loc[symbol]])}"
    for symbol in today.index[bad.any(axis=1)]:
        yield "BAD_PRICE", symbol, Effect.QUARANTINE, f"lowest={prices.loc[symbol].min():g}"
    for symbol in today.index[crossed & ~missing.any(axis=1)]:
        yield "OHLC_VIOLATION", symbol, Effect.QUARANTINE, _bar_text(prices.loc[symbol])
    for symbol, volume in today.loc[today["volume"] <= 0, "volume"].items():
        yield "ZERO_VOLUME", str(symbol), Effect.QUARANTINE, f"volume={volume:g}"


def _bar_text(bar: pd.Series) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in bar.items())


def _repeats(today: pd.DataFrame, last: pd.DataFrame) -> Iterator[_Row]:
    same = (today[BAR] == last[BAR]).all(axis=1)
    for symbol, close in today.loc[same, "close"].items():
        yield "REPEATED_BAR", str(symbol), Effect.QUARANTINE, f"close={close}"


def _jumps(today: pd.DataFrame, last: pd.DataFrame) -> Iterator[_Row]:
    """Returns far from the cross-section: a decimal slip, an unrecorded split, or real news; a person decides."""
    now, before = today["close"].astype(float), last["close"].astype(float)
    valid = (now > 0) & (before > 0) & np.isfinite(now) & np.isfinite(before)
    returns = (now[valid] / before[valid]).map(math.log)
    if returns.empty:
        return
    distance = (returns - returns.median()).abs()
    robust_sd = 1.4826 * distance.median()
    for symbol in returns.index[distance > max(JUMP_FLOOR, JUMP_MADS * robust_sd)]:
        yield "PRICE_JUMP", symbol, Effect.QUARANTINE, f"return={math.expm1(returns[symbol]):+.1%}"


def _stale(today: pd.DataFrame, past: pd.DataFrame) -> Iterator[_Row]:
    """A close that has not moved for the whole look-back."""
    spread = past.groupby("symbol")["close"].agg(["min", "max", "count"]).reindex(today.index)
    still = (spread["count"] >= HISTORY_SESSIONS - 1) & (spread["min"] == spread["max"])
    for symbol in today.index[still & (today["close"] == spread["max"])]:
        yield "STALE_SERIES", symbol, Effect.QUARANTINE, f"sessions>={HISTORY_SESSIONS}"


def _market(findings: Sequence[Finding], size: int, session: date, floor: float) -> Iterator[Finding]:
    """Faults of the whole session: too few usable bars, or a feed that repeats itself."""
    absent = {f.symbol for f in findings if f.check in ("MISSING_BAR", "NULL_PRICE", "BAD_PRICE")}
    usable = size - len(absent)
    share = usable / size if size else 0.0
    if share < floor:
        detail = f"usable={usable}, expected={size}, share={share:.1%}, required={floor:.1%}"
        yield Finding(session, "COVERAGE", "", Effect.STOP, detail)
    repeated = sum(f.check == "REPEATED_BAR" for f in findings)
    if repeated > max(FROZEN_FEED_SHARE * size, 1):
        yield Finding(session, "FROZEN_FEED", "", Effect.STOP, f"repeated={repeated}, expected={size}")
