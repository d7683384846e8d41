"""Where the demo plays: a workspace of its own, the embedded prices, a clock that is set, a paper gateway."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd

from hrp.api.rehearsal import write_market
from hrp.config import Settings, env_example
from hrp.data.sources import SkfolioSource
from hrp.domain.sessions import FIRST_SESSION, close_at, previous_session, sessions_between
from hrp.errors import UsageError
from hrp.gateway import client
from hrp.wiring import App, SetClock, build, make_home

ACCOUNT = "DU1234567"
CASH = Decimal("1000000.00")
LAST_DAY = date(2022, 12, 31)  # the embedded prices end in that week
MARKER = ".hrp-demo"
EVENING = timedelta(hours=2, minutes=30)  # after the close: when the night runs
SETTINGS = {
    "HRP_TOP_PCT": "0.25",
    "HRP_MAX_POSITIONS": "5",
    "HRP_MAX_POSITION_PCT": "0.2",
    "HRP_MAX_ORDER_VALUE_USD": "500000",  # a fifth of the account, with room for it to grow
    "IBKR_ACCOUNT": ACCOUNT,
}


@dataclass(frozen=True)
class Stage:
    """The app of the demo and the sessions it plays.

    `eve` is the session before the first night, `last` the one after the last night, in which its orders fill.
    """

    app: App
    clock: SetClock
    source: SkfolioSource
    eve: date
    nights: tuple[date, ...]
    last: date

    def evening_of(self, session: date) -> None:
        """Set the clock, and that of the gateway if it runs, to the evening of `session`."""
        instant = evening(session)
        self.clock.instant = instant
        if client.running(self.app.settings.gateway_dir):
            client.advance(self.app.settings.gateway_dir, instant)


def evening(session: date) -> datetime:
    """When the night of `session` runs, UTC."""
    return close_at(session) + EVENING


def clear(home: Path) -> None:
    """Remove the workspace of an earlier demo, and end its gateway.

    Raises:
        UsageError: the folder holds something that is not a demo.
    """
    if not home.exists():
        return
    if not (home / MARKER).exists():
        raise UsageError(f"{home} is not the workspace of a demo, so it is left alone; choose another with --home")
    client.stop(home / "gateway")
    shutil.rmtree(home)


def build_stage(home: Path, nights: int) -> Stage:
    """A fresh workspace with its settings file, store and clock, on the evening before the first night."""
    make_home(home)
    (home / MARKER).touch()
    source = SkfolioSource()
    last = pd.Timestamp(source.fetch_bars(None, FIRST_SESSION, LAST_DAY)["session"].max()).date()
    played = sessions_between(previous_session(last, nights), last)[:-1]
    eve = previous_session(played[0])
    clock = SetClock(evening(eve))
    write_settings(home, {})
    app = replace(build(home / ".env", {"HRP_HOME": home}), clock=clock, source_override=source)
    app.store().migrate()
    return Stage(app, clock, source, eve, tuple(played), last)


def write_settings(home: Path, changes: Mapping[str, object]) -> None:
    """Write the workspace's settings file: the example with the demo's values."""
    values = {"HRP_HOME": home, **SETTINGS, **changes}
    lines = []
    for line in env_example().splitlines():
        name = line.partition("=")[0]
        lines.append(f"{name}={values[name]}" if name in values else line)
    (home / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")


def close_gateway(stage: Stage) -> None:
    """End the gateway and leave the workspace's clock where the gateway's stands: both go on from there."""
    app = stage.app
    client.stop(app.settings.gateway_dir)
    write_settings(app.settings.home, {"IBKR_PORT": app.settings.ibkr_port, "HRP_CLOCK": app.clock.now().isoformat()})


def open_gateway(stage: Stage) -> Stage:
    """Start the paper gateway over every bar of the source and point the settings at it."""
    bars = stage.source.fetch_bars(None, FIRST_SESSION, LAST_DAY)
    directory = stage.app.settings.gateway_dir
    path = write_market(bars, directory / "market.parquet")
    running = client.start(directory, path, ACCOUNT, clock=stage.clock.now(), cash=CASH)
    write_settings(stage.app.settings.home, {"IBKR_PORT": running.port})
    settings: Settings = stage.app.settings.model_copy(update={"ibkr_port": running.port})
    return replace(stage, app=replace(stage.app, settings=settings))
