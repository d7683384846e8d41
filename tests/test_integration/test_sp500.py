"""Nights over 505 real names, with the errors that their vendor left in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from hrp.agents.jobs import JobRun
from hrp.agents.runner import NIGHTLY, Options, execute
from hrp.api import deployments, research, strategies
from hrp.api.platform import PlatformAPI
from hrp.api.rehearsal import write_market
from hrp.data import orders as store_orders
from hrp.data import trading
from hrp.data.sources import FolderSource
from hrp.domain.sessions import close_at, previous_session, sessions_between
from hrp.gateway import client
from hrp.wiring import App, SetClock, build, make_home

pytestmark = pytest.mark.timeout(400)

ACCOUNT, CASH = "DU7654321", Decimal("1000000.00")
NIGHTS = sessions_between(date(2015, 7, 14), date(2015, 7, 21))
FILLS_OF_THE_LAST = date(2015, 7, 22)
SETTINGS = {
    "HRP_TOP_PCT": 0.05,
    "HRP_MAX_POSITIONS": 25,
    "HRP_MAX_POSITION_PCT": "0.04",
    "HRP_WALK_FORWARD_FOLDS": 2,
    "HRP_MIN_IC": -1,  # how good the model is, is beside the point here
    "HRP_MIN_IC_TSTAT": -99,
    "IBKR_ACCOUNT": ACCOUNT,
}


@dataclass
class Month:
    """Six nights that were played, and the app to look at them with."""

    app: App
    runs: dict[date, dict[str, JobRun]]

    def findings(self, session: date) -> set[tuple[str, str]]:
        facts = self.runs[session]["quality"].result.facts
        return {(check, symbol) for check, symbol, _, _ in facts["findings"]}

    def ordered(self, session: date) -> set[str]:
        with self.app.store().read() as con:
            return {order.symbol for order in store_orders.load_orders(con, session=session)}


@pytest.fixture(scope="module")
def month(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    home = tmp_path_factory.mktemp("sp500")
    clock = SetClock(_evening(previous_session(NIGHTS[0])))
    source = FolderSource(real_data / "prices_sp500_5y.parquet")
    make_home(home)
    app = replace(build(None, {"HRP_HOME": home, **SETTINGS}), clock=clock, source_override=source)
    app.store().migrate()
    eve = previous_session(NIGHTS[0])
    for job in ("prices", "quality"):
        execute(app, job, eve, Options(), lambda _: None)
    version = PlatformAPI(app).train_model("sp500", eve)
    deployments.promote(app, "sp500", version.version, session=eve, actor="test", reason="first")
    strategies.deploy_strategy(app, "sp500", "five hundred names")
    market = write_market(source.fetch_bars(None, date(2015, 6, 1), FILLS_OF_THE_LAST), home / "market.parquet")
    running = client.start(app.settings.gateway_dir, market, ACCOUNT, clock=clock.now(), cash=CASH)
    app = replace(app, settings=app.settings.model_copy(update={"ibkr_port": running.port}))
    yield Month(app, _play(app, clock, eve))
    client.stop(app.settings.gateway_dir)


def _play(app: App, clock: SetClock, eve: date) -> dict[date, dict[str, JobRun]]:
    execute(app, "position-sync", eve, Options(), lambda _: None)
    played = {}
    for session in NIGHTS:
        _advance(app, clock, session)
        runs = execute(app, NIGHTLY, session, Options(trading_dry_run=False), lambda _: None)
        played[session] = {run.job: run for run in runs}
    _advance(app, clock, FILLS_OF_THE_LAST)
    for job in ("prices", "quality", "position-sync"):
        execute(app, job, FILLS_OF_THE_LAST, Options(), lambda _: None)
    return played


def _advance(app: App, clock: SetClock, session: date) -> None:
    clock.instant = _evening(session)
    client.advance(app.settings.gateway_dir, clock.instant)


def _evening(session: date):
    return close_at(session) + timedelta(hours=2)


def test_every_night_trades_through_the_gateway(month: Month):
    assert [runs["live-trader"].result.status for runs in month.runs.values()] == ["success"] * len(NIGHTS)
    with month.app.store().read() as con:
        fills = trading.load_fills(con, ACCOUNT)
    assert {fill.side for fill in fills} == {"buy", "sell"}
    assert len({fill.executed_at.date() for fill in fills}) == len(NIGHTS)


def test_the_real_errors_are_flagged(month: Month):
    assert month.findings(date(2015, 7, 17)) == {("NULL_PRICE", "DHR"), ("NULL_PRICE", "ES"), ("NULL_PRICE", "O")}
    assert month.findings(date(2015, 7, 20)) == {("PRICE_JUMP", "EBAY")}
    clean = [session for session in NIGHTS if session not in (date(2015, 7, 17), date(2015, 7, 20))]
    assert [month.findings(session) for session in clean] == [set()] * len(clean)


def test_nothing_is_traded_on_a_flagged_price(month: Month):
    assert not month.ordered(date(2015, 7, 17)) & {"DHR", "ES", "O"}
    assert not month.ordered(date(2015, 7, 20)) & {"EBAY"}


def test_ledger_gateway_and_backtest_agree(month: Month):
    gateway = client.status(month.app.settings.gateway_dir)
    backtest = research.backtest_nights(month.app, NIGHTS, CASH)
    with month.app.store().read() as con:
        equity = {row.session: row for row in trading.load_equity(con, ACCOUNT) if row.session >= NIGHTS[0]}
        breaks = [found for session in equity for found in trading.load_breaks(con, ACCOUNT, session)]
    assert breaks == []
    assert equity[FILLS_OF_THE_LAST].cash_usd == gateway.cash
    paper = pd.Series({pd.Timestamp(day): float(row.net_liquidation_usd) for day, row in equity.items()})
    assert (paper - backtest.equity).abs().max() < 0.005
