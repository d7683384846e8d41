"""A researcher's commands: a hypothesis from its test to its retirement, and what a version is worth."""

from __future__ import annotations

from pathlib import Path

import pytest
from laboratory import HELD_OUT, HYPOTHESIS, MODEL, TEST
from workspaces import Workspace

from hrp.errors import EXIT_DONE, EXIT_NOT_READY, EXIT_USAGE

from .conftest import Hrp


def test_a_hypothesis_is_written_with_its_test_then_sealed(hrp: Hrp, lab: Workspace):
    wrong = hrp("research", "new", "value", "--title", "Cheap rises", "--test", "it works", over=lab)
    assert (wrong.code, "write it as 'rank_ic_low > 0'" in wrong.err) == (EXIT_USAGE, True)
    assert hrp("research", "new", "value", "--title", "Cheap rises", over=lab).code == EXIT_USAGE

    written = hrp("research", "new", "value", "--title", "Cheap rises", "--test", "rank_ic_low>0.0", "--json", over=lab)
    assert written.json == {"hypothesis": "HYP-2022-002", "model": "value", "status": "draft"}
    early = hrp("research", "validate", "HYP-2022-002", over=lab)
    assert (early.code, "is draft and cannot become validated" in early.err) == (EXIT_NOT_READY, True)
    assert "would be testing" in hrp("research", "test", "HYP-2022-002", "--dry-run", over=lab).out
    assert "is testing\nnext: train on what is left: hrp train value" in hrp(
        "research", "test", "HYP-2022-002", "--hold-out", "63", over=lab
    ).out  # fmt: skip

    rows = hrp("research", "list", "--json", over=lab).json
    assert [(row["hypothesis"], row["status"], row["test"], row["looks"]) for row in rows] == [
        (HYPOTHESIS, "testing", ", ".join(TEST), 0), ("HYP-2022-002", "testing", "rank_ic_low > 0", 0),
    ]  # fmt: skip


def test_from_training_to_validation_and_what_the_history_shows(hrp: Hrp, lab: Workspace):
    trained = hrp("train", MODEL, "--final-look", "--json", over=lab).json
    assert trained["version"] == 3
    assert trained["held_out"]["oos_sessions"] == HELD_OUT - 5
    assert Path(trained["tearsheet"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    again = hrp("train", MODEL, "--final-look", over=lab)
    assert again.code == EXIT_NOT_READY
    assert "another one counts as a further trial and needs --reason" in again.err
    registry = lab.app.registry()
    assert registry.version(MODEL, 3).trained_through == registry.version(MODEL, 2).trained_through

    shown = hrp("research", "show", HYPOTHESIS, "--json", over=lab).json
    assert (shown["looks"][0]["version"], shown["looks"][0]["trials"]) == (3, 2)  # v2 was trained beside the test too
    assert "would be validated" in hrp("research", "validate", HYPOTHESIS, "--dry-run", over=lab).out
    assert hrp("research", "show", HYPOTHESIS, "--json", over=lab).json["status"] == "testing"
    assert hrp("research", "validate", HYPOTHESIS, "--json", over=lab).json["status"] == "validated"
    text = hrp("research", "show", HYPOTHESIS, over=lab).out
    assert all(word in text for word in ("sealed", "held out", "validate", "the first look", "Moods last for weeks"))

    assert hrp("research", "retire", HYPOTHESIS, "--reason", "no capital", over=lab).code == EXIT_DONE
    ended = hrp("research", "reject", HYPOTHESIS, "--reason", "too late", over=lab)
    assert (ended.code, "is retired and cannot become rejected" in ended.err) == (EXIT_NOT_READY, True)


def test_a_refused_promotion_prints_figure_bar_and_verdict_and_the_ledger_shows_them(hrp: Hrp, lab: Workspace):
    assert "has not judged moods v2" in hrp("models", "show", MODEL, "--version", "2", over=lab).out

    refused = hrp("models", "promote", MODEL, "2", over=lab)

    assert refused.code == EXIT_NOT_READY
    lines = {line.split("  ")[0]: line.split() for line in refused.out.splitlines()}
    assert lines["check"] == ["check", "figure", "bar", "verdict"]
    assert lines["hypothesis"][1:] == [HYPOTHESIS, "testing", "validated", "refused"]
    assert lines["features loaded"][-1] == "passed"
    assert "NOT_VALIDATED: HYP-2022-001 is testing" in refused.err
    shown = hrp("models", "show", MODEL, "--version", "2", "--json", over=lab).json
    assert [check["check"] for check in shown["gate"] if check["verdict"] == "refused"] == ["hypothesis"]
    assert 0 < next(check for check in shown["gate"] if check["check"] == "seconds in a clean process")["figure"] < 120
    assert (shown["metrics"]["trials"], shown["params"]["horizon"]) == (1.0, "5")
    assert "the gate, 2022-12-28 23:30Z: refuse" in hrp("models", "show", MODEL, "--version", "2", over=lab).out

    lab.app.store().publish()
    (line,) = hrp("models", "history", "--json", over=lab).json
    assert (line["action"], line["evidence"]["checks"]) == ("refuse", shown["gate"])
    assert "NOT_VALIDATED" in hrp("models", "history", over=lab).out


@pytest.mark.parametrize("feature", ["momentum_21", "rsi_14"])
def test_a_feature_of_the_night_does_not_read_the_future(hrp: Hrp, lab: Workspace, feature: str):
    said = hrp("research", "lookahead", feature, over=lab)

    assert (said.code, said.out.startswith(f"{feature} reads its look-back and nothing else")) == (EXIT_DONE, True)


def test_what_does_not_exist_is_said_with_the_next_command(hrp: Hrp, lab: Workspace):
    unknown = hrp("research", "show", "HYP-1", over=lab)
    assert (unknown.code, "see: hrp research list" in unknown.err) == (EXIT_USAGE, True)
    untrained = hrp("research", "tearsheet", "nobody", over=lab)
    assert (untrained.code, "train one: hrp train nobody" in untrained.err) == (EXIT_NOT_READY, True)
    assert hrp("models", "show", "nobody", over=lab).code == EXIT_NOT_READY
    no_test = hrp("train", "nobody", "--final-look", over=lab)
    assert (no_test.code, "no hypothesis about nobody is being tested" in no_test.err) == (EXIT_NOT_READY, True)
