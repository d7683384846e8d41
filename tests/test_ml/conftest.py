"""Three years of twenty real closes, a model trained on them, and one real registry for all tests of this room."""

from __future__ import annotations

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import numpy as np
import pandas as pd
import pytest
from skfolio.datasets import load_sp500_dataset

from hrp.domain.deployment import ModelVersion
from hrp.ml.features import CORE, Panel
from hrp.ml.registry import MlflowRegistry
from hrp.ml.training import train
from hrp.ports import TrainedModel

SESSIONS = 760


def long_bars(closes: pd.DataFrame) -> pd.DataFrame:
    """Bars around `closes` (index session, columns symbol): opens at the close before, made-up ranges and volumes."""
    rng = np.random.default_rng(5)
    opens = closes.shift(1).bfill()
    wide = {
        "open": opens,
        "high": np.maximum(opens, closes) * (1 + rng.uniform(0, 0.01, closes.shape)),
        "low": np.minimum(opens, closes) * (1 - rng.uniform(0, 0.01, closes.shape)),
        "close": closes,
        "volume": pd.DataFrame(rng.integers(1, 9, closes.shape) * 1e5, index=closes.index, columns=closes.columns),
    }
    return pd.DataFrame({
        field: frame.rename_axis(index="session", columns="symbol").stack() for field, frame in wide.items()
    }).reset_index()  # fmt: skip


@pytest.fixture(scope="session")
def bars() -> pd.DataFrame:
    return long_bars(load_sp500_dataset().tail(SESSIONS))


@pytest.fixture(scope="session")
def panel(bars: pd.DataFrame) -> Panel:
    return Panel.from_bars(bars)


@pytest.fixture(scope="session")
def trained(panel: Panel) -> TrainedModel:
    return train(
        panel, model_name="alpha", feature_set=CORE, through=panel.sessions[-1].date(), folds=3,
        calibrate=lambda reference: {"prediction": 0.25, "momentum_5": 0.2},
    )  # fmt: skip


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> MlflowRegistry:
    folder = tmp_path_factory.mktemp("mlflow")
    return MlflowRegistry(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")


@pytest.fixture(scope="session")
def version(registry: MlflowRegistry, trained: TrainedModel) -> ModelVersion:
    return registry.register(trained)
