"""The rules that judge clipped orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hrp.domain.orders import Order, OrderSide, OrderStatus
from hrp.domain.risk import (
    MaxOrders,
    MaxOrderValue,
    RiskContext,
    Rule,
    judge,
    no_duplicate,
    no_new_risk,
)

D = Decimal
RULES: tuple[Rule, ...] = (no_new_risk, no_duplicate, MaxOrderValue(D(10_000)), MaxOrders(3))
PRICES = {"AAPL": D(100), "BRK B": D(300), "TRUE": D(10), "XOM": D(50)}


def order(symbol: str, shares: int, ref: str = "") -> Order:
    side = OrderSide.BUY if shares > 0 else OrderSide.SELL
    return Order(symbol, side, abs(shares), order_ref=ref or f"{symbol}{shares}")


def denials(orders: list[Order], **context: object) -> dict[str, str | None]:
    """The reason of every order that was denied, by symbol."""
    judged = judge(orders, RiskContext(PRICES, **context), RULES)
    return {o.symbol: o.denial for o in judged if o.status is OrderStatus.DENIED}


@pytest.mark.parametrize(
    ("shares", "context", "reason"),
    [
        (100, {}, None),  # 10,000 USD: the limit itself is allowed
        (101, {}, "MAX_ORDER_VALUE: value_usd=10100.00, limit=10000"),
        (-101, {}, None),
        (10, {"no_buys": {"AAPL": "MODEL_FROZEN: version=3"}}, "MODEL_FROZEN: version=3"),
        (10, {"no_buys": {"*": "DRIFT_FREEZE: verdict=drift"}}, "DRIFT_FREEZE: verdict=drift"),
        (10, {"no_buys": {"*": "ALL: a=1", "AAPL": "ONE: b=2"}}, "ONE: b=2"),  # the narrower reason
        (10, {"no_buys": {"XOM": "MODEL_FROZEN: version=3"}}, None),
        (-10, {"no_buys": {"*": "DRIFT_FREEZE: verdict=drift"}}, None),
        (10, {"sent_today": 2}, None),
        (10, {"sent_today": 3}, "MAX_ORDERS: count=4, limit=3"),
        (-10, {"sent_today": 99}, None),
        (10, {"sent_refs": frozenset({"AAPL10"})}, "DUPLICATE_ORDER: order_ref=AAPL10"),
        (-10, {"sent_refs": frozenset({"AAPL-10"})}, "DUPLICATE_ORDER: order_ref=AAPL-10"),  # it was sent already
        (10, {"sent_refs": frozenset({"AAPL-10"})}, None),
    ],
)
def test_a_rule_denies_one_order_with_a_coded_reason(shares: int, context: dict, reason: str | None) -> None:
    assert denials([order("AAPL", shares)], **context) == ({} if reason is None else {"AAPL": reason})


def test_a_second_order_for_one_symbol_is_denied() -> None:
    judged = judge([order("XOM", 5, "first"), order("XOM", 7, "second")], RiskContext(PRICES), RULES)

    assert [(o.order_ref, o.denial) for o in judged] == [("first", None), ("second", "DUPLICATE_SYMBOL: symbol=XOM")]


def test_sales_are_judged_first_and_count_towards_the_orders_of_a_session() -> None:
    judged = judge(
        [order(s, n) for s, n in [("AAPL", 1), ("TRUE", 1), ("XOM", -1), ("BRK B", -1)]], RiskContext(PRICES), RULES
    )

    assert [(o.symbol, o.denial) for o in judged] == [
        ("BRK B", None),
        ("XOM", None),
        ("AAPL", None),
        ("TRUE", "MAX_ORDERS: count=4, limit=3"),
    ]


def test_a_denied_order_uses_up_nothing() -> None:
    """Three places: AAPL is too large and leaves its own to XOM."""
    orders = [order("AAPL", 101), order("BRK B", 1), order("TRUE", 1), order("XOM", 1)]

    assert denials(orders) == {"AAPL": "MAX_ORDER_VALUE: value_usd=10100.00, limit=10000"}


def test_the_first_rule_that_objects_gives_the_reason() -> None:
    assert denials([order("AAPL", 101)], no_buys={"*": "FIRST: x=1"}) == {"AAPL": "FIRST: x=1"}
