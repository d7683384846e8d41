from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from hrp.domain.orders import OrderStatus
from hrp.domain.positions import Instrument
from hrp.errors import BrokerError, ConfigError
from hrp.execution import ibapi
from hrp.execution.broker import BrokerConfig, IBKRBroker

from .night import ACCOUNT, buy
from .peer import Peer, error, status

AAPL = Instrument(265598, "AAPL", "NASDAQ")
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())


def broker(server: Peer) -> IBKRBroker:
    return IBKRBroker(BrokerConfig("127.0.0.1", server.port, 7, ACCOUNT))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "no client library of TWS installed, ib_insync or ib_async alone is needed; run: make clean install"),
        (["ib_insync", "ib_async"], "ib_insync and ib_async installed, ib_insync or ib_async alone"),
    ],
)
def test_an_environment_without_exactly_one_client_library_is_refused(found: list[str], message: str):
    with pytest.raises(ConfigError, match=message):
        ibapi.choose(found)


@pytest.mark.parametrize("name", ["ib_insync", "ib_async"])
def test_the_configured_client_library_is_the_installed_one_or_a_replacement_is_told(name: str):
    if name == ibapi.INSTALLED:
        ibapi.require(name)
        return
    with pytest.raises(ConfigError, match=rf"set HRP_IB_CLIENT={ibapi.INSTALLED}, or replace it: pip uninstall -y "):
        ibapi.require(name)


def test_the_versions_to_replace_by_are_those_that_the_contract_was_run_with():
    pinned = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["ib-async"]]
    told = {wanted for wanted, _ in ibapi._CLIENTS.values()}
    assert told == {requirement for requirement in pinned if re.match("ib[-_]", requirement)}


@pytest.mark.parametrize("code", [161, 399, 404, 2109, 10147, 10349])
@pytest.mark.parametrize("error_first", [True, False])
def test_what_a_client_library_makes_of_a_notice_about_a_live_order_is_not_believed(code: int, error_first: bool):
    """ib_insync calls such an order cancelled, ib_async calls it cancelled or invalid."""

    def replies(fields: list[str]):
        said = [error(fields[1], code, "a notice"), status(fields[1], "Submitted")]
        return said if error_first else reversed(said)

    with Peer(m3=replies) as server, broker(server) as connected:
        word = connected.place(buy("AAPL", 10), AAPL, connected.next_order_id())

    assert (word.status, word.message, word.perm_id) == (OrderStatus.WORKING, "Submitted", 501)


@pytest.mark.parametrize("number", ["7", "9"])
def test_a_request_that_is_found_invalid_is_refused_at_once(number: str):
    with (
        Peer(**{f"m{number}": lambda f: [error(f[2], 321, "Error validating request")]}) as server,
        broker(server) as connected,
        pytest.raises(BrokerError, match="321 Error validating request"),
    ):
        connected.qualify(["AAPL"]) if number == "9" else connected.state()
