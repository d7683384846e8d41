"""hrp run"""

from __future__ import annotations

from typing import Annotated

import typer

from hrp.agents.options import AsJson, AutoRollback, DryRun, EnvFile, Session, TradingDryRun


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("run")(run)


def run(
    job: Annotated[
        str, typer.Argument(help="nightly, or one of its jobs: prices, quality, features, predictions, ...")
    ],
    session: Session = None,
    dry_run: DryRun = False,
    trading_dry_run: TradingDryRun = True,
    auto_rollback: AutoRollback = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Run a job, or the whole night, for one session. Orders are sent only with --no-trading-dry-run."""
    from hrp.agents.run_job import run_command
    from hrp.agents.runner import Options

    options = Options(dry_run, trading_dry_run, auto_rollback)
    raise typer.Exit(run_command(job, session, options, as_json=as_json, env_file=env_file))
