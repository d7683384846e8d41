"""Start, stop, kill -9, start again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from hrp.errors import ConfigError
from hrp.gateway import client
from hrp.gateway.__main__ import main
from hrp.gateway.errors import GatewayError, GatewayNotRunningError
from hrp.gateway.process import is_alive, read_note

from .support import ACCOUNT, BARS, RawClient, at, order_fields, write_market


@pytest.fixture
def market(tmp_path):
    return write_market(tmp_path / "market.parquet")


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    yield folder
    client.stop(folder)


def kill(state) -> None:
    """End the gateway as a power cut would."""
    running = read_note(state)
    os.kill(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)
    assert not is_alive(state)


def test_a_killed_gateway_continues_where_it_was(market, state):
    running = client.start(state, market, ACCOUNT, clock=at(2, 22), cash=Decimal("50000.00"))
    with RawClient(running.port) as raw:
        raw.greet(client_id=7)
        raw.read_until("9")
        raw.send(*order_fields(1, "BUY", 10, ref="held"))
        perm_id = raw.read_until("5")[-1][25]
        client.advance(state, at(3, 22))
        raw.send(*order_fields(2, "BUY", 5, ref="waiting"))
        while (acknowledged := raw.read_until("5")[-1])[1] != "2":
            pass
    kill(state)
    refs = [message.order_ref for message in client.message_log(state, direction="in", message_id=3)]
    assert refs == ["held", "waiting"]
    with pytest.raises(GatewayNotRunningError, match="hrp gateway start"):
        client.status(state)

    again = client.start(state, market, ACCOUNT)

    now = client.status(state)
    assert again.pid != running.pid
    assert (now.clock, now.cash, now.working_orders) == (at(3, 22), Decimal("48969.00"), 1)
    with RawClient(again.port) as raw:
        raw.greet(client_id=7)
        assert raw.read_until("9")[-1] == ["9", "1", "3"]
        raw.send("5", "1")
        assert raw.read_until("5")[-1][23:26] == ["waiting", "7", acknowledged[25]]
        raw.send("99", "0")
        assert raw.read_until("101")[-1][22:24] == ["held", perm_id]
    assert client.advance(state, at(4, 22)).fills == 1
    os.kill(again.pid, signal.SIGTERM)
    os.waitpid(again.pid, 0)
    assert client.running(state) is None
    assert not (state / "gateway.json").exists()


def test_partial_fills_actions_and_terms_survive_a_kill(market, state, tmp_path):
    actions = tmp_path / "actions.csv"
    actions.write_text("symbol,ex_session,kind,value\nAAA,2024-01-04,dividend,1\nBRK.B,2024-01-05,split,2\n")
    terms = {"volume-share": "0.1", "actions": str(actions)}
    running = client.start(state, market, ACCOUNT, clock=at(2, 22), cash=Decimal("50000.00"), terms=terms)
    with RawClient(running.port) as raw:
        raw.greet(client_id=7)
        raw.read_until("9")
        raw.send(*order_fields(1, "BUY", 300, tif="GTC"))
        raw.send(*order_fields(2, "BUY", 5, "BRK B", tif="GTC"))
        raw.send("49", "1")
        raw.read_until("49")
    client.advance(state, at(4, 14, 30))
    before = client.status(state)
    # 110 at 103 on 2024-01-03 and 5 BRK B at 361, 1.00 each; 110 dividends; 120 at 104 and 1.00 on 2024-01-04
    assert before.cash == Decimal("50000") - 11330 - 1805 - 2 + 110 - 12480 - 1
    kill(state)

    client.start(state, market, ACCOUNT)

    now = client.status(state)
    assert (now.cash, now.net_liquidation, now.working_orders) == (before.cash, before.net_liquidation, 1)
    with RawClient(client.running(state).port) as raw:
        raw.greet(client_id=7)
        raw.send("16", "1")
        assert raw.read_until("3")[-1][1:5] == ["1", "Submitted", "230", "70"]
        assert client.advance(state, at(5, 22)).fills == 1
        raw.send("61", "1")
        positions = [fields for fields in raw.read_until("62") if fields[0] == "61"]
        assert [fields[14] for fields in positions] == ["300", "10"]
    assert client.status(state).cash == before.cash - 70 * 110 - 1


def test_a_state_of_another_layout_or_of_another_kind_is_refused(market, state, capsys):
    state.mkdir()
    arguments = ["--state", str(state), "--market", str(market), "--account", ACCOUNT]
    with closing(sqlite3.connect(state / "gateway.sqlite")) as old, old:
        old.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        old.execute("INSERT INTO facts VALUES ('account', ?)", (ACCOUNT,))
    assert main(arguments) == 3
    assert "by another version of HRP (layout 1, this one has 2); move the folder away" in capsys.readouterr().err
    (state / "gateway.sqlite").write_text("this is no database, and it is long enough to be read as one" * 10)
    assert main(arguments) == 3
    assert "cannot be used: file is not a database; move it away" in capsys.readouterr().err


def test_start_status_and_stop(market, state):
    assert client.running(state) is None
    running = client.start(state, market, ACCOUNT)
    assert client.start(state, market, ACCOUNT) == running
    assert json.loads((state / "gateway.json").read_text())["pid"] == running.pid
    assert client.status(state).clock == at(5, 21)  # the last close in the file
    with pytest.raises(GatewayError, match="cannot go back"):
        client.advance(state, at(4, 22))
    write_market(market, [*BARS, ("AAA", at(8, 0).date(), 112.0, 113.0, 111.0, 112.5, 10)])
    assert client.reload(state)
    assert not client.reload(state)
    with pytest.raises(GatewayError, match="DU1234567 runs in"):
        client.start(state, market, "DU7654321")

    assert client.stop(state)

    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)
    assert not (state / "gateway.json").exists()
    assert not client.stop(state)
    assert client.message_log(state) == []
    with pytest.raises(GatewayError, match="did not start: this state directory belongs to account DU1234567"):
        client.start(state, market, "DU7654321")


def test_a_note_left_by_a_dead_gateway_is_ignored(market, state):
    state.mkdir()
    note = {"pid": os.getpid(), "port": 1, "control_port": 1, "account": ACCOUNT}
    (state / "gateway.json").write_text(json.dumps(note))
    assert client.running(state) is None
    with pytest.raises(GatewayNotRunningError, match="no gateway runs"):
        client.advance(state, at(3, 22))


REFUSED = [
    (["--account", "U1234567"], 2, "is no paper account"),
    (["--account", ACCOUNT, "--market", "absent.parquet"], 1, "no market file"),
    (["--account", ACCOUNT, "--actions", "absent.csv"], 1, "no market file absent.csv"),
    (["--account", ACCOUNT, "--volume-share", "2"], 2, "--volume-share '2' is not a fraction"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED)
def test_a_gateway_that_cannot_start_says_why(market, state, capsys, arguments, code, words):
    assert main(["--state", str(state), "--market", str(market), *arguments]) == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("clock", ["2024-01-02T22:00:00", "tomorrow"])
def test_a_clock_without_a_zone_is_wrong_usage(market, state, clock, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--state", str(state), "--market", str(market), "--account", ACCOUNT, "--clock", clock])
    assert ended.value.code == 2
    assert "--clock" in capsys.readouterr().err


def test_instants_without_a_zone_are_refused(market, state):
    with pytest.raises(ConfigError, match="no time zone"):
        client.start(state, market, ACCOUNT, clock=at(2, 22).replace(tzinfo=None))
    with pytest.raises(ConfigError, match="no time zone"):
        client.advance(state, at(2, 22).replace(tzinfo=None))


def test_there_is_no_log_where_no_gateway_ran(state):
    with pytest.raises(GatewayError, match="no message log"):
        client.message_log(state)
