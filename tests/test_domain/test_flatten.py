"""Closing what is held: which orders, for which names, and what has to be left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from hrp.domain.book import Adjustment, AdjustmentKind, Book
from hrp.domain.breaks import Records
from hrp.domain.flatten import FLATTEN, Left, holders, plan_exits, shared_lefts, split_by_owner
from hrp.domain.orders import Order, OrderSide, OrderStatus, OrderType, TimeInForce
from hrp.domain.positions import Account, BrokerState, Fill, Position, WorkingOrder

D = Decimal
ACCOUNT = "DU1234567"
SESSION, FOLLOWING = date(2022, 12, 27), date(2022, 12, 28)
OPEN = datetime(2022, 12, 28, 14, 30, tzinfo=UTC)
CUTOFF = timedelta(minutes=2)


def state(held: Mapping[str, str], *working: WorkingOrder) -> BrokerState:
    positions = tuple(Position(symbol, D(shares), D(100)) for symbol, shares in held.items())
    return BrokerState(Account(ACCOUNT, D(5000), D(1000)), positions, working, (), (), OPEN)


def working(side: OrderSide, remaining: int, ref: str = "hrp-x") -> WorkingOrder:
    return WorkingOrder(ref, 5, 12, 7, "AAPL", 1, side, D(remaining))


def exits(held: Mapping[str, str], *orders: WorkingOrder, at: datetime = OPEN, ledger: tuple[Order, ...] = ()):
    return plan_exits([*held], state(held, *orders), ledger, at, CUTOFF)


@pytest.mark.parametrize(
    ("at", "tif"),
    [
        (OPEN - timedelta(hours=8), TimeInForce.OPG),
        (OPEN - CUTOFF, TimeInForce.DAY),  # too late for the auction
        (OPEN + timedelta(hours=1), TimeInForce.DAY),
    ],
)
def test_a_holding_is_sold_at_the_market_of_the_session_that_comes_or_is_on(at: datetime, tif: TimeInForce):
    (order,) = exits({"AAPL": "10"}, at=at).plan.orders

    assert (order.side, order.quantity, order.order_type, order.tif) == (OrderSide.SELL, 10, OrderType.MARKET, tif)
    assert (order.session, order.for_session, order.strategy) == (SESSION, FOLLOWING, FLATTEN)


def test_only_the_names_asked_for_are_sold():
    done = plan_exits(["TRUE"], state({"AAPL": "10", "TRUE": "3"}), (), OPEN, CUTOFF)

    assert [(order.symbol, order.quantity) for order in done.plan.orders] == [("TRUE", 3)]


@pytest.mark.parametrize(
    ("held", "orders", "sold", "left"),
    [
        ("10", [working(OrderSide.SELL, 10)], 0, []),
        ("10", [working(OrderSide.SELL, 4)], 6, []),
        ("10", [working(OrderSide.SELL, 30)], 0, []),
        ("10", [working(OrderSide.BUY, 5)], 0, [(D(10), "purchase hrp-x still works: cancel it, then once more")]),
        ("10.5", [], 10, [(D("0.5"), "a fraction of a share: sell it in TWS")]),
        ("0.5", [], 0, [(D("0.5"), "a fraction of a share: sell it in TWS")]),
        ("-7", [], 0, [(D(-7), "a short holding: buy it back in TWS")]),
    ],
)
def test_what_works_is_counted_and_what_cannot_be_sold_is_named(held: str, orders: list, sold: int, left: list):
    done = exits({"AAPL": held}, *orders)

    assert sum(order.quantity for order in done.plan.orders) == sold
    assert [(one.shares, one.reason) for one in done.left] == left


def test_a_second_attempt_is_another_generation_and_the_same_one_has_the_same_reference():
    (first,) = exits({"AAPL": "10"}).plan.orders
    (same,) = exits({"AAPL": "10"}).plan.orders
    ended = replace(first, status=OrderStatus.EXPIRED)
    (second,) = exits({"AAPL": "10"}, ledger=(ended,)).plan.orders

    assert first.order_ref == same.order_ref
    assert (second.order_ref != first.order_ref, "-S2-" in second.order_ref) == (True, True)


def test_the_plan_of_a_closing_adds_up():
    (line,) = exits({"AAPL": "10"}, working(OrderSide.SELL, 4)).plan.lines

    assert (line.target, line.held, line.working, line.delta) == (0, 10, -4, -6)


# Whose they are


def order(symbol: str, strategy: str, ref: str, side: OrderSide = OrderSide.BUY) -> Order:
    return Order(symbol, side, 100, order_ref=ref, strategy=strategy)


def fill(symbol: str, shares: int, ref: str, hours: int = 0) -> Fill:
    side = OrderSide.BUY if shares > 0 else OrderSide.SELL
    at = OPEN + timedelta(hours=hours)
    return Fill(f"{ref}.{hours}.01", ref, 0, ACCOUNT, 1, symbol, side, D(abs(shares)), D(100), at)


def adjusted(symbol: str, shares: int, kind: AdjustmentKind) -> Adjustment:
    return Adjustment(ACCOUNT, SESSION, OPEN, kind, f"{kind}:{symbol}", "", symbol, shares=D(shares))


ORDERS = (
    order("AAPL", "A", "a1"), order("XOM", "A", "a2"), order("XOM", "B", "b2"), order("KO", "A+B", "ab3"),
    order("AAPL", FLATTEN, "f1", OrderSide.SELL), order("AAPL", "B", "b1"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([fill("AAPL", 10, "a1")], {"AAPL": {"A"}}),
        ([fill("XOM", 10, "a2"), fill("XOM", 10, "b2", 1)], {"XOM": {"A", "B"}}),
        ([fill("KO", 10, "ab3")], {"KO": {"A", "B"}}),
        ([fill("AAPL", 10, "a1"), fill("AAPL", -10, "f1", 1)], {}),
        ([fill("AAPL", 10, "a1"), fill("AAPL", -10, "f1", 1), fill("AAPL", 5, "b1", 2)], {"AAPL": {"B"}}),
        ([fill("AAPL", 10, "a1"), fill("AAPL", -4, "f1", 1)], {"AAPL": {"A"}}),
        ([fill("AAPL", 10, "a1"), adjusted("AAPL", 10, AdjustmentKind.SPLIT)], {"AAPL": {"A"}}),
        ([fill("AAPL", 10, "a1"), adjusted("AAPL", 1, AdjustmentKind.MANUAL)], {"AAPL": {"A", "manual"}}),
        ([fill("TRUE", 10, "a1")], {"TRUE": {"A", "baseline"}}),
    ],
)
def test_who_brought_a_holding_in(changes: list, expected: dict):
    fills = [change for change in changes if isinstance(change, Fill)]
    adjustments = [change for change in changes if isinstance(change, Adjustment)]
    held = {"TRUE": D(1)} if "TRUE" in expected else {}

    assert holders(Records(Book(D(0), held), fills, adjustments, ORDERS)) == expected


def test_names_that_others_brought_in_too_are_shared():
    brought = {"AAPL": frozenset("A"), "KO": frozenset("AB"), "XOM": frozenset("B")}

    assert split_by_owner(brought, "A") == (["AAPL"], {"KO": ["B"]})
    assert shared_lefts({"KO": ["B"]}, {"KO": D(7)}) == [
        Left("KO", D(7), "brought in by B too: hrp flatten --symbol KO")
    ]
