"""The README's chapter about a researcher's day, line by line, in a workspace that is made as its reader makes it."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from .conftest import Hrp

CHAPTER = "## A researcher's day"
CLOCK = "2022-12-28T23:30:00+00:00"
EXIT_CODE = re.compile(r"# exit code (\d)")


def lines() -> list[str]:
    """The shell lines of the chapter, in order."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    chapter = readme.partition(CHAPTER)[2].partition("\n## ")[0]
    return [line for block in re.findall(r"^```sh\n(.*?)^```$", chapter, re.M | re.S) for line in block.splitlines()]


@pytest.fixture
def desk(hrp: Hrp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hrp]:
    """A workspace of its own on the evening of the embedded prices."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    chosen = {"HRP_HOME": tmp_path / "home", "IBKR_ACCOUNT": "DU1234567", "IBKR_PORT": port, "HRP_CLOCK": CLOCK}
    for name, value in chosen.items():
        monkeypatch.setenv(name, str(value))
    hrp("init")
    assert hrp("init").code == 0
    yield hrp
    hrp("gateway", "stop")


def test_a_researchers_day_goes_as_the_readme_tells_it(desk: Hrp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert len(lines()) > 15
    for line in lines():
        program, *words = shlex.split(line, comments=True)
        if program == "export":
            monkeypatch.setenv(*words[0].split("=", 1))
            continue
        if words[:2] == ["gateway", "start"]:
            alias_moved_in_mlflow(tmp_path / "home")
        expected = EXIT_CODE.search(line)
        done = desk(*words)
        assert (line, done.code) == (line, int(expected[1]) if expected else 0), done.err

    promotions = [(row["from_version"], row["to_version"], row["actor"]) for row in history(desk)]
    assert promotions == [(None, 1, "operator"), (1, 2, "mlflow")]
    assert [row["status"] for row in desk("research", "list", "--json").json] == ["rejected", "deployed"]
    assert [row["status"] for row in desk("orders", "--json").json] == ["acked", "acked"]


def alias_moved_in_mlflow(home: Path) -> None:
    """What the page of a model version does when somebody gives it an alias."""
    MlflowClient(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}").set_registered_model_alias("day", "champion", "2")


def history(desk: Hrp) -> list[dict[str, object]]:
    rows = desk("models", "history", "--json").json
    return [row for row in reversed(rows) if row["state"] == "done"]
