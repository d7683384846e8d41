"""What every room's tests may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# No timed assertions: a busy machine fails no test. The same examples every time: a red run can be repeated.
settings.register_profile("hrp", deadline=None, derandomize=True)
settings.load_profile("hrp")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real market data beside the repository; the test is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real market data (../shared/data) is not here")
    return folder
