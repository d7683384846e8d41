"""The night as specification: the same orders, once, whatever happens."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta

import pandas as pd
import pytest

from hrp.data import adjustments
from hrp.domain.breaks import Lock, LockScope
from hrp.domain.orders import Order, OrderSide
from hrp.domain.sessions import open_at
from hrp.execution.broker import BrokerConfig, IBKRBroker
from hrp.rehearsal.processes import PROCESSES
from hrp.rehearsal.stage import ACCOUNT, MODEL, evening

from . import doomed
from .conftest import BEFORE, BETTER, FEATURED, GOOD, HUNGRY, JUMPY, READY, SENT, SYNCED, Template
from .workspace import D1, D2, DONE, NOT_READY, SEND, Night

Opened = Callable[..., Night]
BOOKS = ("orders", "fills", "positions", "equity")


@pytest.fixture(scope="module")
def clean(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """The evening of D2 after a night that nothing disturbed."""
    return template.open(SYNCED, tmp_path_factory.mktemp("clean") / "home")


def planned(night: Night, session: object = D1) -> list[str]:
    """References of the orders of a session that were not denied."""
    return sorted(
        row["order_ref"] for row in night.rows("orders", f"session = '{session}' AND status <> 'denied'", "order_ref")
    )


# Run twice, run dry, run late


def test_the_first_real_run_sends_the_plan_and_the_second_sends_nothing(trading: Opened) -> None:
    night = trading(BEFORE)

    first = night.run("nightly", *SEND)

    assert (first.code, first.job("live-trader")["status"]) == (DONE, "success")
    assert sorted(night.place_orders_sent()) == planned(night)
    assert len(planned(night)) == 6

    with night.nothing_sent():
        again = night.run("nightly", *SEND)
    assert (again.code, again.job("live-trader")["status"]) == (DONE, "nothing_to_do")


def test_a_dry_run_plans_what_the_real_run_plans_and_writes_and_sends_nothing(quietly: Opened, clean: Night) -> None:
    night = quietly(BEFORE)
    rows, files = night.counts(besides=()), sorted(night.home.rglob("*"))

    with night.nothing_sent():
        dry = night.run("nightly", "--dry-run", *SEND)

    (real,) = clean.rows("plans")
    assert (dry.code, dry.job("live-trader")["status"]) == (DONE, "dry_run")
    assert dry.job("live-trader")["plan_hash"] == real["plan_hash"]
    assert night.counts(besides=()) == rows
    assert sorted(night.home.rglob("*")) == files


def test_an_earlier_night_run_again_changes_no_row_and_sends_nothing(trading: Opened) -> None:
    night = trading(SYNCED)
    assert night.run("nightly", *SEND).code == DONE
    assert sorted(night.place_orders_sent()) == planned(night, D2)
    books = {table: night.rows(table) for table in BOOKS}

    with night.nothing_sent():
        again = night.run("nightly", *SEND, "--session", str(D1))

    assert (again.code, again.job("live-trader")["status"]) == (DONE, "nothing_to_do")
    assert {table: night.rows(table) for table in BOOKS} == books


def test_a_night_whose_next_open_has_passed_is_refused(trading: Opened) -> None:
    night = trading(READY)
    night.at(open_at(D2) - timedelta(minutes=1))

    night.refuses("nightly", *SEND, code=NOT_READY, besides=["equity", "positions"], saying=[
        f"orders decided on session {D1} must be sent before 2022-12-22 14:28 UTC",
        "the broker's clock says 2022-12-22 14:29", "nothing was sent", "hrp run nightly",
    ])  # fmt: skip


# Killed anywhere


@pytest.mark.parametrize(
    ("job", "point", "order"),
    [
        ("nightly", doomed.UNRECORDED, 4),
        ("live-trader", doomed.PLANNED, 0),
        ("live-trader", doomed.UNRECORDED, 1),
        ("live-trader", doomed.RECORDED, 1),
        ("live-trader", doomed.RECORDED, 6),
    ],
)
def test_a_night_that_was_killed_and_run_again_sends_the_same_orders_once(
    trading: Opened, clean: Night, job: str, point: str, order: int
) -> None:
    night = trading(READY)
    kill(night, job, point, order)
    assert len(night.place_orders_sent()) == order

    again = night.run(job, *SEND)

    assert again.code == DONE
    assert sorted(night.place_orders_sent()) == planned(clean)
    night.evening_of(D2)
    assert night.run("position-sync").code == DONE
    assert night.positions() == clean.positions()
    assert night.rows("equity", columns="session, net_liquidation_usd") == clean.rows(
        "equity", columns="session, net_liquidation_usd"
    )


def test_an_order_on_its_way_when_the_night_was_killed_is_proven_lost_and_sent_once(
    trading: Opened, clean: Night
) -> None:
    night = trading(READY)
    kill(night, "live-trader", doomed.ON_ITS_WAY, 2)
    assert len(night.place_orders_sent()) == 1

    assert night.run("live-trader", *SEND).code == DONE

    assert sorted(night.place_orders_sent()) == planned(clean)


def test_a_lock_that_is_newer_than_the_plan_keeps_its_name_from_being_sent(trading: Opened) -> None:
    night = trading(READY)
    kill(night, "live-trader", doomed.PLANNED, 0)
    refs = planned(night)
    ((symbol,),) = [row.values() for row in night.rows("orders", f"order_ref = '{refs[0]}'", "symbol")]
    with night.store.write() as con:
        doubt = Lock(ACCOUNT, LockScope.INSTRUMENT, symbol, "POSITION", "ledger=1, broker=2", D1, evening(D1))
        adjustments.open_lock(con, doubt)

    again = night.run("live-trader", *SEND)

    assert again.code == NOT_READY
    assert f"{symbol}: BREAK: POSITION {symbol} since {D1}: see hrp breaks" in again.complaint
    assert sorted(night.place_orders_sent()) == refs[1:]


def test_on_another_day_nothing_is_proven_of_an_order_on_its_way_and_a_person_is_asked(trading: Opened) -> None:
    night = trading(READY)
    kill(night, "live-trader", doomed.ON_ITS_WAY, 2)
    sent = night.place_orders_sent()
    (lost,) = night.rows("orders", "status = 'sending'")
    night.at(evening(D1) + timedelta(hours=8))

    again = night.run("live-trader", *SEND)

    assert (again.code, again.job("live-trader")["status"]) == (NOT_READY, "unknown_orders")
    assert lost["order_ref"] in again.complaint and "look in TWS" in again.complaint
    assert night.place_orders_sent() == sent
    assert len(sent) == 1

    by_hand = ("--reason", "TWS does not list it", "--yes", "--env-file", str(night.env_file))
    night.hrp("breaks", "resolve", lost["order_ref"], *by_hand)

    assert night.run("live-trader", *SEND).code == DONE
    assert sorted(night.place_orders_sent()) == [ref for ref in planned(night) if ref != lost["order_ref"]]


def kill(night: Night, job: str, point: str, order: int) -> None:
    """Let a process run the job for D1 and die at the point."""
    process = PROCESSES.Process(target=doomed.run_and_die, args=(night.env_file, job, D1, point, order))
    process.start()
    process.join(100)
    assert process.exitcode == -signal.SIGKILL


# Which version trades


def test_a_champion_moved_in_mlflow_is_gated_and_adopted_the_next_night(quietly: Opened) -> None:
    night = quietly(FEATURED)
    night.own_registry()
    night.app.registry().set_alias(MODEL, "champion", BETTER)

    said = night.run("predictions")

    assert (said.code, said.job("predictions")["model_versions"]) == (DONE, {"HYP-2022-001": BETTER})
    assert "made outside of HRP passed the gate" in said.job("predictions")["alert"]
    assert ledger(night)[-2:] == [("promote", "intent", BETTER, "mlflow"), ("promote", "done", BETTER, "mlflow")]


def test_a_champion_moved_in_mlflow_that_fails_the_gate_is_put_back(quietly: Opened) -> None:
    night = quietly(FEATURED)
    night.own_registry()
    night.app.registry().set_alias(MODEL, "champion", HUNGRY)

    said = night.run("predictions")

    assert (said.code, said.job("predictions")["model_versions"]) == (DONE, {"HYP-2022-001": GOOD})
    assert "FEATURES_NOT_COMPUTED: core lacks tomorrow" in said.job("predictions")["alert"]
    assert ledger(night)[-1] == ("refuse", "done", HUNGRY, "mlflow")
    assert night.app.registry().alias(MODEL, "champion") == GOOD


def test_a_version_is_pinned_by_the_first_run_of_a_session(quietly: Opened) -> None:
    night = quietly(READY)
    night.own_registry()
    night.champion(BETTER)

    said = night.run("predictions")

    assert said.job("predictions")["model_versions"] == {"HYP-2022-001": GOOD}


def ledger(night: Night) -> list[tuple[str, str, int, str]]:
    """The deployments ledger in brief, oldest first."""
    rows = sorted(night.rows("deployments"), key=lambda row: row["seq"])
    return [(row["action"], row["state"], row["to_version"], row["actor"]) for row in rows]


# Drift


def test_drift_denies_buys_and_lets_sales_pass(trading: Opened) -> None:
    night = trading(SYNCED)
    night.own_registry()
    night.champion(JUMPY)

    said = night.run("nightly", *SEND)

    orders = night.rows("orders", f"session = '{D2}'")
    buys = [row for row in orders if row["side"] == "buy"]
    sales = [row for row in orders if row["side"] == "sell"]
    assert said.code == NOT_READY
    assert said.job("drift-monitor")["status"] == "drift_detected"
    assert buys and sales
    assert {(row["status"], row["denial"]) for row in buys} == {
        ("denied", f"DRIFT_FREEZE: verdict=drift, session={D2}, version={JUMPY}")
    }
    assert sorted(night.place_orders_sent()) == sorted(row["order_ref"] for row in sales)


def test_drift_rolls_back_to_the_previous_good_version_if_it_may(quietly: Opened) -> None:
    night = quietly(FEATURED)
    night.own_registry()
    night.champion(JUMPY)
    night.run("predictions")

    said = night.run("drift-monitor", "--auto-rollback")

    assert (said.code, said.job("drift-monitor")["status"]) == (NOT_READY, "drift_detected")
    assert f"{MODEL} v{JUMPY} was rolled back to v{GOOD}, which trades next session" in said.complaint
    assert ledger(night)[-2:] == [
        ("rollback", "intent", GOOD, "drift-monitor"), ("rollback", "done", GOOD, "drift-monitor"),
    ]  # fmt: skip
    assert night.app.registry().alias(MODEL, "champion") == GOOD

    again = night.run("drift-monitor", "--auto-rollback")

    assert f"{MODEL} v{JUMPY} was replaced before; it may not buy tonight" in again.complaint
    assert len(ledger(night)) == 5


def test_drift_freezes_a_version_that_has_nothing_to_go_back_to(quietly: Opened) -> None:
    night = quietly(FEATURED)
    night.own_registry()
    night.champion(JUMPY, forget=True)
    night.run("predictions")

    said = night.run("drift-monitor", "--auto-rollback")

    assert f"{MODEL} v{JUMPY} is frozen, there is no previous good version" in said.complaint
    assert ledger(night)[-1] == ("freeze", "done", JUMPY, "drift-monitor")
    assert night.app.registry().alias(MODEL, "champion") == JUMPY


def test_drift_without_leave_to_roll_back_moves_nothing(quietly: Opened) -> None:
    night = quietly(FEATURED)
    night.own_registry()
    night.champion(JUMPY)
    night.run("predictions")
    before = ledger(night)

    said = night.run("drift-monitor")

    assert f"{MODEL} v{JUMPY} may not buy tonight: drift in session {D1}" in said.complaint
    assert ledger(night) == before


# Breaks


def test_a_trade_of_another_program_is_explained_and_the_night_trades_on(trading: Opened) -> None:
    night = trading(SENT)
    trade_by_hand(night, "EEE", 100)
    night.evening_of(D2)

    sync = night.run("position-sync")

    (run,) = sync.document
    assert (sync.code, run["status"], run["locks"]) == (DONE, "explained", [])
    assert "FOREIGN_FILL" in run["alert"] and "buy 100 EEE" in run["alert"]

    said = night.run("nightly", *SEND)

    assert said.code == DONE
    assert night.rows("plan_clips", "limit_code = 'BREAK'") == []
    assert planned(night, D2) == sorted(ref for ref in night.place_orders_sent() if ref)


def trade_by_hand(night: Night, symbol: str, shares: int) -> None:
    """An order by another client of the same account, as from TWS."""
    config = BrokerConfig("127.0.0.1", int(night.env["IBKR_PORT"]), 77, ACCOUNT, timeout=5)
    with IBKRBroker(config) as broker:
        broker.state()
        instrument = broker.qualify([symbol])[symbol]
        broker.place(Order(symbol, OrderSide.BUY, shares), instrument, broker.next_order_id())


# Tickers that look like something else


def test_true_and_na_are_traded_through_to_their_fills(trading: Opened, bars: pd.DataFrame) -> None:
    night = trading(BEFORE, HRP_TOP_PCT="1.0", HRP_MAX_POSITIONS="12", HRP_MAX_POSITION_PCT="0.08")
    path = night.home / "bars.csv"
    bars.to_csv(path, index=False)
    night.set(HRP_PRICE_SOURCE=path)

    assert night.run("nightly", *SEND).code == DONE
    night.evening_of(D2)
    assert night.run("position-sync").code == DONE

    for table in ("predictions", "plan_lines", "orders", "fills", "positions"):
        assert {"TRUE", "NA", "ON", "BRK.B"} <= {row["symbol"] for row in night.rows(table)}, table
    opens = bars[bars["session"] == D2].set_index("symbol")["open"]
    for symbol in ("TRUE", "NA"):
        (fill,) = night.rows("fills", f"symbol = '{symbol}'")
        assert float(fill["price"]) == opens[symbol]
        assert night.positions()[symbol] == int(fill["quantity"])
