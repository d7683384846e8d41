"""A year of nights through the whole stack, held against the vectorbt backtest: `make parity`.

The real jobs run over the real client and a paper gateway, session by session, over raw prices with splits and
dividends (`parity_market`). The backtest predicts all sessions at once and books them with vectorbt. With `--plant`
another client buys one share in the middle of the year: the report must find it.
"""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from parity_market import REAL, Market, embedded_market, real_market

from hrp.agents.replay import plant_a_share
from hrp.agents.runner import Options, execute
from hrp.api import deployments, strategies
from hrp.api.platform import PlatformAPI
from hrp.api.replay import Request, close_stage, evening, open_stage
from hrp.cli.replay import perform, tell
from hrp.domain.sessions import previous_session, sessions_between
from hrp.wiring import App, SetClock, build, make_home

MODEL = "parity-ridge"
CASH = Decimal("10000000.00")
HELD = Decimal("0.9")  # of all names: what splits or pays a dividend should be held when it does
SETTINGS = {
    "HRP_TOP_PCT": str(HELD),
    "HRP_MAX_ORDER_VALUE_USD": "1000000",
    "HRP_MIN_ORDER_VALUE_USD": "10000",
    "HRP_WALK_FORWARD_FOLDS": "2",
    "HRP_MIN_IC": "-1",  # how good the model is, is beside the point here
    "HRP_MIN_IC_TSTAT": "-99",
    "HRP_DRIFT_THRESHOLD": "1000",  # nor whether it drifts: a held-back model would trade nothing to compare
    "IBKR_ACCOUNT": "DU0000001",
}
TINY = Decimal("0.0001")
ROOM_BYTES = 4 << 30


def main(
    nights: Annotated[int, typer.Option("--nights", min=2, max=250)] = 250,
    names: Annotated[int, typer.Option("--names", min=20, max=480, help="With the real market data.")] = 100,
    plant: Annotated[bool, typer.Option("--plant", help="Another client buys one share.")] = False,
    embedded: Annotated[bool, typer.Option("--embedded", help="The embedded names, whatever there is.")] = False,
    home: Annotated[Path | None, typer.Option("--home", help="Keep the workspace in this new folder.")] = None,
) -> None:
    """Exit code 1 if anything differs."""
    started = time.perf_counter()
    market = embedded_market() if embedded or not REAL.is_dir() else real_market(names)
    with ExitStack() as held:
        folder = home or Path(held.enter_context(TemporaryDirectory(prefix="hrp-parity-", dir=_memory())))
        app = operator(folder, market)
        print(f"{market.names} names, {len(market.actions)} splits and dividends on record, {nights} nights")
        last = sessions_between(market.first_night, market.bars["session"].max())[nights - 1]
        stage = open_stage(app, Request(market.first_night, last, CASH), resume=False)
        held.callback(close_stage, stage)
        middle = stage.request.nights[nights // 2] if plant else None

        def after(session: date) -> None:
            if session == middle:
                plant_a_share(stage, "AAPL")

        found = perform(stage, quiet=False, after=after)
        print(f"{time.perf_counter() - started:.0f} s in all")
        raise typer.Exit(tell(found, stage.app.settings.home, as_json=False))


def operator(folder: Path, market: Market) -> App:
    """The workspace of somebody who has all prices, and a champion that was trained before the first night."""
    prices = folder / "prices"
    prices.mkdir(parents=True)
    market.bars.to_parquet(prices / "bars.parquet", index=False)
    market.actions.to_parquet(prices / "actions.parquet", index=False)
    make_home(folder / "home")
    eve, end = previous_session(market.first_night), market.bars["session"].max()
    clock = SetClock(evening(eve))
    most = int(HELD * market.names)
    limits = {"HRP_MAX_POSITIONS": str(most), "HRP_MAX_POSITION_PCT": str(round(1 / Decimal(most), 4) - TINY)}
    places = {"HRP_HOME": folder / "home", "HRP_PRICE_SOURCE": str(prices)}
    app = replace(build(None, {**places, **limits, **SETTINGS}), clock=clock)
    app.store().migrate()
    _run(app, ("prices", "quality"), eve)
    version = PlatformAPI(app).train_model(MODEL, eve)
    deployments.promote(app, MODEL, version.version, session=eve, actor="parity", reason="first champion")
    strategies.deploy_strategy(app, MODEL, "a ridge over price features")
    clock.instant = evening(end)
    _run(app, ("prices",), end)
    return app


def _run(app: App, jobs: tuple[str, ...], session: date) -> None:
    for job in jobs:
        execute(app, job, session, Options(), lambda _: None)


def _memory() -> str | None:
    """A disk in memory, if there is one with room."""
    room = Path("/dev/shm")
    return str(room) if room.is_dir() and shutil.disk_usage(room).free > ROOM_BYTES else None


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(main)
    cli()
