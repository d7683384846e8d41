"""hrp run"""

from __future__ import annotations

from typing import Annotated

import typer

from hrp.agents.options import AsJson, AutoRollback, DryRun, EnvFile, Session, TradingDryRun


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("run")(run)
    app.command()(resolve)
    app.command()(accept)


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


def resolve(
    order_ref: Annotated[str, typer.Argument(help="Reference of the order, as hrp orders shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="What you saw in TWS; it goes into the ledger.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and change nothing.")] = False,
    env_file: EnvFile = None,
) -> None:
    """End an order whose fate is unknown. Look in TWS first: this says that the broker does not have it."""
    from contextlib import nullcontext

    from hrp.agents.runner import claimed
    from hrp.api.platform import PlatformAPI
    from hrp.wiring import build

    app = build(env_file)
    with app.rehearsal() if dry_run else nullcontext(app) as workspace, claimed(workspace, f"resolve {order_ref}"):
        order = PlatformAPI(workspace).resolve_order(order_ref, reason)
    would = "would be" if dry_run else "is now"
    print(
        f"{order.side} {order.quantity} {order.symbol} of session {order.session} was {order.status}, {would} cancelled"
    )


def accept(
    reason: Annotated[str, typer.Option("--reason", help="What explains the breaks; it goes into the lineage.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and change nothing.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Take the broker's positions and cash for the truth. For breaks you can explain: a dividend, a fee, a trade."""
    from contextlib import nullcontext

    from hrp.agents.runner import claimed
    from hrp.api.platform import PlatformAPI
    from hrp.domain.sessions import last_opened
    from hrp.wiring import build

    app = build(env_file)
    with app.rehearsal() if dry_run else nullcontext(app) as workspace, claimed(workspace, "accept"):
        api = PlatformAPI(workspace)
        with workspace.broker() as broker:
            state = broker.state()
        explained = api.accept_broker(last_opened(api.now()), state, "operator", reason)
    account = state.account
    verb = "would start" if dry_run else "starts"
    print(f"the book of {account.account} {verb} anew from {account.cash} USD and {len(state.positions)} positions")
    for found in explained:
        print(f"  no longer a break: {found.kind} {found.subject}: ledger {found.ledger}, broker {found.broker}")
