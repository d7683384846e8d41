"""The gateway's side of the control channel.

Commands: `{"command": "status"}`, `{"command": "advance", "to": ISO 8601 with zone}`, `{"command": "reload"}`,
`{"command": "stop"}`. A line that is no command ends the connection, so no browser can be talked into sending one.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime

from hrp.errors import HRPError
from hrp.gateway.channel import ADVANCE, RELOAD, STATUS, STOP, Reply
from hrp.gateway.delivery import Delivery
from hrp.gateway.desk import Desk

_NAMES = (STATUS, ADVANCE, RELOAD, STOP)


@dataclass(frozen=True, slots=True)
class Command:
    """What to do, and up to which instant where that matters."""

    name: str
    to: datetime | None = None


def parse(line: bytes) -> Command | None:
    """The command in `line`, or None."""
    try:
        said = json.loads(line)
        name, to = said["command"], said.get("to")
        instant = datetime.fromisoformat(to) if to else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if name not in _NAMES or (name == ADVANCE and (instant is None or instant.tzinfo is None)):
        return None
    return Command(name, instant.astimezone(UTC) if instant else None)


def execute(desk: Desk, command: Command) -> tuple[Reply, list[Delivery]]:
    """Do `command`: the reply, with `error` in it if it could not be done, and messages for clients."""
    try:
        if command.name == ADVANCE and command.to:
            done, deliveries = desk.advance(command.to)
            counts = {"opens": done.opens, "closes": done.closes, "fills": done.fills, "ended": done.ended}
            return {"clock": done.clock.isoformat(), **counts}, deliveries
        if command.name == RELOAD:
            return {"reloaded": desk.books.market.reload_if_changed()}, []
    except HRPError as error:
        return {"error": str(error)}, []
    return _status(desk), []


def _status(desk: Desk) -> Reply:
    books = desk.books
    return {
        "pid": os.getpid(),
        "account": books.account,
        "clock": books.now.isoformat(),
        "market": str(books.market.path),
        "last_session": books.market.last_session().isoformat(),
        "cash": str(books.ledger.cash),
        "net_liquidation": str(books.valuation().net_liquidation),
        "working_orders": len(books.ledger.working_orders()),
        "clients": sorted(desk.sessions),
    }
