"""`python -m hrp.agents.run_job --job NAME`: what launchd calls, and what `hrp run NAME` calls too."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from hrp.agents.jobs import JobRun
from hrp.agents.options import AsJson, AutoRollback, DryRun, EnvFile, Session, TradingDryRun
from hrp.agents.runner import Options, execute, exit_code
from hrp.errors import HRPError
from hrp.wiring import build


def run_command(
    job: str,
    session: str | None,
    options: Options,
    *,
    as_json: bool = False,
    env_file: Path | None = None,
) -> int:
    """Run `job`, say on the console what happened, and return the exit code."""
    console = Console(stderr=as_json, highlight=False)
    try:
        app = build(env_file)
        if not options.dry_run:
            _log_to(app.settings.home / "logs" / "hrp.log", app.settings.log_level)
        runs = execute(app, job, session, options, lambda name: console.print(f"[dim]{name} ...[/dim]"))
    except HRPError as error:
        complain(error, as_json=as_json)
        return error.exit_code
    if as_json:
        print(json.dumps([run.as_record() for run in runs], default=str, indent=2))
    else:
        show(console, runs)
    return exit_code(runs)


def _log_to(path: Path, level: str) -> None:
    """One line per event into the workspace's log, from the libraries too; times are UTC.

    Without a folder, or on a disk that refuses, there is no log: the run itself says what is wrong.
    """
    if logging.root.handlers or not path.parent.is_dir():
        return
    with suppress(OSError):
        handler = logging.FileHandler(path, encoding="utf-8")
        formatter = logging.Formatter("%(asctime)sZ level=%(levelname)s logger=%(name)s %(message)s")
        formatter.converter = time.gmtime
        handler.setFormatter(formatter)
        logging.basicConfig(level=level, handlers=[handler])


def complain(error: HRPError, *, as_json: bool) -> None:
    """One line about what was wrong, on standard error; or a JSON document on standard output."""
    if as_json:
        print(json.dumps({"error": str(error), "kind": type(error).__name__, "exit_code": error.exit_code}, indent=2))
    print(f"error: {error}", file=sys.stderr)


def show(console: Console, runs: Sequence[JobRun]) -> None:
    """A line per job, and for the trader its orders and denials."""
    summary = Table("job", "session", "status", "seconds", Column("what", overflow="fold"), box=None, pad_edge=False)
    details: list[Table] = []
    for run in runs:
        facts = run.result.facts
        status = run.result.status if run.result.exit_code == 0 else f"[yellow]{run.result.status}[/yellow]"
        summary.add_row(run.job, str(run.session), status, f"{run.seconds:.1f}", _brief(facts))
        details += _tables(facts)
    for table in [summary, *details]:
        console.print(table)
    if any(run.result.status == "dry_run" for run in runs):
        console.print("\ndry run: nothing was sent; to send these orders, add --no-trading-dry-run")
    for run in runs:
        if run.result.alert:
            console.print(f"{run.job}: {run.result.alert}", markup=False, soft_wrap=True)


def _brief(facts: Mapping[str, object]) -> str:
    plain = {key: value for key, value in facts.items() if value and not isinstance(value, list)}
    parts = [f"{key}={_short(value)}" for key, value in plain.items()]
    parts += [f"{key}={len(value)}" for key, value in facts.items() if isinstance(value, list) and value]
    return " ".join(parts)


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{entry}" for key, entry in value.items()) or "-"
    text = str(value)
    return text[:12] if len(text) == 64 else text


_COLUMNS = {
    "clips": ("symbol", "limit", "shares before", "shares after", "detail"),
    "orders": ("symbol", "side", "shares", "type", "limit USD", "status", "order_ref"),
    "denied": ("symbol", "side", "shares", "type", "limit USD", "status", "order_ref", "reason"),
    "findings": ("check", "symbol", "effect", "detail"),
    "breaks": ("kind", "subject", "ledger", "broker", "explained by", "explanation"),
    "locks": ("scope", "subject", "kind", "since", "reason"),
    "alarms": ("alarm",),
}


def _tables(facts: Mapping[str, object]) -> Iterable[Table]:
    for name, columns in _COLUMNS.items():
        rows = facts.get(name)
        if isinstance(rows, list) and rows:
            table = Table(title=f"\n{name}", title_justify="left", box=None, pad_edge=False)
            for column in columns:
                table.add_column(column, overflow="fold")
            for row in rows:
                cells = row if isinstance(row, list) else [row]
                table.add_row(*("" if cell is None else str(cell) for cell in cells))
            yield table


cli = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@cli.command()
def main(
    job: Annotated[str, typer.Option("--job", help="prices, quality, features, predictions, ... or nightly.")],
    session: Session = None,
    dry_run: DryRun = False,
    trading_dry_run: TradingDryRun = True,
    auto_rollback: AutoRollback = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Run one job, or the whole night, for one session."""
    options = Options(dry_run, trading_dry_run, auto_rollback)
    raise typer.Exit(run_command(job, session, options, as_json=as_json, env_file=env_file))


if __name__ == "__main__":
    cli()
