"""What each fault does to a client, and that the books stay the truth behind it."""

from __future__ import annotations

import pytest

from hrp.gateway import scenario
from hrp.gateway.delivery import Delivery, packets
from hrp.gateway.session import Session

from .support import Teller, at, brief, close_desks, open_desk, order_fields

ACKNOWLEDGED = ["order 1 PreSubmitted", "status 1 PreSubmitted 0/10 at 0.0"]
ACTIVE = ["order 1 Submitted", "status 1 Submitted 0/10 at 0.0"]
EXECUTED = "exec 1 BOT 10 at 103.0"
DONE = ["order 1 Filled", "status 1 Filled 10/0 at 103.0"]
FILLED = [*ACTIVE, EXECUTED, *DONE, *DONE, "commission 1.00"]
ASK_EXECUTIONS = ("7", "3", "9", *[""] * 7)
OPEN, ALL_OPEN, COMPLETED, POSITIONS = ("5", "1"), ("16", "1"), ("99", "0"), ("61", "1")


@pytest.fixture
def evening(tmp_path):
    """A client on the evening of 2024-01-02 at a broker that plays scenarios of the library."""

    def begin(*names: str) -> Teller:
        faults = scenario.combine(map(scenario.load, names), seed=1)
        return Teller(open_desk(tmp_path, at(2, 22), scenario=faults))

    return begin


def play(tmp_path, fault: str, **file: str) -> Teller:
    """A client at a broker with one fault, written as YAML."""
    path = tmp_path / "storm.yaml"
    path.write_text(f"about: x\nseen: y\nseed: {file.get('seed', '0')}\nfaults: [{fault}]\n")
    return Teller(open_desk(tmp_path, at(2, 22), scenario=scenario.load(path)))


def numbers(messages) -> list[str]:
    """The numbers of messages, in order."""
    return [fields[0] for fields in messages]


def truth(teller: Teller) -> list[tuple[int, str, int]]:
    """What the books say of every order: id, status, shares filled."""
    ledger = teller.desk.books.ledger
    orders = [*ledger.working_orders(), *ledger.ended_orders(at(1, 0))]
    return [(order.order_id, str(order.status), order.filled) for order in orders]


ON_ORDER = {
    "drop-before-accept": ([], []),
    "drop-after-accept": ([], [(1, "PreSubmitted", 0)]),
    "never-acknowledged": ([], [(1, "PreSubmitted", 0)]),
    "order-lost": ([], []),
    "restart-before-order": (ACKNOWLEDGED, [(1, "PreSubmitted", 0)]),
    "rejected-then-inactive": (
        ["error 1 201", "order 1 Inactive", "status 1 Inactive 0/10 at 0.0"],
        [(1, "Inactive", 0)],
    ),
    "held-until-open": ([*ACKNOWLEDGED, "error 1 399"], [(1, "PreSubmitted", 0)]),
    "tif-set-to-day": ([*ACKNOWLEDGED, "error 1 10349"], [(1, "PreSubmitted", 0)]),
    "duplicate-order-id": (["error 1 103"], []),
    "status-repeated": ([ACKNOWLEDGED[0], *ACKNOWLEDGED[1:] * 3], [(1, "PreSubmitted", 0)]),
    "status-skipped": (ACKNOWLEDGED[:1], [(1, "PreSubmitted", 0)]),
    "two-perm-ids": (
        [ACKNOWLEDGED[0], "order 0 PreSubmitted", ACKNOWLEDGED[1], "status 0 PreSubmitted 0/10 at 0.0"],
        [(1, "PreSubmitted", 0)],
    ),
}


@pytest.mark.parametrize("name", ON_ORDER)
def test_what_an_order_is_told_and_what_is_true(evening, name):
    teller = evening(name)
    told, true = ON_ORDER[name]
    assert teller.order(1, "BUY", 10) == told
    assert truth(teller) == true


ON_FILL = {
    "drop-after-fill": [*ACTIVE, EXECUTED],
    "execution-twice": [*ACTIVE, EXECUTED, EXECUTED, *DONE, *DONE, "commission 1.00"],
    "price-corrected": [*ACTIVE, "exec 1 BOT 10 at 103.25", EXECUTED, *DONE, *DONE, "commission 1.00"],
    "quantity-corrected": [*ACTIVE, "exec 1 BOT 11 at 103.0", EXECUTED, *DONE, *DONE, "commission 1.00"],
    "commission-early": [*ACTIVE, "commission 1.00", EXECUTED, *DONE, *DONE],
    "commission-never": [*ACTIVE, EXECUTED, *DONE, *DONE],
    "filled-before-execution": [*ACTIVE, *DONE[1:] * 2, EXECUTED, *DONE[:1] * 2, "commission 1.00"],
    "never-acknowledged": FILLED,
    "tif-set-to-day": FILLED,
}


@pytest.mark.parametrize("name", ON_FILL)
def test_what_a_fill_is_told_and_what_is_true(evening, name):
    teller = evening(name)
    teller.order(1, "BUY", 10)
    assert teller.advance(at(3, 15)) == ON_FILL[name]
    assert truth(teller) == [(1, "Filled", 10)]
    assert str(teller.desk.books.ledger.cash) == "98969.00"


def test_a_fill_under_two_ids_is_told_alike_whenever_it_is_asked_for(evening):
    teller = evening("execution-under-two-ids")
    teller.order(1, "BUY", 10)
    told = teller.mine(teller.desk.advance(at(3, 15))[1])
    first, second = (fields for fields in told if fields[0] == "11")
    assert first[:14] + first[15:] == second[:14] + second[15:]
    assert first[14].split(".")[1] != second[14].split(".")[1]
    again = [fields[14] for fields in teller.ask(*ASK_EXECUTIONS) if fields[0] == "11"]
    assert again == [first[14], second[14]]


def test_a_correction_differs_in_the_last_part_of_its_id(evening):
    teller = evening("price-corrected")
    teller.order(1, "BUY", 10)
    told = teller.mine(teller.desk.advance(at(3, 15))[1])
    first, second = (fields[14] for fields in told if fields[0] == "11")
    assert (first[:-3], first[-3:], second[-3:]) == (second[:-3], ".01", ".02")


def test_two_corrections_of_one_fill_end_in_one_truth(evening):
    teller = evening("price-corrected", "quantity-corrected")
    teller.order(1, "BUY", 10)
    assert teller.advance(at(3, 15)) == [*ACTIVE, "exec 1 BOT 11 at 103.25", EXECUTED, *DONE, *DONE, "commission 1.00"]


PARTS = {"partial-fill": (4, 6), "partial-then-expires": (5, 5)}


@pytest.mark.parametrize("name", PARTS)
def test_an_order_fills_in_part_and_its_rest_is_cancelled(evening, name):
    teller = evening(name)
    teller.order(1, "BUY", 10)
    filled, left = PARTS[name]
    told = teller.advance(at(3, 15))
    assert told[2] == f"exec 1 BOT {filled} at 103.0"
    assert told[-2:] == [f"status 1 Cancelled {filled}/{left} at 103.0", "error 1 202"]
    assert truth(teller) == [(1, "Cancelled", filled)]


CANCELS = {
    "fill-after-cancelled": ["status 1 Cancelled 0/10 at 0.0", "error 1 202"],
    "cancel-not-found": ["error 1 10147"],
    "cancel-too-late": ["error 1 10148"],
}


@pytest.mark.parametrize("name", CANCELS)
def test_a_cancel_is_answered_and_the_order_fills_all_the_same(evening, name):
    teller = evening(name)
    teller.order(1, "BUY", 10)
    assert brief(teller.ask("4", "1", "1", "")) == CANCELS[name]
    assert teller.advance(at(3, 15)) == FILLED


def test_a_claim_about_an_order_that_has_ended_is_the_truth(evening):
    teller = evening("fill-after-cancelled")
    assert brief(teller.ask("4", "1", "1", "")) == ["error 1 10147"]


LISTS = {
    "open-orders-unanswered": (OPEN, [], ["5", "3", "53"]),
    "all-open-orders-unanswered": (ALL_OPEN, [], ["5", "3", "53"]),
    "completed-orders-unanswered": (COMPLETED, [], ["102"]),
    "executions-unanswered": (ASK_EXECUTIONS, [], ["55"]),
    "positions-unanswered": (POSITIONS, [], ["62"]),
    "positions-without-end": (POSITIONS, [], ["62"]),
    "account-unanswered": (("62", "1", "3", "All", "NetLiquidation"), [], ["63", "64"]),
    "midnight-forgets": (COMPLETED, ["102"], ["102"]),
    "executions-refused": (ASK_EXECUTIONS, ["4"], ["4"]),
    "contract-unknown": (
        ("9", "8", "6", "0", "AAA", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "", "0", "", "", ""),
        ["4"],
        ["10", "52"],
    ),
    "history-pacing": (
        ("20", "6", "0", "AAA", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "", "0", "", "1 day", "2 D", "1",
         "TRADES", "1", "0", ""),
        ["4"],
        ["4"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_fails_once_or_always(evening, name):
    teller = evening(name)
    teller.order(1, "BUY", 10)
    asked, first, second = LISTS[name]
    assert numbers(teller.ask(*asked)) == first
    assert numbers(teller.ask(*asked)) == second


DATA = {
    "data-not-subscribed": ["354"],
    "data-competing": ["10197"],
    "data-delayed": ["10167", "10167"],
}


@pytest.mark.parametrize("name", DATA)
def test_market_data_is_refused_or_delayed(evening, name):
    teller = evening(name)
    teller.ask("59", "1", "3")
    contract = ("0", "AAA", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")
    told = teller.ask("1", "11", "4", *contract, "0", "", "1", "0", "")
    assert [fields[3] for fields in told if fields[0] == "4"] == DATA[name]


def test_a_late_end_marker_ends_the_next_list(evening):
    teller = evening("lists-late")
    teller.order(1, "BUY", 10)
    assert numbers(teller.ask(*OPEN)) == ["5", "3"]
    assert numbers(teller.ask(*OPEN)) == ["53", "5", "3"]


def test_what_is_late_by_seconds_says_so_to_the_server(evening):
    teller = evening("lists-slow")
    deliveries = teller.desk.receive(teller.session, POSITIONS)
    assert [(delivery.name, delivery.seconds) for delivery in deliveries] == [("positionEnd", 1.0)]


ENDS = {"lost-and-kept": ("1102", 4), "lost-and-forgotten": ("1101", 4)}


@pytest.mark.parametrize("name", ENDS)
def test_an_outage_loses_what_is_said_and_told_and_then_ends(evening, name):
    teller = evening(name)
    code, messages = ENDS[name]
    teller.order(1, "BUY", 10)
    assert teller.order(2, "BUY", 1) == ["error -1 1100"]
    assert teller.advance(at(3, 15)) == []
    assert [teller.ask("49", "1") for _ in range(messages - 1)] == [[]] * (messages - 1)
    assert brief(teller.ask(*ASK_EXECUTIONS)) == [f"error -1 {code}", EXECUTED, "commission 1.00"]
    assert truth(teller) == [(1, "Filled", 10)]


def test_an_outage_lets_clients_log_on_and_tells_them(evening):
    teller = evening("lost-for-hours")
    assert brief(teller.ask(*OPEN)) == ["error -1 1100"]
    second = Teller(teller.desk, client_id=8)
    assert [*numbers(second.welcome[:2]), brief(second.welcome)[-1]] == ["15", "9", "error -1 1100"]
    assert second.ask("49", "1") == []


def test_an_outage_that_ends_with_hanging_up(evening):
    teller = evening("lost-and-closed")
    teller.order(1, "BUY", 10)
    teller.order(2, "BUY", 1)
    deliveries = teller.desk.receive(teller.session, ("49", "1"))
    assert [(d.session, d.closes) for d in deliveries] == [(teller.session, True)]
    assert teller.desk.sessions == {}


def test_a_client_id_is_in_use_once(evening):
    teller = evening("client-id-in-use")
    assert brief(teller.welcome) == ["error -1 326"]
    assert teller.session.is_ended
    assert numbers(Teller(teller.desk).welcome[:2]) == ["15", "9"]


def test_another_account_is_shown(evening):
    assert evening("wrong-account").welcome[0] == ("15", "1", "U7654321")


ZONES = {"zone-unknown": "20240103 09:30:00 Greenwich Mean Time", "zone-missing": "20240103  09:30:00"}


@pytest.mark.parametrize("name", ZONES)
def test_executions_name_another_zone_or_none(evening, name):
    teller = evening(name)
    teller.order(1, "BUY", 10)
    teller.advance(at(3, 15))
    assert teller.ask(*ASK_EXECUTIONS)[0][15] == ZONES[name]


def test_more_than_fifty_orders_in_a_second_are_refused(evening):
    teller = evening("too-many-messages")
    orders = [tuple(order_fields(number, "BUY", 1)) for number in range(1, 61)]
    told = brief(teller.mine(teller.desk.receive(teller.session, *orders, heard_at=5.0)))
    assert told.count("error 51 100") == 1
    assert sum(text.endswith(" 100") for text in told) == 10
    last = tuple(order_fields(61, "BUY", 1))
    assert brief(teller.mine(teller.desk.receive(teller.session, last, heard_at=6.1)))[0] == "order 61 PreSubmitted"


def test_bytes_come_in_two_packets_joined_cut_or_as_garbage():
    message = ("9", "1", "7")
    sound = b"\0\0\0\x069\x001\x007\0"

    def sent(*shapes: str) -> list[list[bytes]]:
        session = Session()
        return [parts for _, parts in packets([Delivery(session, message, shape=shape) for shape in shapes])]

    assert sent("whole") == [[sound]]
    assert sent("split") == [[sound[:7], sound[7:]]]
    assert sent("joined", "whole") == [[sound * 2]]
    assert sent("joined") == [[sound]]
    assert sent("cut") == [[sound[:7]]]
    [[garbage]] = sent("garbage")
    assert garbage[:4] == sound[:4]
    assert len(garbage) == len(sound)
    assert not set(garbage[4:]) & set(sound[4:])


def test_time_alone_is_enough_and_comes_once(tmp_path):
    teller = play(tmp_path, '{when: {at: "23:45"}, do: {error: {code: 2110, system: true}}}')
    assert brief(teller.ask("49", "1")) == []
    assert teller.advance(at(3, 4)) == []
    assert teller.advance(at(3, 5)) == ["error -1 2110"]
    assert teller.advance(at(4, 6)) == []


def test_an_instant_that_has_passed_is_due_with_the_next_message(tmp_path):
    teller = play(tmp_path, "{when: {at: 2024-01-02T21:00:00+00:00}, do: {error: {code: 2110, system: true}}}")
    assert brief(teller.ask("49", "1")) == ["error -1 2110"]


def test_a_fault_for_one_symbol_finds_it_by_order_and_by_execution(tmp_path):
    teller = play(
        tmp_path, "{when: {message: [orderStatus, commissionReport], symbol: BRK B, times: always}, do: lose}"
    )
    assert teller.order(1, "BUY", 10) == ACKNOWLEDGED
    assert teller.order(2, "BUY", 1, "BRK B") == ["order 2 PreSubmitted"]
    told = teller.advance(at(3, 15))
    assert told == [*FILLED, "order 2 Submitted", "exec 2 BOT 1 at 361.0", "order 2 Filled", "order 2 Filled"]


def test_chance_is_decided_by_the_seed(tmp_path):
    fault = "{when: {message: reqCurrentTime, chance: 0.5, times: always}, do: lose}"

    def lost(folder: str, seed: str) -> list[bool]:
        (tmp_path / folder).mkdir()
        teller = play(tmp_path / folder, fault, seed=seed)
        return [not teller.ask("49", "1") for _ in range(40)]

    first = lost("a", "1")
    assert 8 < sum(first) < 32
    assert lost("b", "1") == first
    assert lost("c", "2") != first


def test_a_fault_counts_orders_clients_and_occurrences(tmp_path):
    teller = play(tmp_path, "{when: {message: reqCurrentTime, orders: 1, client: 7, nth: 2, times: 2}, do: lose}")
    other = Teller(teller.desk, client_id=8)
    assert teller.ask("49", "1")
    teller.order(1, "BUY", 10)
    answered = [bool(teller.ask("49", "1")) for _ in range(4)]
    assert answered == [True, False, False, True]
    assert other.ask("49", "1")


def test_a_fault_that_happened_does_not_happen_again_after_a_restart(tmp_path):
    def begin() -> Teller:
        return Teller(open_desk(tmp_path, at(2, 22), scenario=scenario.load("restart-after-order")))

    teller = begin()
    teller.order(1, "BUY", 10)
    assert teller.order(2, "BUY", 1) == []
    assert teller.desk.stage.is_crashing
    close_desks()
    again = begin()
    assert again.order(3, "BUY", 1) == ["order 3 PreSubmitted", "status 3 PreSubmitted 0/1 at 0.0"]
    assert [order_id for order_id, *_ in truth(again)] == [1, 2, 3]


def test_another_scenario_on_the_same_state_begins_anew(evening):
    assert evening("order-lost").order(1, "BUY", 10) == []
    close_desks()
    assert evening("never-acknowledged").order(1, "BUY", 10) == []
    close_desks()
    assert evening("order-lost").order(2, "BUY", 10) == []


def test_a_batch_ends_with_the_connection(evening):
    teller = evening("drop-after-accept")
    orders = [tuple(order_fields(number, "BUY", 1)) for number in (1, 2, 3)]
    deliveries = teller.desk.receive(teller.session, *orders)
    assert [(d.fields, d.closes) for d in deliveries] == [((), True)]
    assert truth(teller) == [(1, "PreSubmitted", 0)]


def test_the_log_notes_every_fault(evening, tmp_path):
    from hrp.gateway import client

    evening("order-lost").order(1, "BUY", 10)
    [note] = client.message_log(tmp_path, direction="note")
    assert note.fields == ('fault 1: {"when": {"message": "placeOrder"}, "do": "lose"}',)


def test_answers_can_wait_for_the_next_message(tmp_path):
    teller = play(tmp_path, "{when: {message: reqPositions}, do: {late: {messages: 2}}}")
    asked = [numbers(teller.ask(*POSITIONS)), numbers(teller.ask("49", "1")), numbers(teller.ask("49", "1"))]
    assert asked == [[], ["49"], ["62", "49"]]


def test_a_connection_can_break_before_the_message_that_would_have_told(tmp_path):
    teller = play(tmp_path, "{when: {message: orderStatus}, do: {drop: before}}")
    assert teller.order(1, "BUY", 10) == ACKNOWLEDGED[:1]
    assert teller.session.is_ended
    assert truth(teller) == [(1, "PreSubmitted", 0)]


def test_the_gateway_can_restart_between_two_messages(tmp_path):
    teller = play(tmp_path, "{when: {message: orderStatus}, do: restart}")
    assert teller.order(1, "BUY", 10) == ACKNOWLEDGED
    assert teller.desk.stage.is_crashing
    assert teller.desk.sessions == {}


EVERYBODY = {
    "drop": [("", True), ("", True)],
    '{outage: {then: "1102"}}': [("1100", False), ("1100", False), ("1102", False), ("1102", False)],
    "{outage: {then: close, messages: 3}}": [("1100", False), ("1100", False)],
}


@pytest.mark.parametrize("do", EVERYBODY)
def test_what_the_time_brings_concerns_every_client(tmp_path, do):
    first = play(tmp_path, f'{{when: {{at: "23:45"}}, do: {do}}}')
    Teller(first.desk, client_id=8)
    told = first.desk.advance(at(3, 5))[1]
    assert [(d.fields[3] if d.fields else "", d.closes) for d in told] == EVERYBODY[do]


def test_a_lost_message_is_not_told_twice_and_a_message_without_predecessor_overtakes_none(tmp_path):
    both = (
        "{when: {message: openOrder}, do: lose}, {when: {message: openOrder}, do: {repeat: 3}}, "
        "{when: {message: orderStatus}, do: {overtake: execDetails}}"
    )
    assert play(tmp_path, both).order(1, "BUY", 10) == ACKNOWLEDGED[1:]
