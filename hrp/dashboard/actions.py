"""The jobs that a button runs, each in a process of its own: a page that is left or redrawn never cuts one short."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hrp.errors import EXIT_DONE
from hrp.wiring import child_environment

_SAID_ANYWAY = frozenset({"run_id", "job", "session", "status", "exit_code", "dry_run"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: the exit code of its process, and one line about it."""

    exit_code: int
    text: str
    raised: bool

    @property
    def done(self) -> bool:
        """True if the job did its work and found nothing that a person must look at."""
        return self.exit_code == EXIT_DONE


def run_job(job: str, env_file: Path | None, session: date | None, *options: str) -> Outcome:
    """Run `job` for `session`, by default the newest one that it can work on, exactly as the schedule would."""
    command = [sys.executable, "-m", "hrp.agents.run_job", "--job", job, "--json", *options]
    command += ["--session", session.isoformat()] if session else []
    command += ["--env-file", str(env_file)] if env_file else []
    done = subprocess.run(command, env=child_environment({}), capture_output=True, text=True, check=False)
    return read_outcome(job, done.returncode, done.stdout, done.stderr)


def read_outcome(job: str, exit_code: int, stdout: str, stderr: str) -> Outcome:
    """What a job's process has said: its runs, the error it raised, or, if it died, its last words."""
    try:
        said = json.loads(stdout)
    except json.JSONDecodeError:
        words = stderr.strip().splitlines() or ["it said nothing"]
        return Outcome(exit_code, f"{job} ended with exit code {exit_code}: {words[-1]}", raised=True)
    if isinstance(said, dict):
        return Outcome(exit_code, str(said["error"]), raised=True)
    return Outcome(exit_code, "; ".join(_told(record) for record in said), raised=False)


def _told(record: Mapping[str, object]) -> str:
    facts = {key: value for key, value in record.items() if key not in _SAID_ANYWAY}
    parts = [
        f"{key.replace('_', ' ')} {_short(value)}" for key, value in facts.items() if value not in ([], {}, "", None)
    ]
    return f"{record['job']} for {record['session']}: {record['status']} ({', '.join(parts)})"


def _short(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{key} {_short(part)}" for key, part in value.items())
        case list():
            return " / ".join(_short(part) for part in value)
        case _:
            return str(value)
