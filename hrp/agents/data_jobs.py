"""Prices, their quality, and the features of a session."""

from __future__ import annotations

from datetime import date

from hrp.agents.jobs import Job, JobResult
from hrp.domain.quality import Effect, quarantined, stopped_by
from hrp.domain.sessions import sessions_between
from hrp.errors import EXIT_NOT_READY, StaleDataError


class PricesJob(Job):
    """Bring the store's bars up to the session. Writes prices, corporate actions, the universe if there is none yet."""

    name = "prices"

    def execute(self) -> JobResult:
        bars = self.api.fetch_bars(self.session)
        today = bars[bars["session"] == self.session]
        if today.empty:
            source = self.api.app.source().name
            newest = bars["session"].max() if len(bars) else "none"
            raise StaleDataError(
                f"{source} has no prices of session {self.session} (newest: {newest}); nothing was stored; "
                f"when the source has them, run: hrp run prices --session {self.session}"
            )
        new, actions = self.api.store_bars(bars, self.run_id), self.api.store_actions(self.session)
        facts = {"symbols": int(today["symbol"].nunique()), "new_rows": new, "new_actions": actions}
        return JobResult("success", facts, rows=new, alert=_holes(set(bars["session"]), self.session))


def _holes(present: set[date], session: date) -> str:
    """A word about sessions between the first one that came and `session` of which not one bar came."""
    empty = [day for day in sessions_between(min(present), session) if day not in present]
    if not empty:
        return ""
    days = f"{empty[0]} to {empty[-1]}"
    return (
        f"the source has not a single bar of {len(empty)} sessions ({days}); when it has them, run: "
        f"hrp data backfill --from {empty[0]} --to {empty[-1]}"
    )


class QualityJob(Job):
    """Judge the session's bars. A finding about the market stops the night; one about a name keeps it untraded."""

    name = "quality"
    requires = ("prices",)

    def execute(self) -> JobResult:
        findings = self.api.run_quality_checks(self.session, self.run_id)
        stops, held = stopped_by(findings), quarantined(findings)
        facts = {
            "findings": [[f.check, f.symbol, str(f.effect), f.detail] for f in findings if f.effect is not Effect.WARN],
            "quarantined": sorted(held),
        }
        if stops:
            reasons = "; ".join(f"{f.check}: {f.detail}" for f in stops)
            alert = f"the night of {self.session} stops: {reasons}; check the source, then run: hrp run prices"
            return JobResult("stopped", facts, len(findings), EXIT_NOT_READY, alert)
        return JobResult(
            "success", facts, len(findings), alert=f"not traded: {', '.join(sorted(held))}" if held else ""
        )


class FeaturesJob(Job):
    """Compute the session's features of every name that is not quarantined, from that session and before."""

    name = "features"
    requires = ("quality",)

    def execute(self) -> JobResult:
        features = self.api.compute_features(self.session)
        facts = {"symbols": len(features), "features": len(features.columns)}
        return JobResult("success", facts, rows=features.size)
