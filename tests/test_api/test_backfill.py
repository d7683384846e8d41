"""Backfilling: resumable wherever it was killed, honest about what is not there."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from test_data.vendors import Answer, Clock, Vendor, access
from workspaces import LAST, NOW, SESSIONS, Workspace, bars, empty_workspace

from hrp.api.backfill import Backfill, Outcome, plan_backfill, run_backfill
from hrp.data import market
from hrp.data.rows import fetch
from hrp.data.sources.alpaca import AlpacaSource
from hrp.domain.rebased import Adjustment
from hrp.errors import ConfigError, DataError, SessionError, SourceUnavailableError, UsageError
from hrp.gateway import client
from hrp.rehearsal.effects import COMMIT

from .doomed import backfill_and_die

FIRST = SESSIONS[0]
ONE_NAME = len(SESSIONS)  # bars a part, so that each part is a name
NAMES = ["AAPL", "MSFT", "NA", "TRUE", "XOM"]
SPLIT = f"symbol,ex_session,kind,value\nTRUE,{SESSIONS[2]},split,4\nNA,2023-01-05,dividend,0.25\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five names over six sessions, a split and an announced dividend."""
    folder = tmp_path_factory.mktemp("source")
    bars().to_parquet(folder / "bars.parquet", index=False)
    (folder / "actions.csv").write_text(SPLIT)
    return folder


@pytest.fixture
def workspace(tmp_path: Path, files: Path) -> Workspace:
    return empty_workspace(tmp_path / "home", HRP_PRICE_SOURCE=files)


def planned(workspace: Workspace, **asked: object) -> Backfill:
    app = workspace.app
    return plan_backfill(app, app.source(), FIRST, LAST, **{"bars_a_part": ONE_NAME, **asked})


def filled(workspace: Workspace, **asked: object) -> Outcome:
    return run_backfill(workspace.app, planned(workspace, **asked), "backfill", lambda _: None)


def stored(workspace: Workspace) -> dict[str, list[dict[str, object]]]:
    with workspace.app.store().read() as con:
        return {
            table: fetch(con, f"SELECT * FROM {table} ORDER BY ALL")
            for table in ("prices_raw", "corporate_actions", "universe")
        }


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, files: Path) -> dict[str, list[dict[str, object]]]:
    """The rows of a backfill that nothing happened to."""
    workspace = empty_workspace(tmp_path_factory.mktemp("clean"), HRP_PRICE_SOURCE=files)
    outcome = filled(workspace)
    assert (outcome.rows, outcome.actions, outcome.founded, outcome.complete) == (30, 2, 5, True)
    return stored(workspace)


# A commit ends each part, the sixth one ends all; between two of them nothing outside the process changes.
@pytest.mark.parametrize(("commit", "left"), [(1, 5), (3, 3), (6, 0)])
def test_killed_anywhere_it_goes_on_where_it_was_and_ends_with_the_same_rows(workspace, clean, commit, left):
    asked = (workspace.env_file, FIRST, LAST, ONE_NAME, COMMIT, commit)
    process = multiprocessing.get_context("spawn").Process(target=backfill_and_die, args=asked)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL

    waiting = planned(workspace).waiting
    outcome = filled(workspace)

    assert len(waiting) == left
    assert outcome.complete
    assert outcome.rows == len(waiting) * len(SESSIONS)
    assert stored(workspace) == clean


def test_finished_and_asked_for_again_it_begins_anew_and_finds_no_news(workspace, clean):
    filled(workspace)
    assert len(planned(workspace).waiting) == 5
    assert (filled(workspace).rows, stored(workspace)) == (0, clean)


def test_other_names_or_days_are_another_backfill(workspace):
    filled(workspace, symbols=["AAPL"])
    assert [part.symbols for part in planned(workspace, symbols=["AAPL", "NA"]).parts] == [("AAPL",), ("NA",)]
    assert filled(workspace, symbols=["AAPL", "NA"]).rows == len(SESSIONS)


def test_a_name_is_asked_for_once_however_it_is_written(workspace):
    assert planned(workspace, symbols=["BRK-B", "BRK.B", "TRUE", "BRK B"]).symbols == ("BRK.B", "TRUE")
    with pytest.raises(DataError, match="'NYSE:LMT' is no ticker"):
        planned(workspace, symbols=["NYSE:LMT"])


def test_the_names_are_the_universes_with_those_that_have_left(workspace):
    members = pd.DataFrame({"symbol": ["AAPL", "XOM"], "start_session": [FIRST, date(2001, 1, 2)], "end_session": None})
    members["end_session"] = [None, date(2005, 1, 3)]
    with workspace.app.store().write() as con:
        market.save_universe(con, "core", members, NOW)
        market.save_universe(con, "other", members[:1], NOW)
    assert planned(workspace).symbols == ("AAPL", "XOM")
    assert planned(workspace, universe="other").symbols == ("AAPL",)
    assert filled(workspace).founded == 0
    with pytest.raises(UsageError, match="there is no universe nowhere"):
        planned(workspace, universe="nowhere")


def test_what_has_no_bars_is_said(workspace):
    frame = bars()
    path = workspace.home / "holes.parquet"
    late = frame[(frame["session"] > SESSIONS[0]) & (frame["session"] != SESSIONS[3])]
    late.to_parquet(path, index=False)
    source = workspace.app.source(str(path))
    asked = plan_backfill(workspace.app, source, FIRST, LAST, ["AAPL", "GONE"])

    outcome = run_backfill(workspace.app, asked, "backfill", lambda _: None)

    assert (outcome.begins, outcome.empty, outcome.absent) == (SESSIONS[1], (SESSIONS[3],), ("GONE",))
    assert not outcome.complete
    assert (outcome.rows, outcome.adjustment) == (4, Adjustment.RAW)


def test_an_unfinished_session_and_a_range_without_one_are_refused(workspace):
    source = workspace.app.source()
    with pytest.raises(SessionError, match="session 2022-12-29 closes at"):
        plan_backfill(workspace.app, source, FIRST, date(2022, 12, 29))
    with pytest.raises(UsageError, match="no session from 2022-12-24 to 2022-12-26"):
        plan_backfill(workspace.app, source, date(2022, 12, 24), date(2022, 12, 26))


# Vendors


@pytest.fixture
def alpaca(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    vendor = Vendor()
    vendor.says("/v1/corporate-actions", {"corporate_actions": {}})
    yield vendor
    vendor.close()


@pytest.fixture
def at_alpaca(tmp_path: Path, alpaca: Vendor) -> Workspace:
    keys = {"HRP_ALPACA_KEY_ID": "the-id", "HRP_ALPACA_SECRET_KEY": "the-secret"}
    return empty_workspace(tmp_path / "home", HRP_PRICE_SOURCE="alpaca", HRP_ALPACA_URL=alpaca.url, **keys)


def answer(symbol: str) -> dict[str, object]:
    rows = [{"t": f"{day}T05:00:00Z", "o": 10, "h": 11, "l": 9, "c": 10.5, "v": 100} for day in SESSIONS]
    return {"bars": {symbol: rows}, "next_page_token": None}


def test_a_part_that_fails_is_left_for_the_next_run_and_the_others_are_fetched(at_alpaca, alpaca):
    alpaca.says("/v2/stocks/bars", answer("AAPL"), Answer({"message": "invalid symbol"}, 400), answer("XOM"))
    outcome = filled(at_alpaca, symbols=["AAPL", "NO", "XOM"])
    assert (outcome.rows, outcome.absent, outcome.founded) == (12, ("NO",), 0)
    assert "NO to NO: Alpaca refused the question (400 " in outcome.failures[0]

    alpaca.says("/v2/stocks/bars", answer("NO"))
    asked = len(alpaca.asked)
    again = filled(at_alpaca, symbols=["AAPL", "NO", "XOM"])
    assert (again.rows, again.complete, again.founded) == (6, True, 3)
    assert {request.params["symbols"] for request in alpaca.asked[asked:]} == {"NO"}


def test_a_key_that_is_refused_ends_it_and_what_was_committed_stays(at_alpaca, alpaca):
    alpaca.says("/v2/stocks/bars", answer("AAPL"), Answer({"message": "forbidden."}, 403))
    with pytest.raises(ConfigError, match="check HRP_ALPACA_KEY_ID"):
        filled(at_alpaca, symbols=["AAPL", "NO", "XOM"])
    assert [part.symbols for part in planned(at_alpaca, symbols=["AAPL", "NO", "XOM"]).waiting] == [("NO",), ("XOM",)]


def test_an_empty_store_does_not_ask_a_vendor_for_everything(at_alpaca):
    with pytest.raises(UsageError, match="say which: hrp data backfill"):
        planned(at_alpaca)


@pytest.fixture
def at_ibkr(tmp_path: Path, files: Path) -> Iterator[Workspace]:
    state = tmp_path / "gateway"
    terms = {"actions": str(files / "actions.csv")}
    port = client.start(state, files / "bars.parquet", "DU1234567", clock=NOW, terms=terms).port
    yield empty_workspace(tmp_path / "home", HRP_PRICE_SOURCE="ibkr", IBKR_PORT=port)
    client.stop(state)


def test_bars_of_the_broker_are_stored_as_traded_if_their_splits_are_known(at_ibkr, files, clean):
    actions = at_ibkr.app.source(str(files)).fetch_actions(None, FIRST, LAST)
    with at_ibkr.app.store().write() as con:
        market.save_corporate_actions(con, actions, NOW)

    outcome = filled(at_ibkr, symbols=NAMES)

    def told(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
        return [
            tuple(row[name] for name in ("symbol", "session", "open", "high", "low", "close", "volume")) for row in rows
        ]

    assert (outcome.complete, outcome.adjustment) == (True, Adjustment.RAW)
    assert told(stored(at_ibkr)["prices_raw"]) == told(clean["prices_raw"])


def test_a_broker_that_is_not_there_ends_it(tmp_path):
    workspace = empty_workspace(tmp_path / "home", HRP_PRICE_SOURCE="ibkr", IBKR_PORT=1)
    with pytest.raises(ConnectionError, match="no broker at"):
        filled(workspace, symbols=["AAPL"])


def test_a_vendor_that_does_not_answer_ends_it(at_alpaca, alpaca):
    alpaca.says("/v2/stocks/bars", Answer("", 500))
    source = AlpacaSource(access(alpaca, Clock()), "sip")
    asked = plan_backfill(at_alpaca.app, source, FIRST, LAST, ["AAPL", "XOM"], bars_a_part=ONE_NAME)
    with pytest.raises(SourceUnavailableError, match="Alpaca answered 500"):
        run_backfill(at_alpaca.app, asked, "backfill", lambda _: None)
    assert {request.params["symbols"] for request in alpaca.asked} == {"AAPL"}
