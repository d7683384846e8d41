"""The morning's reading: one page of text about a session."""

from __future__ import annotations

from hrp.agents.jobs import Job, JobResult


class ReportJob(Job):
    """Write down in one text what the session did: runs, orders, denials, equity, breaks, drift."""

    name = "report"

    def execute(self) -> JobResult:
        text = self.api.session_report(self.session)
        path = self.api.app.settings.home / "reports" / f"{self.session}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)  # a reader never meets half a page
        return JobResult("success", {} if self.api.app.dry else {"report": str(path)})
