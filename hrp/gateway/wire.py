"""Frames and fields: how texts travel on the socket and back. It knows no message.

A frame is a 4-byte big-endian length and a payload; the payload is a list of texts, each ended by NUL.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

from hrp.gateway.errors import ProtocolError

GREETING = b"API\0"
HEADER_BYTES = 4
MAX_PAYLOAD_BYTES = 1 << 20

UNSET_DOUBLE = "1.7976931348623157E308"
UNSET_INT = "2147483647"
UNSET_LONG = "9223372036854775807"
_UNSET = frozenset({"", UNSET_DOUBLE, "1.7976931348623157e+308", UNSET_INT, UNSET_LONG})

_LARGEST_INTEGER = 2**63 - 1
_MOST_PLACES = 18

Fields = tuple[str, ...]
Value = str | int | Decimal


def frame(fields: Sequence[str]) -> bytes:
    """The bytes that carry `fields`."""
    payload = "".join(f"{text}\0" for text in fields).encode()
    return struct.pack(">I", len(payload)) + payload


class Frames:
    """Cuts the bytes that arrive into payloads."""

    def __init__(self) -> None:
        self._left = b""

    def cut(self, received: bytes) -> Iterator[bytes]:
        """The payloads that are complete with `received`; the rest waits.

        Raises:
            ProtocolError: a length that no message has; the payloads before it have come.
        """
        self._left += received
        while len(self._left) >= HEADER_BYTES:
            end = HEADER_BYTES + payload_length(self._left[:HEADER_BYTES])
            if end > len(self._left):
                break
            payload, self._left = self._left[HEADER_BYTES:end], self._left[end:]
            yield payload

    def waiting(self) -> int:
        """How many bytes of an unfinished frame wait."""
        return len(self._left)


def payload_length(header: bytes) -> int:
    """How many bytes follow `header`.

    Raises:
        ProtocolError: more than a message can have, so these bytes are no header.
    """
    length = int(struct.unpack(">I", header)[0])
    if length > MAX_PAYLOAD_BYTES:
        raise ProtocolError(f"a frame announces {length} bytes, at most {MAX_PAYLOAD_BYTES} are allowed")
    return length


def split(payload: bytes) -> Fields:
    """The texts in `payload`.

    Raises:
        ProtocolError: the last text is not ended by NUL.
    """
    if not payload.endswith(b"\0"):
        raise ProtocolError(f"a payload of {len(payload)} bytes does not end with NUL")
    return tuple(payload.decode(errors="backslashreplace").split("\0")[:-1])


def fields_of(*values: Value) -> Fields:
    """`values` as the wire writes them: decimals in full, booleans as 1 and 0."""
    return tuple([value if isinstance(value, str) else _text(value) for value in values])


def _text(value: int | Decimal) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(int(value))


def decimal_of(text: str) -> Decimal | None:
    """`text` as a decimal, an empty one as None.

    Raises:
        ProtocolError: not a finite number.
    """
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ProtocolError(f"{text!r} is not a number") from error
    if not number.is_finite() or abs(number.adjusted()) > _MOST_PLACES:
        raise ProtocolError(f"{text!r} is not a number between 1e-{_MOST_PLACES} and 1e{_MOST_PLACES}")
    return number


def is_unset(text: str) -> bool:
    """True for every way to say that a field has no value."""
    return text in _UNSET


class FieldReader:
    """Reads the fields of one message of server version `version` in order and insists on reading them all."""

    def __init__(self, fields: Fields, version: int) -> None:
        self.version = version
        self._fields = fields
        self._next = 0

    def text(self) -> str:
        """The next field.

        Raises:
            ProtocolError: the message is shorter than its layout.
        """
        if self._next >= len(self._fields):
            raise ProtocolError(f"message {self._name()} ends after {len(self._fields)} fields, more are due")
        self._next += 1
        return self._fields[self._next - 1]

    def value(self) -> str:
        """The next field, with every way to say "unset" turned into an empty text."""
        text = self.text()
        return "" if is_unset(text) else text

    def integer(self) -> int:
        """The next field as a whole number; unset is 0."""
        text = self.value()
        try:
            number = int(text or 0)
        except ValueError as error:
            raise ProtocolError(f"message {self._name()}, field {self._next - 1}: {text!r} is no integer") from error
        if abs(number) > _LARGEST_INTEGER:
            raise ProtocolError(f"message {self._name()}, field {self._next - 1}: {text} is too large")
        return number

    def decimal(self) -> Decimal | None:
        """The next field as a decimal; unset is None."""
        return decimal_of(self.value())

    def flag(self) -> bool:
        """The next field as a boolean; unset is false."""
        return self.integer() != 0

    def finish(self) -> None:
        """Check that nothing is left over.

        Raises:
            ProtocolError: a field was not read, so an earlier one was misread.
        """
        left = len(self._fields) - self._next
        if left:
            raise ProtocolError(f"message {self._name()} has {left} fields too many: {self._fields[self._next :]}")

    def _name(self) -> str:
        return self._fields[0] if self._fields else "without number"
