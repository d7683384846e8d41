"""The message log as others read it: while the gateway runs, and after it has stopped or was killed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hrp.gateway.errors import GatewayError
from hrp.gateway.layouts import INBOUND, name_of, named
from hrp.gateway.messages import PLACE_ORDER
from hrp.gateway.schema import FILE_NAME


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """One message: `at` is the simulated instant, `client_id` is -1 before a client has named itself.

    `message_id` is the number of the message (0 for the handshake) and `fields` holds it whole, number included. Of
    direction `note` are the gateway's own remarks: why a session ended, which fault of a scenario happened.
    """

    sequence: int
    at: datetime
    direction: str
    client_id: int
    message_id: int
    fields: tuple[str, ...]

    @property
    def order_ref(self) -> str | None:
        """The order reference of an inbound placeOrder, else None."""
        is_order = self.direction == INBOUND and self.message_id == PLACE_ORDER
        return self.named.get("order_ref") if is_order else None

    @property
    def name(self) -> str:
        """The name of the message."""
        return name_of(self.direction, self.message_id)

    @property
    def named(self) -> dict[str, str]:
        """The fields of the message that have names."""
        return named(self.direction, self.fields)


def read_log(
    state_dir: Path,
    *,
    direction: str | None = None,
    message_id: int | None = None,
    client_id: int | None = None,
    after: int = 0,
) -> list[LoggedMessage]:
    """The logged messages in order, narrowed by whatever is given; `after` is a sequence number.

    Raises:
        GatewayError: no gateway ever ran in `state_dir`.
    """
    path = state_dir / FILE_NAME
    if not path.exists():
        raise GatewayError(f"there is no message log {path}; start a gateway there: hrp gateway start")
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT sequence, at, direction, client_id, message_id, fields FROM messages WHERE sequence > :after "
            "AND direction IS coalesce(:direction, direction) AND message_id IS coalesce(:message_id, message_id) "
            "AND client_id IS coalesce(:client_id, client_id) ORDER BY sequence",
            {"after": after, "direction": direction, "message_id": message_id, "client_id": client_id},
        )
        return [_message(*row) for row in rows]


def _message(sequence: int, at: str, direction: str, client_id: int, message_id: int, fields: str) -> LoggedMessage:
    instant = datetime.fromisoformat(at)
    return LoggedMessage(sequence, instant, direction, client_id, message_id, tuple(fields.split("\0")))
