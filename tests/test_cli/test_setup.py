"""hrp init, doctor, schedule and the settings that they start from."""

from __future__ import annotations

from pathlib import Path

from workspaces import Workspace, empty_workspace

from hrp.config import env_example
from hrp.errors import EXIT_NOT_READY, EXIT_USAGE

from .conftest import Hrp


def test_init_writes_the_example_settings_and_only_then_makes_the_store(hrp: Hrp, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HRP_HOME", str(tmp_path / "home"))
    assert "then again: hrp init" in hrp("init").out
    assert (tmp_path / ".env").read_text() == env_example()
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "home").exists()
    assert hrp("init").code == 0
    assert hrp("status").code == 0


def test_init_again_keeps_what_is_there(hrp: Hrp, tmp_path: Path):
    (tmp_path / ".env").write_text(f"HRP_HOME={tmp_path / 'home'}\nHRP_MAX_ORDERS=7\n")
    assert "migrations" in hrp("init").out
    assert "up to date" in hrp("init").out
    assert "HRP_MAX_ORDERS=7" in (tmp_path / ".env").read_text()


def test_doctor_names_everything_that_is_missing_and_what_to_do(hrp: Hrp, tmp_path: Path):
    workspace = empty_workspace(tmp_path / "home", IBKR_PORT=1)
    said = hrp("doctor", "--json", over=workspace)
    state = {check["check"]: check for check in said.json}
    assert said.code == EXIT_NOT_READY
    assert [name for name, check in state.items() if check["ok"]] == ["workspace", "store", "lineage", "models"]
    assert "run: hrp run prices" in state["prices"]["detail"]
    assert "run: hrp train" in state["strategies"]["detail"]
    assert "127.0.0.1:1" in state["broker"]["detail"]


def test_the_schedule_can_be_looked_at_without_installing_it(hrp: Hrp, finished: Workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    said = hrp("schedule", "install", "--dry-run", over=finished)
    assert said.code == 0
    assert "would write com.hrp.live-trader" in said.out
    assert not (tmp_path / ".config").exists()
    assert not (tmp_path / "Library").exists()


def test_a_command_that_does_not_exist_is_wrong_usage(hrp: Hrp):
    assert hrp("sell-everything").code == EXIT_USAGE
