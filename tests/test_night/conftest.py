"""One workspace is prepared, once; every test works on a copy of it as it stood at some point of the evening."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from pathlib import Path

import pandas as pd
import pytest

from hrp.api.platform import PlatformAPI
from hrp.data import market as store_market
from hrp.gateway import client
from hrp.ml.features import CORE, Feature, FeatureSet, NaNPolicy, Panel
from hrp.ml.registry import MlflowRegistry
from hrp.ml.training import train
from hrp.ports import TrainedModel
from hrp.rehearsal.market import made_bars
from hrp.rehearsal.stage import ACCOUNT, CHAMPION, MODEL, Stage, Workshop, Workspace, copy_gateway

from . import doomed  # noqa: F401  # says what the fork server imports
from .workspace import D1, D2, EVE, Night

GOOD, BETTER, HUNGRY, TAMPERED, JUMPY = CHAMPION, 2, 3, 4, 5
TOMORROW = Feature("tomorrow", ("close",), 2, lambda close: close, NaNPolicy.ENDPOINTS, "not computed any more", "none")
BEFORE, FEATURED, READY, SENT, SYNCED = "before", "featured", "ready", "sent", "synced"


@pytest.fixture(scope="session")
def bars() -> pd.DataFrame:
    return made_bars()


@dataclass(frozen=True)
class Template:
    """One workspace at points of its life.

    BEFORE the night of D1, with champion GOOD and the account synced on EVE; FEATURED: its features are computed;
    READY: everything is done but the trading; SENT: the orders too; SYNCED: the evening of D2, D1's orders filled.
    """

    stages: dict[str, Stage]

    @property
    def market(self) -> Path:
        return self.stages[BEFORE].market

    def open(self, point: str, home: Path, state: Path | None = None) -> Night:
        """A workspace in `home` as it was at `point`; its gateway keeps its state in `state`, by default in it."""
        night = self.stages[point].open(home, Night, state)
        night.sent_before = max(message.sequence for message in client.message_log(night.state))
        return night


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    forkserver.ensure_running()  # it imports the libraries while the template is prepared
    clean = pytest.MonkeyPatch()
    for name in os.environ:
        if name.startswith(("HRP_", "IBKR_", "MLFLOW_TRACKING")):
            clean.delenv(name)
    with Workshop(tmp_path_factory.mktemp("template"), EVE, _research) as workshop:
        yield Template(dict(_points(workshop)))
    clean.undo()


def _points(workshop: Workshop) -> Iterator[tuple[str, Stage]]:
    night = workshop.workspace
    night.evening_of(D1)
    yield BEFORE, workshop.keep(BEFORE)
    night.do("prices", "quality", "features")
    yield FEATURED, workshop.keep(FEATURED)
    night.do("predictions", "drift-monitor", "position-sync")
    yield READY, workshop.keep(READY)
    night.do("live-trader", "report")
    yield SENT, workshop.keep(SENT)
    night.evening_of(D2)
    night.do("position-sync")
    yield SYNCED, workshop.keep(SYNCED)


def _research(night: Workspace) -> None:
    """Besides the champion GOOD: BETTER; HUNGRY needs a feature that is not computed; TAMPERED has other files than
    were registered; JUMPY takes the slightest move for drift."""
    api, registry = PlatformAPI(night.app), night.app.registry()
    assert api.train_model(MODEL, EVE, pd.Timestamp("2019-07-01").date()).version == BETTER
    plain = _trained(night, CORE)
    registry.register(_trained(night, FeatureSet("core", (*CORE.features, TOMORROW))))
    registry.register(plain)
    _tamper(registry, night)
    registry.register(replace(plain, thresholds=dict.fromkeys((*CORE.names, "prediction"), 1e-6)))


def _trained(night: Workspace, features: FeatureSet) -> TrainedModel:
    with night.app.store().read() as con:
        bars = store_market.load_prices(con, None, pd.Timestamp("2020-06-01").date(), EVE)
    return train(Panel.from_bars(bars), model_name=MODEL, feature_set=features, through=EVE, folds=2)


def _tamper(registry: MlflowRegistry, night: Workspace) -> None:
    run = registry.version(MODEL, TAMPERED).run_id
    (model,) = (night.app.settings.artifact_root / run).rglob("model.pkl")
    model.write_bytes(model.read_bytes() + b" ")


@pytest.fixture(scope="session")
def quiet_gateway(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The gateway on the evening of D1, shared by the tests in which nothing may be sent."""
    state = copy_gateway(template.stages[BEFORE].kept / "gateway", tmp_path_factory.mktemp("quiet") / "gateway")
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
