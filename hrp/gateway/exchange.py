"""Matching and booking: at which price an order trades in a session, and what the trade does to cash and holding.

The rules, with daily bars and no order book:

- At the open sales go before purchases, and older orders before newer ones.
- MKT trades at the open. LMT trades at the open if the open is at the limit or better.
- OPG and IOC orders end at the open of their session: traded or cancelled.
- LMT that did not trade at the open trades at its limit, when the session closes, if the low (purchase) or the high
  (sale) reached the limit.
- MOC trades at the close, LOC if the close is at the limit or better.
- An order that arrives during a session meets the last known price, which is that session's open.
- DAY orders end at the close, GTD orders when their time has come; GTC orders stay.
- Where the account's share of a session's volume is limited, what exceeds it waits for the next session, or ends.
- Without a bar, or without the price that a rule asks for, nothing trades.
- The price is the stored one, to at most six decimals; the value of a trade and its commission are whole cents.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from hrp.domain.commission import to_cents
from hrp.gateway.market import Bar
from hrp.gateway.records import Holding, Kind, Order, Side, Tif


@dataclass(frozen=True, slots=True)
class Booking:
    """What a trade does: change of cash in USD, the holding after it, the profit of a sale."""

    cash_change: Decimal
    holding: Holding
    realized: Decimal | None


def in_turn(orders: Iterable[Order]) -> list[Order]:
    """`orders` as the opening auction serves them: sales first, then by age."""
    return sorted(orders, key=lambda order: (order.side is Side.BUY, order.perm_id))


def price_at_open(order: Order, opening: Decimal | None) -> Decimal | None:
    """The price in USD at which `order` trades when `opening` is the newest price, or None."""
    if order.kind.is_on_close or opening is None:
        return None
    return opening if _is_at_least_as_good(order, opening) else None


def price_at_close(order: Order, bar: Bar | None) -> Decimal | None:
    """The price in USD at which `order` traded between the open and the end of the session of `bar`, or None."""
    if bar is None or order.kind is Kind.MARKET:
        return None
    if order.kind.is_on_close:
        return bar.close if bar.close is not None and _is_at_least_as_good(order, bar.close) else None
    best = bar.low if order.side is Side.BUY else bar.high
    return order.limit if best is not None and _is_at_least_as_good(order, best) else None


def ends_at_open(order: Order) -> bool:
    """True if what did not trade of an order at the open of its session, or on arrival during it, is over."""
    return order.tif in (Tif.OPENING, Tif.IMMEDIATE)


def ends_at_close(order: Order) -> bool:
    """True if what did not trade of an order in its session is over."""
    return order.tif is Tif.DAY


def book(holding: Holding, side: Side, quantity: int, price: Decimal, commission: Decimal) -> Booking:
    """The effect of trading `quantity` shares at `price` USD for `commission` USD on `holding`.

    A purchase adds its value and commission to the cost. A sale takes its share of the cost away, rounded to cents;
    its profit is value less commission less that share.
    """
    value = to_cents(quantity * price)
    if side is Side.BUY:
        after = Holding(holding.instrument, holding.quantity + quantity, holding.cost + value + commission)
        return Booking(-value - commission, after, None)
    given_up = to_cents(holding.cost * quantity / holding.quantity)
    after = Holding(holding.instrument, holding.quantity - quantity, holding.cost - given_up)
    return Booking(value - commission, after, value - commission - given_up)


def _is_at_least_as_good(order: Order, price: Decimal) -> bool:
    if order.limit is None:
        return True
    return price <= order.limit if order.side is Side.BUY else price >= order.limit
