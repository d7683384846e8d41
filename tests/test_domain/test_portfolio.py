"""Limits that make sense, and the way from signals to weights to whole shares."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.portfolio import Limits, blend, equal_weights, whole_shares
from hrp.errors import EXIT_USAGE, ConfigError, DataError, MissingPriceError

D = Decimal


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            {"max_positions": 20, "max_position_pct": D("0.10")},
            "20 positions × 10% = 200% > gross 100%: lower max_positions or max_position_pct",
        ),
        (
            {"max_positions": 3, "max_position_pct": D("0.334")},  # the message's own arithmetic holds
            "3 positions × 33.4% = 100.2% > gross 100%: lower max_positions or max_position_pct",
        ),
        ({"max_position_pct": D(0)}, r"max_position_pct=0 must be a fraction in \(0, 1\]"),
        ({"max_position_pct": D("1.01")}, "max_position_pct=1.01 must be a fraction"),
        ({"max_position_pct": D("NaN")}, "max_position_pct must be a number, got NaN"),
        ({"max_gross_pct": D(2)}, r"max_gross_pct=2 must be a fraction in \(0, 1\]"),
        ({"min_cash_pct": D(1)}, r"min_cash_pct=1 must be a fraction in \[0, 1\)"),
        ({"min_cash_pct": D("-0.01")}, "min_cash_pct=-0.01 must be a fraction"),
        ({"max_positions": 0}, "max_positions=0, max_orders=100: both must be at least 1"),
        ({"max_orders": 0}, "max_positions=10, max_orders=0: both must be at least 1"),
        ({"min_order_value_usd": D(-1)}, "min_order_value_usd=-1 must be at least 0 and below"),
        ({"min_order_value_usd": D(300_000)}, "below max_order_value_usd=250000"),
        ({"min_order_value_usd": D(250_000)}, "min_order_value_usd=250000 must be at least 0 and below"),
        ({"max_order_value_usd": D("NaN")}, "max_order_value_usd must be a number, got NaN"),
    ],
)
def test_limits_that_contradict_themselves_are_refused_with_the_arithmetic(limits: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        Limits(**limits)

    assert refused.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize(
    "limits",
    [
        {"max_positions": 10, "max_position_pct": D("0.10"), "max_gross_pct": D(1)},
        {"max_positions": 1, "max_position_pct": D(1), "max_orders": 1},
        {"min_cash_pct": D(0), "min_order_value_usd": D(0), "max_order_value_usd": D("0.01")},
        {"max_order_value_usd": D("Infinity")},
    ],
)
def test_limits_at_their_own_bounds_are_allowed(limits: dict) -> None:
    assert Limits(**limits)


def test_equal_limits_have_an_equal_record() -> None:
    assert Limits(max_position_pct=D("0.10")).as_record() == Limits(max_position_pct=D("0.1000")).as_record()
    assert Limits().as_record() == {
        "max_positions": "10",
        "max_position_pct": "0.1",
        "max_gross_pct": "1",
        "min_cash_pct": "0.02",
        "min_order_value_usd": "100",
        "max_order_value_usd": "250000",
        "max_orders": "100",
    }


@pytest.mark.parametrize(
    ("count", "gross", "cap", "each"),
    [
        (1, "0.98", "0.10", "0.10"),
        (9, "0.98", "0.10", "0.10"),
        (10, "0.98", "0.10", "0.098"),
        (3, "1.00", "1.00", "0.333333"),  # rounded down: three of them do not exceed the whole
    ],
)
def test_equal_weights_share_the_gross_up_to_the_cap(count: int, gross: str, cap: str, each: str) -> None:
    longs = [f"N{i}" for i in range(count)]

    assert equal_weights(longs, D(gross), D(cap)) == dict.fromkeys(longs, D(each))


def test_no_signal_is_no_weight() -> None:
    assert equal_weights([], D(1), D("0.1")) == {}


@given(st.lists(st.text(min_size=1), unique=True, min_size=1), st.decimals(0, 1, places=3), st.decimals(0, 1, places=3))
def test_equal_weights_exceed_neither_gross_nor_cap(longs: list[str], gross: Decimal, cap: Decimal) -> None:
    weights = equal_weights(longs, gross, cap)

    assert sum(weights.values()) <= gross
    assert all(0 <= weight <= cap for weight in weights.values())
    assert weights == equal_weights(longs[::-1], gross, cap)


def test_a_symbol_given_twice_is_an_error_and_not_a_double_weight() -> None:
    with pytest.raises(DataError, match="symbols given twice: AAPL, TRUE; aggregate per symbol first"):
        equal_weights(["TRUE", "AAPL", "XOM", "AAPL", "TRUE", "TRUE"], D(1), D("0.1"))


def test_strategies_are_blended_by_their_allocation() -> None:
    """A gets 0.6 × 0.10 + 0.4 × 0.20 = 0.14."""
    strategies = {"HYP-1": {"A": D("0.10"), "B": D("0.05")}, "HYP-2": {"A": D("0.20"), "C": D("0.50")}}

    target = blend(strategies, {"HYP-1": D("0.6"), "HYP-2": D("0.4")})

    assert target == {"A": D("0.14"), "B": D("0.03"), "C": D("0.20")}


def test_more_than_the_whole_account_cannot_be_allocated() -> None:
    with pytest.raises(ConfigError, match=r"strategy allocations sum to 1.001, at most 1 is possible; lower one of"):
        blend({"HYP-1": {}, "HYP-2": {}}, {"HYP-1": D("0.6"), "HYP-2": D("0.401")})


@pytest.mark.parametrize(
    ("weight", "equity", "price", "shares"),
    [
        ("0.10", "100000", "150", 66),  # 10,000 / 150 = 66.67
        ("0.10", "100000", "100", 100),
        ("0.10", "100000", "0.50", 20_000),
        ("0.10", "100000", "650000", 0),  # one share would be six times the account
        ("0", "100000", "150", 0),
        ("-0.10", "100000", "150", -66),  # towards zero on either side
        ("0.333333", "1000000", "33.3333", 10000),
    ],
)
def test_whole_shares_are_rounded_towards_zero(weight: str, equity: str, price: str, shares: int) -> None:
    assert whole_shares(D(weight), D(equity), D(price)) == shares


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_a_price_that_is_none_sizes_nothing(price: str) -> None:
    with pytest.raises(MissingPriceError, match=f"a price of {price} cannot size a position"):
        whole_shares(D("0.1"), D(1000), D(price))
