"""What the quality gate found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from hrp.data.rows import Connection, insert
from hrp.domain.quality import Effect, Finding


def save_findings(con: Connection, session: date, findings: Sequence[Finding], run_id: str) -> int:
    """Replace the quality findings of `session`; how many there are now."""
    con.execute("DELETE FROM quality_findings WHERE session = ?", [session])
    records = [
        {
            "session": session,
            "check_name": finding.check,
            "symbol": finding.symbol,
            "effect": finding.effect,
            "detail": finding.detail,
            "run_id": run_id,
        }
        for finding in findings
    ]
    return insert(con, "quality_findings", records)


def load_findings(con: Connection, session: date) -> list[Finding]:
    """The quality findings of `session`, by check and symbol."""
    rows = con.execute(
        "SELECT session, check_name, symbol, effect, detail FROM quality_findings WHERE session = ? ORDER BY ALL",
        [session],
    ).fetchall()
    return [Finding(day, check, symbol, Effect(effect), detail) for day, check, symbol, effect, detail in rows]
