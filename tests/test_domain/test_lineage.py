"""The chain of events: whatever is changed afterwards shows, at its position."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.lineage import GENESIS, Event, canonical, digest, event_hash, first_broken, plain
from hrp.domain.orders import OrderSide

D = Decimal
NIGHT = datetime(2022, 3, 11, 23, 30, tzinfo=UTC)
EVENTS = [
    Event("plan", NIGHT, "live-trader", "a1b2", date(2022, 3, 11), "run-1", {"orders": 2}),
    Event("order_sent", NIGHT, "live-trader", "TRUE", date(2022, 3, 11), "run-1", {"price": D("10.50"), "side": "buy"}),
    Event("order_sent", NIGHT, "live-trader", "NA", date(2022, 3, 11), "run-1", None),
    Event("rollback", NIGHT, "researcher", "momentum"),
]


def chained(events: list[Event]) -> list[tuple[str, Event]]:
    records, previous = [], GENESIS
    for event in events:
        previous = event_hash(previous, event)
        records.append((previous, event))
    return records


CHANGES = {
    "event_type": "order_denied",
    "at": datetime(2022, 3, 11, 23, 30, 0, 1, tzinfo=UTC),
    "actor": "someone",
    "subject": "XOM",
    "session": date(2022, 3, 10),
    "run_id": "run-2",
    "details": {"price": D("10.51"), "side": "buy"},
}


def test_the_first_record_is_chained_to_zeros() -> None:
    body = f'["{64 * "0"}","rollback","2022-03-11T23:30:00+00:00","researcher","momentum",null,null,{{}}]'

    assert event_hash(GENESIS, EVENTS[3]) == hashlib.sha256(body.encode()).hexdigest()


def test_an_untouched_chain_agrees() -> None:
    assert first_broken(chained(EVENTS)) is None
    assert first_broken([]) is None


@pytest.mark.parametrize("position", range(len(EVENTS)))
@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_record_is_found_at_its_position(position: int, field: str) -> None:
    records = chained(EVENTS)
    stored, event = records[position]
    records[position] = (stored, replace(event, **{field: CHANGES[field]}))

    assert first_broken(records) == position


@pytest.mark.parametrize("position", range(len(EVENTS) - 1))
def test_a_removed_record_is_found_where_it_stood(position: int) -> None:
    records = chained(EVENTS)
    del records[position]

    assert first_broken(records) == position


def test_two_exchanged_records_are_found_at_the_first() -> None:
    records = chained(EVENTS)
    records[1], records[2] = records[2], records[1]

    assert first_broken(records) == 1


def test_a_forged_record_with_a_fitting_hash_breaks_the_next_one() -> None:
    records = chained(EVENTS)
    forged = replace(EVENTS[1], subject="XOM")
    records[1] = (event_hash(records[0][0], forged), forged)

    assert first_broken(records) == 2


def test_an_instant_is_the_same_in_every_zone() -> None:
    """A store may hand instants back in the zone of the machine."""
    local = replace(EVENTS[0], at=NIGHT.astimezone(ZoneInfo("America/New_York")))

    assert event_hash(GENESIS, local) == event_hash(GENESIS, EVENTS[0])


def test_no_details_and_empty_details_are_the_same() -> None:
    assert event_hash(GENESIS, replace(EVENTS[2], details={})) == event_hash(GENESIS, EVENTS[2])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ({"TRUE": "NA"}, '{"TRUE":"NA"}'),
        (date(2022, 3, 11), '"2022-03-11"'),
        (D("10.50"), '"10.5"'),
        (OrderSide.BUY, '"buy"'),
        (0.1 + 0.2, "0.30000000000000004"),
        (("x", 1), '["x",1]'),
    ],
)
def test_the_canonical_form(value: object, text: str) -> None:
    assert canonical(value) == text


def test_a_digest_is_the_sha256_of_the_canonical_form() -> None:
    # printf '{"a":1}' | sha256sum
    assert digest({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


@pytest.mark.parametrize(
    ("number", "text"),
    [("0.10", "0.1"), ("100", "100"), ("1E+5", "100000"), ("-0.00", "0"), ("0.000001", "0.000001"), ("-2.50", "-2.5")],
)
def test_a_number_has_one_text(number: str, text: str) -> None:
    assert plain(D(number)) == text


@given(st.decimals(-(10**9), 10**9, places=6))
def test_the_text_of_a_number_is_that_number(number: Decimal) -> None:
    assert D(plain(number)) == number
    assert plain(number) == plain(number * D("1.000"))
