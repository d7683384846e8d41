"""What HRP asks of the broker: orders, their identity and the life they may lead."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from hrp.errors import OrderError

ORDER_REF_MAX_LENGTH = 36  # the longest reference proven to survive the broker's wire


class OrderSide(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(StrEnum):
    """How long an order works: `OPG` trades in the opening auction or not at all."""

    OPG = "OPG"
    DAY = "DAY"


class OrderStatus(StrEnum):
    """Where an order stands. `UNKNOWN` is not flat and not rejected: only proof ends it."""

    PLANNED = "planned"  # written down with its plan, never sent
    DENIED = "denied"  # refused by HRP
    SENDING = "sending"  # written down before the socket, which may or may not have carried it
    UNKNOWN = "unknown"  # no answer before the deadline, or none that can be found again
    LOST = "lost"  # proven never to have reached the broker; another attempt may be made
    ACKED = "acked"  # the broker has given it a permanent id and holds it for its session
    WORKING = "working"  # at the exchange
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"  # refused by the broker
    EXPIRED = "expired"  # its time passed without a fill

    PENDING = PLANNED  # the names that people know from other books
    SUBMITTED = ACKED


_S = OrderStatus
_HELD = frozenset({_S.ACKED, _S.WORKING, _S.PARTIALLY_FILLED})  # at the broker, and may still trade
_FOUND = _HELD | {_S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED}  # all that can become of an order that it has

# What HRP says of itself is narrow: only a planned or a lost order is sent, nothing follows a denial. The broker's word
# is followed wherever it leads, because between two looks at it anything can have happened.
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    _S.PLANNED: _FOUND | {_S.SENDING, _S.UNKNOWN, _S.DENIED},  # found: the store was restored from before it was sent
    _S.DENIED: frozenset(),
    _S.SENDING: _FOUND | {_S.UNKNOWN},
    _S.UNKNOWN: _FOUND | {_S.LOST},
    _S.LOST: _FOUND | {_S.UNKNOWN, _S.SENDING},  # found after all, or sent anew
    _S.ACKED: _FOUND - {_S.ACKED} | {_S.UNKNOWN},
    _S.WORKING: _FOUND - {_S.WORKING} | {_S.UNKNOWN},  # back to held when the session ends before the order
    _S.PARTIALLY_FILLED: _FOUND - {_S.PARTIALLY_FILLED} | {_S.UNKNOWN},  # back to working when its fill is corrected
    _S.FILLED: _HELD | {_S.CANCELLED, _S.REJECTED},  # an execution was corrected or busted
    _S.CANCELLED: _HELD | {_S.FILLED},  # a fill overtook the cancellation, or it never reached the order
    _S.EXPIRED: _HELD | {_S.FILLED},
    _S.REJECTED: _HELD | {_S.FILLED, _S.CANCELLED},  # a person released it in TWS
}
UNRESOLVED = frozenset({_S.SENDING, _S.UNKNOWN})
LIVE = UNRESOLVED | _HELD
SENDABLE = frozenset({_S.PLANNED, _S.LOST})


@dataclass(frozen=True, slots=True)
class Order:
    """One order for whole shares of one instrument.

    `session` is the session whose close decided it, `for_session` the one whose open it is meant for.
    `limit_price` is USD a share. `strategy` names the hypotheses it serves, joined by "+".

    `attempt` counts the times it was sent, `lost` how many of them never reached the broker. Of the newest attempt:
    `client_id` and `broker_order_id` that it was sent under, and `sending_at`, the broker's clock before that.
    """

    symbol: str
    side: OrderSide
    quantity: int
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    tif: TimeInForce = TimeInForce.OPG
    order_ref: str = ""
    session: date | None = None
    for_session: date | None = None
    account: str = ""
    strategy: str = ""
    plan_hash: str = ""
    status: OrderStatus = OrderStatus.PLANNED
    denial: str | None = None
    broker_order_id: int | None = None
    perm_id: int | None = None
    attempt: int = 0
    lost: int = 0
    client_id: int | None = None
    sending_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise OrderError(f"quantity of {self.symbol} must be positive, got {self.quantity}")
        price = self.limit_price
        if self.order_type is OrderType.LIMIT and (price is None or not price.is_finite() or price <= 0):
            raise OrderError(f"limit order for {self.symbol} requires a positive limit_price, got {price}")
        if self.order_type is OrderType.MARKET and price is not None:
            raise OrderError(f"market order for {self.symbol} carries limit_price {price}; use a limit order")
        if len(self.order_ref) > ORDER_REF_MAX_LENGTH or not self.order_ref.isascii():
            raise OrderError(f"order_ref {self.order_ref!r} must be ASCII of at most {ORDER_REF_MAX_LENGTH} characters")

    @property
    def signed_quantity(self) -> int:
        """Shares added to the position if it fills: negative for a sale."""
        return self.quantity if self.side is OrderSide.BUY else -self.quantity

    def moved_to(self, status: OrderStatus) -> Order:
        """The same order with another status, its attempts and losses counted.

        Raises:
            OrderError: the table of legal transitions does not allow it.
        """
        if status not in TRANSITIONS[self.status]:
            raise OrderError(f"order {self.order_ref} cannot go from {self.status} to {status}")
        found = self.status is _S.PLANNED and status not in (_S.DENIED, _S.EXPIRED)
        return replace(
            self,
            status=status,
            attempt=self.attempt + (found or status is _S.SENDING),
            lost=self.lost + (status is _S.LOST),
        )

    def denied(self, reason: str) -> Order:
        """The same order, refused by HRP for `reason` (`CODE: key=value`)."""
        return replace(self.moved_to(OrderStatus.DENIED), denial=reason)


def order_ref(session: date, account: str, strategy: str, symbol: str, side: OrderSide, generation: int = 1) -> str:
    """The identity of an order, at most 36 ASCII characters.

    Equal inputs give the equal reference, so a repeated night finds its own orders at the broker. `generation`
    rises only when a session is planned anew, never on a retry. The symbol in it is for people to read (a long one
    is cut short); what tells two orders apart is the hash at its end.
    """
    key = f"{session.isoformat()}|{account}|{strategy}|{symbol}|{side}|{generation}"
    head = f"hrp-{session:%Y%m%d}-"
    tail = f"-{side[0].upper()}{generation}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    return head + symbol.replace(" ", ".")[: ORDER_REF_MAX_LENGTH - len(head + tail)] + tail
