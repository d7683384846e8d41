"""A workspace made in seconds out of nothing: a small market, a trained champion, a strategy, a paper account.

Everything lies in one folder and is the real thing. A stage is one point in the life of that workspace, kept to be
copied: each rehearsal plays on a copy of its own.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hrp.agents.runner import NIGHTLY, Options, execute
from hrp.api import strategies
from hrp.api.platform import PlatformAPI
from hrp.api.rehearsal import write_market
from hrp.data.db import Store
from hrp.data.rows import fetch
from hrp.domain.sessions import close_at, next_session
from hrp.errors import JobError
from hrp.gateway import client
from hrp.gateway.schema import FILE_NAME
from hrp.ml.gate import examine
from hrp.rehearsal.market import made_bars
from hrp.wiring import App, build, make_home

ACCOUNT = "DU1234567"
MODEL = "moods"
CHAMPION = 1
EVE = date(2022, 11, 3)  # a Thursday: between the night after it and the next open lie a weekend and a change of clocks
EVENING = timedelta(hours=2, minutes=30)  # after the close: when the night runs
SETTINGS = {
    "HRP_TOP_PCT": "0.5",
    "HRP_MAX_POSITIONS": "6",
    "HRP_MAX_POSITION_PCT": "0.16",
    "HRP_COVERAGE_FLOOR_PCT": "0.9",
    "HRP_WALK_FORWARD_FOLDS": "3",
    "IBKR_ACCOUNT": ACCOUNT,
    "IBKR_TIMEOUT_SECONDS": "5",
    "IBKR_GRACE_SECONDS": "0.2",
}
_SQLITE = "sqlite:///"


def evening(session: date) -> datetime:
    """When the night of `session` runs, UTC."""
    return close_at(session) + EVENING


@dataclass
class Workspace:
    """A workspace in `home` whose gateway keeps its state in `state`; `env` is its settings file."""

    home: Path
    state: Path
    env: dict[str, str]

    def set(self, **variables: object) -> None:
        """Change settings."""
        self.env |= {name: str(value) for name, value in variables.items()}
        lines = [f"{name}={value}" for name, value in self.env.items()]
        self.env_file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def set_clock(self, instant: datetime) -> None:
        """Set the clock of the host and leave the broker's."""
        self.set(HRP_CLOCK=instant.isoformat())

    def evening_of(self, session: date) -> None:
        """Let the time pass, here and at the gateway, to the evening of `session`."""
        self.at(evening(session))

    def at(self, instant: datetime) -> None:
        """Let the time pass, here and at the gateway, to `instant`."""
        self.set_clock(instant)
        client.advance(self.state, instant)

    def own_registry(self) -> None:
        """Work on a copy of the registry, because aliases will move; the model files stay shared."""
        shutil.copy(self.env["MLFLOW_TRACKING_URI"].removeprefix(_SQLITE), self.registry)
        self.set(MLFLOW_TRACKING_URI=f"{_SQLITE}{self.registry}")

    def do(self, *jobs: str) -> None:
        """Run jobs for real.

        Raises:
            JobError: one of them did not end well.
        """
        for job in jobs:
            for run in execute(self.app, job, None, Options(trading_dry_run=False), lambda _: None):
                if run.result.exit_code:
                    raise JobError(f"the stage cannot be set: {run.job} {run.session}: {run.result.alert}")

    @property
    def registry(self) -> Path:
        """The workspace's own registry, if it has one."""
        return self.home / "mlflow.db"

    @property
    def env_file(self) -> Path:
        return self.home / ".env"

    @property
    def app(self) -> App:
        return build(self.env_file)

    @property
    def store(self) -> Store:
        return Store(self.home / "hrp.duckdb", self.home / "published")

    def rows(self, table: str, where: str = "true", columns: str = "*") -> list[dict[str, Any]]:
        """Rows of the live store, in a fixed order."""
        with self.store.read() as con:
            return fetch(con, f"SELECT {columns} FROM {table} WHERE {where} ORDER BY ALL")


AnyWorkspace = TypeVar("AnyWorkspace", bound=Workspace)


@dataclass(frozen=True, slots=True)
class Stage:
    """A workspace kept in the folder `kept` as it stood at the instant `clock`, and its gateway's market."""

    kept: Path
    env: Mapping[str, str]
    market: Path
    clock: datetime

    def open(self, home: Path, kind: type[AnyWorkspace], state: Path | None = None) -> AnyWorkspace:
        """A copy in `home`, as that `kind` of workspace; its gateway keeps its state in `state`, by default in it."""
        shutil.copytree(self.kept, home, symlinks=True, copy_function=_copy)
        copy = kind(home, state or home / "gateway", dict(self.env))
        copy.set(HRP_HOME=home, HRP_CLOCK=self.clock.isoformat())
        if copy.registry.exists():
            copy.set(MLFLOW_TRACKING_URI=f"{_SQLITE}{copy.registry}")
        return copy


@dataclass
class Workshop:
    """Makes a stage: a workspace in `folder` with a champion and a synced account on the evening of `eve`.

    Use it as a context manager; the gateway runs for the block. `research` does what is not in every stage.
    """

    folder: Path
    eve: date
    research: Callable[[Workspace], None] = lambda _: None
    workspace: Workspace = field(init=False)
    market: Path = field(init=False)

    def __enter__(self) -> Workshop:
        home = self.folder / "home"
        make_home(home)
        bars = made_bars()
        bars.to_parquet(self.folder / "bars.parquet", index=False)
        night = self.workspace = Workspace(home, home / "gateway", dict(SETTINGS))
        night.set(
            HRP_HOME=home,
            HRP_CLOCK=evening(self.eve).isoformat(),
            HRP_PRICE_SOURCE=self.folder / "bars.parquet",
            MLFLOW_TRACKING_URI=f"{_SQLITE}{self.folder / 'mlflow.db'}",
            HRP_MLFLOW_ARTIFACTS=self.folder / "artifacts",
        )
        night.app.store().migrate()
        night.do("prices", "quality")
        PlatformAPI(night.app).train_model(MODEL, self.eve)
        self.research(night)
        app = _HereApp(night.app.settings, night.app.clock)
        PlatformAPI(app).deploy_model(MODEL, CHAMPION, actor="rehearsal", reason="first champion")
        strategies.deploy_strategy(app, MODEL, "moods of a small market")
        self.market = write_market(bars, self.folder / "market.parquet")
        night.set(IBKR_PORT=client.start(night.state, self.market, ACCOUNT, clock=evening(self.eve)).port)
        night.do("position-sync")
        return self

    def __exit__(self, *_: object) -> None:
        client.stop(self.workspace.state)

    def keep(self, name: str) -> Stage:
        """The stage as it stands now."""
        return keep(self.workspace, self.folder / name, self.market)


def prepare(folder: Path, eve: date) -> Stage:
    """The evening after a first night on `eve`, whose orders have filled at the next open and were booked."""
    with Workshop(folder, eve) as workshop:
        workshop.workspace.own_registry()
        workshop.workspace.do(NIGHTLY)
        night = next_session(eve)
        workshop.workspace.evening_of(night)
        workshop.workspace.do("position-sync")
        return workshop.keep("eve")


def keep(workspace: Workspace, target: Path, market: Path) -> Stage:
    """A copy of `workspace` as it stands, in the folder `target`, to be opened again and again."""
    left_out = shutil.ignore_patterns("gateway", "*.lock")
    shutil.copytree(workspace.home, target, symlinks=True, ignore=left_out, copy_function=_copy)
    copy_gateway(workspace.state, target / "gateway")
    return Stage(target, dict(workspace.env), market, datetime.fromisoformat(workspace.env["HRP_CLOCK"]))


def _copy(source: str, target: str) -> str:
    """Copy a file; one that is never changed, such as a published copy of the store, is only linked."""
    if Path(source).parent.name == "published" and not Path(source).name.startswith("draft"):
        Path(target).hardlink_to(source)
        return target
    return str(shutil.copy2(source, target))


class _HereApp(App):
    """The same app; the gate is asked in this process, which is quicker."""

    def examiner(self) -> Any:
        return examine


def copy_gateway(source: Path, target: Path) -> Path:
    """A gateway's durable state as it stands, whether or not it runs."""
    target.mkdir(parents=True)
    with closing(sqlite3.connect(source / FILE_NAME)) as old, closing(sqlite3.connect(target / FILE_NAME)) as new:
        old.backup(new)
    return target
