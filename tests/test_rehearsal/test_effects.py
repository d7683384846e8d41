"""Every effect on the outside is seen, whoever causes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hrp.rehearsal.case import Case
from hrp.rehearsal.matrix import Matrix

from . import planted

LEAST = 60


def test_every_kind_of_effect_is_seen_once_and_nothing_else(case: Case, call: Callable[..., Any]) -> None:
    assert call(planted.one_of_each_kind, case.folder) == [
        ("open", "new"), ("write", "new"), ("write", "there"), ("rename", "new"), ("symlink", "link"), ("link", "hard"),
        ("unlink", "link"), ("mkdir", "made"), ("fsync", "file"), ("process", "true"), ("connect", ""), ("send", "5"),
        ("send", "3"), ("statement", "duckdb"), ("commit", "duckdb"), ("checkpoint", "duckdb"),
        ("statement", "sqlite"), ("commit", "sqlite"),
    ]  # fmt: skip


def test_a_night_has_many_boundaries_and_the_same_ones_each_time(night: Matrix, morning: Matrix) -> None:
    kinds = {effect.kind for effect in night.clean.effects}

    assert len(night.clean.effects) >= LEAST
    assert {"commit", "checkpoint", "send", "connect", "rename", "symlink", "fsync", "process"} <= kinds
    assert [effect.ordinal for effect in night.clean.effects] == list(range(1, len(night.clean.effects) + 1))
    assert all(effect.site.startswith("hrp/") for effect in (*night.clean.effects, *morning.clean.effects))


def test_an_effect_that_is_new_is_found_without_a_change_to_the_harness(
    night: Matrix, case: Case, call: Callable[..., Any]
) -> None:
    found = {(effect.kind, effect.target) for effect in call(planted.a_new_effect, case.workspace)}

    assert found - {(effect.kind, effect.target) for effect in night.clean.effects} == {
        ("open", "extra.txt"), ("write", "extra.txt"),
    }  # fmt: skip
