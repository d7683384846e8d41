"""A small market with round numbers, a desk without sockets, and a client made of bytes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hrp.gateway import desk
from hrp.gateway.delivery import Delivery
from hrp.gateway.desk import Desk
from hrp.gateway.market import Market
from hrp.gateway.scenario import Scenario
from hrp.gateway.session import Session
from hrp.gateway.state import Ledger

ACCOUNT = "DU1234567"

# 2024-01-02 was a Tuesday; the Monday after is 2024-01-08. New York is at UTC-5.
BARS = [
    ("AAA", date(2024, 1, 2), 100.0, 104.0, 99.0, 102.0, 1000),
    ("AAA", date(2024, 1, 3), 103.0, 106.0, 101.0, 105.0, 1100),
    ("AAA", date(2024, 1, 4), 104.0, 108.0, 103.5, 107.0, 1200),
    ("AAA", date(2024, 1, 5), 110.0, 112.0, 109.0, 111.0, 1300),
    ("BRK.B", date(2024, 1, 2), 360.0, 361.0, 359.0, 360.5, 50),
    ("BRK.B", date(2024, 1, 3), 361.0, 363.0, 360.0, 362.0, 60),
    ("BRK.B", date(2024, 1, 5), 362.5, 364.0, 362.0, 363.0, 70),
    ("NEW", date(2024, 1, 4), 20.0, 21.0, 19.0, 20.5, 500),
    ("NEW", date(2024, 1, 5), 20.6, 22.0, 20.0, 21.0, 600),
]


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of January 2024 in UTC; the exchange opens at 14:30 and closes at 21:00."""
    return datetime(2024, 1, day, hour, minute, tzinfo=UTC)


def write_market(path: Path, rows: Iterable[tuple[object, ...]] = BARS) -> Path:
    """A market file with `rows`."""
    names = ["symbol", "session", "open", "high", "low", "close", "volume"]
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), path)
    return path


_opened: list[Ledger] = []


def open_desk(
    folder: Path, clock: datetime, cash: str = "100000.00", scenario: Scenario | None = None, **terms: str
) -> Desk:
    """A desk over the state in `folder`, as a restarted process would have it; `volume_share="0.1"` is a term."""
    market = folder / "market.parquet"
    ledger = Ledger(folder)
    _opened.append(ledger)
    ledger.found(ACCOUNT, clock, Decimal(cash), {name.replace("_", "-"): text for name, text in terms.items()})
    bars = Market(market if market.exists() else write_market(market), ledger.terms.actions)
    return desk.open_desk(ledger, bars, scenario)


def close_desks() -> None:
    """Let go of the files of every desk that was opened."""
    while _opened:
        _opened.pop().close()


class Teller:
    """One client at a desk: asks in fields and gets fields."""

    def __init__(self, desk: Desk, client_id: int = 7) -> None:
        self.desk, self.client_id, self.session = desk, client_id, Session()
        self.welcome = self.ask("71", "2", str(client_id), "")

    def ask(self, *fields: str) -> list[tuple[str, ...]]:
        """The messages that come back to this client."""
        return self.mine(self.desk.receive(self.session, fields))

    def mine(self, deliveries: Iterable[Delivery]) -> list[tuple[str, ...]]:
        """Those of `deliveries` that are for this client."""
        return [d.on_wire() for d in deliveries if d.session is self.session and d.fields]

    def order(self, order_id: int, action: str, quantity: object, symbol: str = "AAA", **terms: str) -> list[str]:
        """Place an order and say what came back, in short."""
        return brief(self.ask(*order_fields(order_id, action, quantity, symbol, **terms)))

    def advance(self, to: datetime) -> list[str]:
        """Move the clock and say what this client is told of orders, in short."""
        return brief(self.mine(self.desk.advance(to)[1]))


def order_fields(order_id: int, action: str, quantity: object, symbol: str = "AAA", **terms: str) -> list[str]:
    """A placeOrder of 115 fields, written by hand from the protocol's table."""
    fields = [""] * 115
    fields[0], fields[1] = "3", str(order_id)
    fields[2], fields[3], fields[4], fields[6], fields[9] = "0", symbol, "STK", "0.0", terms.get("exchange", "SMART")
    fields[11], fields[16], fields[17] = "USD", action, str(quantity)
    fields[18] = terms.get("kind", "LMT" if "limit" in terms else "MKT")
    fields[19], fields[21] = terms.get("limit", ""), terms.get("tif", "OPG")
    fields[23], fields[26], fields[27] = terms.get("account", ACCOUNT), terms.get("ref", ""), terms.get("transmit", "1")
    fields[33], fields[38] = terms.get("outside_rth", "0"), terms.get("good_till", "")
    fields[46], fields[82], fields[85], fields[90] = "-1", "0", terms.get("what_if", "0"), "0"
    return fields


def brief(messages: Iterable[tuple[str, ...]]) -> list[str]:
    """Messages about orders in a few words each; others are left out."""
    return [text for text in map(_brief, messages) if text]


def _brief(fields: tuple[str, ...]) -> str:
    match fields[0]:
        case "3":
            return f"status {fields[1]} {fields[2]} {fields[3]}/{fields[4]} at {fields[5]}"
        case "4":
            return f"error {fields[2]} {fields[3]}"
        case "5":
            return f"order {fields[1]} {fields[94]}"
        case "11":
            return f"exec {fields[2]} {fields[18]} {fields[19]} at {fields[20]}"
        case "59":
            return f"commission {fields[3]}"
    return ""


class RawClient:
    """A socket that speaks the protocol from its description, without any library."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._buffer = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def greet(self, versions: str = "v157..176", client_id: int = 99) -> list[str]:
        """Shake hands and name the client; the handshake's answer."""
        payload = versions.encode()
        self.socket.sendall(b"API\0" + struct.pack(">I", len(payload)) + payload)
        answer = self.read()
        self.send("71", "2", str(client_id), "")
        return answer

    def send(self, *fields: str) -> None:
        """One message."""
        self.socket.sendall(self.framed(*fields))

    def framed(self, *fields: str) -> bytes:
        """One message as bytes."""
        payload = "".join(f"{text}\0" for text in fields).encode()
        return struct.pack(">I", len(payload)) + payload

    def read(self) -> list[str]:
        """The next message; an empty list when the server has hung up."""
        header = self._take(4)
        return self._take(struct.unpack(">I", header)[0]).decode().split("\0")[:-1] if header else []

    def read_until(self, number: str) -> list[list[str]]:
        """Messages up to and including the first of kind `number`."""
        messages = [self.read()]
        while messages[-1] and messages[-1][0] != number:
            messages.append(self.read())
        return messages

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            received = self.socket.recv(65536)
            if not received:
                return b""
            self._buffer += received
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken
