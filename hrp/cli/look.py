"""hrp status, positions, trades, drift: what is so, out of the published copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from hrp.agents.options import AsJson, EnvFile, Session, parse_day
from hrp.cli.output import say_json, say_rows

Symbol = Annotated[str | None, typer.Option("--symbol", help="Only this symbol.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many rows.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (status, positions, trades, drift):
        app.command()(command)


@contextmanager
def published(env_file: Path | None) -> Iterator[tuple[Any, Any]]:
    """(settings, connection to the published copy)."""
    from hrp.data.db import published_copy
    from hrp.wiring import build

    settings = build(env_file).settings
    with published_copy(settings.published_dir) as con:
        yield settings, con


def status(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """The last run of each job, the account, what is locked, the strategies."""
    from hrp.data import looks

    with published(env_file) as (settings, con):
        facts = {
            "accounts": looks.newest_equity(con),
            "locks": looks.locks(con),
            "strategies": looks.strategies(con),
            "jobs": looks.newest_runs(con),
        }
    if as_json:
        say_json({"home": settings.home, **facts})
        return
    print(f"workspace {settings.home}\n")
    for title, empty in (
        ("accounts", "no account was synced yet; run: hrp run position-sync"),
        ("locks", "nothing is locked"),
        ("strategies", "no strategy yet; train a model: hrp train, then: hrp models promote"),
        ("jobs", "no job has run yet; run: hrp run nightly"),
    ):
        say_rows(facts[title], as_json=False, empty=empty, title=title)
        print()


def positions(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Holdings of the last sync."""
    from hrp.data import looks

    with published(env_file) as (_, con):
        say_rows(looks.positions(con), as_json=as_json, empty="no positions; update: hrp run position-sync")


def trades(
    symbol: Symbol = None,
    first: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day, UTC.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day, UTC.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Executions, the newest first."""
    from hrp.data import looks

    with published(env_file) as (_, con):
        rows = looks.trades(con, symbol, parse_day(first), parse_day(last), limit)
        say_rows(rows, as_json=as_json, empty="no trades")


def drift(
    session: Session = None,
    every: Annotated[bool, typer.Option("--all", help="Every check, not only the alarms.")] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Drift alarms of a session."""
    from hrp.data import looks

    with published(env_file) as (_, con):
        rows = looks.drift(con, parse_day(session), every)
        say_rows(rows, as_json=as_json, empty="no alarms; see every check: hrp drift --all")
