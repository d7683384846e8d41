"""How every job runs: claimed, carried out, written down, published, and its outcome told.

A job is a class with a name, the jobs that must have succeeded for the same session, and `execute`. The runner
owns everything around it, so that a job reads as what it does and nothing else.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from filelock import FileLock, Timeout

from hrp.api.platform import PlatformAPI
from hrp.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_NOT_READY,
    DataError,
    HRPError,
    NotificationError,
    RequirementNotMetError,
    SessionAlreadyClaimedError,
    StoreUnwritableError,
)
from hrp.ports import Alert

log = logging.getLogger("hrp.jobs")


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job has to say. `facts` are plain values for tables and JSON; `alert` is empty if all is well."""

    status: str
    facts: Mapping[str, object] = field(default_factory=dict)
    rows: int = 0
    exit_code: int = EXIT_DONE
    alert: str = ""


@dataclass(frozen=True, slots=True)
class JobRun:
    """One execution of a job, as the runner saw it."""

    run_id: str
    job: str
    session: date
    seconds: float
    dry_run: bool
    result: JobResult

    def as_record(self) -> dict[str, object]:
        """Plain values for `--json`."""
        return {
            "run_id": self.run_id,
            "job": self.job,
            "session": self.session.isoformat(),
            "status": self.result.status,
            "exit_code": self.result.exit_code,
            "seconds": round(self.seconds, 3),
            "dry_run": self.dry_run,
            "rows": self.result.rows,
            "alert": self.result.alert,
            **self.result.facts,
        }


class Job(ABC):
    """Base of the jobs. A second run for the same session leads to the same rows and sends nothing twice."""

    name: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()

    def __init__(self, api: PlatformAPI, session: date) -> None:
        self.api = api
        self.session = session
        self.run_id = ""

    @abstractmethod
    def execute(self) -> JobResult:
        """Do the work; raise an HRPError if it cannot be done."""


@contextmanager
def claim(home: Path, what: str) -> Iterator[None]:
    """Hold the workspace for one run; the kernel lets go of it if the process dies.

    Raises:
        SessionAlreadyClaimedError: another run holds it; the message says which.
        StoreUnwritableError: the file system refuses.
    """
    path = home / "run.lock"
    holder = home / "run.holder"
    try:
        lock = FileLock(path)
        lock.acquire(timeout=0)
    except Timeout as error:
        text = holder.read_text().strip() if holder.exists() else "another run"
        raise SessionAlreadyClaimedError(f"{text} is running in {home}; wait for it, then run {what} again") from error
    except OSError as error:
        raise StoreUnwritableError(
            f"cannot write to {home}: {error.strerror}; make it writable or set HRP_HOME"
        ) from error
    try:
        with suppress(OSError):  # a full disk: only whoever waits in vain would read it
            holder.write_text(f"{what} (process {os.getpid()})")
        yield
    finally:
        lock.release()


def run(job: Job) -> JobRun:
    """Run one job and write down how it went. The caller holds the claim.

    Raises:
        HRPError: what the job raised, after it was recorded and an alert was sent.
    """
    api, clock = job.api, job.api.app.clock
    job.run_id = uuid4().hex[:12]
    started = clock.elapsed()
    unmet = api.start_run(job.run_id, job.name, job.session, job.requires)
    result = JobResult("crashed", exit_code=EXIT_FAILED, alert="ended by an error that was not foreseen; see the log")
    try:
        _require(job, unmet)
        result = job.execute()
    except HRPError as error:
        status = "refused" if error.exit_code == EXIT_NOT_READY else "failed"
        result = JobResult(status, exit_code=error.exit_code, alert=str(error))
        raise
    finally:
        seconds = clock.elapsed() - started
        api.finish_run(
            job.run_id, job.name, job.session, result.status, seconds, result.rows, result.facts, result.alert
        )
        log.info(
            "event=job_finished job=%s session=%s run=%s status=%s seconds=%.2f rows=%d dry_run=%s",
            job.name,
            job.session,
            job.run_id,
            result.status,
            seconds,
            result.rows,
            api.app.dry,
        )
        if result.alert:
            _tell(api, job, result)
    return JobRun(job.run_id, job.name, job.session, seconds, api.app.dry, result)


def record_refusal(api: PlatformAPI, job: str, error: HRPError) -> None:
    """Leave an event and an alert for a run that was refused before it could start, if they can be left anywhere."""
    with suppress(DataError):
        api.log_event("run_refused", "hrp", subject=job, details={"error": str(error), "kind": type(error).__name__})
    with suppress(NotificationError):
        api.app.notifier().notify(Alert("critical", f"hrp {job}: refused", str(error)))


def _require(job: Job, unmet: Sequence[str]) -> None:
    if unmet:
        raise RequirementNotMetError(
            f"{job.name} for {job.session} needs {' and '.join(unmet)} first; run: "
            f"hrp run {unmet[0]} --session {job.session}"
        )


def _tell(api: PlatformAPI, job: Job, result: JobResult) -> None:
    severity = "warning" if result.exit_code == EXIT_DONE else "critical"
    api.app.notifier().notify(Alert(severity, f"hrp {job.name} {job.session}: {result.status}", result.alert))
