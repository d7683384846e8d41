"""Rules that judge clipped orders: what may be sent, and the coded reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from hrp.domain.orders import Order, OrderSide


@dataclass(frozen=True, slots=True)
class RiskContext:
    """What the rules look at besides the order.

    `prices` are USD by symbol. `no_buys` gives a coded reason by symbol; the key `*` is every symbol.
    `sent_refs` are the references that were ever sent, `sent_today` how many orders this session has seen.
    """

    prices: Mapping[str, Decimal]
    no_buys: Mapping[str, str] = field(default_factory=dict)
    sent_refs: frozenset[str] = frozenset()
    sent_today: int = 0


class Rule(Protocol):
    """Returns why the order is denied (`CODE: key=value`), or None. `earlier` are the orders already approved."""

    def __call__(self, order: Order, context: RiskContext, earlier: Sequence[Order]) -> str | None: ...


def no_new_risk(order: Order, context: RiskContext, earlier: Sequence[Order]) -> str | None:
    """Deny a buy that a freeze forbids; a sale always passes: reducing risk is never denied."""
    if order.side is OrderSide.SELL:
        return None
    return context.no_buys.get(order.symbol) or context.no_buys.get("*")


def no_duplicate(order: Order, context: RiskContext, earlier: Sequence[Order]) -> str | None:
    """Deny an order whose reference was sent before, and a second order for one symbol."""
    if order.order_ref in context.sent_refs:
        return f"DUPLICATE_ORDER: order_ref={order.order_ref}"
    if any(other.symbol == order.symbol for other in earlier):
        return f"DUPLICATE_SYMBOL: symbol={order.symbol}"
    return None


@dataclass(frozen=True, slots=True)
class MaxOrderValue:
    """Deny a buy worth more than `limit_usd`."""

    limit_usd: Decimal

    def __call__(self, order: Order, context: RiskContext, earlier: Sequence[Order]) -> str | None:
        if order.side is OrderSide.SELL:
            return None
        value = order.quantity * context.prices[order.symbol]
        return None if value <= self.limit_usd else f"MAX_ORDER_VALUE: value_usd={value:.2f}, limit={self.limit_usd}"


@dataclass(frozen=True, slots=True)
class MaxOrders:
    """Deny buys beyond `limit` orders in one session, counted from the ledger of orders ever sent."""

    limit: int

    def __call__(self, order: Order, context: RiskContext, earlier: Sequence[Order]) -> str | None:
        count = context.sent_today + len(earlier) + 1
        if order.side is OrderSide.SELL or count <= self.limit:
            return None
        return f"MAX_ORDERS: count={count}, limit={self.limit}"


def judge(orders: Iterable[Order], context: RiskContext, rules: Sequence[Rule]) -> list[Order]:
    """Every order, pending if all `rules` let it pass, else denied with the first reason. Sales are judged first."""
    approved: list[Order] = []
    judged: list[Order] = []
    for order in sorted(orders, key=lambda o: (o.side is OrderSide.BUY, o.symbol)):
        reason = next(filter(None, (rule(order, context, approved) for rule in rules)), None)
        judged.append(order.denied(reason) if reason else order)
        if reason is None:
            approved.append(order)
    return judged
