"""The decision of a night: target less held less working."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.orders import OrderSide, OrderStatus, OrderType
from hrp.domain.portfolio import Limits
from hrp.domain.rebalance import PlanInputs, build_plan
from hrp.errors import DataError

from .nights import OPEN_LIMITS, D, limits, night, nights, once_filled, reason, sold, trades, while_working

TENTH = D("0.10")  # of 100,000 USD: 10,000 USD


@pytest.mark.parametrize(
    ("weight", "held", "working", "trade"),
    [
        (TENTH, 0, 0, 100),  # 10,000 USD at 100 USD are 100 shares
        (TENTH, 60, 0, 40),
        (TENTH, 60, 40, 0),  # what is on order counts
        (TENTH, 60, 10, 30),
        (TENTH, 130, 0, -30),  # a trim
        (TENTH, 130, -30, 0),
        (TENTH, 130, -50, 20),
        (D(0), 130, 0, -130),  # an exit: predicted, and not wanted any more
        (D(0), 130, -130, 0),
        (D("0.0999"), 0, 0, 99),  # 9,990 USD: shares are whole and never rounded up
    ],
)
def test_an_order_is_target_less_held_less_working(weight: Decimal, held: int, working: int, trade: int) -> None:
    inputs = night(
        weights={"AAPL": weight},
        predictions={"AAPL": 0.05},
        prices={"AAPL": D(100)},
        held={"AAPL": D(held)},
        working={"AAPL": D(working)},
    )

    assert trades(build_plan(inputs, OPEN_LIMITS)) == ({"AAPL": trade} if trade else {})


def test_a_night_buys_and_sells_and_sales_come_first() -> None:
    inputs = night(
        cash=D(80_000),
        weights={"BUY": TENTH, "ADD": TENTH, "TRIM": TENTH},
        predictions=dict.fromkeys(["BUY", "ADD", "TRIM", "EXIT"], 0.01),
        prices=dict.fromkeys(["BUY", "ADD", "TRIM", "EXIT"], D(50)),
        held={"ADD": D(150), "TRIM": D(230), "EXIT": D(20)},
    )

    plan = build_plan(inputs, OPEN_LIMITS)

    assert [(order.symbol, order.signed_quantity) for order in plan.orders] == [
        ("EXIT", -20),
        ("TRIM", -30),
        ("ADD", 50),
        ("BUY", 200),
    ]


@given(nights(), limits())
def test_planning_again_while_the_orders_are_working_plans_nothing(inputs: PlanInputs, limits: Limits) -> None:
    plan = build_plan(inputs, limits)

    assert trades(build_plan(while_working(inputs, plan.orders), limits)) == {}


@given(nights(), limits())
def test_planning_again_once_the_orders_are_filled_plans_nothing(inputs: PlanInputs, limits: Limits) -> None:
    plan = build_plan(inputs, limits)

    assert trades(build_plan(once_filled(inputs, plan.orders), limits)) == {}


@given(nights(), limits())
def test_nothing_is_sold_that_is_not_owned_yet(inputs: PlanInputs, limits: Limits) -> None:
    for order in build_plan(inputs, limits).orders:
        selling_already = inputs.buying.get(order.symbol, D(0)) - inputs.working.get(order.symbol, D(0))
        owned = inputs.held.get(order.symbol, D(0)) - selling_already
        assert order.side is OrderSide.BUY or order.quantity <= owned


def test_a_purchase_that_still_works_is_left_to_a_cancellation() -> None:
    plan = build_plan(night(prices={"XOM": D(100)}, working={"XOM": D(30)}, buying={"XOM": D(30)}), OPEN_LIMITS)
    assert plan.orders == ()
    assert reason(plan, "XOM") == "WORKING_BUY: working=30"


def test_a_second_run_scales_to_the_same_shares_although_some_steps_are_now_too_small() -> None:
    """Nine names of 10,000 USD and one of 4,000 share 90,000 USD: 957 and 382 shares at 10 USD, not one more.

    The step from 382 to 400 shares is below the smallest order; leaving it out of the sum would let the nine grow.
    """
    names = [f"N{i}" for i in range(9)]
    inputs = night(
        weights=dict.fromkeys(names, TENTH) | {"LITTLE": D("0.04")},
        predictions=dict.fromkeys([*names, "LITTLE"], 0.1),
        prices=dict.fromkeys([*names, "LITTLE"], D(10)),
    )
    limits = Limits(min_cash_pct=TENTH, min_order_value_usd=D(300))

    plan = build_plan(inputs, limits)

    assert trades(plan) == dict.fromkeys(names, 957) | {"LITTLE": 382}  # 90,000 / 94,000 of 1,000 and of 400
    assert trades(build_plan(while_working(inputs, plan.orders), limits)) == {}


@given(
    nights(), limits(), st.sampled_from([{}, {"*": "DRIFT_FREEZE: verdict=drift"}, {"ON": "MODEL_FROZEN: version=3"}])
)
def test_a_reduction_is_never_refused(inputs: PlanInputs, limits: Limits, no_buys: dict[str, str]) -> None:
    tightest = replace(limits, max_orders=1, min_order_value_usd=D(0), max_order_value_usd=D("0.01"))

    plan = build_plan(replace(inputs, no_buys=no_buys, sent_today=999), tightest)

    assert {order.side for order in plan.denied} <= {OrderSide.BUY}
    assert sold(plan) == [line.symbol for line in plan.lines if line.target < int(line.held + line.working)]


@given(nights(), limits(), st.data())
def test_permuting_the_names_changes_nothing(inputs: PlanInputs, limits: Limits, data: st.DataObject) -> None:
    books = ("weights", "predictions", "prices", "held", "working", "frozen")
    shuffled = {book: dict(data.draw(st.permutations(list(getattr(inputs, book).items())))) for book in books}

    assert build_plan(replace(inputs, **shuffled), limits) == build_plan(inputs, limits)


def test_dry_run_and_real_run_build_the_same_plan_because_nothing_tells_them_apart() -> None:
    inputs = night(weights={"AAPL": TENTH}, predictions={"AAPL": 0.05}, prices={"AAPL": D(100)})

    assert {field.name for field in fields(PlanInputs)}.isdisjoint({"dry_run", "mode", "live"})
    assert build_plan(inputs, OPEN_LIMITS) == build_plan(inputs, OPEN_LIMITS)


@pytest.mark.parametrize("price", [None, D(0), D("-1"), D("NaN"), D("sNaN"), D("Infinity")])
@pytest.mark.parametrize("held", [0, 70])
def test_a_name_without_a_usable_price_gets_no_order_and_a_coded_reason(price: Decimal | None, held: int) -> None:
    prices = {"GOOD": D(100)} | ({} if price is None else {"AAPL": price})
    inputs = night(
        weights={"AAPL": TENTH, "GOOD": TENTH},
        predictions={"AAPL": 0.05, "GOOD": 0.05},
        prices=prices,
        held={"AAPL": D(held)},
        cash=D(93_000) if held else D(100_000),
    )

    plan = build_plan(inputs, OPEN_LIMITS)

    assert trades(plan) == {"GOOD": 100}
    assert reason(plan, "AAPL") == f"UNPRICED: session=2022-03-11, price={price}"
    assert plan.lines[0].target == held


@pytest.mark.parametrize(
    ("held", "predicted", "why"),
    [
        ("80", False, "NO_PREDICTION: held=80"),
        ("80.000000", False, "NO_PREDICTION: held=80"),
        ("-80", True, "SHORT_HELD: held=-80"),
        ("80.5", True, "FRACTIONAL_HELD: held=80.5"),
    ],
)
def test_a_holding_that_cannot_be_judged_is_frozen(held: str, predicted: bool, why: str) -> None:
    inputs = night(prices={"AAPL": D(10)}, held={"AAPL": D(held)}, predictions={"AAPL": 0.1} if predicted else {})

    plan = build_plan(inputs, OPEN_LIMITS)

    assert trades(plan) == {}
    assert reason(plan, "AAPL") == why


def test_a_quarantined_name_stays_as_it_is_and_says_so_even_if_it_would_have_stayed_anyway() -> None:
    inputs = night(
        weights={"AAPL": TENTH, "XOM": TENTH},
        predictions={"AAPL": 0.1, "XOM": 0.1},
        prices={"AAPL": D(100), "XOM": D(100)},
        held={"AAPL": D(100)},
        frozen={"AAPL": "QUARANTINED: check=REPEATED_BAR, close=100.0", "XOM": "BREAK: held=5, broker=6"},
    )

    plan = build_plan(inputs, OPEN_LIMITS)

    assert trades(plan) == {}
    assert [reason(plan, symbol) for symbol in ("AAPL", "XOM")] == [
        "QUARANTINED: check=REPEATED_BAR, close=100.0",
        "BREAK: held=5, broker=6",
    ]


@pytest.mark.parametrize("symbol", ["TRUE", "NA", "NAN", "INF", "ON", "BRK B"])
def test_tickers_that_look_like_something_else_are_traded_like_any_other(symbol: str) -> None:
    inputs = night(weights={symbol: TENTH}, predictions={symbol: 0.1}, prices={symbol: D(100)})

    assert trades(build_plan(inputs, OPEN_LIMITS)) == {symbol: 100}


def test_what_is_held_without_a_price_is_not_spent_a_second_time() -> None:
    """100,000 USD: 60,000 sit in an unpriced name, so the rest can have the other 40,000 and no more."""
    names = [f"N{i}" for i in range(10)]
    inputs = night(
        cash=D(38_000),
        weights=dict.fromkeys(names, TENTH),
        predictions=dict.fromkeys(names, 0.1),
        prices=dict.fromkeys(names, D(10)),
        held={"GONE": D(600), "N0": D(200)},
    )

    plan = build_plan(inputs, OPEN_LIMITS)

    # The unpriced name takes one of ten places: nine names at 10,000 USD, scaled by 40,000 / 90,000 to 444 shares.
    assert trades(plan) == dict.fromkeys(names[1:9], 444) | {"N0": 244}


def test_a_broker_that_marks_holdings_above_the_close_takes_nothing_from_the_others() -> None:
    """590 × 100 USD and 40,000 in cash are 99,000; the broker says 100,000. Nothing held is without a price."""
    names = [f"N{i}" for i in range(10)]
    inputs = night(
        cash=D(40_000),
        weights=dict.fromkeys([*names, "UNPRICED"], TENTH),
        predictions=dict.fromkeys([*names, "UNPRICED"], 0.1),
        prices=dict.fromkeys(names, D(100)),
        held={"N0": D(590)},
    )

    assert trades(build_plan(inputs, OPEN_LIMITS)) == {"N0": -490} | dict.fromkeys(names[1:], 100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": {"AAPL": D("NaN")}}, "target weight of AAPL must be a number of at least 0, got NaN"),
        ({"weights": {"AAPL": D("-0.1")}}, "target weight of AAPL must be a number of at least 0, got -0.1"),
        ({"weights": {"AAPL": D("Infinity")}}, "target weight of AAPL"),
        ({"equity": D(0)}, "equity of DU123 must be positive, got 0"),
        ({"equity": D("NaN")}, "equity of DU123 must be positive, got NaN"),
        ({"cash": D("NaN")}, "cash of DU123 must be a number, got NaN"),
        ({"held": {"AAPL": D("NaN")}}, "shares of AAPL held or on order must be a number, got NaN"),
        ({"working": {"AAPL": D("NaN")}}, "shares of AAPL held or on order must be a number, got NaN"),
    ],
)
def test_a_number_that_is_none_is_an_error_and_never_a_target_of_zero(changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build_plan(night(**changes), OPEN_LIMITS)


@pytest.mark.parametrize(
    ("held", "collar", "order_type", "limit_price"),
    [
        (0, None, OrderType.MARKET, None),
        (0, D("0.05"), OrderType.LIMIT, D("34.97")),  # buys: 33.30 × 1.05 = 34.965, half a cent goes up
        (900, D("0.05"), OrderType.LIMIT, D("31.64")),  # sells: 33.30 × 0.95 = 31.635
        (900, D("1"), OrderType.LIMIT, D("0.01")),  # a limit price is positive
    ],
)
def test_a_collar_is_the_worst_price_that_an_order_accepts(
    held: int, collar: Decimal | None, order_type: OrderType, limit_price: Decimal | None
) -> None:
    inputs = night(
        weights={"AAPL": TENTH},
        predictions={"AAPL": 0.1},
        prices={"AAPL": D("33.30")},
        held={"AAPL": D(held)},
        collar_pct=collar,
    )

    (order,) = build_plan(inputs, OPEN_LIMITS).orders

    assert (order.order_type, order.limit_price) == (order_type, limit_price)


def test_every_order_names_its_session_account_and_strategy() -> None:
    inputs = night(weights={"BRK B": TENTH}, predictions={"BRK B": 0.1}, prices={"BRK B": D(100)})

    (order,) = build_plan(inputs, OPEN_LIMITS).orders

    assert (order.session, order.for_session) == (inputs.session, inputs.for_session)
    assert (order.account, order.strategy, order.status) == ("DU123", "HYP-2022-001", OrderStatus.PLANNED)
    assert order.order_ref.startswith("hrp-20220311-BRK.B-B1-")


def test_a_session_planned_anew_asks_under_other_references() -> None:
    inputs = night(weights={"AAPL": TENTH}, predictions={"AAPL": 0.1}, prices={"AAPL": D(100)})
    (first,) = build_plan(inputs, OPEN_LIMITS).orders

    repeated = build_plan(replace(inputs, sent_refs=frozenset({first.order_ref})), OPEN_LIMITS)
    anew = build_plan(replace(inputs, sent_refs=frozenset({first.order_ref}), generation=2), OPEN_LIMITS)

    assert [order.denial for order in repeated.denied] == [f"DUPLICATE_ORDER: order_ref={first.order_ref}"]
    assert repeated.orders == ()
    assert trades(anew) == {"AAPL": 100}


def test_an_empty_night_is_an_empty_plan() -> None:
    assert build_plan(night(), OPEN_LIMITS).lines == ()
    assert build_plan(night(weights={"AAPL": D(0)}, held={"XOM": D(0)}), OPEN_LIMITS).lines == ()
