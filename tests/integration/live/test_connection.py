"""Authentication, connecting, disconnecting, connecting again."""

from __future__ import annotations

import time

import pytest

from hrp.errors import BrokerConnectionError, ConfigError, WrongAccountError
from hrp.execution.ibapi import INSTALLED
from hrp.execution.orders import require_same_time

from .venue import VARIABLES, Venue, named

LIVE_PORTS = (7496, 4001)
NEWEST = {"ib_insync": 176, "ib_async": 178}  # what a server that is not older speaks with each client library


def test_the_server_proves_the_account_before_anything_is_asked(venue: Venue):
    with venue.broker() as broker:
        assert venue.account in broker._proven().ib.client.getAccounts()
        assert broker.state().account.account == venue.account


def test_the_protocol_is_the_newest_that_the_client_library_speaks(venue: Venue):
    with venue.broker() as broker:
        assert broker._proven().ib.client.serverVersion() == NEWEST[INSTALLED]


def test_another_account_is_refused_and_the_connection_with_it(venue: Venue):
    broker = venue.broker(IBKR_ACCOUNT="DU0000000")
    with pytest.raises(WrongAccountError, match=rf"serves {venue.account}, not account DU0000000"):
        broker.connect()
    assert not broker.is_connected()


def test_a_live_account_is_refused_before_a_socket_is_opened(venue: Venue):
    with pytest.raises(WrongAccountError, match="account U1234567 does not have the form of a paper account"):
        venue.broker(IBKR_ACCOUNT="U1234567").connect()


@pytest.mark.parametrize("port", LIVE_PORTS)
def test_a_live_port_is_refused_before_a_broker_is_built(venue: Venue, port: int):
    with pytest.raises(ConfigError, match=f"IBKR_PORT={port} is a live port"):
        venue.broker(IBKR_PORT=port)


def test_the_contract_itself_is_tried_with_nothing_but_a_paper_account():
    variables = dict(zip(VARIABLES, ("127.0.0.1", "7497", "1", "U1234567"), strict=True))
    with pytest.raises(ConfigError, match="IBKR_ACCOUNT=U1234567 is no paper account"):
        named(variables)
    with pytest.raises(ConfigError, match="set IBKR_PORT, IBKR_ACCOUNT"):
        named({**variables, "IBKR_PORT": "", "IBKR_ACCOUNT": ""})
    assert named({**variables, "IBKR_ACCOUNT": "DF1234567"}).account == "DF1234567"


def test_a_client_library_that_is_not_installed_is_a_wrong_setting(venue: Venue):
    other = {"ib_insync": "ib_async", "ib_async": "ib_insync"}[INSTALLED]
    with pytest.raises(ConfigError, match=f"HRP_IB_CLIENT={other} is not installed here, {INSTALLED} is; set"):
        venue.broker(HRP_IB_CLIENT=other)


def test_it_connects_disconnects_and_connects_again(venue: Venue, latencies: list[float]):
    broker = venue.broker()
    held = []
    for _ in range(3):
        start = time.perf_counter()
        broker.connect()
        latencies.append(time.perf_counter() - start)
        assert broker.is_connected()
        held.append(broker.state().held())
        broker.disconnect()
        assert not broker.is_connected()
        broker.disconnect()
    assert held[0] == held[1] == held[2]
    with pytest.raises(BrokerConnectionError, match="not connected to"):
        broker.state()


def test_a_client_id_in_use_is_refused_and_the_first_connection_lives_on(venue: Venue):
    with venue.broker() as first:
        with pytest.raises(BrokerConnectionError, match=f"client id {venue.client_id} is already in use"):
            venue.broker().connect()
        assert first.server_time()
    with venue.broker() as later:
        assert later.server_time()


def test_two_clients_are_served_side_by_side(venue: Venue):
    with venue.broker() as one, venue.broker(client=1) as other:
        assert one.state().held() == other.state().held()


def test_the_servers_clock_is_the_hosts(venue: Venue):
    with venue.broker() as broker:
        require_same_time(broker.server_time(), venue.clock().now())
