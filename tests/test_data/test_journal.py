"""Job runs, and the chain of events."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from hrp.data import journal
from hrp.domain.lineage import Event
from hrp.errors import DataError

from .night import LATER, NEXT, NIGHT, SESSION


def test_a_run_is_running_until_it_is_finished(con):
    journal.start_run(con, "r1", "prices", SESSION, NIGHT, dry_run=False)
    journal.start_run(con, "r2", "prices", NEXT, LATER, dry_run=True)
    journal.finish_run(con, "r1", "success", LATER, 1.5, 20, {"symbols": 20})
    newest, first = journal.load_runs(con, job="prices")
    assert (newest.run_id, newest.status, newest.dry_run, newest.finished_at) == ("r2", "running", True, None)
    assert first == journal.RunRecord(
        "r1", "prices", SESSION, "success", False, NIGHT, LATER, 1.5, 20, {"symbols": 20}, None
    )
    assert journal.load_runs(con, session=SESSION) == [first]
    assert journal.load_runs(con, limit=1) == [newest]


def test_finishing_a_run_that_never_began_is_an_error(con):
    with pytest.raises(DataError, match="no run r9"):
        journal.finish_run(con, "r9", "success", LATER, 1.0)


def events() -> list[Event]:
    return [
        Event("model_promoted", NIGHT, "researcher", "core v1", SESSION, "r1", {"ic": 0.03, "sessions": [1, 2]}),
        Event("order_denied", LATER, "live-trader", "TRUE", SESSION, None, {}),
        Event("kill_switch", LATER, "operator", "all", None, None, {"why": "“quoted” = ü"}),
    ]


def test_events_come_back_as_they_were_and_their_chain_holds(con):
    hashes = [journal.append_event(con, event) for event in events()]
    assert len(set(hashes)) == 3
    assert journal.load_events(con) == events()
    assert (
        journal.load_events(con, event_type="order_denied") == journal.load_events(con, subject="TRUE") == events()[1:2]
    )
    assert journal.verify_chain(con) is None


def test_the_chain_holds_for_instants_of_any_zone_and_keys_that_json_turns_to_text(con):
    berlin = NIGHT.astimezone(timezone(timedelta(hours=1)))
    journal.append_event(con, Event("e", berlin, "a", "s", details={10: SESSION, 9: NIGHT}))
    assert journal.verify_chain(con) is None
    assert journal.load_events(con)[0].at == NIGHT


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE lineage SET actor = 'nobody' WHERE seq = 2",
        """UPDATE lineage SET details = '{"a":1}' WHERE seq = 2""",
        "DELETE FROM lineage WHERE seq = 1",
    ],
)
def test_an_event_that_was_changed_or_follows_a_removed_one_is_found(con, tampering):
    for event in events():
        journal.append_event(con, event)
    con.execute(tampering)
    assert journal.verify_chain(con) == 2
