"""hrp gateway: the paper gateway, a stand-in for TWS on this machine."""

from __future__ import annotations

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
    cash: Annotated[str, typer.Option("--cash", help="USD of a new account.")] = "1000000.00",
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Start it over the stored prices. One that runs already is left alone."""
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
    running = start_gateway(app_, port or app_.settings.ibkr_port, instant, money)
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
    message: Annotated[int | None, typer.Option("--message", help="Only this number; 3 inbound is placeOrder.")] = None,
    direction: Annotated[str | None, typer.Option("--direction", help="in or out: to or from the gateway.")] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Every message that went in or out."""
    from dataclasses import asdict

    from hrp.cli.output import say_rows
    from hrp.errors import UsageError
    from hrp.gateway import client
    from hrp.wiring import build

    if direction not in (None, "in", "out"):
        raise UsageError(f"--direction {direction!r} is neither in nor out")
    messages = client.message_log(build(env_file).settings.gateway_dir, message_id=message, direction=direction)
    say_rows([asdict(entry) for entry in messages], as_json=as_json, empty="no messages")
