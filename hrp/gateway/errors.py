"""What can go wrong with the gateway, beside what it tells its clients on the wire."""

from __future__ import annotations

from hrp.errors import BrokerConnectionError, BrokerError


class GatewayError(BrokerError):
    """The gateway cannot do what it was asked."""


class GatewayNotRunningError(BrokerConnectionError):
    """No gateway serves this state directory."""


class ProtocolError(GatewayError):
    """A client sent bytes that are no message of the protocol."""
