"""hrp run prices takes in what a company has announced, beside the bars."""

from __future__ import annotations

from pathlib import Path

import pytest
from workspaces import LAST, SESSIONS, Workspace, bars, empty_workspace

from hrp.data.rows import fetch
from hrp.errors import EXIT_DONE

from .conftest import Hrp


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    source = tmp_path / "source"
    source.mkdir()
    bars().to_parquet(source / "bars.parquet", index=False)
    return empty_workspace(tmp_path / "home", HRP_PRICE_SOURCE=source)


def test_actions_past_and_coming_are_kept_and_a_restatement_is_a_new_row(hrp: Hrp, workspace: Workspace):
    file = workspace.app.settings.home.parent / "source" / "actions.csv"
    file.write_text(f"symbol,ex_session,kind,value\nTRUE,2022-12-21,dividend,0.25\nNA,{LAST},split,2\n")

    (first,) = hrp("run", "prices", "--json", over=workspace).json
    (again,) = hrp("run", "prices", "--json", over=workspace).json
    file.write_text("symbol,ex_session,kind,value\nTRUE,2022-12-21,dividend,0.30\n")
    workspace.env_file.write_text(workspace.env_file.read_text().replace("23:30", "23:31"))
    (restated,) = hrp("run", "prices", "--json", over=workspace).json

    assert [run["new_actions"] for run in (first, again, restated)] == [2, 0, 1]
    assert first["exit_code"] == EXIT_DONE
    with workspace.app.store().read() as con:
        rows = fetch(
            con, "SELECT symbol, kind, value::DOUBLE AS value FROM corporate_actions ORDER BY symbol, known_at"
        )
    assert [(row["symbol"], row["kind"], row["value"]) for row in rows] == [
        ("NA", "split", 2.0), ("TRUE", "dividend", 0.25), ("TRUE", "dividend", 0.30),
    ]  # fmt: skip


def test_a_session_without_a_single_bar_is_told_with_the_command_that_fills_it(hrp: Hrp, workspace: Workspace):
    file = workspace.app.settings.home.parent / "source" / "bars.parquet"
    whole = bars()
    whole[whole["session"] != SESSIONS[2]].to_parquet(file, index=False)

    (run,) = hrp("run", "prices", "--json", over=workspace).json

    day = SESSIONS[2]
    assert (run["status"], run["new_rows"]) == ("success", 25)
    assert run["alert"].endswith(f"of 1 sessions ({day} to {day}); when it has them, run: "
                                 f"hrp data backfill --from {day} --to {day}")  # fmt: skip
