"""The records that the gateway keeps: orders, executions, holdings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from hrp.domain.commission import to_cents


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"


class Kind(StrEnum):
    """Order types the gateway matches."""

    MARKET = "MKT"
    LIMIT = "LMT"
    MARKET_ON_CLOSE = "MOC"
    LIMIT_ON_CLOSE = "LOC"

    @property
    def has_limit(self) -> bool:
        """True if the order names its worst price."""
        return self in (Kind.LIMIT, Kind.LIMIT_ON_CLOSE)

    @property
    def is_on_close(self) -> bool:
        """True if the order trades in the closing auction alone."""
        return self in (Kind.MARKET_ON_CLOSE, Kind.LIMIT_ON_CLOSE)


class Tif(StrEnum):
    """How long an order stays: a session, an opening auction, until cancelled, until an instant, not at all."""

    DAY = "DAY"
    OPENING = "OPG"
    GOOD_TILL_CANCELLED = "GTC"
    GOOD_TILL_DATE = "GTD"
    IMMEDIATE = "IOC"


class Status(StrEnum):
    """Order statuses, in the words of TWS. The first two are working, the others final."""

    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"

    @property
    def is_working(self) -> bool:
        """True while the order may still fill."""
        return self in (Status.PRE_SUBMITTED, Status.SUBMITTED)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A US stock; `symbol` is written as on the wire (`BRK B`)."""

    con_id: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order and how far it came.

    `session` is the first session in which it may fill, `good_till` when a GTD order ends. Prices are USD;
    `estimate` is what buying power counts a share of the rest at. `commission` is USD, of all fills, None before the
    first. `reason` says why it ended, `sent` holds what the client said, by field name.
    """

    perm_id: int
    client_id: int
    order_id: int
    instrument: Instrument
    exchange: str
    side: Side
    quantity: int
    kind: Kind
    limit: Decimal | None
    tif: Tif
    order_ref: str
    session: date
    status: Status
    placed_at: datetime
    sent: Mapping[str, str]
    good_till: datetime | None = None
    estimate: Decimal = Decimal(0)
    filled: int = 0
    average_price: Decimal = Decimal(0)
    last_price: Decimal = Decimal(0)
    commission: Decimal | None = None
    ended_at: datetime | None = None
    reason: str = ""

    @property
    def remaining(self) -> int:
        """Shares still to fill."""
        return self.quantity - self.filled

    @property
    def reserved(self) -> Decimal:
        """What the rest is worth in USD, in whole cents, as buying power counts it."""
        return to_cents(self.remaining * self.estimate)


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill.

    `commission` is what it added to that of its order, `realized` the profit in USD of a sale after commissions, None
    for a purchase. `cumulative` shares at `average_price` is what the order had traded after it.
    """

    exec_id: str
    perm_id: int
    client_id: int
    order_id: int
    instrument: Instrument
    side: Side
    quantity: int
    price: Decimal
    commission: Decimal
    realized: Decimal | None
    order_ref: str
    at: datetime
    session: date
    cumulative: int
    average_price: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares held and what they cost, commissions included, in USD and whole cents."""

    instrument: Instrument
    quantity: int
    cost: Decimal

    @property
    def average_cost(self) -> Decimal:
        """Cost a share in USD, to six decimals; 0 where nothing is held."""
        return (self.cost / self.quantity).quantize(Decimal("0.000001")) if self.quantity else Decimal(0)


@dataclass(frozen=True, slots=True)
class Advance:
    """What moving the clock to `clock` did: sessions opened and closed, fills, orders ended with a rest unfilled."""

    clock: datetime
    opens: int
    closes: int
    fills: int
    ended: int
