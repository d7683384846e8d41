"""Adjustments are only ever added; a subject has one lock in force."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from hrp.data import adjustments
from hrp.domain.book import Adjustment, AdjustmentKind
from hrp.domain.breaks import Lock, LockScope

from .night import ACCOUNT, LATER, NIGHT, SESSION, D

SPLIT = Adjustment(
    ACCOUNT, SESSION, NIGHT, AdjustmentKind.SPLIT, "split:TRUE:2022-12-27", "split 2 for 1", "TRUE", 7, shares=D(10)
)
INTEREST = Adjustment(
    ACCOUNT, SESSION, NIGHT, AdjustmentKind.RESOLVED, "resolved:cash", "word", cash=D("1.25"), actor="me", reason="why"
)
LOCK = Lock(ACCOUNT, LockScope.INSTRUMENT, "TRUE", "POSITION", "ledger=10, broker=20", SESSION, NIGHT)


def test_adjustments_come_back_as_they_were_written_in_their_order(con):
    assert adjustments.save_adjustments(con, [SPLIT, INTEREST], NIGHT) == 2
    assert adjustments.load_adjustments(con, ACCOUNT) == [SPLIT, INTEREST]
    assert adjustments.load_adjustments(con, "DU9") == []


def test_the_same_adjustment_cannot_be_written_twice(con):
    adjustments.save_adjustments(con, [SPLIT], NIGHT)
    with pytest.raises(duckdb.ConstraintException):
        adjustments.save_adjustments(con, [replace(SPLIT, shares=D(11))], LATER)
    assert SPLIT.adjustment_id != replace(SPLIT, part=2).adjustment_id


def test_a_subject_is_locked_once_until_it_is_lifted(con):
    assert adjustments.open_lock(con, LOCK) is True
    assert adjustments.open_lock(con, replace(LOCK, reason="still")) is False
    assert adjustments.load_locks(con, ACCOUNT) == [LOCK]

    assert adjustments.lift_locks(con, ACCOUNT, "TRUE", LATER, "me", "a split") == 1
    assert adjustments.lift_locks(con, ACCOUNT, "TRUE", LATER, "me", "again") == 0
    assert adjustments.load_locks(con, ACCOUNT) == []

    assert adjustments.open_lock(con, LOCK) is True
    history = con.execute("SELECT seq, lifted_by, lift_reason FROM locks ORDER BY seq").fetchall()
    assert history == [(1, "me", "a split"), (2, None, None)]
