"""Installing the schedule: files written, and launchd or systemd told about them.

Every act is reported as a line of text; a dry run reports the same lines with `would` and does nothing at all. The
service manager is called through a `Runner`, so that what is asked of it can be seen.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from subprocess import CompletedProcess

from hrp.agents.schedule import Platform, UnitFile
from hrp.errors import JobError

Runner = Callable[[list[str]], "CompletedProcess[str]"]


class FileState(StrEnum):
    CURRENT = "current"
    OUTDATED = "outdated"
    MISSING = "missing"
    ENABLED = "enabled"  # the file that `units` would disable is there under its active name
    DISABLED = "disabled"  # and the other way round


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """One file as it is found. `loaded` is None where that cannot be known or does not apply."""

    name: str
    file: FileState
    loaded: bool | None


def run_command(command: list[str]) -> CompletedProcess[str]:
    """The `Runner` for real use."""
    return subprocess.run(command, capture_output=True, text=True, check=False)


def install(
    target_dir: Path, units: Sequence[UnitFile], runner: Runner, *, uid: int, dry_run: bool = False
) -> list[str]:
    """Bring `target_dir` and the service manager to `units`; what is so already is left alone and said to be so.

    Args:
        target_dir: `~/Library/LaunchAgents` or `~/.config/systemd/user`.
        uid: the user whose login session launchd loads the jobs into.

    Returns:
        One line per act.

    Raises:
        JobError: the service manager is missing or refuses; a repetition goes on where this stopped.
    """
    return _bring_about(target_dir, units, runner, uid, dry_run, load_again=False)


def reload(
    target_dir: Path, units: Sequence[UnitFile], runner: Runner, *, uid: int, dry_run: bool = False
) -> list[str]:
    """Install, and load every job again though its file has not changed. Raises as `install` does."""
    return _bring_about(target_dir, units, runner, uid, dry_run, load_again=True)


def uninstall(
    target_dir: Path, units: Sequence[UnitFile], runner: Runner, *, uid: int, dry_run: bool = False
) -> list[str]:
    """Unload every job of `units` and remove its files, enabled or not. Raises as `install` does."""
    manager = _Manager(runner, uid, dry_run)
    manager.require(units)
    actions = [line for unit in units if manager.is_loaded(unit) for line in manager.unload(unit)]
    removed = [
        line
        for unit in units
        for name in (unit.name, unit.other_name)
        for line in _remove(target_dir / name, dry_run=dry_run)
    ]
    actions += removed
    actions += manager.refresh(units) if removed else []
    return actions or [f"nothing is installed in {target_dir}"]


def status(target_dir: Path, units: Sequence[UnitFile], runner: Runner, *, uid: int) -> list[UnitStatus]:
    """How each file and job stands. Works without a service manager: what is loaded is then not known."""
    manager = _Manager(runner, uid, dry_run=False)
    try:
        manager.require(units)
    except JobError:
        return [UnitStatus(unit.name, file_state(target_dir, unit), None) for unit in units]
    return [
        UnitStatus(unit.name, file_state(target_dir, unit), manager.is_loaded(unit) if unit.starts_jobs else None)
        for unit in units
    ]


def file_state(target_dir: Path, unit: UnitFile) -> FileState:
    """What `target_dir` holds of `unit`."""
    if (target_dir / unit.other_name).exists():
        return FileState.DISABLED if unit.enabled else FileState.ENABLED
    path = target_dir / unit.name
    if not path.exists():
        return FileState.MISSING
    return FileState.CURRENT if path.read_text(encoding="utf-8") == unit.content else FileState.OUTDATED


def write_units(target_dir: Path, units: Sequence[UnitFile], *, dry_run: bool = False) -> list[str]:
    """Write the files alone, telling no service manager; one line per file."""
    actions = []
    for unit in units:
        state = file_state(target_dir, unit)
        if state is FileState.CURRENT:
            actions.append(f"unchanged {unit.name}")
            continue
        actions.append(_act(f"write {unit.name}", dry_run))
        if not dry_run:
            _write(target_dir / unit.name, unit.content)
        actions += _remove(target_dir / unit.other_name, dry_run=dry_run)
    return actions


def _bring_about(
    target_dir: Path, units: Sequence[UnitFile], runner: Runner, uid: int, dry_run: bool, *, load_again: bool
) -> list[str]:
    manager = _Manager(runner, uid, dry_run)
    manager.require(units)
    changed = {unit.label for unit in units if file_state(target_dir, unit) is not FileState.CURRENT}
    loaded = {unit.label for unit in units if manager.is_loaded(unit)}
    wanted = {unit.label for unit in units if unit.starts_jobs and unit.enabled}
    # Unloaded while the old file is still there: systemd reads it to know what to undo.
    stale = {label for label in loaded if load_again or label in changed or label not in wanted}
    to_load = wanted - (loaded - stale)
    if dry_run:  # what is loaded was not asked, so only what is certain is announced
        to_load = wanted if load_again else wanted & changed

    starters = [unit for unit in units if unit.starts_jobs]
    actions = [line for unit in starters if unit.label in stale for line in manager.unload(unit)]
    for folder in {unit.log_dir for unit in units} if not dry_run else ():
        folder.mkdir(parents=True, exist_ok=True)  # no service manager creates it, and no job starts without it
    actions += write_units(target_dir, units, dry_run=dry_run)
    actions += manager.refresh(units) if changed else []
    actions += [line for unit in starters if unit.label in to_load for line in manager.load(unit, target_dir)]
    return actions


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)


def _remove(path: Path, *, dry_run: bool) -> list[str]:
    if not path.exists():
        return []
    if not dry_run:
        path.unlink()
    return [_act(f"remove {path.name}", dry_run)]


def _act(what: str, dry_run: bool) -> str:
    return f"would {what}" if dry_run else what


@dataclass(frozen=True, slots=True)
class _Manager:
    """launchctl or systemctl, by the platform of the unit at hand. Nothing is run in a dry run."""

    runner: Runner
    uid: int
    dry_run: bool

    def require(self, units: Sequence[UnitFile]) -> None:
        """Raises JobError if the service manager of `units` is not there or serves no session of this user."""
        if self.dry_run or not units:
            return
        launchd = units[0].platform is Platform.LAUNCHD
        probe = ["launchctl", "print", self._domain] if launchd else ["systemctl", "--user", "show-environment"]
        remedy = "log in at the screen" if launchd else "log in, or run: loginctl enable-linger"
        try:
            answer = self.runner(probe)
        except FileNotFoundError as error:
            raise JobError(
                f"{probe[0]} is not on this machine, so {units[0].platform} cannot run the schedule; see what would be "
                "installed with --dry-run, or call the jobs from the scheduler this machine has"
            ) from error
        if answer.returncode != 0:
            raise JobError(f"{' '.join(probe)} failed: {answer.stderr.strip()}; {remedy}, then repeat the command")

    def is_loaded(self, unit: UnitFile) -> bool:
        if self.dry_run or not unit.starts_jobs:
            return False
        if unit.platform is Platform.LAUNCHD:
            return self.runner(["launchctl", "print", f"{self._domain}/{unit.label}"]).returncode == 0
        return self.runner(["systemctl", "--user", "is-active", "--quiet", unit.active_name]).returncode == 0

    def load(self, unit: UnitFile, target_dir: Path) -> list[str]:
        if unit.platform is Platform.LAUNCHD:
            return self._run(
                f"load {unit.label}", ["launchctl", "bootstrap", self._domain, str(target_dir / unit.name)]
            )
        return self._run(f"load {unit.label}", ["systemctl", "--user", "enable", "--now", unit.active_name])

    def unload(self, unit: UnitFile) -> list[str]:
        if unit.platform is Platform.LAUNCHD:
            return self._run(f"unload {unit.label}", ["launchctl", "bootout", f"{self._domain}/{unit.label}"])
        return self._run(f"unload {unit.label}", ["systemctl", "--user", "disable", "--now", unit.active_name])

    def refresh(self, units: Sequence[UnitFile]) -> list[str]:
        """Let systemd read changed files; launchd reads a file when it loads it."""
        if not units or units[0].platform is Platform.LAUNCHD:
            return []
        return self._run("read the units again", ["systemctl", "--user", "daemon-reload"])

    def _run(self, what: str, command: list[str]) -> list[str]:
        if not self.dry_run:
            answer = self.runner(command)
            if answer.returncode != 0:
                raise JobError(f"{' '.join(command)} failed with {answer.returncode}: {answer.stderr.strip()}")
        return [_act(what, self.dry_run)]

    @property
    def _domain(self) -> str:
        return f"gui/{self.uid}"
