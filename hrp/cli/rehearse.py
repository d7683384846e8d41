"""hrp rehearse: whole nights on a small stage of their own, killed at every effect or in front of a faulty gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hrp.agents.options import AsJson
from hrp.cli.output import print_table, say_json, say_rows

if TYPE_CHECKING:
    from pathlib import Path

    from hrp.gateway.scenario import Scenario
    from hrp.rehearsal.faults import Outcome
    from hrp.rehearsal.matrix import Result
    from hrp.rehearsal.stage import Stage

Answer = TypeVar("Answer")
_MEMORY, _ROOM_BYTES = "/dev/shm", 4 * 2**30
_MATRIX_WORKERS = 2  # a case is work for a processor
_FAULT_WORKERS = 4  # a case mostly waits for answers that do not come


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(rehearse)


def rehearse(
    scenario: Annotated[
        list[str] | None, typer.Argument(help="Names or files of scenarios; none: list what can be rehearsed.")
    ] = None,
    crash_matrix: Annotated[bool, typer.Option("--crash-matrix", help="Kill the night at every effect.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Every scenario of the library.")] = False,
    combinations: Annotated[int, typer.Option("--combinations", min=0, help="So many random triples of them.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="What draws the combinations.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Play nights that go wrong, and say whether the books agree. Needs no workspace and touches none."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from hrp.rehearsal import faults
    from hrp.rehearsal.stage import EVE, prepare

    faulty = faults.scenarios(scenario or ()) if scenario or every else []
    faulty += faults.combinations(combinations, seed)
    if not faulty and not crash_matrix:
        _list(as_json)
        return
    with TemporaryDirectory(prefix="hrp-rehearsal-", dir=_memory(), ignore_cleanup_errors=True) as folder:
        stage = prepare(Path(folder), EVE)
        found = _kill(stage, Path(folder), as_json) if crash_matrix else ([], 0)
        outcomes = _fail(stage, Path(folder), faulty, as_json) if faulty else []
    _tell(*found, outcomes, as_json)


def _memory() -> str | None:
    """A disk in memory if there is one with room: nights are killed here, power is not cut."""
    import shutil
    from pathlib import Path

    room = Path(_MEMORY)
    return _MEMORY if room.is_dir() and shutil.disk_usage(room).free > _ROOM_BYTES else None


def _list(as_json: bool) -> None:
    from hrp.gateway.scenario import load, names

    rows = [{"scenario": name, "about": load(name).about} for name in names()]
    say_rows(rows, as_json=as_json, empty="no scenarios", title="hrp rehearse NAME ..., --all or --crash-matrix")


def _kill(stage: Stage, folder: Path, as_json: bool) -> tuple[list[Result], int]:
    """The crash matrix of the night and of the morning after: its results, and how many boundaries there are."""
    from hrp.rehearsal.matrix import morning_matrix, night_matrix

    night, morning = night_matrix(stage, folder), morning_matrix(stage, folder)
    boundaries = sum(len(matrix.discover().effects) for matrix in (night, morning))
    cases = [*night.kills(), *morning.kills(), *night.others()]
    results = _played(cases, "crash matrix", _MATRIX_WORKERS, as_json)
    return [result for found in results for result in found], boundaries


def _fail(stage: Stage, folder: Path, scenarios: Sequence[Scenario], as_json: bool) -> list[Outcome]:
    from functools import partial

    from hrp.rehearsal.faults import Faults

    faults = Faults(stage, folder)
    faults.discover()
    outcomes = _played([partial(faults.play, one) for one in scenarios], "scenarios", _FAULT_WORKERS, as_json)
    return sorted(outcomes, key=lambda outcome: outcome.scenario)


def _played(cases: Sequence[Callable[[], Answer]], what: str, workers: int, as_json: bool) -> list[Answer]:
    """What each case came to, behind a progress bar."""
    from rich.console import Console
    from rich.progress import track

    from hrp.rehearsal.matrix import play

    console = Console(stderr=True, quiet=as_json)
    return list(track(play(cases, workers), what, len(cases), console=console, transient=True))


def _tell(results: Sequence[Result], boundaries: int, outcomes: Sequence[Outcome], as_json: bool) -> None:
    """Tables and the closing line, or one document; exit code 1 if anything is wrong.

    Raises:
        typer.Exit: always.
    """
    findings = [*(result.findings for result in results), *(outcome.findings for outcome in outcomes)]
    facts = {
        "boundaries": boundaries,
        "kills": sum(result.kills for result in results),
        "duplicates": sum(found.duplicates for found in findings),
        "lost": sum(found.lost for found in findings),
        "breaks": sum(found.breaks for found in findings),
    }
    agreed = sum(outcome.fine for outcome in outcomes)
    parts, wrong = _parts(results), [_row(outcome) for outcome in outcomes]
    failures = [{"part": r.part, "where": r.where, "what": r.trouble or str(r.findings)} for r in results if not r.fine]
    if as_json:
        say_json({**facts, "scenarios": len(outcomes), "agreed": agreed, "parts": parts, "outcomes": wrong,
                  "failures": failures})  # fmt: skip
    else:
        for rows, title in ((parts, "crash matrix"), (failures, "failures"), (wrong, "scenarios")):
            if rows:
                print_table(list(rows[0]), [list(row.values()) for row in rows], f"\n{title}")
        print(
            "\nrehearse:", *(f"{name}={count}" for name, count in facts.items()), f"scenarios={agreed}/{len(outcomes)}"
        )
    raise typer.Exit(1 if failures or agreed < len(outcomes) else 0)


def _parts(results: Iterable[Result]) -> list[dict[str, object]]:
    counts: dict[str, list[int]] = {}
    for result in results:
        row = counts.setdefault(result.part, [0, 0, 0])
        row[0 if result.fine and not result.stopped else 1 if result.fine else 2] += 1
    return [
        {"part": part, "as a clean night": clean, "stopped, nothing sent": stopped, "failed": failed}
        for part, (clean, stopped, failed) in counts.items()
    ]


def _row(outcome: Outcome) -> dict[str, object]:
    return {
        "scenario": outcome.scenario,
        "outcome": str(outcome),
        "orders sent": outcome.sent,
        "duplicates": outcome.findings.duplicates,
        "lost fills": outcome.findings.lost,
        "breaks": outcome.findings.breaks,
        "seconds": round(outcome.seconds, 1),
    }
