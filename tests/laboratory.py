"""A workspace of a researcher: prices of a small market, a hypothesis under test, models that were really trained."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from workspaces import Workspace, empty_workspace

from hrp.agents.runner import Options, execute
from hrp.api import hypotheses
from hrp.api.platform import PlatformAPI
from hrp.domain.sessions import previous_session
from hrp.ml.gate import examine
from hrp.ports import TrainedModel
from hrp.rehearsal.market import made_bars
from hrp.rehearsal.stage import SETTINGS
from hrp.wiring import App, build

MODEL, HYPOTHESIS = "moods", "HYP-2022-001"
TEST = ["rank_ic_low > 0", "deflated_sharpe >= 0.95"]
HELD_OUT = 126


class HereApp(App):
    """The same app; the gate is asked in this process, which is quicker."""

    def examiner(self) -> Any:
        return examine


def build_laboratory(folder: Path) -> Workspace:
    """Twelve names with moods that last: v1 of the model is older than the test, v2 the same one, registered later."""
    made_bars().to_parquet(folder / "bars.parquet", index=False)
    settings = {
        **SETTINGS,
        "HRP_PRICE_SOURCE": folder / "bars.parquet",
        "HRP_MLFLOW_ARTIFACTS": folder / "artifacts",
        "HRP_LABEL_HORIZON_SESSIONS": 5,
    }
    workspace = empty_workspace(folder / "home", **settings)
    for run in execute(workspace.app, "prices", None, Options(), lambda _: None):
        assert run.result.exit_code == 0, run.result.alert
    api = PlatformAPI(workspace.app)
    api.train_model(MODEL, previous_session(api.today(), HELD_OUT))
    written = api.create_hypothesis("Moods last for weeks", MODEL, TEST, actor="researcher")
    hypotheses.begin_testing(api.app, written.hypothesis_id, held_out_sessions=HELD_OUT, actor="me", reason="now")
    api.app.registry().register(trained_again(api.app, 1))
    workspace.app.store().publish()
    return workspace


def copy_of(laboratory: Workspace, home: Path) -> Workspace:
    """A copy of a laboratory in `home`; the files of its models, which never change, are shared."""
    shutil.copytree(laboratory.home, home, symlinks=True)
    lines = laboratory.env_file.read_text(encoding="utf-8").replace(f"HRP_HOME={laboratory.home}", f"HRP_HOME={home}")
    (home / ".env").write_text(lines, encoding="utf-8")
    app = build(home / ".env")
    return replace(laboratory, home=home, env_file=home / ".env", app=HereApp(app.settings, app.clock, app.env_file))


def trained_again(app: App, version: int) -> TrainedModel:
    """What a registered version was when it was trained, to be registered once more."""
    registry, known = app.registry(), app.registry().version(MODEL, version)
    stated = {field.name: getattr(known, field.name) for field in fields(TrainedModel) if hasattr(known, field.name)}
    return TrainedModel(
        **stated,
        estimator=registry.load(known).estimator,
        params=registry.params(known),
        reference=registry.load_reference(known),
        sample=registry.load_sample(known),
    )
