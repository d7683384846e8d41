"""One workspace is prepared, once; every test works on a copy of it as it stood at some point of the evening."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from pathlib import Path

import pandas as pd
import pytest

from hrp.agents.runner import Options, execute
from hrp.api import strategies
from hrp.api.platform import PlatformAPI
from hrp.api.rehearsal import write_market
from hrp.data import market as store_market
from hrp.gateway import client
from hrp.ml.features import CORE, Feature, FeatureSet, NaNPolicy, Panel
from hrp.ml.registry import MlflowRegistry
from hrp.ml.training import train
from hrp.ports import TrainedModel
from hrp.wiring import make_home

from . import doomed  # noqa: F401  # says what the fork server imports
from .market import D1, D2, EVE, made_bars
from .workspace import ACCOUNT, MODEL, SETTINGS, HereApp, Night, copy_gateway, evening

GOOD, BETTER, HUNGRY, TAMPERED, JUMPY = 1, 2, 3, 4, 5
TOMORROW = Feature("tomorrow", ("close",), 2, lambda close: close, NaNPolicy.ENDPOINTS, "not computed any more", "none")
BEFORE, FEATURED, READY, SENT, SYNCED = "before", "featured", "ready", "sent", "synced"


@pytest.fixture(scope="session")
def bars() -> pd.DataFrame:
    return made_bars()


@dataclass(frozen=True)
class Template:
    """Copies of one workspace at points of its life.

    BEFORE the night of D1, with champion GOOD and the account synced on EVE; FEATURED: its features are computed;
    READY: everything is done but the trading; SENT: the orders too; SYNCED: the evening of D2, D1's orders filled.
    """

    folder: Path
    env: dict[str, str]
    market: Path

    def open(self, point: str, home: Path, state: Path | None = None) -> Night:
        """A workspace in `home` as it was at `point`; its gateway keeps its state in `state`, by default in it."""
        shutil.copytree(self.folder / point, home)
        night = Night(home, state or home / "gateway", dict(self.env))
        night.sent_before = max(message.sequence for message in client.message_log(night.state))
        night.set(HRP_HOME=home, HRP_CLOCK=evening(D2 if point == SYNCED else D1).isoformat())
        return night


@pytest.fixture(scope="session")
def template(bars: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    forkserver.ensure_running()  # it imports the libraries while the template is prepared
    clean = pytest.MonkeyPatch()
    for name in os.environ:
        if name.startswith(("HRP_", "IBKR_", "MLFLOW_TRACKING")):
            clean.delenv(name)
    folder = tmp_path_factory.mktemp("template")
    prepared = _prepared(folder, bars)
    yield prepared
    clean.undo()


def _prepared(folder: Path, bars: pd.DataFrame) -> Template:
    home = folder / "home"
    make_home(home)
    bars.to_parquet(folder / "bars.parquet", index=False)
    night = Night(home, home / "gateway", dict(SETTINGS))
    night.set(
        HRP_HOME=home,
        HRP_CLOCK=evening(EVE).isoformat(),
        HRP_PRICE_SOURCE=folder / "bars.parquet",
        MLFLOW_TRACKING_URI=f"sqlite:///{folder / 'mlflow.db'}",
        HRP_MLFLOW_ARTIFACTS=folder / "artifacts",
    )
    night.app.store().migrate()
    _do(night, "prices", "quality")
    _research(night)
    path = write_market(bars, folder / "market.parquet")
    port = client.start(night.state, path, ACCOUNT, clock=evening(EVE)).port
    night.set(IBKR_PORT=port)
    template = Template(folder, dict(night.env), path)
    try:
        _play(template, night)
    finally:
        client.stop(night.state)
    return template


def _play(template: Template, night: Night) -> None:
    def keep(point: str) -> None:
        target = template.folder / point
        make_home(target)
        shutil.copy(night.home / "hrp.duckdb", target)
        copy_gateway(night.state, target / "gateway")

    _do(night, "position-sync")
    night.evening_of(D1)
    keep(BEFORE)
    _do(night, "prices", "quality", "features")
    keep(FEATURED)
    _do(night, "predictions", "drift-monitor", "position-sync")
    keep(READY)
    _do(night, "live-trader", "report")
    keep(SENT)
    night.evening_of(D2)
    _do(night, "position-sync")
    keep(SYNCED)


def _do(night: Night, *jobs: str) -> None:
    for job in jobs:
        (done,) = execute(night.app, job, None, Options(trading_dry_run=False), lambda _: None)
        assert done.result.exit_code == 0, done


def _research(night: Night) -> None:
    """Versions GOOD and BETTER; HUNGRY needs a feature that is not computed; TAMPERED has other files than
    were registered; JUMPY takes the slightest move for drift. GOOD is champion."""
    app = HereApp(night.app.settings, night.app.clock)
    api, registry = PlatformAPI(app), app.registry()
    assert api.train_model(MODEL, EVE).version == GOOD
    assert api.train_model(MODEL, EVE, pd.Timestamp("2019-07-01").date()).version == BETTER
    plain = _trained(night, CORE)
    registry.register(_trained(night, FeatureSet("core", (*CORE.features, TOMORROW))))
    registry.register(plain)
    _tamper(registry, night)
    registry.register(replace(plain, thresholds=dict.fromkeys((*CORE.names, "prediction"), 1e-6)))
    api.deploy_model(MODEL, GOOD, actor="test", reason="first champion")
    strategies.deploy_strategy(app, MODEL, "moods of a small market")


def _trained(night: Night, features: FeatureSet) -> TrainedModel:
    with night.app.store().read() as con:
        bars = store_market.load_prices(con, None, pd.Timestamp("2020-06-01").date(), EVE)
    return train(Panel.from_bars(bars), model_name=MODEL, feature_set=features, through=EVE, folds=2)


def _tamper(registry: MlflowRegistry, night: Night) -> None:
    run = registry.version(MODEL, TAMPERED).run_id
    (model,) = (night.app.settings.artifact_root / run).rglob("model.pkl")
    model.write_bytes(model.read_bytes() + b" ")


@pytest.fixture(scope="session")
def quiet_gateway(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The gateway on the evening of D1, shared by the tests in which nothing may be sent."""
    state = copy_gateway(template.folder / BEFORE / "gateway", tmp_path_factory.mktemp("quiet") / "gateway")
    client.start(state, template.market, ACCOUNT)
    yield state
    client.stop(state)


@pytest.fixture
def quietly(template: Template, quiet_gateway: Path, tmp_path: Path) -> Callable[[str], Night]:
    """Open a workspace that may ask the gateway and must not send."""

    def opened(point: str) -> Night:
        night = template.open(point, tmp_path / "home", quiet_gateway)
        running = client.running(quiet_gateway)
        assert running is not None
        night.set(IBKR_PORT=running.port)
        return night

    return opened


@pytest.fixture
def trading(template: Template, tmp_path: Path) -> Iterator[Callable[..., Night]]:
    """Open a workspace with a gateway of its own."""
    opened: list[Night] = []

    def trading(point: str, name: str = "home", **settings: object) -> Night:
        night = template.open(point, tmp_path / name)
        opened.append(night)
        night.set(IBKR_PORT=client.start(night.state, template.market, ACCOUNT).port, **settings)
        return night

    yield trading
    for night in opened:
        client.stop(night.state)
