"""A message on its way to a client, and the packets that carry it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hrp.gateway.layouts import OUTBOUND, at_version, message_number, name_of
from hrp.gateway.session import Session
from hrp.gateway.wire import HEADER_BYTES, Fields, frame

WHOLE, CUT, SPLIT, JOINED, GARBAGE = "whole", "cut", "split", "joined", "garbage"
_NOISE = 0xA5


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for one session, with the fields of all versions; without fields nothing is sent.

    The server closes the session after it if `closes`, and waits `seconds` before it. `shape` is how its bytes travel.
    """

    session: Session
    fields: Fields = ()
    closes: bool = False
    shape: str = WHOLE
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The name of the message, empty without one."""
        return name_of(OUTBOUND, message_number(self.fields)) if self.fields else ""

    def on_wire(self) -> Fields:
        """The message as the session's version has it."""
        return at_version(self.fields, self.session.version)


def packets(deliveries: Iterable[Delivery]) -> Iterator[tuple[Delivery, list[bytes]]]:
    """Each delivery with what is to be written for it, one item a packet."""
    waiting: dict[Session, bytes] = {}
    for delivery in deliveries:
        if not delivery.fields:
            yield delivery, []
            continue
        whole = waiting.pop(delivery.session, b"") + _shaped(delivery)
        if delivery.shape == JOINED and not delivery.closes:
            waiting[delivery.session] = whole
            continue
        half = (len(whole) + HEADER_BYTES) // 2
        yield delivery, {CUT: [whole[:half]], SPLIT: [whole[:half], whole[half:]]}.get(delivery.shape, [whole])
    for session, left in waiting.items():
        yield Delivery(session), [left]


def _shaped(delivery: Delivery) -> bytes:
    sound = frame(delivery.on_wire())
    if delivery.shape != GARBAGE:
        return sound
    return sound[:HEADER_BYTES] + bytes(byte ^ _NOISE for byte in sound[HEADER_BYTES:])
