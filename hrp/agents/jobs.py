"""How every job runs: claimed, carried out, written down, published, and its outcome told.

A job is a class with a name, the jobs that must have succeeded for the same session, and `execute`. The runner
owns everything around it, so that a job reads as what it does and nothing else.
"""

from __future__ import annotations

import os
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
    EXIT_NOT_READY,
    DataError,
    HRPError,
    RequirementNotMetError,
    SessionAlreadyClaimedError,
    StoreUnwritableError,
)
from hrp.ports import Alert


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
            **self.result.facts,
        }


class Job:
    """Base of the jobs. A second run for the same session leads to the same rows and sends nothing twice."""

    name: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()

    def __init__(self, api: PlatformAPI, session: date) -> None:
        self.api = api
        self.session = session
        self.run_id = ""

    def execute(self) -> JobResult:
        """Do the work; raise an HRPError if it cannot be done."""
        raise NotImplementedError


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
        holder.write_text(f"{what} (process {os.getpid()})")
        yield
    finally:
        lock.release()


def run(job: Job) -> JobRun:
    """Run one job and write down how it went. The caller holds the claim.

    Raises:
        HRPError: what the job raised, after it was recorded and an alert was sent.
    """
    api = job.api
    job.run_id = uuid4().hex[:12]
    started = api.app.clock.elapsed()
    finished = False
    api.start_run(job.run_id, job.name, job.session)
    try:
        _require(job)
        result = job.execute()
        api.finish_run(
            job.run_id,
            job.name,
            job.session,
            result.status,
            api.app.clock.elapsed() - started,
            result.rows,
            result.facts,
        )
        finished = True
    except HRPError as error:
        status = "refused" if error.exit_code == EXIT_NOT_READY else "failed"
        api.finish_run(
            job.run_id, job.name, job.session, status, api.app.clock.elapsed() - started, 0, {}, error=str(error)
        )
        finished = True
        _tell(api, job, status, str(error), critical=True)
        raise
    finally:
        if not finished:
            api.finish_run(
                job.run_id,
                job.name,
                job.session,
                "crashed",
                api.app.clock.elapsed() - started,
                0,
                {},
                error="see the log",
            )
        api.publish()
    if result.alert:
        _tell(api, job, result.status, result.alert, critical=result.exit_code != EXIT_DONE)
    return JobRun(job.run_id, job.name, job.session, api.app.clock.elapsed() - started, api.app.dry, result)


def record_refusal(api: PlatformAPI, job: str, error: HRPError) -> None:
    """Leave an event for a run that was refused before it could start, if there is a store to write to."""
    with suppress(DataError):
        api.log_event("run_refused", "hrp", subject=job, details={"error": str(error), "kind": type(error).__name__})


def _require(job: Job) -> None:
    missing = [name for name in job.requires if not job.api.succeeded(name, job.session)]
    if missing:
        raise RequirementNotMetError(
            f"{job.name} for {job.session} needs {_join(missing)} first; run: "
            f"hrp run {missing[0]} --session {job.session}"
        )


def _join(names: Sequence[str]) -> str:
    return " and ".join(names)


def _tell(api: PlatformAPI, job: Job, status: str, text: str, *, critical: bool) -> None:
    severity = "critical" if critical else "warning"
    api.app.notifier().notify(Alert(severity, f"hrp {job.name} {job.session}: {status}", text))
