"""The `hrp` command as a person types it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from workspaces import Workspace, finished_workspace

from hrp.cli import main


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Hrp = Callable[..., Said]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Only read by the tests; one that writes makes its own."""
    return finished_workspace(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def hrp(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Hrp:
    """Type `hrp WORDS` over a workspace, or over none."""
    monkeypatch.chdir(tmp_path)

    def typed(*words: str, over: Workspace | None = None) -> Said:
        place = ["--env-file", str(over.env_file)] if over else []
        monkeypatch.setattr(sys, "argv", ["hrp", *words, *place])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return typed
