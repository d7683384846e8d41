"""The quality gate: what is wrong with the prices of a session, and what each finding forbids."""

from hrp.domain.quality.findings import CHECKS, Bars, Check, Effect, Finding, Severity, quarantined, stopped_by
from hrp.domain.quality.gate import HISTORY_SESSIONS, check_history, check_session, look_back

__all__ = [
    "CHECKS", "HISTORY_SESSIONS", "Bars", "Check", "Effect", "Finding", "Severity", "check_history", "check_session",
    "look_back", "quarantined", "stopped_by",
]  # fmt: skip
