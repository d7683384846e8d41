"""A server that speaks just enough of the protocol to answer wrongly, late or never, as the gateway would not."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Sequence

ACCOUNT = "DU1234567"
EPOCH = 1767650400  # 2026-01-05 22:00 UTC

START, OPEN_ORDERS, COMPLETED, EXECUTIONS, POSITIONS, VALUES, TIME, PLACE = "71", "16", "99", "7", "61", "76", "49", "3"

Message = Sequence[object]
Answer = Callable[[list[str]], Sequence[Message]]


class HangupError(Exception):
    """Raised by an answer: close the connection instead."""


def silent(_fields: list[str]) -> Sequence[Message]:
    return []


def hangup(_fields: list[str]) -> Sequence[Message]:
    raise HangupError


def accounts(*names: str) -> Answer:
    return lambda _: [(15, 1, ",".join(names)), (9, 1, 1)]


def values(*rows: tuple[str, str, str], account: str = ACCOUNT) -> Answer:
    """Rows of (tag, value, currency), then their end."""
    return lambda f: [*((73, 1, f[2], account, "", *row) for row in rows), (74, 1, f[2])]


def executions(*messages: Message) -> Answer:
    """Messages in which `None` stands for the request's id, then their end."""
    return lambda f: [
        *([f[2] if field is None else field for field in message] for message in messages),
        (55, 1, f[2]),
    ]


def error(about: object, code: int, text: str) -> Message:
    return (4, 2, about, code, text, "")


def status(order_id: object, word: str, perm_id: int = 501, remaining: int = 10) -> Message:
    return (3, order_id, word, 0, remaining, 0, perm_id, 0, 0, 7, "", 0)


def execution(exec_id: str, time: str, *, shares: str = "10", price: str = "101.1", order_ref: str = "") -> Message:
    contract = (265598, "AAPL", "STK", "", "0.0", "", "", "NYSE", "USD", "AAPL", "AAPL")
    return (
        11, None, 5, *contract, exec_id, time, ACCOUNT, "NYSE", "BOT", shares, price, 501, 7, 0, shares, price,
        order_ref, "", "", "", 1,
    )  # fmt: skip


def commission(exec_id: str, amount: str) -> Message:
    return (59, 1, exec_id, amount, "USD", "1.7976931348623157E308", "", "")


NORMAL: dict[str, Answer] = {
    START: accounts(ACCOUNT),
    OPEN_ORDERS: lambda _: [(53, 1)],
    COMPLETED: lambda _: [(102,)],
    EXECUTIONS: executions(),
    POSITIONS: lambda _: [(62, 1)],
    VALUES: values(("NetLiquidation", "1000.50", "USD"), ("TotalCashValue", "1000.50", "USD")),
    TIME: lambda _: [(49, 1, EPOCH)],
}


class Peer:
    """Listens on a port of its own; `answers` by message number replace the normal ones. `heard` is what came in."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = {**NORMAL, **{number.removeprefix("m"): answer for number, answer in answers.items()}}
        self.heard: list[list[str]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                self._converse(client, stream.read)

    def _converse(self, client: socket.socket, read: Callable[[int], bytes]) -> None:
        if read(4) != b"API\0" or not _frame(read):
            return
        client.sendall(_pack((176, "20260105 17:00:00 US/Eastern")))
        while frame := _frame(read):
            fields = frame.decode().split("\0")[:-1]
            self.heard.append(fields)
            try:
                answer = self.answers.get(fields[0], silent)(fields)
                client.sendall(b"".join(map(_pack, answer)))
            except (HangupError, OSError):
                return


def _frame(read: Callable[[int], bytes]) -> bytes:
    head = read(4)
    return read(struct.unpack(">I", head)[0]) if len(head) == 4 else b""


def _pack(message: Message) -> bytes:
    payload = "".join(f"{field}\0" for field in message).encode()
    return struct.pack(">I", len(payload)) + payload
