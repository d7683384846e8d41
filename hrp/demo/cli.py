"""The command of the demo."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hrp.demo import play
from hrp.demo.page import write_page
from hrp.demo.stage import Stage, build_stage, clear, close_gateway, open_gateway
from hrp.demo.words import closing_line, next_steps, summary
from hrp.errors import HRPError

DONE = "demo.done"
NIGHTS = 20

cli = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@cli.command()
def main(
    home: Annotated[Path, typer.Option("--home", help="The demo's own workspace.")] = Path("~/hrp-demo"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over.")] = False,
    nights: Annotated[int, typer.Option("--nights", min=2, max=250, help="How many nights to play.")] = NIGHTS,
) -> None:
    """Research, promotion, and nights of paper trading through the broker's own protocol, without an account."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    home = home.expanduser().absolute()
    try:
        if not fresh and (home / DONE).exists():
            console.print(f"the demo has run already in {home}; start over with: make demo FRESH=1\n")
            print((home / DONE).read_text(encoding="utf-8"), end="")
            return
        clear(home)
        _perform(console, home, nights)
    except HRPError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from error


def _perform(console: Console, home: Path, nights: int) -> None:
    started = time.perf_counter()
    stage = build_stage(home, nights)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bill = play.research_act(stage, _announcer(console, progress, 4))
        console.print("paper gateway started as a process of its own, the broker's client connects to it")
        stage = open_gateway(stage)
        bar = progress.add_task("nights", total=len(stage.nights))
        play.nights_act(stage, bill, _teller(progress, bar, stage))
        progress.update(bar, completed=len(stage.nights), description="nights")
        console.print("one night again, and the next one as a dry run")
        play.again_act(stage, bill)
    outcome = play.reckoning(stage)
    close_gateway(stage)
    page = write_page(stage, bill, outcome)
    summary(console, stage, bill, outcome)
    text = f"{next_steps(stage, page)}\n\n{closing_line(stage, bill, outcome)}\n"
    (home / DONE).write_text(text, encoding="utf-8")
    console.print(f"\n{time.perf_counter() - started:.0f} s in all\n")
    print(text, end="")


def _announcer(console: Console, progress: Progress, total: int) -> Callable[[str], None]:
    bar = progress.add_task("research", total=total)

    def say(text: str) -> None:
        console.print(text)
        progress.advance(bar)

    return say


def _teller(progress: Progress, bar: object, stage: Stage) -> Callable[[date], None]:
    def tell(session: date) -> None:
        played = stage.nights.index(session)
        progress.update(bar, completed=played, description=f"night of {session}")  # type: ignore[arg-type]

    return tell
