"""The control channel as seen from outside: one JSON object a line each way, over a second loopback port."""

from __future__ import annotations

import json
import socket
from typing import Any

from hrp.gateway.errors import GatewayError, GatewayNotRunningError

STATUS, ADVANCE, RELOAD, STOP = "status", "advance", "reload", "stop"
LOOPBACK = "127.0.0.1"

Reply = dict[str, Any]


def to_line(reply: Reply) -> bytes:
    """`reply` as one line."""
    return json.dumps(reply).encode() + b"\n"


def call(port: int, command: str, *, timeout_seconds: float, **arguments: str) -> Reply:
    """Send one command to the gateway whose control port is `port` and return its reply.

    Raises:
        GatewayNotRunningError: nothing answers there.
        GatewayError: the gateway could not do it; its reason is the message.
    """
    try:
        with socket.create_connection((LOOPBACK, port), timeout_seconds) as channel:
            channel.sendall(to_line({"command": command, **arguments}))
            line = channel.makefile("rb").readline()
    except OSError as error:
        raise GatewayNotRunningError(
            f"the gateway does not answer on control port {port} ({error}); start it: hrp gateway start"
        ) from error
    try:
        reply: Reply = json.loads(line)
    except ValueError as error:
        raise GatewayNotRunningError(
            f"what listens on control port {port} is no gateway, or it hung up; start it: hrp gateway start"
        ) from error
    if "error" in reply:
        raise GatewayError(reply["error"])
    return reply
