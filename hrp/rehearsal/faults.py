"""A night against a gateway that misbehaves: what came of it once the gateway is honest again."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from hrp.domain.sessions import last_closed, next_session, open_at
from hrp.errors import JobError, UsageError
from hrp.gateway.scenario import Scenario, combine, load, names
from hrp.rehearsal.books import Books, Findings, against_clean, in_itself, unsent
from hrp.rehearsal.case import Case, Steps
from hrp.rehearsal.matrix import NIGHTLY, SYNC, complaints, why_stopped
from hrp.rehearsal.processes import End
from hrp.rehearsal.stage import Stage, evening

AGREES = "agrees"
STOPPED = "stopped: UNKNOWN or locked, nothing sent"
_THREE = 3
_MORNING = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one scenario ended. `failure` is empty if the books agree, or HRP stopped, said why and sent nothing."""

    scenario: str
    sent: int
    findings: Findings = field(default_factory=Findings)
    stopped: str = ""
    failure: str = ""
    seconds: float = 0.0

    @property
    def fine(self) -> bool:
        """True if nothing is wrong."""
        return not self.findings and not self.failure

    def __str__(self) -> str:
        if not self.fine:
            return f"FAILED: {self.failure or self.findings}"
        return STOPPED if self.stopped else AGREES


def scenarios(asked: Sequence[str]) -> list[Scenario]:
    """The scenarios that were `asked` for by name or file; of none, every one of the library.

    Raises:
        ConfigError: there is no such scenario.
    """
    return [load(name) for name in asked or names()]


def combinations(count: int, seed: int) -> list[Scenario]:
    """`count` combinations of three scenarios of the library, drawn with `seed`.

    Raises:
        UsageError: `count` is negative.
    """
    if count < 0:
        raise UsageError(f"--combinations {count} is negative")
    draw = random.Random(seed)
    library = names()
    return [combine(map(load, sorted(draw.sample(library, _THREE))), draw.randrange(2**31)) for _ in range(count)]


@dataclass
class Faults:
    """Scenarios on one `stage`: a night, the next open and the morning's sync with the fault, the rest without."""

    stage: Stage
    folder: Path
    clean: Books = field(init=False)

    def discover(self) -> None:
        """Play the night without a fault.

        Raises:
            JobError: it does not end well.
        """
        with Case(self.stage, self.folder / "faultless") as case:
            end = case.go_on([(NIGHTLY, None), *self._morning(), *self._evening()])
        if end.answer is None or complaints(end.answer[0]):
            raise JobError(f"the night without a fault did not end well: {end}")
        self.clean = end.answer[1]

    def play(self, scenario: Scenario) -> Outcome:
        """One scenario: the night; a second run in front of an honest gateway; the open and the morning with the fault
        again; then the afternoon's sync without it."""
        started = time.perf_counter()
        folder = self.folder / scenario.digest()[:16]
        with Case(self.stage, folder, scenario) as case:
            night = case.go_on([(NIGHTLY, None)])
            case.restart_gateway()
            again = case.go_on([(NIGHTLY, None)])
            case.restart_gateway(scenario)
            morning = case.go_on(self._morning())
            case.restart_gateway()
            outcome = self._judged(scenario.name, [night, again, morning, case.go_on(self._evening())])
        return replace(outcome, seconds=time.perf_counter() - started)

    def _morning(self) -> Steps:
        return [(SYNC, open_at(next_session(last_closed(self.stage.clock))) + _MORNING)]

    def _evening(self) -> Steps:
        return [(SYNC, evening(next_session(last_closed(self.stage.clock))))]

    def _judged(self, name: str, ends: Iterable[End]) -> Outcome:
        night, again, morning, last = ends
        words = [end.words for end in (night, again, morning, last) if end.answer is None]
        if words or last.answer is None:
            return Outcome(name, 0, failure="; ".join(words))
        books: Books = last.answer[1]
        (start, *ran), sent = again.answer[0], len(books.placed) - night.answer[0][0].placed
        stopped = why_stopped(start, ran) or why_stopped(ran[-1], last.answer[0][1:])
        if stopped:
            return Outcome(name, sent, in_itself(books, stopped=True), stopped)
        failure = complaints([*ran, *last.answer[0]])
        if set(books.executions) == set(self.clean.executions):
            return Outcome(name, sent, against_clean(self.clean, books, same_clock=False), failure=failure)
        return Outcome(name, sent, in_itself(books) + unsent(books), failure=failure)
