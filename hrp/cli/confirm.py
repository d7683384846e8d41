"""How a command that acts at the broker asks first: what would happen is shown, then a person says yes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from hrp.errors import EXIT_DONE, UsageError

if TYPE_CHECKING:
    from hrp.api.platform import PlatformAPI

T = TypeVar("T")


def carried_out(
    what: str,
    work: Callable[[PlatformAPI], T],
    show: Callable[[T, bool], None],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    env_file: Path | None,
) -> T:
    """Do `work` over the claimed workspace, after a rehearsal on a scratch copy was shown and a person agreed.

    Args:
        work: the same for both: its broker sends nothing in the rehearsal.
        show: told the result, and whether it was the rehearsal's.

    Raises:
        UsageError: neither `yes`, nor a dry run, nor a terminal to ask at.
    """
    from hrp.agents.runner import by_hand
    from hrp.wiring import build

    app = build(env_file)
    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError(f"hrp {what} asks before it acts and here is no terminal; look with --dry-run, then add --yes")
    if dry_run or not yes:
        with by_hand(app, what, dry_run=True) as api:
            rehearsed = work(api)
        if dry_run or not as_json:
            show(rehearsed, True)
        if dry_run:
            return rehearsed
        if not typer.confirm(f"hrp {what}: do this", err=True):
            print("nothing was changed", file=sys.stderr)
            raise typer.Exit(EXIT_DONE)
    with by_hand(app, what) as api:
        done = work(api)
    show(done, False)
    return done
