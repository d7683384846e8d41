"""What every room's tests may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from workspaces import Workspace

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


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Only to be copied: see `lab`."""
    from laboratory import build_laboratory

    return build_laboratory(tmp_path_factory.mktemp("laboratory"))


@pytest.fixture
def lab(laboratory: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the researcher's workspace of tests/laboratory.py."""
    from laboratory import copy_of

    return copy_of(laboratory, tmp_path / "lab")
