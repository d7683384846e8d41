"""Nights lived again through the gateway, with splits and dividends inside, held against the backtest."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from hrp.agents.replay import SEND, plant_a_share, play
from hrp.agents.runner import JOBS, execute
from hrp.api.parity import Parity, parity
from hrp.api.replay import Request, Stage, close_stage, open_stage
from hrp.cli import app as hrp
from hrp.cli.replay import tell
from hrp.data import market, replays
from hrp.data.rows import fetch
from hrp.domain.sessions import sessions_between
from hrp.errors import HRPError, RequirementNotMetError, UsageError
from hrp.gateway import client
from hrp.rehearsal.market import made_bars
from hrp.rehearsal.stage import EVE, Workshop, Workspace, evening
from hrp.research.parity import Cause
from hrp.wiring import build

pytestmark = pytest.mark.timeout(600)

CASH = Decimal("1000000.00")
LAST_BAR = date(2022, 12, 28)
NIGHTS = sessions_between(EVE, date(2022, 11, 10))[1:]
YEAR = Request(NIGHTS[0], NIGHTS[-1], CASH)
SHORT = Request(NIGHTS[0], NIGHTS[2], CASH)
CUT_OFF = NIGHTS[2]
ACTIONS = [
    ("CCC", date(2022, 11, 9), "split", 0.4),  # five old ones for two new ones: fractions are left
    ("TRUE", date(2022, 11, 10), "split", 3.0),
    *((name, date(2022, 11, 9), "dividend", 0.255) for name in ("BRK.B", "CCC", "EEE", "ON", "TRUE", "ZZZ")),
    *((name, date(2022, 11, 11), "dividend", 0.5) for name in ("AAA", "GGG", "NA", "ON", "TRUE")),
]
PLACE_ORDER = 3


def raw(bars: pd.DataFrame) -> pd.DataFrame:
    """The made bars as they were traded: those before a split in old shares."""
    prices = ["open", "high", "low", "close"]
    for symbol, session, kind, value in ACTIONS:
        if kind == "split":
            old = (bars["symbol"] == symbol) & (bars["session"] < session)
            bars.loc[old, prices] = (bars.loc[old, prices] * value).round(4)
    return bars.assign(source="made")


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with a champion of EVE, and the prices and actions of the weeks after it."""
    clean = pytest.MonkeyPatch()
    for name in os.environ:
        if name.startswith(("HRP_", "IBKR_", "MLFLOW_TRACKING")):
            clean.delenv(name)
    with Workshop(tmp_path_factory.mktemp("operator"), EVE) as workshop:
        workspace = workshop.workspace
    workspace.set_clock(evening(LAST_BAR))
    actions = pd.DataFrame(ACTIONS, columns=["symbol", "ex_session", "kind", "value"]).assign(source="made")
    with workspace.store.write() as con:
        market.save_prices(con, raw(made_bars()), evening(LAST_BAR), "made")
        market.save_corporate_actions(con, actions, evening(LAST_BAR))
    yield workspace
    clean.undo()


def play_and_die(env_file: Path) -> None:
    """Play as far as the orders of the night CUT_OFF, and die by SIGKILL before that night is done."""
    stage = open_stage(build(env_file), YEAR, resume=False)
    for session in play(stage):
        if session == NIGHTS[1]:
            break
    stage.evening_of(CUT_OFF)
    for job in list(JOBS)[:-1]:
        execute(stage.app, job, CUT_OFF, SEND, lambda _: None)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def replayed(operator: Workspace) -> Iterator[tuple[Stage, Parity]]:
    """A replay that was killed in its third night, and went on."""
    child = multiprocessing.get_context("forkserver").Process(target=play_and_die, args=(operator.env_file,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    stage = open_stage(operator.app, YEAR, resume=True)
    assert stage.played == NIGHTS[1]
    assert list(play(stage)) == YEAR.sessions
    close_stage(stage)
    yield stage, parity(stage)


def test_a_replay_that_was_killed_goes_on_and_equals_the_backtest_to_the_cent_and_the_share(replayed):
    _, found = replayed
    assert (found.differences, found.nights, found.symbols) == ([], len(NIGHTS), 12)
    assert [day.session for day in found.replay] == [*NIGHTS, YEAR.end]
    assert sum(len(day.trades) for day in found.replay) > 10
    assert len({day.equity for day in found.replay}) == len(found.replay)


def test_splits_and_dividends_were_inside(replayed):
    _, found = replayed
    paid = {(day.session, symbol): what for day in found.backtest for symbol, what in day.paid.items()}
    reverse, forward = paid[date(2022, 11, 9), "CCC"], paid[date(2022, 11, 10), "TRUE"]
    assert reverse.shares < 0 < reverse.cash
    assert forward.shares > 0
    assert sum(what.cash > 0 for what in paid.values()) > 4
    assert paid == {(day.session, symbol): what for day in found.replay for symbol, what in day.paid.items()}


def test_no_order_was_sent_twice(replayed):
    stage, _ = replayed
    sent = [
        m.order_ref for m in client.message_log(stage.app.settings.gateway_dir, direction="in", message_id=PLACE_ORDER)
    ]
    assert len(sent) == len(set(sent)) > 10


def test_the_operators_ledger_is_not_touched(operator: Workspace, replayed):
    assert [row["session"] for row in operator.rows("position_syncs")] == [EVE]
    assert operator.rows("orders") == operator.rows("predictions") == []


def test_one_share_that_another_client_buys_is_found_and_explained(operator: Workspace, capsys):
    stage = open_stage(operator.app, SHORT, resume=False)
    for session in play(stage):
        if session == NIGHTS[0]:
            plant_a_share(stage, "ZZZ")
    close_stage(stage)
    found = parity(stage)

    first = found.differences[0]
    assert (first.session, first.what, first.symbol, first.cause) == (NIGHTS[1], "fill", "ZZZ", Cause.FILL)
    assert {(d.cause, d.since) for d in found.differences} == {(Cause.FILL, NIGHTS[1])}
    assert {"shares", "cash", "equity"} <= {d.what for d in found.differences}
    assert tell(found, stage.app.settings.home, as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["differences"] == len(found.differences) == len(document["all_differences"])
    with (stage.app.settings.home / "reports" / "parity-differences.csv").open() as file:
        assert [row["cause"] for row in csv.DictReader(file)] == [str(d.cause) for d in found.differences]
    (row,) = [row for row in document["by_name"] if row["session"] == str(NIGHTS[1]) and row["symbol"] == "ZZZ"]
    assert (row["replay shares"] - row["shares"], row["cause"]) == (1, str(Cause.FILL))
    assert tell(found, stage.app.settings.home, as_json=False) == 1
    assert capsys.readouterr().out.endswith(f"parity: sessions=3 symbols=12 differences={len(found.differences)}\n")


def refused(operator: Workspace, *options: str) -> HRPError:
    done = CliRunner().invoke(hrp, ["replay", "--env-file", str(operator.env_file), *options])
    assert isinstance(done.exception, HRPError), done.output
    return done.exception


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        (("--from", "2022-11-05", "--to", "2022-11-06"), UsageError, "no session from 2022-11-05 to 2022-11-06"),
        (("--from", "2022-12-27", "--to", "2022-12-28"), RequirementNotMetError, "the first is 2022-12-29"),
        (("--from", "2022-12-01", "--to", "2022-12-02", "--resume"), UsageError, "no replay to resume"),
        (("--from", "2022-12-01", "--to", "2022-12-02", "--capital", "much"), UsageError, "not an amount"),
        (("--from", "2022-12-01", "--to", "2022-12-02", "--symbols", "AAA,XYZ"), UsageError, "XYZ not in universe"),
    ],
)
def test_what_cannot_be_replayed_is_refused(operator: Workspace, options, kind, words):
    error = refused(operator, *options)
    assert isinstance(error, kind)
    assert words in str(error)


def test_another_request_does_not_resume_a_replay(operator: Workspace, replayed):
    error = refused(operator, "--from", str(YEAR.first), "--to", str(YEAR.last), "--capital", "5000.00", "--resume")
    assert "was begun with" in str(error)


def test_the_workspace_of_a_replay_begins_with_no_night_and_knows_nothing_of_the_time_to_come(
    operator: Workspace, tmp_path: Path
):
    operator.store.copy_to(tmp_path / "hrp.duckdb")
    store = type(operator.store)(tmp_path / "hrp.duckdb", tmp_path / "published")
    with store.write() as con:
        replays.forget_nights(con, evening(EVE))
    with store.read() as con:
        rows = fetch(con, "SELECT table_name, estimated_size AS size FROM duckdb_tables()")
        full = {row["table_name"] for row in rows if row["size"]}
        (known,) = fetch(con, "SELECT max(known_at) AS at, count(*) AS members FROM universe")
    assert full <= replays.KEPT
    assert {"deployments", "hypotheses", "universe"} <= full
    assert (known["at"], known["members"]) == (evening(EVE), 12)


def test_a_replay_learns_of_bars_and_actions_night_by_night(replayed):
    stage, _ = replayed
    with stage.app.store().read() as con:
        late = fetch(
            con, "SELECT count(*) AS bars FROM prices_raw WHERE known_at::DATE > session AND session > ?", [EVE]
        )
        (told,) = fetch(con, "SELECT max(session) AS last, max(known_at) AS at FROM prices_raw")
    assert late == [{"bars": 0}]
    assert (told["last"], told["at"]) == (YEAR.end, evening(YEAR.end))
