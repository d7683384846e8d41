"""hrp status, orders, positions, trades, drift: tables for people, JSON for programs."""

from __future__ import annotations

import pytest
from workspaces import ACCOUNT, HYPOTHESIS, LAST, Workspace

from hrp.errors import EXIT_NOT_READY, EXIT_USAGE

from .conftest import Hrp


def test_status_tells_the_account_the_strategies_and_the_last_run_of_each_job(hrp: Hrp, finished: Workspace):
    status = hrp("status", "--json", over=finished).json

    (account,) = status["accounts"]
    assert (account["account"], account["net_liquidation_usd"], account["cash_usd"]) == (
        ACCOUNT, "100338.00", "86298.00",
    )  # fmt: skip
    assert (account["session"], account["positions"], account["breaks"]) == (str(LAST), 2, 1)
    assert (account["locks"], status["locks"]) == (0, [])
    (strategy,) = status["strategies"]
    assert (strategy["hypothesis_id"], strategy["champion"], strategy["drift_verdict"]) == (HYPOTHESIS, 1, "drift")
    assert [(run["job"], run["status"]) for run in status["jobs"]] == [("position-sync", "breaks")]


def test_the_tables_show_what_the_json_says(hrp: Hrp, finished: Workspace):
    said = hrp("status", over=finished)
    assert said.code == 0
    for words in (ACCOUNT, "100,338.00", HYPOTHESIS, "position-sync", "breaks"):
        assert words in said.out


def test_positions_are_valued_at_their_mark(hrp: Hrp, finished: Workspace):
    rows = hrp("positions", "--json", over=finished).json
    # 50 AAPL at 124 and 70 NA at 112, bought at 120 and 110
    assert [(row["symbol"], row["market_value"], row["unrealized_pnl"]) for row in rows] == [
        ("NA", "7840.00", "140.00"), ("AAPL", "6200.00", "200.00"),
    ]  # fmt: skip


def test_orders_show_denials_with_their_reason(hrp: Hrp, finished: Workspace):
    rows = hrp("orders", "--symbol", "TRUE", "--json", over=finished).json
    assert [(row["status"], row["denial"]) for row in rows] == [("denied", "MAX_ORDERS: orders=3, limit=2")]


def test_trades_can_be_narrowed_by_symbol_and_day(hrp: Hrp, finished: Workspace):
    assert [row["symbol"] for row in hrp("trades", "--json", over=finished).json] == ["AAPL", "NA"]
    assert [row["symbol"] for row in hrp("trades", "--symbol", "NA", "--json", over=finished).json] == ["NA"]
    assert hrp("trades", "--to", "2022-12-27", "--json", over=finished).json == []
    assert hrp("trades", "--to", "2022-12-27", over=finished).out.strip() == "no trades"


def test_drift_shows_alarms_and_on_request_every_check(hrp: Hrp, finished: Workspace):
    alarms = hrp("drift", "--json", over=finished).json
    assert [(row["column_name"], row["verdict"]) for row in alarms] == [("momentum", "drift")]
    assert len(hrp("drift", "--all", "--json", over=finished).json) == 2


def test_the_ledger_of_deployments_is_shown_newest_first(hrp: Hrp, finished: Workspace):
    (line,) = hrp("models", "history", "--json", over=finished).json
    assert (line["action"], line["to_version"], line["actor"]) == ("promote", 1, "me")


@pytest.mark.parametrize("command", ["orders", "drift"])
def test_a_day_that_is_none_is_one_line_and_exit_code_2(hrp: Hrp, finished: Workspace, command: str):
    said = hrp(command, "--session", "yesterday", over=finished)
    assert (said.code, said.err) == (EXIT_USAGE, "error: 'yesterday' is not a date; write it as YYYY-MM-DD\n")


def test_without_a_store_every_look_says_how_to_make_one(hrp: Hrp, tmp_path):
    (tmp_path / ".env").write_text(f"HRP_HOME={tmp_path / 'home'}\n")
    said = hrp("status")
    assert said.code == EXIT_NOT_READY
    assert said.err.count("\n") == 1
    assert "run: hrp init" in said.err


def test_an_error_is_a_document_too_when_json_is_asked_for(hrp: Hrp, tmp_path):
    (tmp_path / ".env").write_text(f"HRP_HOME={tmp_path / 'home'}\n")
    said = hrp("positions", "--json")
    assert (said.json["exit_code"], said.json["kind"]) == (EXIT_NOT_READY, "SchemaVersionError")
