"""Several clients: each with its own ids and orders, each told what concerns it."""

from __future__ import annotations

import pytest

from .support import Teller, at, brief, close_desks, open_desk, order_fields

ASK_EXECUTIONS = ("7", "3", "9", *[""] * 7)


@pytest.fixture
def desk(tmp_path):
    return open_desk(tmp_path, at(2, 22))


def ids(messages) -> list[tuple[str, str]]:
    """Client and order id of every openOrder."""
    return [(fields[24], fields[1]) for fields in messages if fields[0] == "5"]


def next_id(teller: Teller) -> str:
    return teller.ask("8", "1", "1")[0][2]


def test_clients_use_the_same_order_ids_for_orders_of_their_own(desk):
    first, second = Teller(desk, 1), Teller(desk, 2)
    first.order(1, "BUY", 10)
    second.order(1, "BUY", 5)
    first.order(2, "BUY", 1)

    assert ids(first.ask("5", "1")) == [("1", "1"), ("1", "2")]
    assert ids(second.ask("5", "1")) == [("2", "1")]
    assert ids(second.ask("16", "1")) == [("1", "1"), ("2", "1"), ("1", "2")]
    assert brief(second.ask("4", "1", "2", "")) == ["error 2 10147"]
    assert (next_id(first), next_id(second)) == ("3", "2")


def test_a_fill_is_told_to_the_client_of_the_order_alone(desk):
    first, second = Teller(desk, 1), Teller(desk, 2)
    first.order(1, "BUY", 10)
    told = desk.advance(at(3, 15))[1]
    assert brief(second.mine(told)) == []
    assert brief(first.mine(told))[-1] == "commission 1.00"
    assert [fields[22] for fields in second.ask(*ASK_EXECUTIONS) if fields[0] == "11"] == ["1"]


def test_the_next_id_of_a_client_outlives_its_session_and_the_gateway(desk, tmp_path):
    first = Teller(desk, 1)
    first.order(41, "BUY", 10)
    desk.leave(first.session)
    assert Teller(desk, 1).welcome[1] == ("9", "1", "42")
    close_desks()
    again = open_desk(tmp_path, at(2, 22))
    assert Teller(again, 1).welcome[1] == ("9", "1", "42")
    assert Teller(again, 2).welcome[1] == ("9", "1", "1")


def test_client_zero_binds_what_there_is_to_bind_and_trades_like_the_others(desk):
    zero = Teller(desk, 0)
    assert zero.ask("15", "1", "1") == []
    assert zero.order(1, "BUY", 10) == ["order 1 PreSubmitted", "status 1 PreSubmitted 0/10 at 0.0"]
    assert ids(zero.ask("5", "1")) == [("0", "1")]


def test_the_real_client_connects_as_client_zero(process, connect):
    ib = connect(process.running.port, 0)
    assert ib.client.isReady()
    assert ib.openTrades() == []


def test_messages_that_come_together_are_answered_in_turn(desk):
    teller = Teller(desk, 1)
    asked = [tuple(order_fields(number, "BUY", 1)) for number in (1, 2)]
    told = teller.mine(desk.receive(teller.session, asked[0], ("49", "1"), asked[1]))
    assert [fields[0] for fields in told] == ["5", "3", "49", "5", "3"]
