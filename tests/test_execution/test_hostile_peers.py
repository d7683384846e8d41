"""A peer that answers, but not as the broker would: given up in bounded time, in words; nothing is taken for known."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hrp.domain.orders import OrderStatus
from hrp.errors import EXIT_NOT_READY, BrokerError
from hrp.execution.broker import BrokerConfig, IBKRBroker

from . import peer
from .ledgers import Ledgers
from .night import ACCOUNT, buy
from .peer import Peer, error, lines, silent

AAPL = buy("AAPL", 10)
GREETING = (176, "20260105 17:00:00 US/Eastern")
WELCOME = [(15, 1, ACCOUNT), (9, 1, 1)]
Talk = Callable[[socket.socket], None]


@contextmanager
def talking(talk: Talk) -> Iterator[int]:
    """A port at which `talk` is had with each client, until that hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                try:
                    client.recv(1024)
                    talk(client)
                    while client.recv(1024):
                        pass
                except OSError:
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def says(*raw: bytes) -> Talk:
    return lambda client: client.sendall(b"".join(raw))


def framed(*messages: peer.Message) -> bytes:
    return b"".join(map(peer.pack, messages))


HALF = framed(GREETING)[:-7]  # of a greeting
HALF_LATER = framed(GREETING, *WELCOME) + framed((53, 1))[:-1]
ENDLESS = struct.pack(">I", 2**31) + b"5\0" * 10


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        pytest.param(lambda _client: None, "was silent for 0.5 s", id="accepts and never answers"),
        pytest.param(says(framed(GREETING)), "did not finish signing on within 0.5 s", id="greets and never answers"),
        pytest.param(says(HALF), "did not finish signing on", id="half a frame"),
        pytest.param(says(ENDLESS), "does not speak the protocol of TWS", id="a frame that never ends"),
        pytest.param(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "(it said 'HTTP/1.1 400", id="another protocol"),
        pytest.param(says(b"\xff" * 64), "does not speak the protocol of TWS", id="garbage"),
        pytest.param(says(framed(("garbage", "more"))), "does not speak the protocol", id="garbage in a frame"),
        pytest.param(
            says(framed((150, "20260105 17:00:00 US/Eastern"))), "speaks server version 150", id="an old version"
        ),
        pytest.param(
            says(framed(GREETING, (15, 1), (9, 1, 1))), "did not finish signing on", id="an account list cut short"
        ),
        pytest.param(says(HALF_LATER), "did not finish stating its open orders within 0.5 s", id="half a list"),
    ],
)
def test_a_hostile_peer_is_given_up_in_words_and_nothing_is_recorded(tmp_path, clock, talk, words):
    ledgers = Ledgers(tmp_path, [AAPL])
    ledgers.ledger.record_status(AAPL.order_ref, OrderStatus.SENDING, "about to be sent", broker_order_id=5)

    with talking(talk) as port, pytest.raises(BrokerError) as raised:
        ledgers.run(IBKRBroker(BrokerConfig("127.0.0.1", port, 7, ACCOUNT, timeout=0.5)), clock)

    assert words in str(raised.value)
    assert raised.value.exit_code == EXIT_NOT_READY
    assert ledgers.statuses() == {"AAPL": OrderStatus.SENDING}
    assert ledgers.fills() == []


OLD_LAYOUT = peer.open_order(5, 501, ref=AAPL.order_ref)[:100]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({peer.OPEN_ORDERS: lines(OLD_LAYOUT, end=53)}, "could not be read"),
        ({peer.COMPLETED: lambda _: [peer.completed_order(501, "Filled")[:90], (102,)]}, "could not be read"),
        ({peer.EXECUTIONS: peer.executions(peer.execution("a.b.01", "yesterday"))}, "is no execution time"),
        ({peer.VALUES: silent}, "did not finish stating its account values"),
        ({peer.TIME: lambda _: [(49, 1, "noon")]}, "time"),
        ({peer.OPEN_ORDERS: lambda _: [error(-1, 1100, "lost"), (53, 1)]}, "lost its server (1100 lost)"),
    ],
)
def test_a_state_in_another_layout_or_with_holes_is_no_state(tmp_path, clock, answers, words):
    ledgers = Ledgers(tmp_path, [AAPL])
    with Peer() as server:
        server.answers |= answers
        with pytest.raises(BrokerError) as raised:
            ledgers.run(IBKRBroker(BrokerConfig("127.0.0.1", server.port, 7, ACCOUNT, timeout=0.5)), clock)
        assert peer.PLACE not in {fields[0] for fields in server.heard}

    assert words in str(raised.value)
    assert ledgers.statuses() == {"AAPL": OrderStatus.PLANNED}


def test_two_frames_in_one_packet_and_one_frame_in_many_are_read_alike():
    calm = b"".join(map(peer.pack, [GREETING, *WELCOME]))

    def in_pieces(client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(len(calm)):
            client.sendall(calm[place : place + 1])

    for talk in (in_pieces, says(calm)):
        with talking(talk) as port, IBKRBroker(BrokerConfig("127.0.0.1", port, 7, ACCOUNT, timeout=5)) as connected:
            assert connected.is_connected()


def test_the_command_ends_with_three_and_one_clear_line(tmp_path: Path):
    env = tmp_path / ".env"
    hrp = [sys.executable, "-m", "hrp"]
    with talking(says(b"\xff" * 64)) as port:
        settings = {
            "HRP_HOME": tmp_path / "home", "IBKR_PORT": port, "IBKR_ACCOUNT": ACCOUNT, "IBKR_TIMEOUT_SECONDS": 0.5,
            "HRP_CLOCK": "2022-12-28T23:30:00+00:00",
        }  # fmt: skip
        env.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        subprocess.run([*hrp, "init", "--env-file", env], check=True, capture_output=True)
        done = subprocess.run(
            [*hrp, "run", "position-sync", "--env-file", env], capture_output=True, text=True, check=False
        )

    assert done.returncode == EXIT_NOT_READY
    assert f"error: 127.0.0.1:{port} does not speak the protocol of TWS" in done.stderr
    assert "Traceback" not in done.stderr
    assert Ledgers(tmp_path / "home").fills() == []
