"""The history of hypotheses: append-only, chained, told back as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import duckdb
import pytest

from hrp.data import hypotheses
from hrp.data.migrations import known_steps
from hrp.domain.deployment import HypothesisStatus
from hrp.domain.hypothesis import HypothesisAction, HypothesisEvent
from hrp.errors import DataError

from .night import LATER, NIGHT, SESSION

WRITTEN = HypothesisEvent(
    "HYP-2026-001", HypothesisAction.NEW, HypothesisStatus.DRAFT, "me", "a thought", NIGHT,
    {"test": ["rank_ic_low > 0"], "when": SESSION},
)  # fmt: skip
OTHER = replace(WRITTEN, hypothesis_id="HYP-2026-002", evidence={})
TESTING = replace(
    WRITTEN, action=HypothesisAction.TEST, status=HypothesisStatus.TESTING, at=LATER, evidence={"trials": 3, "ic": 0.1}
)


def test_the_history_comes_back_oldest_first_with_instants_in_utc(con):
    elsewhere = replace(TESTING, at=LATER.astimezone(timezone(timedelta(hours=-5))))
    for event in (WRITTEN, OTHER, elsewhere):
        hypotheses.append_event(con, event)

    assert hypotheses.load_history(con, "HYP-2026-001") == [
        replace(WRITTEN, evidence={"test": ["rank_ic_low > 0"], "when": "2022-12-27"}), TESTING,
    ]  # fmt: skip
    assert hypotheses.load_history(con)[1] == OTHER


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE hypothesis_events SET reason = 'because' WHERE seq = 2",
        'UPDATE hypothesis_events SET evidence = \'{"test":["rank_ic_low > -1"]}\' WHERE seq = 2',
        "DELETE FROM hypothesis_events WHERE seq = 1",
    ],
)
def test_a_history_that_was_changed_is_refused(con, tampering):
    for event in (WRITTEN, OTHER, TESTING):
        hypotheses.append_event(con, event)
    con.execute(tampering)

    with pytest.raises(DataError, match=r"line 2 \(HYP-2026-002, new\) is not the one that was written"):
        hypotheses.load_history(con, "HYP-2026-001")


def test_a_strategy_that_an_older_store_calls_validated_was_retired():
    with duckdb.connect() as con:
        steps = {step.name: step.sql for step in known_steps()}
        con.execute(steps["0001_tables.sql"])
        con.execute("INSERT INTO hypotheses VALUES ('HYP-2025-001', 't', 'm', 'validated', 1, 'core')")
        con.execute("INSERT INTO hypotheses VALUES ('HYP-2025-002', 't', 'm', 'deployed', 1, 'core')")
        con.execute(steps["0005_hypotheses.sql"])

        found = con.execute("SELECT status FROM hypotheses ORDER BY hypothesis_id").fetchall()
    assert found == [("retired",), ("deployed",)]
