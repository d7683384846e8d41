"""hrp gateway: the paper gateway, a stand-in for TWS on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hrp.agents.options import AsJson, EnvFile
from hrp.cli.output import print_table, say, say_json

app = typer.Typer(help="The paper gateway that stands in for TWS.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def start(
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes the configured one.")] = 0,
    clock: Annotated[
        str | None, typer.Option("--clock", help="First instant, ISO with zone; default: last close.")
    ] = None,
    cash: Annotated[str, typer.Option("--cash", help="Money of a new account, in its currency.")] = "1000000.00",
    commission: Annotated[str | None, typer.Option("--commission", help="fixed (default) or tiered.")] = None,
    volume_share: Annotated[
        str | None,
        typer.Option("--volume-share", help="Fraction of a session's volume that orders in a name get; default: all."),
    ] = None,
    closing_cutoff_minutes: Annotated[
        str | None,
        typer.Option("--closing-cutoff-minutes", help="No MOC and LOC so long before the close; default 10."),
    ] = None,
    base_currency: Annotated[str | None, typer.Option("--base-currency", help="Of a new account; default USD.")] = None,
    rate: Annotated[str | None, typer.Option("--rate", help="USD for one unit of another base currency.")] = None,
    actions: Annotated[
        Path | None, typer.Option("--actions", help="Parquet or CSV: symbol, ex_session, kind, value.")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option("--scenario", help="What goes wrong: a name (hrp gateway scenarios) or a YAML file.")
    ] = None,
    server_version: Annotated[
        int, typer.Option("--server-version", min=157, max=178, help="Newest protocol version it speaks.")
    ] = 176,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Start it over the stored prices. One that runs already is left alone.

    What the account trades by (commission to actions) is kept with it; what is not given stays as it was.
    """
    from datetime import datetime
    from decimal import Decimal, InvalidOperation

    from hrp.api.rehearsal import start_gateway
    from hrp.errors import UsageError
    from hrp.wiring import build

    app_ = build(env_file)
    try:
        instant, money = (datetime.fromisoformat(clock) if clock else None), Decimal(cash)
    except (ValueError, InvalidOperation) as error:
        raise UsageError(f"--clock {clock!r} must be an ISO instant and --cash {cash!r} an amount") from error
    said = {
        "commission": commission,
        "volume-share": volume_share,
        "closing-cutoff-minutes": closing_cutoff_minutes,
        "base-currency": base_currency,
        "rate": rate,
        "actions": str(actions.resolve()) if actions else None,
    }
    terms = {name: text for name, text in said.items() if text is not None}
    running = start_gateway(app_, port or app_.settings.ibkr_port, instant, money, terms, scenario, server_version)
    text = f"paper gateway for {running.account} listens on 127.0.0.1:{running.port} (process {running.pid})"
    say({"account": running.account, "port": running.port, "pid": running.pid}, text, as_json=as_json)


@app.command()
def stop(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Stop it; its state stays."""
    from hrp.gateway import client
    from hrp.wiring import build

    stopped = client.stop(build(env_file).settings.gateway_dir)
    say({"stopped": stopped}, "paper gateway stopped" if stopped else "no paper gateway was running", as_json=as_json)


@app.command()
def status(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Whether it runs, its clock and its books."""
    from hrp.gateway import client
    from hrp.wiring import build

    now = client.status(build(env_file).settings.gateway_dir)
    facts = {
        "account": now.running.account,
        "port": now.running.port,
        "pid": now.running.pid,
        "clock": now.clock,
        "prices_through": now.last_session,
        "cash_usd": now.cash,
        "net_liquidation_usd": now.net_liquidation,
        "working_orders": now.working_orders,
        "clients": ",".join(map(str, now.clients)),
    }
    if as_json:
        say_json(facts)
    else:
        print_table(["what", "value"], [[name, value] for name, value in facts.items()])


@app.command()
def advance(
    to: Annotated[str, typer.Argument(metavar="INSTANT", help="ISO instant with zone.")],
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Move its clock forward. Every open and close on the way takes place."""
    from datetime import datetime

    from hrp.errors import UsageError
    from hrp.gateway import client
    from hrp.wiring import build

    try:
        instant = datetime.fromisoformat(to)
    except ValueError as error:
        raise UsageError(f"{to!r} is not an ISO instant such as 2022-12-28T21:00:00+00:00") from error
    moved = client.advance(build(env_file).settings.gateway_dir, instant)
    facts = {"clock": moved.clock, "opens": moved.opens, "closes": moved.closes, "fills": moved.fills}
    say(facts, f"clock {moved.clock}: {moved.opens} opens, {moved.closes} closes, {moved.fills} fills", as_json=as_json)


@app.command()
def log(
    message: Annotated[
        str | None, typer.Option("--message", "--name", help="Only this one: placeOrder, or a number such as 3.")
    ] = None,
    direction: Annotated[
        str | None, typer.Option("--direction", help="in or out: to or from the gateway; note: its own remarks.")
    ] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Only what is about this symbol.")] = None,
    order_ref: Annotated[str | None, typer.Option("--order-ref", help="Only what is about this order.")] = None,
    last: Annotated[int | None, typer.Option("--last", min=1, help="Only the last so many.")] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Every message that went in or out, by name and telling fields, and what the gateway remarked."""
    from dataclasses import asdict

    from hrp.errors import UsageError
    from hrp.gateway.telling import HEADER, log_lines
    from hrp.wiring import build

    if direction not in (None, "in", "out", "note"):
        raise UsageError(f"--direction {direction!r} is not in, out or note")
    state = build(env_file).settings.gateway_dir
    lines = log_lines(state, message=message, direction=direction, symbol=symbol, order_ref=order_ref, last=last)
    if as_json:
        say_json([{**asdict(line.message), "name": line.message.name, "named": line.message.named} for line in lines])
    else:
        print("\n".join([HEADER, *(line.text() for line in lines)]) if lines else "no messages")


@app.command()
def scenarios(as_json: AsJson = False) -> None:
    """What can be made to go wrong: the scenarios that `hrp gateway start --scenario` knows by name."""
    from hrp.cli.output import say_rows
    from hrp.gateway import scenario

    rows = [
        {"name": name, "about": scenario.load(name).about, "seen": scenario.load(name).seen}
        for name in scenario.names()
    ]
    if not as_json:
        rows = [{"name": row["name"], "about": row["about"]} for row in rows]
    say_rows(rows, as_json=as_json, empty="no scenarios")
