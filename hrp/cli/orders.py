"""hrp orders, reconcile, flatten: what was ordered, and what an operator does about it at the broker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from hrp.agents.options import AsJson, DryAct, EnvFile, Session, Yes, parse_day
from hrp.cli.confirm import carried_out
from hrp.cli.look import Limit, Symbol, published
from hrp.cli.output import print_table, say_json, say_rows
from hrp.errors import UsageError

if TYPE_CHECKING:
    from hrp.agents.by_hand import Cancelled, Flattened
    from hrp.agents.position_sync_job import Synced
    from hrp.api.platform import PlatformAPI

COLUMNS = ("order_ref", "symbol", "side", "shares", "outcome", "message")

app = typer.Typer(help="Orders and denials; cancel working ones.", rich_markup_mode=None)


def register(root: typer.Typer) -> None:
    """Add the commands of this file that are no group."""
    root.command()(reconcile)
    root.command()(flatten)


@app.callback(invoke_without_command=True)
def orders(
    context: typer.Context,
    session: Session = None,
    symbol: Symbol = None,
    limit: Limit = 100,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Orders and denials, the newest session first."""
    from hrp.data import looks

    if context.invoked_subcommand:
        return
    with published(env_file) as (_, con):
        say_rows(looks.orders(con, parse_day(session), symbol, limit), as_json=as_json, empty="no orders")


@app.command()
def cancel(
    order_ref: Annotated[list[str] | None, typer.Argument(metavar="ORDER_REF", help="As hrp orders shows it.")] = None,
    symbol: Symbol = None,
    every: Annotated[bool, typer.Option("--all", help="Every working order of HRP.")] = False,
    dry_run: DryAct = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Cancel working orders of HRP and make sure that none is left. Orders of others are named and left alone."""
    refs = order_ref or []
    if sum(map(bool, (refs, symbol, every))) != 1:
        raise UsageError("name the orders to cancel, or --symbol SYMBOL, or --all; see: hrp orders")

    def work(api: PlatformAPI) -> Cancelled:
        from hrp.agents.by_hand import cancel_orders

        return cancel_orders(api, refs, symbol)

    def show(done: Cancelled, dry: bool) -> None:
        _show(done, dry, as_json, "no such order works")

    done = carried_out("orders cancel", work, show, dry_run=dry_run, yes=yes, as_json=as_json, env_file=env_file)
    raise typer.Exit(done.exit_code)


def flatten(
    symbol: Annotated[str | None, typer.Option("--symbol", help="Only this symbol.")] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="What only this strategy brought in.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that is held.")] = False,
    dry_run: DryAct = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Close positions: cancel what works on them, then sell, at the next open or now if the session is on.

    Fractions of a share and short holdings are named and left.
    """
    if sum(map(bool, (symbol, strategy, every))) != 1:
        raise UsageError("say what to close: --symbol SYMBOL, --strategy ID, or --all; see: hrp positions")

    def work(api: PlatformAPI) -> Flattened:
        from hrp.agents.by_hand import flatten as close

        return close(api, symbol, strategy)

    def show(done: Flattened, dry: bool) -> None:
        _show(done, dry, as_json, "nothing is held and nothing works there")

    done = carried_out("flatten", work, show, dry_run=dry_run, yes=yes, as_json=as_json, env_file=env_file)
    raise typer.Exit(done.exit_code)


def _show(done: Cancelled | Flattened, dry: bool, as_json: bool, empty: str) -> None:
    rows = done.rows()
    if as_json:
        cells = [{name: str(cell) for name, cell in zip(COLUMNS, row, strict=True)} for row in rows]
        say_json({"dry_run": dry, "exit_code": done.exit_code, "rows": cells})
    elif rows:
        print_table(COLUMNS, rows, "dry run: nothing is sent" if dry else "")
    else:
        print(empty)


def reconcile(dry_run: DryAct = False, yes: Yes = False, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Sync with the broker now and say what its word changes: orders, fills, breaks, locks."""

    def work(api: PlatformAPI) -> Synced:
        from hrp.agents.position_sync_job import sync
        from hrp.domain.sessions import last_opened

        with api.app.broker() as broker:
            return sync(api, broker, last_opened(api.now()))

    def show(done: Synced, dry: bool) -> None:
        facts = _changes(done)
        if as_json:
            say_json({"dry_run": dry, "exit_code": done.exit_code, **facts, "alarms": list(done.alarms)})
            return
        print("the broker's word would change:" if dry else "the broker's word changed:")
        for title, rows in facts.items():
            say_rows(rows, as_json=False, empty=f"{title}: none", title=title)
        for alarm in done.alarms:
            print(alarm)

    done = carried_out("reconcile", work, show, dry_run=dry_run, yes=yes, as_json=as_json, env_file=env_file)
    raise typer.Exit(done.exit_code)


def _changes(done: Synced) -> dict[str, list[dict[str, object]]]:
    fill = ("identity", "side", "quantity", "symbol", "price")
    return {
        "orders": _picked(done.moved, "order_ref", "symbol", "was", "status"),
        "new fills": _picked(done.new_fills, *fill),
        "corrected fills": _picked(done.corrected, *fill),
        "breaks": _picked(done.breaks, "kind", "subject", "ledger", "broker", "cause", "explanation"),
        "locks": _picked(done.locks, "scope", "subject", "kind", "session", "reason"),
    }


def _picked(records: Iterable[object], *names: str) -> list[dict[str, object]]:
    return [{name: getattr(record, name) for name in names} for record in records]
