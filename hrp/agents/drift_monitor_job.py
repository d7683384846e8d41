"""The drift gate: judged before orders are made."""

from __future__ import annotations

from hrp.agents.jobs import Job, JobResult
from hrp.domain.deployment import Strategy
from hrp.domain.drift import DriftReport, DriftVerdict
from hrp.errors import EXIT_NOT_READY


class DriftMonitorJob(Job):
    """Hold each deployed version's features and predictions against its reference and record the verdict.

    Tonight's trader buys only on a verdict of OK. With roll back allowed, drift moves the champion to the previous
    good version, which trades from the next session on; without one the model is frozen.
    """

    name = "drift-monitor"
    requires = ("predictions",)

    def execute(self) -> JobResult:
        strategies = self.api.get_deployed_strategies()
        if not strategies:
            return JobResult("no_models")
        reports = {s: self.api.check_model_drift(s, self.session, self.run_id) for s in strategies}
        acts = [self._act(s, report) for s, report in reports.items() if not report.allows_new_risk]
        facts = {
            "verdicts": {s.hypothesis_id: str(report.verdict) for s, report in reports.items()},
            "checks": sum(len(report.checks) for report in reports.values()),
            "alarms": [line for report in reports.values() for line in alarms(report)],
            "acts": acts,
        }
        rows = sum(len(report.checks) for report in reports.values())
        if not acts:
            return JobResult("ok", facts, rows)
        return JobResult("drift_detected", facts, rows, EXIT_NOT_READY, "; ".join(acts))

    def _act(self, strategy: Strategy, report: DriftReport) -> str:
        label = f"{strategy.model_name} v{report.model_version}"
        reason = f"{report.verdict} in session {self.session}: {'; '.join(alarms(report)[:3])}"
        if report.verdict is not DriftVerdict.DRIFT or not self.api.app.settings.auto_rollback:
            return f"{label} may not buy tonight: {reason}"
        return self.api.roll_back_once(strategy.model_name, report.model_version, self.session, reason)


def alarms(report: DriftReport) -> list[str]:
    """One line for each check that is not OK."""
    return [
        f"{c.family} {c.column}: {c.method}="
        + (f"{c.value:.3f}, limit {c.threshold:.3f}" if c.value is not None else f"unknown ({c.detail})")
        for c in report.checks
        if c.verdict is not DriftVerdict.OK
    ]
