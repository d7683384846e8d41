"""hrp data backfill"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from hrp.agents.options import AsJson, EnvFile, parse_day
from hrp.cli.output import print_table, say_json

if TYPE_CHECKING:
    from hrp.api.backfill import Backfill, Outcome, Part

app = typer.Typer(help="Price history: fetch years of it, resumably.", no_args_is_help=True, rich_markup_mode=None)
_DAYS_SHOWN = 20

First = Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="First day.")]
Last = Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day; its session must have closed.")]
Symbols = Annotated[str, typer.Option("--symbols", metavar="A,B", help="Names; default: the universe.")]
Universe = Annotated[str, typer.Option("--universe", help="Every name that was ever in it; default: HRP_UNIVERSE.")]
Source = Annotated[str | None, typer.Option("--source", help="As HRP_PRICE_SOURCE, which is the default.")]
DryFetch = Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched and change nothing.")]


@app.callback()
def data() -> None:
    """Price history."""


@app.command()
def backfill(
    first: First,
    last: Last,
    symbols: Symbols = "",
    universe: Universe = "",
    source: Source = None,
    dry_run: DryFetch = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Fetch history into the store, part by part. Killed or failed, the same command goes on where it was."""
    from hrp.agents.runner import claimed
    from hrp.api.backfill import plan_backfill, run_backfill
    from hrp.errors import EXIT_DONE, EXIT_FAILED, UsageError
    from hrp.wiring import build

    if symbols and universe:
        raise UsageError("--symbols and --universe name the same thing; give one of them")
    built = build(env_file)
    names = [name for name in (part.strip() for part in symbols.split(",")) if name]
    start, end = parse_day(first) or date.min, parse_day(last) or date.max
    planned = plan_backfill(built, built.source(source), start, end, names, universe)
    if dry_run:
        _show_plan(planned, as_json=as_json)
        return
    with claimed(built, "data backfill"), _bar(planned, shown=not as_json) as on_part:
        outcome = run_backfill(built, planned, "backfill", on_part)
    _show_outcome(planned, outcome, as_json=as_json)
    raise typer.Exit(EXIT_DONE if outcome.complete else EXIT_FAILED)


def _show_plan(planned: Backfill, *, as_json: bool) -> None:
    parts = [
        {
            "part": number,
            "names": len(part.symbols),
            "from_name": part.symbols[0],
            "to_name": part.symbols[-1],
            "state": "committed" if part.key in planned.done else "to fetch",
        }
        for number, part in enumerate(planned.parts, start=1)
    ]
    if as_json:
        say_json({**_asked(planned), "parts": parts})
        return
    print(_headline(planned))
    print_table(list(parts[0]), [list(part.values()) for part in parts])


def _asked(planned: Backfill) -> dict[str, object]:
    return {
        "source": planned.source.name,
        "names": len(planned.symbols),
        "first_session": planned.first,
        "last_session": planned.last,
        "sessions": len(planned.sessions),
    }


def _headline(planned: Backfill) -> str:
    parts = len(planned.parts)
    return (
        f"{planned.source.name}: {len(planned.symbols)} names, {len(planned.sessions)} sessions from {planned.first} "
        f"to {planned.last}; {parts} parts, {parts - len(planned.waiting)} of them committed before"
    )


@contextmanager
def _bar(planned: Backfill, *, shown: bool) -> Iterator[Callable[[Part], None]]:
    """A progress bar on standard error; what to call after each part."""
    from rich.console import Console
    from rich.progress import Progress

    if shown:
        print(_headline(planned))
    with Progress(console=Console(stderr=True), disable=not (shown and sys.stderr.isatty())) as progress:
        names = sum(len(part.symbols) for part in planned.waiting)
        done = sum(len(part.symbols) for part in planned.parts) - names
        task = progress.add_task("names", total=names + done, completed=done)
        yield lambda part: progress.advance(task, len(part.symbols))


def _show_outcome(planned: Backfill, outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        facts = {
            "rows": outcome.rows,
            "actions": outcome.actions,
            "adjustment": outcome.adjustment,
            "begins": outcome.begins,
            "sessions_without_bars": list(outcome.empty),
            "names_without_bars": list(outcome.absent),
            "universe_founded": outcome.founded,
            "failures": list(outcome.failures),
        }
        say_json({**_asked(planned), **facts})
        return
    made = outcome.adjustment if outcome.adjustment == "raw" else f"adjusted for {outcome.adjustment}"
    print(f"{outcome.rows} rows and {outcome.actions} actions written; bars are {made}")
    if outcome.begins and outcome.begins > planned.first:
        print(f"history begins with session {outcome.begins}")
    if outcome.founded:
        print(f"the universe was founded with {outcome.founded} names")
    _say_missing("sessions without any bar", outcome.empty)
    _say_missing("names without any bar", outcome.absent)
    for failure in outcome.failures:
        print(f"not fetched: {failure}")
    if outcome.failures:
        print("the same command fetches what is missing")


def _say_missing(what: str, missing: Sequence[object]) -> None:
    if missing:
        more = f" and {len(missing) - _DAYS_SHOWN} more" if len(missing) > _DAYS_SHOWN else ""
        print(f"{len(missing)} {what}: {', '.join(map(str, missing[:_DAYS_SHOWN]))}{more}")
