"""hrp run"""

from __future__ import annotations

from typing import Annotated

import typer

from hrp.agents.options import AsJson, AutoRollback, DryAct, DryRun, EnvFile, Session, TradingDryRun
from hrp.cli.output import say


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
    dry_run: DryAct = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """End an order whose fate is unknown. Look in TWS first: this says that the broker does not have it."""
    from hrp.agents.runner import by_hand
    from hrp.wiring import build

    with by_hand(build(env_file), f"resolve {order_ref}", dry_run=dry_run) as api:
        order = api.resolve_order(order_ref, reason)
    would = "would be" if dry_run else "is now"
    what = f"{order.side} {order.quantity} {order.symbol} of session {order.session}"
    facts = {"order_ref": order_ref, "was": order.status, "status": "cancelled", "dry_run": dry_run}
    say(facts, f"{what} was {order.status}, {would} cancelled", as_json=as_json)


def accept(
    reason: Annotated[str, typer.Option("--reason", help="What explains the breaks; it goes into the lineage.")],
    dry_run: DryAct = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Take the broker's positions and cash for the truth. For breaks you can explain: a dividend, a fee, a trade."""
    from hrp.agents.runner import by_hand
    from hrp.domain.sessions import last_opened
    from hrp.wiring import build

    with by_hand(build(env_file), "accept", dry_run=dry_run) as api:
        with api.app.broker() as broker:
            state = broker.state()
        explained = api.accept_broker(last_opened(api.now()), state, "operator", reason)
    account = state.account
    verb = "would start" if dry_run else "starts"
    text = f"the book of {account.account} {verb} anew from {account.cash} USD and {len(state.positions)} positions"
    gone = [f"{found.kind} {found.subject}: ledger {found.ledger}, broker {found.broker}" for found in explained]
    facts = {"account": account.account, "cash_usd": account.cash, "explained": gone, "dry_run": dry_run}
    say(facts, "\n  no longer a break: ".join([text, *gone]), as_json=as_json)
