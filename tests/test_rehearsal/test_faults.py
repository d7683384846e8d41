"""Nights in front of a gateway that misbehaves, and the command that plays them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hrp.cli import app
from hrp.gateway.scenario import load, names
from hrp.rehearsal.faults import AGREES, Faults, combinations
from hrp.rehearsal.stage import Stage


@pytest.fixture(scope="module")
def faults(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    faults = Faults(stage, tmp_path_factory.mktemp("faults"))
    faults.discover()
    return faults


@pytest.mark.parametrize("name", ["price-corrected", "drop-after-accept", "order-lost"])
def test_after_a_fault_the_books_agree(faults: Faults, name: str) -> None:
    outcome = faults.play(load(name))

    assert (str(outcome), outcome.findings.duplicates) == (AGREES, 0)
    assert outcome.sent > 0


def test_the_same_seed_draws_the_same_combinations() -> None:
    drawn = combinations(20, seed=7)

    assert [one.digest() for one in drawn] == [one.digest() for one in combinations(20, seed=7)]
    assert [one.digest() for one in drawn] != [one.digest() for one in combinations(20, seed=8)]
    assert all(len(set(one.name.split("+"))) == 3 for one in drawn)


def test_without_arguments_the_command_lists_what_can_be_rehearsed() -> None:
    done = CliRunner().invoke(app, ["rehearse", "--json"])

    assert done.exit_code == 0
    assert [row["scenario"] for row in json.loads(done.stdout)] == names()


def test_a_scenario_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["rehearse", str(tmp_path / "nothing.yaml")])

    assert "there is no scenario" in str(done.exception)
