"""hrp data backfill, as a person types it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_data.vendors import Answer, Vendor
from workspaces import SESSIONS, Workspace, bars, empty_workspace

from hrp.errors import EXIT_DONE, EXIT_FAILED, EXIT_USAGE

from .conftest import Hrp

RANGE = ("--from", "2022-12-20", "--to", "2022-12-28")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    bars().to_parquet(tmp_path / "bars.parquet", index=False)
    return empty_workspace(tmp_path / "home", HRP_PRICE_SOURCE=tmp_path / "bars.parquet")


def test_a_dry_run_says_what_would_be_fetched_and_changes_nothing(hrp: Hrp, workspace: Workspace):
    said = hrp("data", "backfill", *RANGE, "--dry-run", over=workspace)
    facts = hrp("data", "backfill", *RANGE, "--dry-run", "--json", over=workspace).json

    assert said.code == EXIT_DONE
    assert "5 names, 6 sessions from 2022-12-20 to 2022-12-28; 1 parts, 0 of them committed before" in said.out
    assert facts["parts"] == [
        {"part": 1, "names": 5, "from_name": "AAPL", "to_name": "XOM", "state": "to fetch"},
    ]
    with workspace.app.store().read() as con:
        assert con.execute("SELECT (SELECT count(*) FROM prices_raw) + (SELECT count(*) FROM lineage)").fetchone() == (
            0,
        )


def test_history_is_fetched_and_published_and_the_next_night_needs_nothing_else(hrp: Hrp, workspace: Workspace):
    said = hrp("data", "backfill", *RANGE, over=workspace)
    (prices,) = hrp("run", "prices", "--json", over=workspace).json

    assert said.code == EXIT_DONE
    assert said.out.splitlines()[1:] == [
        "30 rows and 0 actions written; bars are raw",
        "the universe was founded with 5 names",
    ]
    assert (prices["status"], prices["new_rows"]) == ("success", 0)
    again = hrp("data", "backfill", *RANGE, "--json", over=workspace).json
    assert (again["rows"], again["source"]) == (0, "files:bars.parquet")


def test_what_is_not_there_is_said_and_is_a_failure(hrp: Hrp, workspace: Workspace, tmp_path: Path):
    some = bars()
    some[~some["session"].isin([SESSIONS[0], SESSIONS[2]])].to_parquet(tmp_path / "holes.parquet", index=False)
    asked = ("data", "backfill", *RANGE, "--source", str(tmp_path / "holes.parquet"), "--symbols", "AAPL, GONE")

    said = hrp(*asked, over=workspace)

    assert said.code == EXIT_FAILED
    assert said.out.splitlines()[2:] == [
        "history begins with session 2022-12-21",
        "the universe was founded with 1 names",
        "1 sessions without any bar: 2022-12-22",
        "1 names without any bar: GONE",
    ]
    facts = hrp(*asked, "--json", over=workspace).json
    assert (facts["sessions_without_bars"], facts["names_without_bars"]) == (["2022-12-22"], ["GONE"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", "soon", "--to", "2022-12-28"), "'soon' is not a date"),
        (("--from", "2022-12-20", "--to", "2022-12-29"), "session 2022-12-29 closes at"),
        ((*RANGE, "--symbols", "A", "--universe", "core"), "name the same thing"),
        ((*RANGE, "--source", "massive"), "HRP_MASSIVE_API_KEY is not set"),
        ((*RANGE, "--source", "alpaca"), "HRP_ALPACA_KEY_ID is not set"),
    ],
)
def test_what_cannot_be_meant_is_one_line(hrp: Hrp, workspace: Workspace, words: tuple[str, ...], message: str):
    said = hrp("data", "backfill", *words, over=workspace)
    assert said.code == EXIT_USAGE
    assert message in said.err
    assert len(said.err.splitlines()) == 1


LONG = ("--from", "1990-01-02", "--to", "2022-12-28")  # so long that seven names are two parts
SEVEN = ["A1", "A2", "A3", "A4", "A5", "A6", "B1"]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    vendor = Vendor()
    vendor.says("/v1/corporate-actions", {"corporate_actions": {}})
    yield vendor
    vendor.close()


def answer(*symbols: str) -> dict[str, object]:
    rows = [{"t": f"{day}T05:00:00Z", "o": 10, "h": 11, "l": 9, "c": 10.5, "v": 100} for day in SESSIONS]
    return {"bars": dict.fromkeys(symbols, rows), "next_page_token": None}


def test_killed_while_it_waits_for_its_vendor_the_same_command_goes_on(hrp: Hrp, tmp_path: Path, vendor: Vendor):
    keys = {"HRP_ALPACA_KEY_ID": "the-id", "HRP_ALPACA_SECRET_KEY": "the-secret"}
    workspace = empty_workspace(tmp_path / "home", HRP_PRICE_SOURCE="alpaca", HRP_ALPACA_URL=vendor.url, **keys)
    command = ("data", "backfill", *LONG, "--symbols", ",".join(SEVEN), "--json")
    vendor.says("/v2/stocks/bars", answer(*SEVEN[:6]), Answer(silent=True))
    words = [sys.executable, "-m", "hrp", *command, "--env-file", str(workspace.env_file)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as running:
        assert vendor.silent.wait(100)
        running.kill()
    vendor.says("/v2/stocks/bars", answer(SEVEN[6]))

    again = hrp(*command, over=workspace)

    assert (again.code, again.json["rows"], again.json["universe_founded"]) == (EXIT_DONE, len(SESSIONS), 7)
    with workspace.app.store().read() as con:
        assert con.execute("SELECT count(*) FROM prices_raw").fetchone() == (7 * len(SESSIONS),)
