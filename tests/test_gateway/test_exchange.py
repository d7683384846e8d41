"""Matching and booking, in worked numbers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.commission import ibkr_fixed
from hrp.gateway.exchange import book, in_turn, price_at_close, price_at_open
from hrp.gateway.market import Bar
from hrp.gateway.records import Holding, Instrument, Kind, Order, Side, Status, Tif

from .support import at

STOCK = Instrument(1, "AAA")
NOTHING = Holding(STOCK, 0, Decimal("0.00"))


def order(
    side: str = "BUY", limit: str | None = None, perm_id: int = 1, tif: str = "DAY", kind: str | None = None
) -> Order:
    price = Decimal(limit) if limit else None
    named = Kind(kind or ("LMT" if limit else "MKT"))
    return Order(
        perm_id, 7, perm_id, STOCK, "SMART", Side(side), 10, named, price, Tif(tif), "", date(2024, 1, 3),
        Status.PRE_SUBMITTED, at(2, 22), {},
    )  # fmt: skip


AT_THE_OPEN = [
    ("BUY", None, "100", "100"),
    ("SELL", None, "100", "100"),
    ("BUY", "100", "100", "100"),
    ("BUY", "101", "100", "100"),
    ("BUY", "99.99", "100", None),
    ("SELL", "100", "100", "100"),
    ("SELL", "99", "100", "100"),
    ("SELL", "100.01", "100", None),
    ("BUY", None, None, None),
    ("BUY", "101", None, None),
]


@pytest.mark.parametrize(("side", "limit", "opening", "price"), AT_THE_OPEN)
def test_an_order_trades_at_the_open_if_its_limit_allows(side, limit, opening, price):
    got = price_at_open(order(side, limit), Decimal(opening) if opening else None)
    assert got == (Decimal(price) if price else None)


IN_THE_SESSION = [
    ("BUY", "95", "95", "105", "95"),
    ("BUY", "96", "95", "105", "96"),
    ("BUY", "94.99", "95", "105", None),
    ("SELL", "105", "95", "105", "105"),
    ("SELL", "104", "95", "105", "104"),
    ("SELL", "105.01", "95", "105", None),
    ("BUY", None, "95", "105", None),
    ("BUY", "96", None, "105", None),
    ("SELL", "96", "95", None, None),
]


@pytest.mark.parametrize(("side", "limit", "low", "high", "price"), IN_THE_SESSION)
def test_a_resting_limit_trades_at_its_limit_if_the_session_reached_it(side, limit, low, high, price):
    bar = Bar(date(2024, 1, 3), Decimal(100), *(Decimal(p) if p else None for p in (high, low)), Decimal(100), 1)
    assert price_at_close(order(side, limit), bar) == (Decimal(price) if price else None)


AT_THE_CLOSE = [
    ("MOC", "BUY", None, "100", "100"),
    ("MOC", "BUY", None, None, None),
    ("LOC", "BUY", "100", "100", "100"),
    ("LOC", "BUY", "99.99", "100", None),
    ("LOC", "SELL", "99", "100", "100"),
    ("LOC", "SELL", "100.01", "100", None),
]


@pytest.mark.parametrize(("kind", "side", "limit", "close", "price"), AT_THE_CLOSE)
def test_an_order_on_the_close_trades_at_the_close_if_its_limit_allows_and_never_at_the_open(
    kind, side, limit, close, price
):
    placed = order(side, limit, kind=kind)
    bar = Bar(date(2024, 1, 3), Decimal(98), Decimal(105), Decimal(95), Decimal(close) if close else None, 1)
    assert price_at_close(placed, bar) == (Decimal(price) if price else None)
    assert price_at_open(placed, Decimal(98)) is None


def test_nothing_trades_without_a_bar():
    assert price_at_close(order("BUY", "96"), None) is None


def test_sales_go_before_purchases_and_older_orders_before_newer_ones():
    queue = [order("BUY", perm_id=1), order("SELL", perm_id=4), order("BUY", perm_id=2), order("SELL", perm_id=3)]
    assert [placed.perm_id for placed in in_turn(queue)] == [3, 4, 1, 2]


def test_a_purchase_costs_its_value_and_its_commission():
    # 300 x 10.00 = 3000.00
    booking = book(NOTHING, Side.BUY, 300, Decimal("10"), Decimal("1.50"))
    assert booking.cash_change == Decimal("-3001.50")
    assert (booking.holding.quantity, booking.holding.cost) == (300, Decimal("3001.50"))
    assert booking.holding.average_cost == Decimal("10.005000")
    assert booking.realized is None


def test_a_sale_takes_its_share_of_the_cost_away():
    # 100 of 300 shares that cost 3001.50: 1000.50; 100 x 12.00 - 1.00 = 1199.00; profit 198.50
    booking = book(Holding(STOCK, 300, Decimal("3001.50")), Side.SELL, 100, Decimal("12"), Decimal("1.00"))
    assert booking.cash_change == Decimal("1199.00")
    assert booking.holding == Holding(STOCK, 200, Decimal("2001.00"))
    assert booking.realized == Decimal("198.50")


def test_a_price_below_the_cent_is_kept_and_the_value_is_rounded_to_cents():
    # 7 x 67.7142 = 473.9994 -> 474.00
    assert book(NOTHING, Side.BUY, 7, Decimal("67.7142"), Decimal("1.00")).cash_change == Decimal("-475.00")


@given(
    trades=st.lists(st.tuples(st.integers(1, 5000), st.decimals("0.01", "900", places=4)), min_size=1, max_size=8),
    out=st.decimals("0.01", "900", places=2),
)
def test_whatever_is_bought_and_sold_again_leaves_no_cost_and_cash_changed_by_the_profit(trades, out):
    holding, cash = NOTHING, Decimal(0)
    for quantity, price in trades:
        booking = book(holding, Side.BUY, quantity, price, ibkr_fixed(quantity, price))
        holding, cash = booking.holding, cash + booking.cash_change
    half = holding.quantity // 2
    profit = Decimal(0)
    for quantity in filter(None, (half, holding.quantity - half)):
        booking = book(holding, Side.SELL, quantity, out, ibkr_fixed(quantity, out))
        holding, cash = booking.holding, cash + booking.cash_change
        profit += booking.realized or 0
    assert holding == NOTHING
    assert cash == profit
    assert cash == cash.quantize(Decimal("0.01"))
