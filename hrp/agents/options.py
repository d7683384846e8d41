"""The options that a person or a plist can give, spelled in one place."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from hrp.errors import SessionError

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Do everything on a scratch copy: write nothing, send nothing.")
]
DryAct = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before it is done.")]
TradingDryRun = Annotated[
    bool,
    typer.Option("--trading-dry-run/--no-trading-dry-run", help="Plan without sending (default), or send the orders."),
]
AutoRollback = Annotated[
    bool | None,
    typer.Option("--auto-rollback/--no-auto-rollback", help="Let drift move the champion back; default from settings."),
]
Session = Annotated[str | None, typer.Option("--session", metavar="YYYY-MM-DD", help="Default: the newest one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
EnvFile = Annotated[Path | None, typer.Option("--env-file", help="Settings file; default: .env here, or HRP_ENV_FILE.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is written to the ledger.")]


def parse_day(text: str | None) -> date | None:
    """A date given by hand; None stays None.

    Raises:
        SessionError: not a date.
    """
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise SessionError(f"{text!r} is not a date; write it as YYYY-MM-DD") from error
