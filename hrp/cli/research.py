"""hrp train, hrp backtest"""

from __future__ import annotations

from typing import Annotated

import typer

from hrp.agents.options import AsJson, EnvFile, parse_day
from hrp.cli.output import print_table, say_json

Name = Annotated[str, typer.Argument(metavar="MODEL", help="Name in the registry.")]
From = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First session.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(train)
    app.command()(backtest)


def train(
    model: Name,
    through: Annotated[str | None, typer.Option("--through", metavar="YYYY-MM-DD", help="Default: newest.")] = None,
    first: From = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Train a version and register it as challenger. It is validated by purged walk-forward."""
    from hrp.agents.runner import claimed
    from hrp.api.platform import PlatformAPI
    from hrp.wiring import build

    api = PlatformAPI(build(env_file))
    with claimed(api.app, f"train {model}"):
        version = api.train_model(model, parse_day(through) or api.today(), parse_day(first))
    if as_json:
        say_json(
            {"model": model, "version": version.version, "run_id": version.run_id, "metrics": dict(version.metrics)}
        )
        return
    print(f"{version.label}, trained through {version.trained_through}, is challenger")
    print_table(["metric", "value"], [[name, value] for name, value in version.metrics.items()])
    print(f"\nnext: hrp models promote {model} {version.version}")


def backtest(
    model: Name,
    version: Annotated[int | None, typer.Option("--version", help="Default: the champion.")] = None,
    first: From = None,
    last: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last session.")] = None,
    cash: Annotated[str, typer.Option("--cash", help="USD to begin with.")] = "1000000.00",
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Backtest a version out of sample. The decision function is the night's own."""
    from decimal import Decimal, InvalidOperation

    from hrp.api.platform import PlatformAPI
    from hrp.domain.sessions import FIRST_SESSION
    from hrp.errors import UsageError
    from hrp.wiring import build

    try:
        money = Decimal(cash)
    except InvalidOperation as error:
        raise UsageError(f"--cash {cash!r} is not an amount; write it as 1000000.00") from error
    api = PlatformAPI(build(env_file))
    start, end = parse_day(first) or FIRST_SESSION, parse_day(last) or api.today()
    result = api.run_backtest(model, version, start, end, money)
    if as_json:
        say_json({"stats": dict(result.stats), "equity": {str(day)[:10]: usd for day, usd in result.equity.items()}})
        return
    days = [str(day)[:10] for day in result.equity.index]
    ended = result.equity.iloc[-1]
    print(f"backtest of {model}: {days[0]} to {days[-1]}, {len(days)} sessions, {money:,.2f} to {ended:,.2f} USD")
    print_table(["figure", "value"], [[name, value] for name, value in result.stats.items()])
