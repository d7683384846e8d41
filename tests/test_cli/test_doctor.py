"""hrp doctor broker: how far the way to the broker leads, and what to do where it ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from workspaces import ACCOUNT, empty_workspace

from hrp.data import market
from hrp.errors import EXIT_DONE, EXIT_NOT_READY, EXIT_USAGE
from hrp.execution.broker import IBKRBroker

from .conftest import Hrp
from .desk import FIRST, Desk, evening, open_desk

STEPS = ["settings", "listener", "handshake", "client id", "account", "clocks", "state", "instrument"]


def steps(hrp: Hrp, over: Any, expected_exit: int = EXIT_NOT_READY) -> dict[str, dict[str, Any]]:
    said = hrp("doctor", "broker", "--json", over=over)
    assert said.code == expected_exit
    assert [step["check"] for step in said.json] == STEPS
    return {step["check"]: step for step in said.json}


def ends_at(found: dict[str, dict[str, Any]], name: str) -> str:
    """Assert that all before `name` is well and nothing after it was reached; what was said there."""
    place = STEPS.index(name)
    assert [found[step]["ok"] for step in STEPS] == [True] * place + [False] + [None] * (len(STEPS) - place - 1)
    return str(found[name]["detail"])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path / "home") as opened:
        yield opened


@contextmanager
def listening(*, hang_up: bool) -> Iterator[int]:
    """Somebody who takes connections and says nothing, or who has stopped taking any."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if hang_up:
            server.close()
        yield port


def test_a_way_that_leads_through_is_told_step_by_step(hrp: Hrp, desk: Desk):
    found = steps(hrp, desk.workspace, EXIT_DONE)

    assert all(step["ok"] for step in found.values())
    assert "paper account DU1234567" in found["settings"]["detail"]
    assert found["clocks"]["detail"] == "0 s apart"
    assert found["state"]["detail"] == "complete: 100,000.00 USD, 0 positions, 0 working orders, 0 executions"
    assert found["instrument"]["detail"].startswith("AAPL is ")
    assert "ok" in hrp("doctor", "broker", over=desk.workspace).out


def test_nobody_listens(hrp: Hrp, tmp_path: Path):
    with listening(hang_up=True) as port:
        found = steps(hrp, empty_workspace(tmp_path, IBKR_PORT=port))

    assert "compare its Socket port with IBKR_PORT" in ends_at(found, "listener")


def test_somebody_listens_and_is_silent(hrp: Hrp, tmp_path: Path):
    with listening(hang_up=False) as port:
        found = steps(hrp, empty_workspace(tmp_path, IBKR_PORT=port, IBKR_TIMEOUT_SECONDS="0.3"))

    assert "tick Enable ActiveX and Socket Clients, add this machine to Trusted IPs" in ends_at(found, "handshake")


def test_settings_that_cannot_be_meant(hrp: Hrp, tmp_path: Path):
    found = steps(hrp, empty_workspace(tmp_path, IBKR_ACCOUNT="U1234567"))

    assert "does not have the form of a paper account" in ends_at(found, "settings")


def test_the_client_id_is_taken(hrp: Hrp, desk: Desk):
    with IBKRBroker(desk.workspace.app.broker_config()):
        found = steps(hrp, desk.workspace)

    assert "is already in use" in ends_at(found, "client id")


def test_the_server_serves_another_account(hrp: Hrp, desk: Desk):
    desk.set(IBKR_ACCOUNT="DU7654321")

    assert f"serves {ACCOUNT}, not account DU7654321" in ends_at(steps(hrp, desk.workspace), "account")


def test_the_clocks_differ(hrp: Hrp, desk: Desk):
    desk.set(HRP_CLOCK=(evening(FIRST) + timedelta(minutes=5)).isoformat())

    assert "set the host's clock" in ends_at(steps(hrp, desk.workspace), "clocks")


def test_the_broker_does_not_know_the_first_symbol(hrp: Hrp, desk: Desk):
    app = desk.workspace.app
    members = pd.DataFrame([{"symbol": "ZZZZ", "start_session": FIRST, "end_session": None}])
    with app.store().write() as con:
        market.save_universe(con, app.settings.universe, members, app.clock.now())

    assert "no single instrument for ZZZZ" in ends_at(steps(hrp, desk.workspace), "instrument")


def test_only_the_broker_is_looked_at_more_closely(hrp: Hrp, desk: Desk):
    assert hrp("doctor", "weather", over=desk.workspace).code == EXIT_USAGE
