"""hrp breaks: where ledger and broker differ, what is locked, and a person's word on it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hrp.agents.options import AsJson, DryAct, EnvFile, Yes
from hrp.cli.confirm import carried_out
from hrp.cli.look import published
from hrp.cli.output import print_table, say_json, say_rows
from hrp.errors import EXIT_DONE, EXIT_NOT_READY, UsageError

if TYPE_CHECKING:
    from hrp.agents.by_hand import Resolved
    from hrp.api.platform import PlatformAPI

app = typer.Typer(help="Where ledger and broker differ, and what is locked.", rich_markup_mode=None)


class Word(StrEnum):
    """What a person may say that a difference was."""

    RESOLVED = "resolved"
    TRANSFER = "transfer"


@app.callback(invoke_without_command=True)
def breaks(context: typer.Context, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """What the last sync found, each with its explanation, and what is locked. Exit code 3 while anything is locked."""
    from hrp.data import looks

    if context.invoked_subcommand:
        return
    with published(env_file) as (_, con):
        found, locks = looks.breaks(con), looks.locks(con)
    if as_json:
        say_json({"breaks": found, "locks": locks})
    else:
        say_rows(found, as_json=False, empty="the last sync found no difference", title="breaks")
        say_rows(locks, as_json=False, empty="nothing is locked", title="locks")
    raise typer.Exit(EXIT_NOT_READY if locks else EXIT_DONE)


@app.command()
def resolve(
    subject: Annotated[
        str | None, typer.Argument(metavar="SUBJECT", help="A symbol, cash, or the reference of an order.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="What you saw; it goes into the lineage.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Everything that is open.")] = False,
    kind: Annotated[Word, typer.Option("--kind", help="What it was.")] = Word.RESOLVED,
    dry_run: DryAct = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Take the broker's word for what differs and lift the lock; end an order that is not at the broker.

    Look in TWS first: what is taken over is what the broker says now.
    """
    if not reason:
        raise UsageError("say why: --reason TEXT")
    if bool(subject) == every:
        raise UsageError("name what to resolve, or --all; see: hrp breaks")

    def work(api: PlatformAPI) -> Resolved:
        from hrp.agents.by_hand import resolve_breaks
        from hrp.domain.book import AdjustmentKind

        return resolve_breaks(api, subject, AdjustmentKind(kind), reason)

    def show(done: Resolved, dry: bool) -> None:
        if as_json:
            say_json({"dry_run": dry, **done.facts()})
            return
        print("would be taken over:" if dry else "taken over:")
        rows = done.rows()
        print_table(["subject", "what", "shares", "cash USD"], rows) if rows else print("  nothing is open")
        for left in done.open:
            print(f"still open: {left}")

    done = carried_out(
        "breaks resolve", work, show, dry_run=dry_run, yes=yes, as_json=as_json, env_file=env_file
    )  # fmt: skip
    raise typer.Exit(EXIT_NOT_READY if done.open else EXIT_DONE)
