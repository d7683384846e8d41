"""A server that speaks just enough of the protocol to answer wrongly, late or never, as the gateway would not."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Sequence

ACCOUNT = "DU1234567"
EPOCH = 1767650400  # 2026-01-05 22:00 UTC

START, OPEN_ORDERS, COMPLETED, EXECUTIONS, POSITIONS, VALUES, TIME, PLACE = "71", "16", "99", "7", "61", "76", "49", "3"
CANCEL, NEXT_ID, DETAILS = "4", "8", "9"

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


def _stock(symbol: str, strike: str) -> tuple[object, ...]:
    return (265598, symbol, "STK", "", strike, "?", "", "SMART", "USD", symbol, symbol)


def open_order(
    order_id: int, perm_id: int, *, ref: str = "", client_id: int = 7, symbol: str = "AAPL", shares: int = 10,
    word: str = "PreSubmitted",
) -> Message:  # fmt: skip
    """One line of the list of open orders: 136 fields."""
    fields: list[object] = [5, order_id, *_stock(symbol, "0"), *[""] * 123]
    told = {
        13: "BUY", 14: shares, 15: "MKT", 16: "0.0", 17: "0.0", 18: "OPG", 20: ACCOUNT, 22: 0, 23: ref, 24: client_id,
        25: perm_id, 26: 0, 27: 0, 28: 0, 40: 0, 42: -1, 50: 0, 51: 0, 52: 0, 54: 3, 55: 0, 56: 0, 58: 0, 59: 0,
        62: "None", 64: 0, 68: "?", 69: 0, 70: 0, 72: 0, 79: 0, 80: 0, 81: 0, 86: 0, 89: 0, 90: 0, 92: 0, 93: 0,
        94: word, 109: 0, 110: 0, 111: 0, 112: "None", 124: 0, 125: 0, 126: 0, 127: 0,
    }  # fmt: skip
    for place, value in told.items():
        fields[place] = value
    return fields


def completed_order(perm_id: int, word: str, *, ref: str = "", symbol: str = "AAPL", filled: int = 0) -> Message:
    """One line of the list of completed orders: 101 fields, among them no order id and no client."""
    fields: list[object] = [101, *_stock(symbol, "0"), *[""] * 89]
    told = {
        12: "BUY", 13: 0, 14: "MKT", 17: "OPG", 19: ACCOUNT, 21: 0, 22: ref, 23: perm_id, 24: 0, 25: 0, 26: 0, 37: 0,
        39: -1, 46: 0, 47: 0, 49: 3, 50: 0, 53: "None", 55: 0, 56: 0, 57: 0, 59: 0, 64: 0, 65: 0, 66: 0, 73: 0, 74: 0,
        76: 0, 77: word, 78: 0, 79: 0, 80: 0, 84: 0, 85: 0, 87: filled, 88: 0, 89: 0, 91: 0, 92: 0,
    }  # fmt: skip
    for place, value in told.items():
        fields[place] = value
    return fields


def position(symbol: str, shares: str) -> Message:
    return (61, 3, ACCOUNT, 265598, symbol, "STK", "", "0.0", "", "", "", "USD", symbol, symbol, shares, "99.5")


def details(fields: list[str]) -> Sequence[Message]:
    """Any symbol is one stock."""
    symbol = fields[4]
    contract = (symbol, "STK", "", "0", "", "SMART", "USD", symbol, "NMS", symbol)
    plenty = (abs(hash(symbol)) % 10**6, "0.01", "", "", "", 1, 0, symbol, "NASDAQ", "", "", "", "", "US/Eastern")
    end = ("", "", "", "", 0, 1, "", "", 26, "", "COMMON", "1", "1", "100")
    return [(10, fields[2], *contract, *plenty, *end), (52, 1, fields[2])]


def lines(*messages: Message, end: int) -> Answer:
    """`messages`, then the end of their list."""
    return lambda _: [*messages, (end, 1)]


NORMAL: dict[str, Answer] = {
    START: accounts(ACCOUNT),
    OPEN_ORDERS: lambda _: [(53, 1)],
    COMPLETED: lambda _: [(102,)],
    EXECUTIONS: executions(),
    POSITIONS: lambda _: [(62, 1)],
    VALUES: values(("NetLiquidation", "1000.50", "USD"), ("TotalCashValue", "1000.50", "USD")),
    TIME: lambda _: [(49, 1, EPOCH)],
    DETAILS: details,
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
        client.sendall(pack((176, "20260105 17:00:00 US/Eastern")))
        while frame := _frame(read):
            fields = frame.decode().split("\0")[:-1]
            self.heard.append(fields)
            try:
                answer = self.answers.get(fields[0], silent)(fields)
                client.sendall(b"".join(map(pack, answer)))
            except (HangupError, OSError):
                return


def _frame(read: Callable[[int], bytes]) -> bytes:
    head = read(4)
    return read(struct.unpack(">I", head)[0]) if len(head) == 4 else b""


def pack(message: Message) -> bytes:
    payload = "".join(f"{field}\0" for field in message).encode()
    return struct.pack(">I", len(payload)) + payload
