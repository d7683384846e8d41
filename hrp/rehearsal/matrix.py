"""The crash matrix: the night is ended at every one of its effects, and what comes after is held against a clean night.

After each kill the same session is run again, and apart from that only the next session's night is run. Besides: the
gateway is killed under the night, both are, the disk is full, two nights meet, the clock moves before the second run.
"""

from __future__ import annotations

import shutil
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import zip_longest
from pathlib import Path
from threading import Lock
from typing import TypeVar

from hrp.domain.sessions import close_at, last_closed, next_session, open_at
from hrp.errors import EXIT_DONE, EXIT_NOT_READY, JobError
from hrp.rehearsal.books import Books, Findings, against_clean, in_itself, next_plan
from hrp.rehearsal.case import Case, Steps
from hrp.rehearsal.effects import COMMIT, CONNECT, SEND, Effect
from hrp.rehearsal.processes import KILLED, PROCESSES, Act, Doom, End, Ran
from hrp.rehearsal.stage import Stage, Workspace, evening, keep

NIGHTLY, SYNC = "nightly", "position-sync"
WORKERS = 2
AGAIN, NEXT = "killed, run again", "killed, next session only"
TWO, CLOCK = "two nights at once", "clock moved"
PARTS = {Act.KILL_GATEWAY: "gateway killed", Act.KILL_BOTH: "both killed", Act.FULL_DISK: "disk full"}
KILLS = {AGAIN: 1, PARTS[Act.KILL_GATEWAY]: 1, PARTS[Act.KILL_BOTH]: 2, CLOCK: 1}  # processes that each case kills

# How a night may end without a word: killed, or by DuckDB, which may abort when a full disk stops its commit.
ENDS = {Act.KILL_BOTH: KILLED, Act.FULL_DISK: -signal.SIGABRT}
_STOPS = ("unknown", "locked: ")

Answer = TypeVar("Answer")
Play = Callable[[], "list[Result]"]


@dataclass(frozen=True, slots=True)
class Result:
    """One case: the part of the matrix, where, what is wrong, why HRP stopped ("" if it did not), and trouble."""

    part: str
    where: str
    findings: Findings = field(default_factory=Findings)
    stopped: str = ""
    trouble: str = ""
    kills: int = 0

    @property
    def fine(self) -> bool:
        """True if the books agree, or HRP stopped, said why, and sent nothing."""
        return not self.findings and not self.trouble


@dataclass(frozen=True, slots=True)
class Clean:
    """A night that nothing disturbed: its effects, and the books after the next session's sync."""

    effects: tuple[Effect, ...]
    books: Books


@dataclass
class Matrix:
    """The matrix of one `job` on one `stage`; every case has a folder of its own in `folder`, and removes it.

    After a kill the job is run `again` as these steps say, and apart from that only what comes `next`. Two kills that
    leave the same world behind have the same future, which is played once.
    """

    stage: Stage
    folder: Path
    job: str
    again: Steps
    next: Steps
    clean: Clean = field(init=False)
    _played: dict[tuple[str, str], Result] = field(default_factory=dict)
    _gates: defaultdict[tuple[str, str], Lock] = field(default_factory=lambda: defaultdict(Lock))

    @property
    def futures(self) -> int:
        """How many different futures were played."""
        return len(self._played)

    def discover(self) -> Clean:
        """Play the job twice without disturbing it.

        Raises:
            JobError: it does not end well, or its two runs do not have the same effects.
        """
        first, second = (self._undisturbed(f"{self.job}-clean-{number}") for number in (1, 2))
        for one, other in zip_longest(first.effects, second.effects):
            if one != other:
                raise JobError(f"{self.job} has other effects the second time: {one} became {other}")
        self.clean = first
        return first

    def _undisturbed(self, name: str) -> Clean:
        with Case(self.stage, self.folder / name) as case:
            played, after = case.play(self.job, Doom(0)), case.go_on(self.again[1:])
        for end in (played, after):
            if end.answer is None:
                raise JobError(f"the clean {self.job} did not end: {end.words}")
        (ran, effects), (steps, books) = played.answer, after.answer
        wrong = complaints([ran, *steps]) or str(in_itself(books) or "")
        if wrong:
            raise JobError(f"the clean {self.job} is not clean: {wrong}")
        return Clean(tuple(effects), books)

    # What is played

    def kills(self, every: int = 1) -> list[Play]:
        """A kill before each effect (with `every` only before each such one) and one after the last."""
        last = len(self.clean.effects)
        ordinals = [*range(1, last + 1, every), last + 1]
        half = (len(ordinals) + 1) // 2
        # Neighbours often leave the same world: played far apart, they do not wait for one another.
        pairs = zip_longest(ordinals[:half], ordinals[half:])
        return [partial(self.killed, ordinal) for pair in pairs for ordinal in pair if ordinal]

    def others(self, every: int = 1) -> list[Play]:
        """The gateway, both, the disk, the clock, and two nights at once."""
        effects = self.clean.effects
        places = [effect.ordinal for effect in effects if effect.kind == SEND and "place" in effect.chain]
        around = sorted({*places, *(place + 1 for place in places)})
        connects = [effect.ordinal for effect in effects if effect.kind == CONNECT]
        commits = [effect.ordinal for effect in effects if effect.kind == COMMIT]
        acts = {Act.KILL_GATEWAY: [*connects, *around], Act.KILL_BOTH: around, Act.FULL_DISK: commits}
        played = [partial(self.disturbed, Doom(at, act)) for act, ats in acts.items() for at in ats[::every]]
        moved = [partial(self.later, at, instant) for instant in self._instants() for at in around[:: 2 * every + 1]]
        return [*played, *moved, *(partial(self.two_at_once, connect) for connect in connects)]

    def killed(self, ordinal: int) -> list[Result]:
        """Killed at one boundary; run again, and in a copy only what comes next."""
        where = self._named(ordinal)
        with Case(self.stage, self._folder("killed", ordinal)) as case:
            end = case.play(self.job, Doom(ordinal))
            if end.exit_code != KILLED:
                return [Result(AGAIN, where, trouble=f"was not killed, exit code {end.exit_code} {end.words}")]
            world = case.world()
            left = self._folder("left", ordinal)
            if self.next and (world.books, NEXT) not in self._played:
                keep(case.workspace, left, self.stage.market)
            results = [self._future(AGAIN, where, world.everything, partial(case.go_on, self.again))]
        if self.next:
            alone = partial(self._left_alone, case.workspace, left, ordinal)
            results.append(self._future(NEXT, where, world.books, alone))
        shutil.rmtree(left, ignore_errors=True)
        return results

    def _left_alone(self, workspace: Workspace, left: Path, ordinal: int) -> End:
        """What comes next where nobody ran the job again; `left` is what the kill has left behind."""
        stage = replace(self.stage, kept=left, env=workspace.env)
        with Case(stage, self._folder("next", ordinal)) as case:
            return case.go_on(self.next)

    def disturbed(self, doom: Doom) -> list[Result]:
        """The gateway, or both, or the disk end in the middle; everything is set up again and the job run again."""
        part, where = PARTS[doom.act], self._named(doom.ordinal)
        with Case(self.stage, self._folder(doom.act.name, doom.ordinal)) as case:
            end = case.play(self.job, replace(doom, gateway=case.gateway_pid))
            if end.answer is None and end.exit_code != ENDS.get(doom.act):
                return [Result(part, where, trouble=f"{self.job} crashed, exit code {end.exit_code}: {end.words}")]
            if doom.act is not Act.FULL_DISK:
                case.restart_gateway()
            return [self._future(part, where, case.world().everything, partial(case.go_on, self.again))]

    def later(self, ordinal: int, instant: datetime) -> list[Result]:
        """Killed at one boundary and run again at another `instant`."""
        where = f"{self._named(ordinal)}, run again at {instant:%a %Y-%m-%d %H:%M}Z"
        (job, _), *after = self.again
        with Case(self.stage, self._folder(f"later-{instant:%d%H%M}", ordinal)) as case:
            case.play(self.job, Doom(ordinal))
            return [self._judged(CLOCK, where, case.go_on([(job, instant), *after]))]

    def two_at_once(self, ordinal: int) -> list[Result]:
        """A second night begins while the first one stands before an effect outside of the store."""
        where = self._named(ordinal)
        ours, theirs = PROCESSES.Pipe()
        with Case(self.stage, self._folder("two", ordinal)) as case, ThreadPoolExecutor(1) as beside:
            first = beside.submit(case.play, self.job, Doom(ordinal, Act.WAIT, line=theirs))
            if not ours.poll(case.seconds):
                return [Result(TWO, where, trouble=f"the first never came there: {first.result().words}")]
            second = case.go_on(self.again[:1])
            ours.send(ordinal)
            if first.result().answer is None:
                return [Result(TWO, where, trouble=first.result().words)]
            refused = second.answer[0][1] if second.answer else Ran(EXIT_DONE, (), second.words, 0)
            if refused.exit_code != EXIT_NOT_READY or "is running in" not in refused.said:
                return [Result(TWO, where, trouble=f"the second was not refused: {refused.said}")]
            return [self._judged(TWO, where, case.go_on(self.again[1:]))]

    def _folder(self, what: str, ordinal: int) -> Path:
        return self.folder / f"{self.job}-{what}-{ordinal}"

    def _instants(self) -> list[datetime]:
        """After midnight, in the second night, when the clocks may have changed, and shortly before the next open."""
        closed = last_closed(self.stage.clock)
        reopens = open_at(next_session(closed))
        return [
            close_at(closed) + timedelta(hours=9),
            close_at(closed) + timedelta(hours=36),
            reopens - timedelta(hours=1),
        ]

    def _named(self, ordinal: int) -> str:
        if ordinal > len(self.clean.effects):
            return f"{self.job}: after the last effect"
        effect = self.clean.effects[ordinal - 1]
        return f"{self.job}: before effect {ordinal}: {effect.kind} {effect.target} at {effect.site}"

    # What is said of it

    def _future(self, part: str, where: str, world: str, play_on: Callable[[], End]) -> Result:
        """The verdict on what comes after `world`, played unless it was before."""
        key = (world, NEXT if part == NEXT else AGAIN)
        with self._gates[key]:  # two kills of one world may come here at once
            if key not in self._played:
                self._played[key] = self._judged(part, where, play_on())
        return replace(self._played[key], part=part, where=where, kills=KILLS.get(part, 0))

    def _judged(self, part: str, where: str, end: End) -> Result:
        if end.answer is None:
            return Result(part, where, trouble=end.words)
        (start, *ran), books = end.answer
        stopped = why_stopped(start, ran)
        if stopped:
            return Result(part, where, in_itself(books, stopped=True), stopped, kills=KILLS.get(part, 0))
        if part == NEXT:
            findings = in_itself(books) + (next_plan(books) if self.job == NIGHTLY else Findings())
        else:
            findings = against_clean(self.clean.books, books, same_clock=part != CLOCK)
        return Result(part, where, findings, trouble=complaints(ran), kills=KILLS.get(part, 0))


def night_matrix(stage: Stage, folder: Path) -> Matrix:
    """The matrix of the night, whose orders fill at the next open and are booked by the next session's sync."""
    following = evening(next_session(last_closed(stage.clock)))
    return Matrix(stage, folder, NIGHTLY, [(NIGHTLY, None), (SYNC, following)], [(NIGHTLY, following)])


def morning_matrix(stage: Stage, folder: Path) -> Matrix:
    """The matrix of the sync on the morning after the night of `stage`; run again, or left to the afternoon's.

    Raises:
        JobError: the night before it does not end well.
    """
    opened = open_at(next_session(last_closed(stage.clock)))
    with Case(stage, folder / "before-morning") as case:
        night = case.play(NIGHTLY, Doom(0))
        if night.answer is None or night.answer[0].exit_code != EXIT_DONE:
            raise JobError(f"the night before the morning did not end well: {night}")
        case.workspace.at(opened + timedelta(minutes=15))
        morning = keep(case.workspace, folder / "morning", stage.market)
    afternoon = opened + timedelta(hours=6, minutes=50)
    return Matrix(morning, folder, SYNC, [(SYNC, None)], [(SYNC, afternoon)])


def why_stopped(start: Ran, ran: Sequence[Ran]) -> str:
    """What HRP said when it stopped because something is unknown or locked, and sent nothing; else ""."""
    stops = [step for step in ran if step.exit_code == EXIT_NOT_READY and any(word in step.said for word in _STOPS)]
    return stops[0].said if stops and ran[-1].placed == start.placed else ""


def complaints(ran: Iterable[Ran]) -> str:
    """What runs that should have ended well complained of."""
    return "; ".join(step.said or f"exit code {step.exit_code}" for step in ran if step.exit_code != EXIT_DONE)


def play(cases: Sequence[Callable[[], Answer]], workers: int = WORKERS) -> Iterator[Answer]:
    """The answers of `cases` as they come, `workers` at a time."""
    with ThreadPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(case) for case in cases]):
            yield done.result()
