"""What the numerical libraries must be told before the first of them is imported."""

from __future__ import annotations

import os

ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "OMP_NUM_THREADS": "1",  # on busy cores the threads of OpenMP and OpenBLAS spin: one is faster than two
}


def prepare() -> None:
    """Set what is not set yet."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
