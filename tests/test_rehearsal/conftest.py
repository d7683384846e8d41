"""One stage and one clean night for every test of this room."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hrp.rehearsal.case import Case
from hrp.rehearsal.matrix import Matrix, morning_matrix, night_matrix
from hrp.rehearsal.stage import EVE, Stage, prepare


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    clean = pytest.MonkeyPatch()
    for name in os.environ:
        if name.startswith(("HRP_", "IBKR_", "MLFLOW_TRACKING")):
            clean.delenv(name)
    yield prepare(tmp_path_factory.mktemp("stage"), EVE)
    clean.undo()


@pytest.fixture(scope="session")
def night(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    matrix = night_matrix(stage, tmp_path_factory.mktemp("night"))
    matrix.discover()
    return matrix


@pytest.fixture(scope="session")
def morning(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    matrix = morning_matrix(stage, tmp_path_factory.mktemp("morning"))
    matrix.discover()
    return matrix


@pytest.fixture
def case(stage: Stage, tmp_path: Path) -> Iterator[Case]:
    with Case(stage, tmp_path / "case") as opened:
        yield opened


@pytest.fixture
def call(case: Case) -> Callable[..., object]:
    """What a function answers that runs in a process of its own."""
    from hrp.rehearsal.processes import call

    def answer(target: Callable[..., object], *arguments: object, seconds: float = 60) -> object:
        end = call(target, *arguments, log=case.folder / "log", seconds=seconds)
        return end.words if end.answer is None else end.answer

    return answer
