"""The nights of a replay, played as fast as they can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from hrp.agents.data_jobs import PricesJob, QualityJob
from hrp.agents.jobs import JobRun
from hrp.agents.position_sync_job import PositionSyncJob
from hrp.agents.runner import GOES_ON_AFTER, NIGHTLY, Options, execute
from hrp.api.replay import Stage
from hrp.domain.orders import Order, OrderSide
from hrp.errors import EXIT_DONE, JobError
from hrp.execution.broker import IBKRBroker

SEND = Options(trading_dry_run=False)
_OTHER_CLIENT = 77
_BOOKING = (PricesJob.name, QualityJob.name, PositionSyncJob.name)


def play(stage: Stage) -> Iterator[date]:
    """Play what is left of the replay; each session once it is done.

    A night that was cut off is run again, as any night can be. One that the quality gate stops is over: its books are
    closed and the next one comes.

    Raises:
        HRPError: a job failed, or needs a person; nothing more is played.
    """
    nights = frozenset(stage.request.nights)
    with stage.kept_open() as kept:
        for session in stage.request.sessions:
            if kept.played is None or session > kept.played:
                kept.evening_of(session)
                jobs = (NIGHTLY,) if session in nights else _BOOKING
                if any(_stopped(kept, job, session) for job in jobs):
                    _stopped(kept, PositionSyncJob.name, session)
                kept.note_played(session)
            yield session


def plant_a_share(stage: Stage, symbol: str) -> None:
    """Have another client of the account buy one share at the next open: a difference that the report must find."""
    config = replace(stage.app.broker_config(), client_id=_OTHER_CLIENT)
    with IBKRBroker(config) as broker:
        broker.state()
        instrument = broker.qualify([symbol])[symbol]
        broker.place(Order(symbol, OrderSide.BUY, 1), instrument, broker.next_order_id())


def _stopped(stage: Stage, name: str, session: date) -> bool:
    """Run a job, or the night; True if the quality gate stopped it."""
    runs = execute(stage.app, name, session, SEND, lambda _: None)
    bad = [run for run in runs if run.result.exit_code != EXIT_DONE and run.job not in GOES_ON_AFTER]
    if bad and bad[0].job != QualityJob.name:
        raise JobError(_told(stage, bad[0]))
    return bool(bad)


def _told(stage: Stage, run: JobRun) -> str:
    return (
        f"the replay stops at {run.job} of session {run.session}: {run.result.status}: {run.result.alert}; "
        f"look at it in {stage.app.settings.home}"
    )
