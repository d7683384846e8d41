"""hrp schedule: launchd agents on macOS, systemd user timers on Linux, out of one schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hrp.agents.options import AsJson, EnvFile
from hrp.cli.output import print_table, say_json

app = typer.Typer(
    help="When the jobs run: launchd on macOS, systemd on Linux.", no_args_is_help=True, rich_markup_mode=None
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and do nothing.")]
Trading = Annotated[
    bool, typer.Option("--trading", help="Enable the live trader and let it send orders. Without it, it is disabled.")
]


@app.command()
def install(
    trading: Trading = False, dry_run: DryRun = False, as_json: AsJson = False, env_file: EnvFile = None
) -> None:
    """Write the files and load the jobs. What is so already is left alone."""
    _act("install", trading, dry_run, as_json, env_file)


@app.command()
def uninstall(dry_run: DryRun = False, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Unload the jobs and remove their files."""
    _act("uninstall", False, dry_run, as_json, env_file)


@app.command()
def reload(
    trading: Trading = False, dry_run: DryRun = False, as_json: AsJson = False, env_file: EnvFile = None
) -> None:
    """Install, and load every job again."""
    _act("reload", trading, dry_run, as_json, env_file)


@app.command()
def status(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """How each file and job stands."""
    from dataclasses import asdict

    from hrp.agents import service_manager
    from hrp.agents.schedule import units

    target, platform, where, uid = _place(env_file)
    found = service_manager.status(target, units(platform, where), service_manager.run_command, uid=uid)
    if as_json:
        say_json([asdict(entry) for entry in found])
        return
    loaded = {None: "not known", True: "loaded", False: "not loaded"}
    print_table(["file", "state", "job"], [[f.name, f.file, loaded[f.loaded]] for f in found], f"in {target}")


def _act(name: str, trading: bool, dry_run: bool, as_json: bool, env_file: EnvFile) -> None:
    from hrp.agents import service_manager
    from hrp.agents.schedule import Platform, clock_change, units

    target, platform, where, uid = _place(env_file)
    act = getattr(service_manager, name)
    lines = act(target, units(platform, where, trading=trading), service_manager.run_command, uid=uid, dry_run=dry_run)
    changes = clock_change(where) if platform is Platform.LAUNCHD and name != "uninstall" else None
    if changes:
        lines.append(
            f"launchd knows local time only: from {changes} on these times are wrong; repeat this command then"
        )
    if as_json:
        say_json({"folder": target, "acts": lines})
    else:
        print(f"in {target}:\n  " + "\n  ".join(lines))


def _place(env_file: EnvFile) -> tuple[Path, Any, Any, int]:
    """(folder, platform, installation, user id) of this machine."""
    from hrp.agents.schedule import Installation, Platform
    from hrp.wiring import build, host

    found = host()
    built = build(env_file)
    where = Installation(
        python=found.python,
        working_dir=built.settings.home,
        env_file=(built.env_file or Path(".env")).absolute(),
        home=built.settings.home,
        on=built.clock.now().date(),
        local_zone=found.zone,
    )
    if found.is_mac:
        return found.user_home / "Library" / "LaunchAgents", Platform.LAUNCHD, where, found.uid
    return found.user_home / ".config" / "systemd" / "user", Platform.SYSTEMD, where, found.uid
