"""Vendors restate the past: every night's decision, made again as of then, comes out the same to the byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from hrp.agents.runner import Options, execute
from hrp.api import deployments, nights, strategies
from hrp.api.asof import Redecision, replay_decision
from hrp.api.platform import PlatformAPI
from hrp.data import market
from hrp.data.sources import FolderSource
from hrp.domain.plan import Plan
from hrp.domain.positions import Account, BrokerState, Position
from hrp.domain.sessions import close_at, previous_session, sessions_between
from hrp.errors import RequirementNotMetError
from hrp.ml.gate import examine
from hrp.rehearsal.market import made_bars
from hrp.wiring import App, SetClock, build, make_home

ACCOUNT, EQUITY = "DU7654321", Decimal("1000000.00")
RESTATED_AT = datetime.fromisoformat("2023-02-07T23:00:00+00:00")
SETTINGS = {"HRP_TOP_PCT": 0.2, "HRP_WALK_FORWARD_FOLDS": 2, "HRP_MIN_IC": -1, "HRP_MIN_IC_TSTAT": -99,
            "HRP_LABEL_HORIZON_SESSIONS": 2, "IBKR_ACCOUNT": ACCOUNT}  # fmt: skip
# Re-based by splits after August 2017 (ISRG, HSIC), or otherwise restated; and some that the vendor left alone.
NAMES = """
A AAPL ABT ADBE AIG AMZN BA BAC C CAT CSCO CVX DIS FB GE GOOG GOOGL GS HD HSIC IBM INTC ISRG JNJ JPM KO LLY MCD MMM
MRK MSFT NKE ORCL PEP PFE PG T UNH VZ WMT XOM
"""


class HereApp(App):
    """The same app; the gate is asked in this process, which is quicker."""

    def examiner(self):
        return examine


@dataclass
class Past:
    """Some nights that were decided, the app to look back with, and each decision made again before the restatement."""

    app: App
    sessions: list[date]
    untouched: dict[date, Redecision]

    def again(self, **how: bool) -> dict[date, Redecision]:
        return {session: replay_decision(self.app, session, **how) for session in self.sessions}


def made(folder: Path) -> tuple[Path, Path, list[date]]:
    """Thirteen months later the vendor says that every close of two names was a little higher."""
    bars = made_bars()
    restated = bars["symbol"].isin(["AAA", "TRUE"])
    bars.to_parquet(folder / "then.parquet", index=False)
    higher = bars.assign(close=bars["close"].where(~restated, bars["close"] * 1.01).round(2))
    higher.assign(high=higher[["high", "close"]].max(axis=1)).to_parquet(folder / "now.parquet", index=False)
    return folder / "then.parquet", folder / "now.parquet", sessions_between(date(2022, 11, 7), date(2022, 11, 8))


def real(folder: Path, shared: Path) -> tuple[Path, Path, list[date]]:
    """Two downloads of the same years by one project, in August 2017 and in February 2018."""
    for name, file in (("then", "prices_sp500_5y_vintage_2017_08"), ("now", "prices_sp500_5y")):
        bars = pd.read_parquet(shared / f"{file}.parquet")
        bars[bars["symbol"].isin(NAMES.split())].to_parquet(folder / f"{name}.parquet", index=False)
    return folder / "then.parquet", folder / "now.parquet", sessions_between(date(2017, 7, 17), date(2017, 7, 19))


@pytest.fixture(scope="module", params=["made", "real"])
def past(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Past:
    folder = tmp_path_factory.mktemp("past")
    shared = (request.getfixturevalue("real_data"),) if request.param == "real" else ()
    then, now, sessions = {"made": made, "real": real}[request.param](folder, *shared)
    clock = SetClock(evening(previous_session(sessions[0])))
    make_home(folder / "home")
    plain = build(None, {"HRP_HOME": folder / "home", **SETTINGS})
    app = HereApp(plain.settings, clock, source_override=FolderSource(then))
    app.store().migrate()
    found_champion(app, previous_session(sessions[0]))
    play(app, clock, sessions)
    before = Past(app, sessions, {})
    before.untouched = before.again(as_now=True)
    restate(app, clock, FolderSource(now), sessions[-1])
    return before


def found_champion(app: App, eve: date) -> None:
    for job in ("prices", "quality"):
        execute(app, job, eve, Options(), lambda _: None)
    version = PlatformAPI(app).train_model("then", eve)
    deployments.promote(app, "then", version.version, session=eve, actor="test", reason="first")
    strategies.deploy_strategy(app, "then", "decided long ago")


def play(app: App, clock: SetClock, sessions: list[date]) -> None:
    api, held = PlatformAPI(app), dict[str, Decimal]()
    for session in sessions:
        clock.instant = evening(session)
        for job in ("prices", "quality", "features", "predictions", "drift-monitor"):
            execute(app, job, session, Options(), lambda _: None)
        plan = api.make_plan(session, api.get_nights(session), state(held))
        api.store_plan(plan, "test")
        held = {line.symbol: Decimal(line.target) for line in plan.lines if line.target}


def state(held: Mapping[str, Decimal]) -> BrokerState:
    positions = tuple(Position(symbol, shares, Decimal(1)) for symbol, shares in held.items())
    return BrokerState(Account(ACCOUNT, EQUITY, EQUITY / 2), positions, (), (), (), RESTATED_AT)


def evening(session: date) -> datetime:
    return close_at(session) + timedelta(hours=2)


def restate(app: App, clock: SetClock, source: FolderSource, last: date) -> None:
    """Other bars, a split that nobody knew of, and a member less: all of it known since `RESTATED_AT`."""
    clock.instant = RESTATED_AT
    bars = source.fetch_bars(None, date(2010, 1, 1), last)
    assert nights.store_bars(replace(app, source_override=source), bars, "restated") > 0
    symbols = sorted(set(bars["symbol"]))
    split = {"symbol": symbols[2], "ex_session": last, "kind": "split", "value": 3.0, "source": "late"}
    members = pd.DataFrame({"symbol": symbols[:-1], "start_session": date(2010, 1, 4), "end_session": None})
    with app.store().write() as con:
        market.save_corporate_actions(con, pd.DataFrame([split]), RESTATED_AT)
        market.save_universe(con, app.settings.universe, members, RESTATED_AT)


def test_before_a_restatement_now_and_then_are_the_same(past: Past):
    assert {session: again.same for session, again in past.untouched.items()} == dict.fromkeys(past.sessions, True)


def test_after_it_every_past_decision_comes_out_the_same_as_of_then(past: Past):
    again = past.again()
    assert [dict(one.changed) for one in again.values()] == [{f"HYP-{past.sessions[0].year}-001": ()}] * len(again)
    assert [one.made for one in again.values()] == [one.stored for one in again.values()]
    assert all('"order":{' in one.stored for one in again.values())  # something was decided


def test_as_now_every_one_of_them_differs(past: Past):
    again = past.again(as_now=True)
    assert [one.same for one in again.values()] == [False] * len(past.sessions)
    assert all(names for one in again.values() for names in one.changed.values())


def test_a_night_that_is_run_again_after_it_repeats_itself(past: Past):
    session = past.sessions[0]
    for job in ("features", "predictions"):
        assert execute(past.app, job, session, Options(), lambda _: None)[0].result.status == "success"
    assert replay_decision(past.app, session).same


def test_a_plan_of_another_night_cannot_be_made_again_and_the_message_says_so(past: Past):
    with pytest.raises(RequirementNotMetError, match="no plan of session 2016-01-04 for DU7654321 is stored"):
        replay_decision(past.app, date(2016, 1, 4))


def test_a_plan_keeps_what_it_was_made_from_outside_of_its_hash(past: Past):
    api = PlatformAPI(past.app)
    session = past.sessions[-1]
    plan: Plan = api.make_plan(session, api.get_nights(session), state({}))
    assert plan.inputs["known_by"] == "2023-02-07T23:00:00Z"
    assert replace(plan, inputs={}).plan_hash == plan.plan_hash
