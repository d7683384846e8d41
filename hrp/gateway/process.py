"""One gateway a state directory: the lock that proves it lives, and the note that says where it listens.

The lock is the operating system's and ends with the process, however that ends; the note may outlive it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

_LOCK_NAME = "gateway.lock"
_NOTE_NAME = "gateway.json"
_TRIES = 20
_PAUSE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Running:
    """A running gateway: its process, the port for clients, the port for control, its account."""

    pid: int
    port: int
    control_port: int
    account: str


def pass_on(lock: IO[bytes]) -> int:
    """Let the program that takes this one's place keep `lock`: its number, for `inherit`."""
    os.set_inheritable(lock.fileno(), True)
    return lock.fileno()


def inherit(number: int) -> IO[bytes]:
    """The lock that the program before passed on."""
    os.set_inheritable(number, False)
    return os.fdopen(number, "ab")


def take_lock(state_dir: Path) -> IO[bytes] | None:
    """The lock of `state_dir`, held until closed or the process ends; None if another process holds it."""
    handle = (state_dir / _LOCK_NAME).open("ab")
    for _ in range(_TRIES):  # whoever looks whether a gateway lives holds the lock for a moment
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return handle
    handle.close()
    return None


def is_alive(state_dir: Path) -> bool:
    """True while a gateway process holds the lock of `state_dir`."""
    if not (state_dir / _LOCK_NAME).exists():
        return False
    with (state_dir / _LOCK_NAME).open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write_note(state_dir: Path, running: Running) -> None:
    """Say where the gateway listens; readers see the old note or the new one, never half of one."""
    draft = state_dir / f"{_NOTE_NAME}.{os.getpid()}"
    draft.write_text(json.dumps(asdict(running)) + "\n")
    draft.replace(state_dir / _NOTE_NAME)


def read_note(state_dir: Path) -> Running | None:
    """The note, if there is one; whether its process lives is another question."""
    with suppress(FileNotFoundError):
        return Running(**json.loads((state_dir / _NOTE_NAME).read_text()))
    return None


def remove_note(state_dir: Path) -> None:
    """Take the note away."""
    (state_dir / _NOTE_NAME).unlink(missing_ok=True)
