"""One rehearsal: a copy of the stage, a gateway of its own, and the nights that are played on it."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

from hrp.gateway import client
from hrp.gateway.errors import GatewayError
from hrp.gateway.scenario import Scenario
from hrp.rehearsal.books import World, world
from hrp.rehearsal.processes import PROCESSES, Doom, End, call, gateway, go_on, play
from hrp.rehearsal.stage import ACCOUNT, Stage, Workspace

DEADLINE_SECONDS = 90.0
_PAUSE_SECONDS = 0.01

Steps = list[tuple[str, datetime | None]]


@dataclass
class Case:
    """A rehearsal in `folder`, which is its own and is removed at the end. Use it as a context manager."""

    stage: Stage
    folder: Path
    scenario: Scenario | None = None
    seconds: float = DEADLINE_SECONDS
    workspace: Workspace = field(init=False)
    _gateway: BaseProcess | None = field(init=False, default=None)

    def __enter__(self) -> Case:
        self.folder.mkdir(parents=True)
        self.workspace = self.stage.open(self.folder / "home", Workspace)
        self.start_gateway(self.scenario)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        self.stop_gateway()
        shutil.rmtree(self.folder)

    def start_gateway(self, scenario: Scenario | None = None) -> None:
        """Start the gateway, and wait until it listens."""
        state = self.workspace.state
        fault = state / "scenario.yaml" if scenario else None
        if fault and scenario:
            fault.write_text(scenario.text())
        arguments = (state, self.stage.market, ACCOUNT, fault)
        self._gateway = process = PROCESSES.Process(target=gateway, args=arguments, daemon=True)
        process.start()
        # For a moment the new process holds the lock while the note is still that of the one before.
        while not ((found := client.running(state)) and found.pid == process.pid):
            if not process.is_alive():
                raise GatewayError((state / client.LOG_NAME).read_text())
            time.sleep(_PAUSE_SECONDS)
        self.workspace.set(IBKR_PORT=found.port)

    @property
    def gateway_pid(self) -> int:
        """The process of the gateway."""
        return int(self._gateway.pid or 0) if self._gateway else 0

    def restart_gateway(self, scenario: Scenario | None = None) -> None:
        """Another gateway over the same state, with another fault or none."""
        self.stop_gateway()
        self.start_gateway(scenario)

    def stop_gateway(self) -> None:
        """End the gateway as a crash would; its state stays."""
        if self._gateway is not None:
            self._gateway.kill()
            self._gateway.join()

    def play(self, job: str, doom: Doom) -> End:
        """A job, or the night; the answer is how it ran and its effects, or None if it was killed."""
        return call(play, self.workspace, job, doom, log=self.folder / "play.log", seconds=self.seconds)

    def world(self) -> World:
        """Names for everything that was left behind; of what cannot be read, names of its own."""
        end = call(world, self.workspace, log=self.folder / "world.log", seconds=self.seconds)
        unreadable = f"unreadable: {end.words} {self.folder}"
        return end.answer or World(unreadable, unreadable)

    def go_on(self, steps: Steps) -> End:
        """What comes afterwards; the answer is how each job ran and the books."""
        return call(go_on, self.workspace, steps, log=self.folder / "after.log", seconds=self.seconds)
