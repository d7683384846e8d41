"""The processes of a rehearsal: each is forked from one that has imported everything, and has a deadline."""

from __future__ import annotations

import faulthandler
import io
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any

from hrp.agents.runner import Options, execute
from hrp.errors import HRPError
from hrp.gateway import client
from hrp.gateway.__main__ import main as serve
from hrp.rehearsal.books import PLACE_ORDER, Books, collect, require_readable
from hrp.rehearsal.effects import Effect, Watch
from hrp.rehearsal.stage import Workspace
from hrp.wiring import build

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["hrp.rehearsal.warm"])
KILLED = -signal.SIGKILL
_GRACE_SECONDS = 2.0
_OWN_LINE = re.compile(r'File "[^"]*/(hrp/[^"]+)", line (\d+) in (\w+)')


class Act(StrEnum):
    """What happens in place of an effect, or before it."""

    KILL = "kill"  # the night ends here
    KILL_GATEWAY = "kill the gateway"  # the night goes on alone
    KILL_BOTH = "kill both"
    FULL_DISK = "full disk"  # from here on no file may grow
    WAIT = "wait"  # until told to go on


@dataclass(frozen=True)
class Doom:
    """`act` just before the `ordinal`-th effect; one beyond the last effect acts after everything."""

    ordinal: int
    act: Act = Act.KILL
    gateway: int = 0
    line: Any = None  # to whoever tells when to go on

    def strike(self) -> None:
        """Do it."""
        if self.act in (Act.KILL_GATEWAY, Act.KILL_BOTH):
            os.kill(self.gateway, signal.SIGKILL)
        if self.act in (Act.KILL, Act.KILL_BOTH):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.act is Act.FULL_DISK:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        if self.act is Act.WAIT:
            self.line.send(self.ordinal)
            self.line.recv()


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command went: its exit code, (job, status) of each job, what it complained of, orders placed so far."""

    exit_code: int
    jobs: tuple[tuple[str, str], ...]
    said: str
    placed: int


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended: its answer (None if it gave none), its exit code, and its last words if it went wrong."""

    answer: Any
    exit_code: int
    words: str = ""


def call(target: Callable[..., Any], *arguments: Any, log: Path, seconds: float) -> End:
    """Run `target(*arguments)` in a process of its own and wait; what it prints goes to `log`.

    A process that has not ended after `seconds` is ended, and the words say which line of HRP it stood at.
    """
    ours, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_answering, args=(theirs, log, seconds, target, arguments))
    process.start()
    theirs.close()
    return _ended(process, ours, log, seconds)


def _ended(process: BaseProcess, answers: Connection, log: Path, seconds: float) -> End:
    answer, words = None, ""
    deadline = time.monotonic() + seconds + _GRACE_SECONDS
    try:
        while answer is None and answers.poll(max(deadline - time.monotonic(), 0)):
            answer, said = answers.recv()
            words += said
    except EOFError:
        process.join(_GRACE_SECONDS)
    if answer is None and process.is_alive():
        words = f"hung for {seconds:.0f} s at {_stood_at(log)}"
        process.kill()
    process.join()
    answers.close()
    lines = [line for line in words.splitlines() if line.strip()]
    return End(answer, process.exitcode or 0, lines[-1] if lines else "")


class _Words(io.StringIO):
    """Standard error as messages to the process that waits, because a full disk takes no last words."""

    def __init__(self, answers: Connection) -> None:
        super().__init__()
        self._answers = answers

    def write(self, text: str) -> int:
        self._answers.send((None, text))
        return len(text)


def _answering(
    answers: Connection, log: Path, seconds: float, target: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    sys.dont_write_bytecode = True
    _end_with_parent()
    _print_to(log)
    faulthandler.dump_traceback_later(seconds, file=2)
    sys.stderr = _Words(answers)
    answers.send((target(*arguments), ""))
    faulthandler.cancel_dump_traceback_later()


def _end_with_parent() -> None:
    """Leave nothing behind if the rehearsal itself is ended."""
    parent = parent_process()

    def wait() -> None:
        if parent:
            parent.join()
            os._exit(1)

    Thread(target=wait, daemon=True).start()


def _print_to(log: Path) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())


def _stood_at(log: Path) -> str:
    found = _OWN_LINE.findall(log.read_text(errors="replace"))
    return "{}:{} {}".format(*found[0]) if found else "a line outside of hrp"


# What runs in them


def gateway(state: Path, market: Path, account: str, scenario: Path | None) -> None:
    """A paper gateway on a free port, until it is told to stop or killed."""
    _end_with_parent()
    _print_to(state / client.LOG_NAME)
    words = ["--state", str(state), "--market", str(market), "--account", account]
    sys.exit(serve([*words, *(["--scenario", str(scenario)] if scenario else [])]))


def play(workspace: Workspace, job: str, doom: Doom) -> tuple[Ran, list[Effect]]:
    """A job for real, with its effects in order, and what `doom` does to it."""
    effects: list[Effect] = []
    scratch = workspace.home.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    tempfile.tempdir = str(scratch)

    def before(effect: Effect) -> None:
        effects.append(effect)
        if effect.ordinal == doom.ordinal:
            doom.strike()

    Watch(before, scratch)
    ran = _run(workspace, job)
    if doom.ordinal == len(effects) + 1:
        doom.strike()
    return ran, effects


def go_on(workspace: Workspace, steps: list[tuple[str, datetime | None]]) -> tuple[list[Ran], Books]:
    """What a person and the schedule do afterwards: jobs, each at an instant (None: now); then the books."""
    before = _placed(workspace)
    require_readable(workspace)
    ran = [Ran(0, (), "", before)]
    for job, instant in steps:
        if instant:
            workspace.at(instant)
        ran.append(_run(workspace, job))
    return ran, collect(workspace)


def _run(workspace: Workspace, job: str) -> Ran:
    try:
        runs = execute(build(workspace.env_file), job, None, Options(trading_dry_run=False), lambda _: None)
    except HRPError as error:
        return Ran(error.exit_code, (), str(error), _placed(workspace))
    worst = max(run.result.exit_code for run in runs)
    said = "; ".join(run.result.alert for run in runs if run.result.alert)
    return Ran(worst, tuple((run.job, run.result.status) for run in runs), said, _placed(workspace))


def _placed(workspace: Workspace) -> int:
    return len(client.message_log(workspace.state, direction="in", message_id=PLACE_ORDER))
