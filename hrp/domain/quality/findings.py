"""What the quality gate may find, what each finding says about the bars, and what it forbids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Effect(StrEnum):
    """What a finding does."""

    WARN = "warn"  # nothing; a person reads it
    QUARANTINE = "quarantine"  # the bar is not used, so the name is not traded tonight
    FREEZE = "freeze"  # the bar may be right and is kept; the name is not traded tonight
    STOP = "stop"  # the night stops


class Severity(StrEnum):
    """How much a finding proves."""

    NOTICE = "notice"  # worth a look
    SUSPECT = "suspect"  # improbable, but news can look like this
    FAULT = "fault"  # cannot be right


class Bars(StrEnum):
    """Which bars a finding is about."""

    OWN = "the session's"
    EARLIER = "an earlier one"
    BOTH = "the session's and an earlier one"
    MARKET = "the whole session"


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of finding: how grave, what it does, which bars it is about, and when it is made."""

    name: str
    severity: Severity
    effect: Effect
    bars: Bars
    when: str


CHECKS = {
    check.name: check
    for check in (
        Check("MISSING_BAR", Severity.FAULT, Effect.QUARANTINE, Bars.OWN, "a name of the universe has no bar"),
        Check("NULL_PRICE", Severity.FAULT, Effect.QUARANTINE, Bars.OWN, "a price is missing"),
        Check("BAD_PRICE", Severity.FAULT, Effect.QUARANTINE, Bars.OWN, "a price is zero, negative or infinite"),
        Check(
            "OHLC_VIOLATION", Severity.FAULT, Effect.QUARANTINE, Bars.OWN,
            "high below or low above another price of the bar",
        ),
        Check("ZERO_VOLUME", Severity.FAULT, Effect.QUARANTINE, Bars.OWN, "nothing was traded"),
        Check(
            "DECIMAL_SLIP", Severity.FAULT, Effect.QUARANTINE, Bars.OWN,
            "a price is a power of ten away from the name's level of five sessions",
        ),
        Check(
            "NON_SESSION_BAR", Severity.FAULT, Effect.QUARANTINE, Bars.EARLIER,
            "a bar is dated between this session and the one before",
        ),
        Check(
            "REPEATED_BAR", Severity.FAULT, Effect.QUARANTINE, Bars.BOTH,
            "prices and volume are those of the session before",
        ),
        Check(
            "REPEATED_PRICES", Severity.FAULT, Effect.QUARANTINE, Bars.BOTH,
            "the four prices, not the volume, are those of the session before; a warning if a second vendor has both "
            "closes",
        ),
        Check(
            "BAR_SEEN_BEFORE", Severity.NOTICE, Effect.WARN, Bars.BOTH,
            "the four prices are those of a bar two to ten sessions ago",
        ),
        Check(
            "STALE_SERIES", Severity.SUSPECT, Effect.QUARANTINE, Bars.OWN, "the close has not moved for six sessions"
        ),
        Check(
            "CLOSE_REVERSED", Severity.SUSPECT, Effect.QUARANTINE, Bars.EARLIER,
            "the last bar lay off and the next open takes it back, beyond the name's usual gaps; a warning if a second "
            "vendor has that close",
        ),
        Check(
            "VENDOR_CLOSE", Severity.SUSPECT, Effect.QUARANTINE, Bars.OWN,
            "the close is more than 1 % off what the second vendor and the last five sessions imply",
        ),
        Check(
            "PRICE_JUMP", Severity.SUSPECT, Effect.FREEZE, Bars.OWN,
            "a return more than 25 % and 12 robust standard deviations from the market's median, without an action on "
            "record",
        ),
        Check(
            "LEVEL_SHIFT", Severity.SUSPECT, Effect.FREEZE, Bars.OWN,
            "an opening more than 12 % and 10 of the name's usual gaps away, on less than three times its usual "
            "volume, without an action on record",
        ),
        Check(
            "COVERAGE", Severity.FAULT, Effect.STOP, Bars.MARKET,
            "fewer usable bars than `HRP_COVERAGE_FLOOR_PCT` of the universe",
        ),
        Check(
            "MISSING_SESSION", Severity.FAULT, Effect.STOP, Bars.MARKET,
            "the session before has no bar at all, though earlier ones do",
        ),
        Check(
            "FROZEN_FEED", Severity.FAULT, Effect.STOP, Bars.MARKET,
            "more than 10 % of the names repeat the prices of the session before",
        ),
        Check(
            "REVERSED_SESSION", Severity.SUSPECT, Effect.STOP, Bars.MARKET,
            "more than 10 % of the names take back the bar of the session before",
        ),
        Check(
            "UNFINISHED_SESSION", Severity.SUSPECT, Effect.STOP, Bars.MARKET,
            "the market's volume is below a fifth of the usual (an eighth on a short day), or below three quarters of "
            "what the second vendor has while more than 5 % of the closes are more than 0.5 % off",
        ),
    )
}  # fmt: skip
_EARLIER = re.compile(r"\bbar=(\d{4}-\d\d-\d\d)\b")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a night found. `session`: of that night; `symbol`: empty for a finding about the whole market."""

    session: date
    check: str
    symbol: str
    effect: Effect
    detail: str

    @property
    def severity(self) -> Severity:
        return CHECKS[self.check].severity

    @property
    def bars(self) -> tuple[date, ...]:
        """The sessions whose bars are in doubt; an earlier one stands in the detail as `bar=`."""
        about = CHECKS[self.check].bars
        own = () if about is Bars.EARLIER else (self.session,)
        return (*own, *map(date.fromisoformat, _EARLIER.findall(self.detail)))


def quarantined(findings: Sequence[Finding]) -> dict[str, str]:
    """Symbols that must not be traded, each with its coded reason."""
    reasons: dict[str, str] = {}
    for finding in findings:
        if finding.effect in (Effect.QUARANTINE, Effect.FREEZE):
            reasons.setdefault(finding.symbol, f"QUARANTINED: check={finding.check}, {finding.detail}")
    return reasons


def stopped_by(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that stop the night."""
    return [finding for finding in findings if finding.effect is Effect.STOP]
