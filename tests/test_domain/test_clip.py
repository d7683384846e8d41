"""The waterfall of limits: every change is a row, the rows add up, and no limit is exceeded at the end."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given

from hrp.domain.clip import Name, Waterfall
from hrp.domain.plan import PlanLine
from hrp.domain.portfolio import Limits
from hrp.domain.rebalance import PlanInputs, build_plan
from hrp.errors import MissingPriceError

from .nights import FROZEN_CODES, D, limits, nights

EQUITY = D(100_000)
LIMITS = Limits(
    max_positions=3,
    max_position_pct=D("0.30"),
    max_gross_pct=D("0.90"),
    min_cash_pct=D("0.20"),
    min_order_value_usd=D(500),
)


def run(*names: Name, limits: Limits = LIMITS) -> Waterfall:
    return Waterfall({name.symbol: name for name in names}, EQUITY, limits).run()


def free(symbol: str, weight: str, price: object, base: int, desired: int) -> Name:
    return Name(symbol, D(weight), D(str(price)), base, desired)


def steps(waterfall: Waterfall, symbol: str) -> list[tuple[str, int, int]]:
    return [(clip.limit, clip.before, clip.after) for clip in waterfall.clips[symbol]]


def test_every_limit_in_its_order_with_the_shares_it_took() -> None:
    """Equity 100,000 USD, of which a frozen name holds 40,000 and one of the three places.

    Per name 30,000 USD: A 500 to 300 shares at 100, B 800 to 600 at 50. Two places are left: C goes.
    Gross 90,000 leaves 50,000 for the 60,000 of A and B; cash of 20,000 then leaves 40,000 for 50,000.
    A holds 199 already: one share for 100 USD is no trade.
    """
    waterfall = run(
        free("A", "0.50", 100, 199, 500),
        free("B", "0.40", 50, 0, 800),
        free("C", "0.10", 10, 0, 1000),
        Name("F", D(0), D(100), 400, 0, "NO_PREDICTION: held=400"),
    )

    assert steps(waterfall, "A") == [
        ("MAX_POSITION_WEIGHT", 500, 300),
        ("MAX_GROSS", 300, 250),
        ("MIN_CASH", 250, 200),
        ("MIN_ORDER_VALUE", 200, 199),
    ]
    assert steps(waterfall, "B") == [
        ("MAX_POSITION_WEIGHT", 800, 600),
        ("MAX_GROSS", 600, 500),
        ("MIN_CASH", 500, 400),
    ]
    assert steps(waterfall, "C") == [("MAX_POSITIONS", 1000, 0)]
    assert steps(waterfall, "F") == [("NO_PREDICTION", 0, 400)]
    assert waterfall.target == {"A": 199, "B": 400, "C": 0, "F": 400}
    assert [clip.detail for clip in waterfall.clips["A"]] == [
        "limit=0.3",
        "scale=0.833333, limit=0.9",
        "scale=0.800000, limit=0.8",
        "value_usd=100.00, limit=500",
    ]


@pytest.mark.parametrize(
    ("case", "price", "base", "desired", "target"),
    [
        ("a small purchase is left out", 100, 100, 104, 100),
        ("a purchase for half a dollar is left out", "0.50", 100, 101, 100),
        ("a purchase of the smallest value is made", 100, 100, 105, 105),
        ("a small first purchase is left out", 100, 0, 4, 0),
        ("a small trim is left out", 100, 104, 100, 104),
        ("a small exit is made", 100, 1, 0, 0),
        ("a small trim of a name that stands exactly at its limit is left out", 100, 300, 299, 300),
        ("a small trim that the limit per name needs is made", 100, 301, 300, 300),
        ("a small trim down to below the limit per name is made too", 100, 301, 299, 299),
    ],
)
def test_the_smallest_order(case: str, price: object, base: int, desired: int, target: int) -> None:
    assert run(free("A", "0.30", price, base, desired)).target == {"A": target}, case


def test_a_small_sale_is_made_where_keeping_the_shares_would_cost_the_cash_that_is_kept_back() -> None:
    """Three times 26,600 USD are 79,800 of the 80,000 allowed. Each name could keep 2 shares more, but only one may."""
    names = [free(symbol, "0.28", 100, 268, 266) for symbol in "ABC"]

    assert run(*names).target == {"A": 268, "B": 266, "C": 266}


def test_equal_weights_keep_their_places_by_symbol() -> None:
    names = [free(symbol, "0.10", 100, 0, 100) for symbol in "DCBA"]

    assert run(*names).target == {"A": 100, "B": 100, "C": 100, "D": 0}


def test_only_what_would_be_held_takes_a_place() -> None:
    """One share of A costs more than its weight. One share each of the three others is a position each."""
    names = [free("A", "0.30", 650_000, 0, 0), *(free(symbol, "0.01", 900, 0, 1) for symbol in "BCD")]

    assert run(*names).target == {"A": 0, "B": 1, "C": 1, "D": 1}


def test_a_frozen_name_takes_a_place_if_a_single_share_of_it_is_held() -> None:
    frozen = "QUARANTINED: check=PRICE_JUMP"
    names = [
        Name("HELD", D("0.30"), D(100), 1, 300, frozen),
        Name("WANTED", D("0.30"), D(100), 0, 300, frozen),
        *(free(symbol, "0.10", 100, 0, 100) for symbol in "ABC"),
    ]

    assert run(*names).target == {"A": 100, "B": 100, "C": 0, "HELD": 1, "WANTED": 0}


def test_a_single_share_that_does_not_fit_is_not_kept() -> None:
    """Three shares at 30,000 USD do not fit into 80,000; scaled alike, each is less than one share."""
    assert run(*(free(symbol, "0.30", 30_000, 0, 1) for symbol in "ABC")).target == {"A": 0, "B": 0, "C": 0}


def test_a_name_exactly_at_its_limits_is_not_clipped() -> None:
    """Two times 30,000 USD and one of 20,000 are the 80,000 allowed; nothing is left to trade in A."""
    names = [free("A", "0.30", 100, 300, 300), free("B", "0.30", 100, 0, 300), free("C", "0.20", 100, 0, 200)]

    assert run(*names).clips == {"A": [], "B": [], "C": []}


@pytest.mark.parametrize("held", [900, -900, 1100])
def test_where_frozen_names_use_up_every_limit_the_free_ones_are_sold(held: int) -> None:
    frozen = Name("F", D(0), D(100), held, 0, "QUARANTINED: check=PRICE_JUMP")
    names = [free("A", "0.10", 100, 50, 100), Name("B", D("0.00001"), D("0.01"), 0, 100)]

    assert run(frozen, *names).target == {"A": 0, "B": 0, "F": held}


def test_only_a_frozen_name_may_be_without_a_price() -> None:
    with pytest.raises(MissingPriceError, match="A has no price and must be frozen"):
        run(Name("A", D("0.10"), None, 0, 100))


def test_scaling_loses_no_share_to_the_rounding_of_the_scale() -> None:
    """300 shares by 5/6 are 250, whatever 0.8333... says."""
    names = [free(symbol, "0.30", 100, 0, 300) for symbol in "ABC"]

    scaled = run(*names, limits=Limits(max_positions=3, max_position_pct=D("0.30"), min_cash_pct=D("0.25")))

    assert scaled.target == {"A": 250, "B": 250, "C": 250}


@given(nights(), limits())
def test_the_waterfall_adds_up(inputs: PlanInputs, limits: Limits) -> None:
    for line in build_plan(inputs, limits).lines:
        assert line.desired + sum(clip.after - clip.before for clip in line.clips) == line.target
        levels = [line.desired, *(clip.after for clip in line.clips)]
        assert [clip.before for clip in line.clips] == levels[:-1]
        assert all(clip.before != clip.after for clip in line.clips if clip.limit not in FROZEN_CODES)


def is_frozen(line: PlanLine) -> bool:
    return bool(line.clips) and line.clips[0].limit in FROZEN_CODES


def value(line: PlanLine) -> Decimal:
    return abs(line.target) * (line.price or D(0))


@given(nights(), limits())
def test_no_limit_is_exceeded_by_the_free_names(inputs: PlanInputs, limits: Limits) -> None:
    """What is frozen may stand above a limit; then the free names have no share of it left."""
    plan = build_plan(inputs, limits)
    chosen = [line for line in plan.lines if not is_frozen(line) and line.target]
    frozen = [line for line in plan.lines if is_frozen(line)]
    gross_left = limits.max_gross_pct * inputs.equity - sum(map(value, frozen))

    assert all(value(line) <= limits.max_position_pct * inputs.equity for line in chosen)
    assert len(chosen) <= max(limits.max_positions - sum(line.target != 0 for line in frozen), 0)
    assert sum(map(value, chosen)) <= max(gross_left, D(0))


@given(nights(), limits())
def test_the_cash_that_is_kept_back_is_there_after_every_order_has_filled(inputs: PlanInputs, limits: Limits) -> None:
    """At the closes, and to within the fraction of a share that the whole-share target of a frozen name leaves out.

    Where frozen names have taken the cash already, the free ones are sold and none is bought.
    """
    plan = build_plan(inputs, limits)
    spent = sum(((line.target - line.held) * line.price for line in plan.lines if line.price), D(0))
    fractions = sum((abs(line.held % 1) * line.price for line in plan.lines if line.price), D(0))

    enough = inputs.cash - spent >= limits.min_cash_pct * inputs.equity - fractions
    assert enough or not any(line.target for line in plan.lines if not is_frozen(line))
