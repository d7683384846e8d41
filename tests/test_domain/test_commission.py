"""The fixed commission schedule, with the published examples and the corners worked by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.commission import ibkr_fixed, to_cents

D = Decimal


@pytest.mark.parametrize(
    ("shares", "price", "usd"),
    [
        (100, "25", "1.00"),  # 0.50 by the share: the minimum
        (1000, "25", "5.00"),  # by the share
        (1000, "0.25", "2.50"),  # 5.00 by the share: 1 % of 250 at most
        (200, "100", "1.00"),  # exactly the minimum
        (201, "100", "1.01"),  # 1.005: half a cent goes up
        (333, "100", "1.67"),  # 1.665
        (1, "50", "0.50"),  # the maximum wins over the minimum
        (1, "0.50", "0.01"),  # 0.005
        (1, "0.49", "0.00"),  # 0.0049
        (10, "10", "1.00"),  # 1 % of 100 is the minimum
        (10, "9.99", "1.00"),  # 0.999
        (-1000, "25", "5.00"),  # a sale costs the same
        (0, "25", "0.00"),
    ],
)
def test_what_an_order_costs(shares: int, price: str, usd: str) -> None:
    assert str(ibkr_fixed(shares, D(price))) == usd


@pytest.mark.parametrize(("usd", "cents"), [("0.005", "0.01"), ("0.0049", "0.00"), ("-0.005", "-0.01"), ("2", "2.00")])
def test_money_is_rounded_half_up_to_cents(usd: str, cents: str) -> None:
    assert str(to_cents(D(usd))) == cents


@given(st.integers(1, 100_000), st.decimals(D("0.01"), 5000, places=2))
def test_an_order_costs_neither_more_than_a_hundredth_nor_less_than_the_minimum(shares: int, price: Decimal) -> None:
    cost, one_per_cent = ibkr_fixed(shares, price), shares * price / 100

    assert cost <= one_per_cent + D("0.005")
    assert cost >= 1 or cost >= one_per_cent - D("0.005")
