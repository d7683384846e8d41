"""hrp init, doctor, dashboard"""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hrp.agents.options import AsJson, EnvFile
from hrp.cli.output import print_table, say_json


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (init, doctor, dashboard):
        app.command()(command)


def init(env_file: EnvFile = None) -> None:
    """Create the settings file, then workspace and store. What is there already is kept."""
    from hrp.config import env_example
    from hrp.wiring import build, find_env_file, make_home

    path = find_env_file(env_file) or Path(".env").absolute()
    if not path.exists():
        path.write_text(env_example(), encoding="utf-8")
        path.chmod(0o600)
        print(f"wrote {path}; read it, choose HRP_HOME, put your paper account into IBKR_ACCOUNT, then again: hrp init")
        return
    app = build(path)
    make_home(app.settings.home)
    applied = app.store().migrate()
    app.store().publish()
    print(f"workspace {app.settings.home}: " + (f"migrations {applied} applied" if applied else "up to date"))
    print("next: hrp run prices, then hrp train MODEL, then hrp models promote MODEL VERSION; check with: hrp doctor")


class Part(StrEnum):
    """What the doctor looks at more closely."""

    BROKER = "broker"


def doctor(
    part: Annotated[
        Part | None, typer.Argument(metavar="[broker]", help="broker: the way to the broker, step by step.")
    ] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Check everything a night needs. Each thing that is missing comes with what to do."""
    from hrp.api.connection import examine_broker
    from hrp.api.doctor import examine
    from hrp.errors import EXIT_NOT_READY
    from hrp.wiring import build

    checks = (examine_broker if part else examine)(build(env_file))
    if as_json:
        say_json([{"check": check.name, "ok": check.ok, "detail": check.detail} for check in checks])
    else:
        words = {True: "ok", False: "FAILED" if part else "MISSING", None: "not reached"}
        print_table(["check", "state", "detail"], [[c.name, words[c.ok], c.detail] for c in checks])
    raise typer.Exit(0 if all(check.ok for check in checks) else EXIT_NOT_READY)


def dashboard(
    port: Annotated[int, typer.Option("--port", help="Port on this machine.")] = 8501, env_file: EnvFile = None
) -> None:
    """Serve the dashboard on 127.0.0.1."""
    from hrp.errors import ConfigError
    from hrp.wiring import ENV_FILE_VARIABLE, build, child_environment

    try:
        import streamlit  # noqa: F401  # only to say clearly that the extra is missing
    except ImportError as error:
        raise ConfigError("the dashboard needs its extra; run: pip install 'hrp[dashboard]'") from error
    built = build(env_file)
    page = Path(__file__).parents[1] / "dashboard" / "app.py"
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true"]
    command += [
        "--client.toolbarMode",
        "minimal",
        "--browser.gatherUsageStats",
        "false",
        "--server.fileWatcherType",
        "none",
    ]
    extra = {ENV_FILE_VARIABLE: str(built.env_file)} if built.env_file else {}
    print(f"dashboard of {built.settings.home} on http://127.0.0.1:{port}")
    raise typer.Exit(subprocess.run(command, env=child_environment(extra), check=False).returncode)
