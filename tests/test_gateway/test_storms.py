"""Scenarios at a gateway of its own process: restarts, broken bytes, time, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hrp.errors import ConfigError
from hrp.gateway import client, scenario
from hrp.gateway.errors import GatewayError
from hrp.gateway.process import Running

from .support import ACCOUNT, RawClient, at, order_fields, write_market

ASK_EXECUTIONS = ("7", "3", "9", *[""] * 7)


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    yield folder
    client.stop(folder)


@pytest.fixture
def start(tmp_path, state) -> Iterator[Callable[..., Running]]:
    """Start a gateway on the evening of 2024-01-02 that plays a scenario."""
    market = write_market(tmp_path / "market.parquet")

    def run(said: object) -> Running:
        return client.start(state, market, ACCOUNT, clock=at(2, 22), scenario=said)

    yield run


def greeted(port: int, client_id: int = 7) -> RawClient:
    raw = RawClient(port)
    raw.greet(client_id=client_id)
    raw.read_until("9")
    return raw


RESTARTS = {"restart-before-order": ["1"], "restart-after-order": ["1", "2"]}


@pytest.mark.parametrize("name", RESTARTS)
def test_a_gateway_restarts_on_the_same_ports_with_what_it_had_taken(start, state, name):
    running = start(name)
    with greeted(running.port) as raw:
        raw.send(*order_fields(1, "BUY", 1))
        raw.read_until("3")
        raw.send(*order_fields(2, "BUY", 1))
        assert raw.read_until("nothing")[-1] == []
    assert client.status(state).working_orders == len(RESTARTS[name])
    assert client.start(state, state, ACCOUNT) == client.running(state) == running
    with greeted(running.port) as raw:
        raw.send("5", "1")
        assert [fields[1] for fields in raw.read_until("53") if fields[0] == "5"] == RESTARTS[name]
        raw.send(*order_fields(3, "BUY", 1))
        assert raw.read_until("3")[-1][1] == "3"
    assert client.stop(state)


def test_a_restart_by_the_clock_lets_the_clock_move_on(start, state):
    running = start("restart-2345")
    with greeted(running.port) as raw:
        raw.send(*order_fields(1, "BUY", 1))
        raw.read_until("3")
        moved = client.advance(state, at(3, 22))
        assert (moved.clock, moved.fills) == (at(3, 22), 1)
        assert raw.read_until("nothing")[-1] == []
    now = client.status(state)
    assert (now.clock, now.running, now.clients) == (at(3, 22), running, ())


def test_a_gateway_that_runs_takes_up_no_scenario(start):
    start("order-lost")
    with pytest.raises(GatewayError, match="scenarios begin with it; stop it: hrp gateway stop"):
        start("order-lost")


def test_half_a_frame_and_the_end(start):
    running = start("frame-cut")
    with greeted(running.port) as raw:
        raw.send(*order_fields(1, "BUY", 1))
        assert raw.read_until("5")[-1] == []


def test_a_connection_that_breaks_leaves_the_order_where_a_new_one_finds_it(start):
    running = start("drop-after-accept")
    with greeted(running.port) as raw:
        raw.send(*order_fields(1, "BUY", 1, ref="kept"))
        assert raw.read_until("5")[-1] == []
    with greeted(running.port) as raw:
        raw.send("5", "1")
        assert raw.read_until("5")[-1][23] == "kept"


def test_what_is_late_comes_after_what_was_asked_later(start):
    running = start("lists-slow")
    with greeted(running.port) as raw:
        raw.send("61", "1")
        raw.send("49", "1")
        assert [raw.read_until("49")[-1][0], raw.read_until("62")[-1][0]] == ["49", "62"]


def test_the_real_client_sees_a_correction_as_a_second_fill(start, state, connect):
    from ib_insync import MarketOrder, Stock

    ib = connect(start("price-corrected").port, 1)
    placed = ib.placeOrder(Stock("AAA", "SMART", "USD"), MarketOrder("BUY", 10, tif="OPG", account=ACCOUNT))
    while placed.orderStatus.status != "PreSubmitted":
        ib.waitOnUpdate(timeout=5)
    client.advance(state, at(3, 15))
    while not placed.isDone():
        ib.waitOnUpdate(timeout=5)
    assert [fill.execution.price for fill in placed.fills] == [103.25, 103.0]
    assert placed.filled() == 20.0


def test_a_combination_is_started_as_a_record(start, state):
    running = start(scenario.combine([scenario.load("order-lost"), scenario.load("wrong-account")], seed=3))
    with RawClient(running.port) as raw:
        raw.greet()
        assert raw.read_until("15")[-1] == ["15", "1", "U7654321"]
        raw.send(*order_fields(1, "BUY", 1))
        raw.send("5", "1")
        assert raw.read_until("53")[-1] == ["53", "1"]
    notes = [note.fields[0][:7] for note in client.message_log(state, direction="note")]
    assert notes[:2] == ["fault 2", "fault 1"]


def test_a_scenario_that_cannot_be_read_is_refused_before_anything_starts(start, state, tmp_path):
    (tmp_path / "bad.yaml").write_text("about: x\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml: the file lacks seen, faults"):
        start(tmp_path / "bad.yaml")
    assert client.running(state) is None
