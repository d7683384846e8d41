"""Orders: what may be asked, under which reference, and which lives an order may lead."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.orders import (
    LIVE,
    ORDER_REF_MAX_LENGTH,
    SENDABLE,
    TRANSITIONS,
    UNRESOLVED,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    order_ref,
)
from hrp.errors import OrderError

D = Decimal
S = OrderStatus
SESSION = date(2022, 3, 11)

HELD = {S.ACKED, S.WORKING, S.PARTIALLY_FILLED}
# One row per status: everything that may follow it. Whatever is not here is illegal.
FOLLOWS = {
    S.PLANNED: {S.SENDING, S.UNKNOWN, S.DENIED, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED, *HELD},
    S.SENDING: {S.UNKNOWN, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED, *HELD},
    S.UNKNOWN: {S.LOST, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED, *HELD},
    S.LOST: {S.SENDING, S.UNKNOWN, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED, *HELD},
    S.ACKED: {S.UNKNOWN, S.WORKING, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED},
    S.WORKING: {S.UNKNOWN, S.ACKED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED},
    S.PARTIALLY_FILLED: {S.UNKNOWN, S.ACKED, S.WORKING, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED},
    S.FILLED: {S.CANCELLED, S.REJECTED, *HELD},  # a correction took shares off it
    S.CANCELLED: {S.FILLED, *HELD},  # the fill was under way when the cancellation came
    S.EXPIRED: {S.FILLED, *HELD},
    S.REJECTED: {S.FILLED, S.CANCELLED, *HELD},  # released by hand
    S.DENIED: set(),
}


def order(status: OrderStatus = S.PLANNED, **changes: object) -> Order:
    return Order(**{"symbol": "AAPL", "side": OrderSide.BUY, "quantity": 5, "status": status} | changes)


@pytest.mark.parametrize(("before", "after"), list(product(S, S)), ids=lambda status: status.value)
def test_an_order_moves_only_where_the_table_lets_it(before: OrderStatus, after: OrderStatus) -> None:
    if after in FOLLOWS[before]:
        assert order(before).moved_to(after).status is after
    else:
        with pytest.raises(OrderError, match=f"order r1 cannot go from {before} to {after}"):
            order(before, order_ref="r1").moved_to(after)


def test_the_table_has_a_row_for_every_status() -> None:
    assert set(FOLLOWS) == set(TRANSITIONS) == set(S)


def test_an_order_is_sent_from_the_plan_or_after_it_was_proven_lost_and_from_nowhere_else() -> None:
    assert {before for before in S if S.SENDING in TRANSITIONS[before]} == {S.PLANNED, S.LOST} == SENDABLE


def test_only_an_order_whose_fate_is_unknown_can_be_lost() -> None:
    assert {before for before in S if S.LOST in TRANSITIONS[before]} == {S.UNKNOWN}


def test_what_the_broker_shows_can_always_be_written_down() -> None:
    followed = {before for before in S if before is not S.DENIED}
    assert all(HELD | {S.FILLED} <= TRANSITIONS[before] | {before} for before in followed)


@pytest.mark.parametrize(
    ("path", "attempt", "lost"),
    [
        ([S.SENDING, S.ACKED, S.FILLED], 1, 0),
        ([S.SENDING, S.UNKNOWN, S.LOST], 1, 1),
        ([S.SENDING, S.UNKNOWN, S.LOST, S.SENDING, S.ACKED], 2, 1),
        ([S.ACKED], 1, 0),  # found at the broker: it must have been sent
        ([S.UNKNOWN], 1, 0),
        ([S.EXPIRED], 0, 0),
        ([S.DENIED], 0, 0),
    ],
)
def test_attempts_and_losses_are_counted(path: list[OrderStatus], attempt: int, lost: int) -> None:
    moved = order()
    for status in path:
        moved = moved.moved_to(status)
    assert (moved.attempt, moved.lost) == (attempt, lost)


def test_an_order_whose_fate_is_open_counts_as_one_that_lives() -> None:
    assert {S.SENDING, S.UNKNOWN} == UNRESOLVED
    assert HELD | UNRESOLVED == LIVE


def test_a_denied_order_keeps_its_reason() -> None:
    denied = order().denied("MAX_ORDERS: count=4, limit=3")

    assert (denied.status, denied.denial) == (S.DENIED, "MAX_ORDERS: count=4, limit=3")
    with pytest.raises(OrderError, match="cannot go from acked to denied"):
        order(S.ACKED).denied("too late")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": 0}, "quantity of AAPL must be positive, got 0"),
        ({"quantity": -5}, "quantity of AAPL must be positive, got -5"),
        ({"order_type": OrderType.LIMIT}, "limit order for AAPL requires a positive limit_price, got None"),
        ({"order_type": OrderType.LIMIT, "limit_price": D(0)}, "requires a positive limit_price, got 0"),
        ({"order_type": OrderType.LIMIT, "limit_price": D(-1)}, "requires a positive limit_price, got -1"),
        ({"order_type": OrderType.LIMIT, "limit_price": D("NaN")}, "requires a positive limit_price, got NaN"),
        ({"order_type": OrderType.LIMIT, "limit_price": D("Infinity")}, "a positive limit_price, got Infinity"),
        ({"limit_price": D(10)}, "market order for AAPL carries limit_price 10; use a limit order"),
        ({"order_ref": "x" * 37}, "must be ASCII of at most 36 characters"),
        ({"order_ref": "hrp-é"}, "must be ASCII of at most 36 characters"),
    ],
)
def test_an_order_that_breaks_its_own_rules_is_not_built(changes: dict, message: str) -> None:
    with pytest.raises(OrderError, match=message):
        order(**changes)


def test_the_smallest_order_is_one_share_for_a_cent() -> None:
    assert order(quantity=1, order_type=OrderType.LIMIT, limit_price=D("0.01")).signed_quantity == 1


@pytest.mark.parametrize(("side", "signed"), [(OrderSide.BUY, 5), (OrderSide.SELL, -5)])
def test_a_sale_takes_shares_away(side: OrderSide, signed: int) -> None:
    assert order(side=side).signed_quantity == signed


REF = {
    "session": SESSION,
    "account": "DU123",
    "strategy": "HYP-2022-001",
    "symbol": "BRK B",
    "side": OrderSide.BUY,
    "generation": 1,
}


def test_a_reference_can_be_read_and_is_the_same_every_time() -> None:
    # The end is sha256("2022-03-11|DU123|HYP-2022-001|BRK B|buy|1"), its first eight digits.
    assert order_ref(**REF) == "hrp-20220311-BRK.B-B1-8ebb7a8d"
    assert order_ref(SESSION, "DU123", "HYP-2022-001", "BRK B", OrderSide.BUY) == order_ref(**REF)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("session", date(2022, 3, 14)),
        ("account", "DU124"),
        ("strategy", "HYP-2022-002"),
        ("symbol", "BRK.B"),  # reads the same, is another key
        ("side", OrderSide.SELL),
        ("generation", 2),
    ],
)
def test_a_reference_differs_when_a_single_input_differs(name: str, other: object) -> None:
    assert order_ref(**REF | {name: other}) != order_ref(**REF)


@given(
    st.dates(date(1990, 1, 2), date(2050, 12, 30)),
    st.text(),
    st.text(),
    st.text(st.characters(max_codepoint=127), min_size=1, max_size=40),
    st.sampled_from(OrderSide),
    st.integers(1, 10_000),
)
def test_a_reference_survives_the_wire(
    session: date, account: str, strategy: str, symbol: str, side: OrderSide, generation: int
) -> None:
    ref = order_ref(session, account, strategy, symbol, side, generation)

    assert ref.isascii()
    assert " " not in ref
    assert len(ref) <= ORDER_REF_MAX_LENGTH
    assert order(order_ref=ref).order_ref == ref


def test_long_symbols_that_read_alike_still_have_their_own_references() -> None:
    one, other = (order_ref(**REF | {"symbol": f"A-VERY-LONG-SYMBOL-{end}"}) for end in "XY")

    assert one[:20] == other[:20]
    assert one != other
