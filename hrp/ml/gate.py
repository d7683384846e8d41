"""Trying a registered version before it may trade: what `hrp.domain.promotion` judges."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hrp.domain.deployment import ModelVersion
from hrp.domain.lineage import canonical
from hrp.domain.promotion import GateEvidence
from hrp.errors import ModelError
from hrp.ml.registry import MlflowRegistry

TIMEOUT_SECONDS = 300


def examine(registry: MlflowRegistry, version: ModelVersion) -> GateEvidence:
    """What loading `version` (its hash compared) and predicting its stored sample shows, in this process."""
    try:
        loaded = registry.load(version)
        sample = registry.load_sample(version)
    except ModelError as error:
        return GateEvidence(failure=str(error))
    fitted_on = tuple(getattr(loaded.estimator, "feature_names_in_", version.features))
    return GateEvidence(
        loaded_features=fitted_on,
        reference_rows=len(loaded.reference),
        max_difference=_difference(loaded.estimator, sample, fitted_on),
    )


def examine_apart(
    registry: MlflowRegistry, version: ModelVersion, timeout_seconds: float = TIMEOUT_SECONDS
) -> GateEvidence:
    """The same in a fresh process, where nothing is imported that the process of a researcher may have defined.

    Takes some seconds. A process that dies or does not answer in time is a failure to load.
    """
    request = canonical({"registry": asdict(registry), "version": asdict(version)})
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "hrp.ml.gate"],  # -P: nothing from the working directory either
            input=request, capture_output=True, text=True, timeout=timeout_seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return GateEvidence(failure=f"{version.label} was not tried within {timeout_seconds:g} s in a fresh process")
    if child.returncode or not child.stdout:
        said = (child.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return GateEvidence(failure=f"{version.label} ended a fresh process with code {child.returncode}: {said}")
    found = json.loads(child.stdout.splitlines()[-1])  # a model may print before the answer
    return GateEvidence(**{**found, "loaded_features": tuple(found["loaded_features"])})


def _difference(estimator: Any, sample: pd.DataFrame, fitted_on: tuple[str, ...]) -> float | None:
    """The largest difference to the stored predictions; None if there are none, or it cannot be computed."""
    if sample.empty or not set(fitted_on) <= set(sample.columns):
        return None
    found = float(np.abs(estimator.predict(sample[list(fitted_on)]) - sample["prediction"].to_numpy()).max())
    return found if math.isfinite(found) else None


def _answer(request: dict[str, Any]) -> GateEvidence:
    stated = request["registry"]
    registry = MlflowRegistry(**{**stated, "artifact_root": Path(stated["artifact_root"])})
    plain = request["version"]
    version = ModelVersion(**{
        **plain, "features": tuple(plain["features"]), "trained_through": date.fromisoformat(plain["trained_through"]),
    })  # fmt: skip
    return examine(registry, version)


if __name__ == "__main__":
    json.dump(asdict(_answer(json.load(sys.stdin))), sys.stdout)
