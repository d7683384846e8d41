"""The two commission schedules, with the published examples and the corners worked by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.commission import Schedule, commission, ibkr_fixed, to_cents

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


@pytest.mark.parametrize(
    ("shares", "value", "month_shares", "usd"),
    [
        (100, "2500", 0, "0.35"),  # exactly the minimum
        (99, "2500", 0, "0.35"),
        (1000, "25000", 0, "3.50"),
        (1000, "250", 0, "2.50"),  # 1 % of 250 at most
        (10, "10", 0, "0.10"),  # the maximum wins over the minimum
        (1000, "25000", 300_000, "3.50"),
        (1000, "25000", 300_001, "2.00"),
        (1000, "25000", 3_000_001, "1.50"),
        (1000, "25000", 20_000_001, "1.00"),
        (1000, "25000", 100_000_001, "0.50"),
        (100, "2500", 100_000_001, "0.35"),
        (0, "0", 0, "0.00"),
    ],
)
def test_what_an_order_costs_in_tiers(shares: int, value: str, month_shares: int, usd: str) -> None:
    assert str(commission(Schedule.TIERED, shares, D(value), month_shares)) == usd


@given(
    st.sampled_from(Schedule),
    st.lists(st.tuples(st.integers(1, 5000), st.decimals(D("0.01"), 900, places=2)), min_size=1, max_size=6),
)
def test_the_parts_of_an_order_cost_what_the_whole_costs_and_none_gives_money_back(
    schedule: Schedule, parts: list[tuple[int, Decimal]]
) -> None:
    shares, value, charged = 0, D(0), [D(0)]
    for quantity, price in parts:
        shares, value = shares + quantity, value + quantity * price
        charged.append(commission(schedule, shares, value))

    assert charged == sorted(charged)
    assert charged[-1] <= to_cents(value / 100)


@pytest.mark.parametrize(("usd", "cents"), [("0.005", "0.01"), ("0.0049", "0.00"), ("-0.005", "-0.01"), ("2", "2.00")])
def test_money_is_rounded_half_up_to_cents(usd: str, cents: str) -> None:
    assert str(to_cents(D(usd))) == cents


@given(st.integers(1, 100_000), st.decimals(D("0.01"), 5000, places=2))
def test_an_order_costs_neither_more_than_a_hundredth_nor_less_than_the_minimum(shares: int, price: Decimal) -> None:
    cost, one_per_cent = ibkr_fixed(shares, price), shares * price / 100

    assert cost <= one_per_cent + D("0.005")
    assert cost >= 1 or cost >= one_per_cent - D("0.005")
