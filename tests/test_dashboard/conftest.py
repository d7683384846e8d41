"""The dashboard as a browser would drive it, without the browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from workspaces import Workspace, finished_workspace

import hrp.dashboard

APP = Path(hrp.dashboard.__file__).with_name("app.py")
Open = Callable[..., AppTest]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Only read by the tests; one that lets a job write makes its own."""
    return finished_workspace(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open the first page, or another, over a workspace."""

    def opened(workspace: Workspace, page: str = "") -> AppTest:
        monkeypatch.setenv("HRP_ENV_FILE", str(workspace.env_file))
        path = APP.parent / "pages" / f"{page}.py" if page else APP
        return AppTest.from_file(path, default_timeout=60).run()

    return opened
