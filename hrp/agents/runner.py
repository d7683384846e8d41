"""Which jobs there are, in which order the night runs them, and for which session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date

from hrp.agents.data_jobs import FeaturesJob, PricesJob, QualityJob
from hrp.agents.drift_monitor_job import DriftMonitorJob
from hrp.agents.jobs import Job, JobRun, claim, record_refusal, run
from hrp.agents.live_trader import LiveTradingAgent
from hrp.agents.options import parse_day
from hrp.agents.position_sync_job import PositionSyncJob
from hrp.agents.prediction_job import DailyPredictionJob
from hrp.agents.report_job import ReportJob
from hrp.api.platform import PlatformAPI
from hrp.domain.sessions import last_closed, last_opened, next_session, require_closed, require_session
from hrp.errors import EXIT_DONE, HRPError, SessionError, UsageError
from hrp.wiring import App

NIGHTLY = "nightly"
NIGHT: tuple[type[Job], ...] = (
    PricesJob,
    QualityJob,
    FeaturesJob,
    DailyPredictionJob,
    DriftMonitorJob,
    PositionSyncJob,
    LiveTradingAgent,
    ReportJob,
)
JOBS: dict[str, type[Job]] = {job.name: job for job in NIGHT}
GOES_ON_AFTER = frozenset({DriftMonitorJob.name, PositionSyncJob.name})  # what they found only takes risk away


@dataclass(frozen=True, slots=True)
class Options:
    """What a person or a plist asked for.

    `dry_run`: nothing at all is written or sent. `trading_dry_run`: only the trader is dry, which is the default.
    """

    dry_run: bool = False
    trading_dry_run: bool = True
    auto_rollback: bool | None = None


def execute(
    app: App, name: str, session: date | str | None, options: Options, on_start: Callable[[str], None]
) -> list[JobRun]:
    """Run one job, or all of them for `nightly`, and return how each went.

    Args:
        session: the exchange session, a date or as a person wrote it; None means the newest one that the job can
            work on.
        on_start: told the name of each job as it begins.

    Raises:
        HRPError: what was wrong; nothing was sent that the ledger does not know of.
    """
    app = _configured(app, options)
    with ExitStack() as held:
        try:
            names = _jobs_of(name)
            day = resolve_session(app, name, parse_day(session) if isinstance(session, str) else session)
            workspace = held.enter_context(_workspace(app, name, options))
        except HRPError as error:
            if not options.dry_run:
                record_refusal(PlatformAPI(app), name, error)
            raise
        return _run_all(PlatformAPI(workspace), names, day, options, on_start)


def _jobs_of(name: str) -> list[str]:
    if name == NIGHTLY:
        return list(JOBS)
    if name not in JOBS:
        raise UsageError(f"there is no job {name!r}; there are: {NIGHTLY}, {', '.join(JOBS)}; run: hrp run {NIGHTLY}")
    return [name]


def resolve_session(app: App, name: str, session: date | None) -> date:
    """The session that the job works on.

    Raises:
        SessionError: not a session, or one that has not closed (for the sync: opened) yet.
    """
    now = app.clock.now()
    if name != PositionSyncJob.name:
        return last_closed(now) if session is None else require_closed(session, now)
    newest = last_opened(now)
    if session is None:
        return newest
    if require_session(session) > newest:
        raise SessionError(
            f"session {session} has not opened; the newest one is {newest}, the next {next_session(newest)}"
        )
    return session


def exit_code(runs: list[JobRun]) -> int:
    """The gravest exit code of `runs`."""
    return max((run.result.exit_code for run in runs), default=EXIT_DONE)


def _configured(app: App, options: Options) -> App:
    if options.auto_rollback is None:
        return app
    return replace(app, settings=app.settings.model_copy(update={"auto_rollback": options.auto_rollback}))


@contextmanager
def claimed(app: App, what: str) -> Iterator[None]:
    """Hold the workspace while `what` is done by hand, and publish the store afterwards."""
    with claim(app.settings.home, what):
        yield
        app.store().publish()


@contextmanager
def by_hand(app: App, what: str, *, dry_run: bool = False) -> Iterator[PlatformAPI]:
    """The claimed workspace for `what` a person does; for a dry run a scratch copy, in which the same is done."""
    with app.rehearsal() if dry_run else nullcontext(app) as workspace, claimed(workspace, what):
        yield PlatformAPI(workspace)


@contextmanager
def _workspace(app: App, name: str, options: Options) -> Iterator[App]:
    """The claimed workspace, or a scratch copy of it for a dry run."""
    if options.dry_run:
        with app.rehearsal() as scratch:
            yield scratch
    else:
        with claim(app.settings.home, name):
            yield app


def _run_all(
    api: PlatformAPI, names: list[str], session: date, options: Options, on_start: Callable[[str], None]
) -> list[JobRun]:
    runs: list[JobRun] = []
    for name in names:
        on_start(name)
        runs.append(_run_one(api, JOBS[name], session, options))
        if runs[-1].result.exit_code != EXIT_DONE and name not in GOES_ON_AFTER:
            break
    return runs


def _run_one(api: PlatformAPI, job: type[Job], session: date, options: Options) -> JobRun:
    if job is LiveTradingAgent and options.trading_dry_run and not api.app.dry:
        with api.app.rehearsal() as scratch:
            return run(job(PlatformAPI(scratch), session))
    return run(job(api, session))
