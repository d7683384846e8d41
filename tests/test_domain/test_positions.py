"""Positions, fills and the broker's whole answer."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hrp.domain.orders import OrderSide
from hrp.domain.positions import Account, BrokerState, Fill, Position, WorkingOrder
from hrp.errors import DataError

D = Decimal
NOON = datetime(2022, 3, 11, 17, tzinfo=UTC)


def fill(exec_id: str = "0000e0d5.6229.01.01", side: OrderSide = OrderSide.BUY, commission: str | None = "1") -> Fill:
    return Fill(
        exec_id=exec_id,
        order_ref="",
        perm_id=1,
        account="DU123",
        con_id=265598,
        symbol="AAPL",
        side=side,
        quantity=D(10),
        price=D("150.25"),
        executed_at=NOON,
        commission=None if commission is None else D(commission),
    )


@pytest.mark.parametrize(
    ("quantity", "entry", "price", "value", "cost", "gain", "share"),
    [
        ("10", "100", "110", "1100", "1000", "100", "0.1"),
        ("10", "100", "90", "900", "1000", "-100", "-0.1"),
        ("-10", "100", "90", "-900", "-1000", "100", "0.1"),  # a short gains when the price falls
        ("0.5", "100", "110", "55", "50", "5", "0.1"),
        ("10", "0", "110", "1100", "0", "1100", None),  # no cost: no fraction of it
        ("10", "100", None, None, "1000", None, None),  # no price: nothing is known
    ],
)
def test_what_a_position_is_worth(
    quantity: str, entry: str, price: str | None, value: str | None, cost: str, gain: str | None, share: str | None
) -> None:
    def number(text: str | None) -> Decimal | None:
        return None if text is None else D(text)

    position = Position("AAPL", D(quantity), D(entry), number(price))

    assert position.market_value == number(value)
    assert position.cost_basis == D(cost)
    assert position.unrealized_pnl == number(gain)
    assert position.unrealized_pnl_pct == number(share)


def test_a_position_is_marked_to_a_new_price() -> None:
    position = Position("AAPL", D(10), D(100))

    position.update_price(D("0.50"))

    assert position.unrealized_pnl == -995


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_a_position_is_not_marked_to_a_price_that_is_none(price: str) -> None:
    position = Position("AAPL", D(10), D(100), D(99))

    with pytest.raises(DataError, match=f"price of AAPL must be positive, got {price}"):
        position.update_price(D(price))
    assert position.current_price == 99


@pytest.mark.parametrize(
    ("exec_id", "identity"),
    [
        ("0000e0d5.6229.01.01", "0000e0d5.6229.01"),
        ("0000e0d5.6229.01.02", "0000e0d5.6229.01"),  # its correction
        ("0000e0d5.6229.02.01", "0000e0d5.6229.02"),
        ("bare", "bare"),
    ],
)
def test_a_correction_is_the_same_execution(exec_id: str, identity: str) -> None:
    assert fill(exec_id).identity == identity


@pytest.mark.parametrize(
    ("side", "commission", "flow"),
    [
        (OrderSide.BUY, "1.00", "-1503.50"),
        (OrderSide.SELL, "1.00", "1501.50"),
        (OrderSide.SELL, None, "1502.50"),  # not known yet
        (OrderSide.SELL, "0", "1502.50"),
    ],
)
def test_the_cash_that_a_fill_brings_in(side: OrderSide, commission: str | None, flow: str) -> None:
    assert fill(side=side, commission=commission).cash_flow == D(flow)


@pytest.mark.parametrize(("side", "signed"), [(OrderSide.BUY, 7), (OrderSide.SELL, -7)])
def test_a_working_order_may_still_add_its_remaining_shares(side: OrderSide, signed: int) -> None:
    assert WorkingOrder("", 1, 2, 3, "TRUE", 4, side, D(7)).signed_remaining == signed


def test_what_is_held_keeps_the_names_of_its_symbols() -> None:
    positions = tuple(Position(symbol, D(5), D(1)) for symbol in ("TRUE", "NA", "BRK B"))
    state = BrokerState(Account("DU123", D(100), D(85)), positions, (), (), (), NOON)

    assert state.held() == {"TRUE": 5, "NA": 5, "BRK B": 5}
