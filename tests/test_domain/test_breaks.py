"""Ledger and broker held against each other: what is found, what explains it, what locks, what a person takes over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.book import Adjustment, AdjustmentKind, Book
from hrp.domain.breaks import Comparison, LockScope, Records, compare, lock_of, locks, take_over
from hrp.domain.corporate_actions import ActionKind, CorporateAction
from hrp.domain.orders import LIVE, Order, OrderSide, OrderStatus
from hrp.domain.positions import Account, Break, BrokerState, Fill, Position, WorkingOrder

S = OrderStatus
D = Decimal
REF, PERM, ACCOUNT = "hrp-20260105-AAPL-B1-0a1b2c3d", 501, "DU1234567"
EVE, SESSION = date(2026, 1, 5), date(2026, 1, 6)
NOW = datetime(2026, 1, 6, 15, 0, tzinfo=UTC)
OWN_CLIENT, OTHER_CLIENT, BY_HAND = 1, 77, 0
SPLIT = CorporateAction("AAPL", SESSION, ActionKind.SPLIT, D(2), D(100))
DIVIDEND = CorporateAction("AAPL", SESSION, ActionKind.DIVIDEND, D("0.25"))


def order(status: OrderStatus = S.ACKED, perm_id: int | None = None, quantity: int = 10, **more: object) -> Order:
    return Order("AAPL", OrderSide.BUY, quantity, order_ref=REF, status=status, perm_id=perm_id, **more)  # type: ignore[arg-type]


def working(ref: str = REF, perm_id: int = PERM, client_id: int = OWN_CLIENT, order_id: int = 12) -> WorkingOrder:
    return WorkingOrder(ref, perm_id, order_id, client_id, "AAPL", 1, OrderSide.BUY, D(10))


def fill(shares: int, exec_id: str = "a.b.01", ref: str = REF, **more: object) -> Fill:
    side = OrderSide.BUY if shares > 0 else OrderSide.SELL
    given: dict = {"commission": D(1), "client_id": OWN_CLIENT, **more}
    return Fill(exec_id, ref, PERM, ACCOUNT, 1, "AAPL", side, D(abs(shares)), D(101), NOW, **given)


def foreign(shares: int, exec_id: str = "x.y.01", client_id: int = BY_HAND, ref: str = "", **more: object) -> Fill:
    return replace(fill(shares, exec_id, ref, client_id=client_id), perm_id=9, **more)  # type: ignore[arg-type]


def state(held: Mapping[str, int], cash: str = "1000.00", open_orders: Sequence[WorkingOrder] = ()) -> BrokerState:
    positions = tuple(Position(symbol, D(shares), D(95), con_id=7) for symbol, shares in held.items())
    return BrokerState(Account(ACCOUNT, D(5000), D(cash)), positions, tuple(open_orders), (), (), NOW)


def records(held: Mapping[str, int], cash: str = "1000.00", **more: object) -> Records:
    return Records(Book(D(cash), {symbol: D(shares) for symbol, shares in held.items()}), **more)  # type: ignore[arg-type]


def held_against(ours: Records, theirs: BrokerState, *actions: CorporateAction) -> Comparison:
    return compare(SESSION, theirs, ours, actions)


def told(done: Comparison) -> list[tuple[str, ...]]:
    assert all((found.session, found.account) == (SESSION, ACCOUNT) for found in done.breaks)
    return [(found.kind, found.subject, found.ledger, found.broker) for found in done.breaks]


def agrees(done: Comparison, theirs: BrokerState) -> bool:
    """The ledger's book with everything that was explained is the broker's, to the cent and the share."""
    book = done.records.book()
    return (book.held, book.cash) == ({s: q for s, q in theirs.held().items() if q}, theirs.account.cash)


# What is found


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"AAPL": 10}, {"AAPL": 10}, []),
        ({"AAPL": 10}, {"AAPL": 9}, [("POSITION", "AAPL", "10", "9")]),
        ({"AAPL": 10}, {}, [("POSITION", "AAPL", "10", "0")]),
        ({}, {"TRUE": -3}, [("POSITION", "TRUE", "0", "-3")]),
        ({"B": 1}, {"A": 2}, [("POSITION", "A", "0", "2"), ("POSITION", "B", "1", "0")]),
        ({"AAPL": 0}, {}, []),
    ],
)
def test_positions_are_compared_over_the_union_of_names(ours, theirs, expected):
    done = held_against(records(ours), state(theirs))

    assert told(done) == expected
    assert all(locks(found) and lock_of(found, NOW).scope is LockScope.INSTRUMENT for found in done.breaks)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("1000.00", "1000.00", []),
        ("1000.004", "999.01", []),
        ("1000.00", "998.99", [("CASH", "cash", "1000.00", "998.99")]),
        ("1000.00", "1500.00", [("CASH", "cash", "1000.00", "1500.00")]),
    ],
)
def test_cash_may_differ_by_a_dollar(ours, theirs, expected):
    done = held_against(records({}, ours), state({}, theirs))

    assert told(done) == expected
    assert all(lock_of(found, NOW).scope is LockScope.ACCOUNT for found in done.breaks)


@pytest.mark.parametrize("status", list(OrderStatus))
def test_an_order_without_an_answer_is_a_break_that_waits_for_the_brokers_word(status):
    done = held_against(records({}, orders=[order(status)]), state({}))
    expected = [("UNKNOWN_ORDER", REF, f"{status}: buy 10 AAPL", "no word")]

    assert told(done) == (expected if status in (S.SENDING, S.UNKNOWN) else [])
    assert not any(map(locks, done.breaks))


@pytest.mark.parametrize("status", [status for status in OrderStatus if status not in (S.SENDING, S.UNKNOWN)])
def test_a_working_order_that_the_ledger_holds_for_ended_locks_the_account(status):
    done = held_against(records({}, orders=[order(status)]), state({}, open_orders=[working()]))

    if status in LIVE:
        assert done.breaks == ()
    else:
        assert told(done) == [("FOREIGN_ORDER", REF, status.value, "working: buy 10 AAPL")]
        assert lock_of(done.breaks[0], NOW).scope is LockScope.ACCOUNT


def test_a_break_says_where_and_what():
    (one,) = held_against(records({}), state({"AAPL": 1})).breaks

    assert one == Break(SESSION, ACCOUNT, "POSITION", "AAPL", "0", "1", symbol="AAPL")
    assert one.told == "POSITION AAPL: ledger 0, broker 1"


@pytest.mark.parametrize(
    ("shares", "own", "words"),
    [
        (
            10,
            {"orders": [order(S.UNKNOWN)]},
            f"as many as order {REF} (unknown) still had to bring: missed executions?",
        ),
        (6, {"orders": [order(S.CANCELLED)], "fills": [fill(4)]}, "still had to bring"),
        (
            -10,
            {"orders": [order(S.FILLED)], "fills": [fill(10)]},
            "as if execution a.b.01 (buy 10 AAPL at 101) had never",
        ),
        (3, {"orders": [order(S.FILLED)], "fills": [fill(10)]}, ""),
    ],
)
def test_a_difference_that_nothing_proves_locks_with_a_hint(shares: int, own: dict, words: str):
    ours = records({"AAPL": 20}, **own)
    there = int(ours.book().held["AAPL"]) + shares
    found = next(b for b in held_against(ours, state({"AAPL": there})).breaks if b.kind == "POSITION")

    assert words in found.explanation
    assert bool(words) == bool(found.explanation)
    assert locks(found)


# What explains it


@pytest.mark.parametrize(
    ("client_id", "kind", "words"),
    [
        (BY_HAND, AdjustmentKind.MANUAL, "an order placed by hand"),
        (OTHER_CLIENT, AdjustmentKind.OTHER_CLIENT, "an order of client 77 that HRP did not place"),
        (OWN_CLIENT, AdjustmentKind.OTHER_CLIENT, "an order of client 1 that HRP did not place"),
    ],
)
def test_an_execution_of_somebody_else_is_explained_and_moves_the_book(client_id, kind, words):
    theirs = state({"AAPL": 13}, "696.00")
    done = held_against(records({"AAPL": 10}, fills=[foreign(3, client_id=client_id)]), theirs)

    assert told(done) == [("FOREIGN_FILL", "x.y.01", "none", "buy 3 AAPL at 101")]
    assert (done.breaks[0].cause, done.breaks[0].explanation, done.new[0].kind) == (kind, words, kind)
    assert agrees(done, theirs)


def test_an_execution_that_nobody_has_explained_yet_is_not_in_the_book():
    assert records({"AAPL": 10}, fills=[foreign(3)]).book() == Book(D(1000), {"AAPL": D(10)})


def test_a_correction_and_a_late_commission_of_a_foreign_execution_follow_as_their_difference():
    first = foreign(3, commission=None)
    done = held_against(records({"AAPL": 10}, fills=[first]), state({"AAPL": 13}, "697.00"))
    corrected = replace(first, exec_id="x.y.02", quantity=D(4), commission=D(1))

    again = held_against(replace(done.records, fills=[corrected]), state({"AAPL": 14}, "595.00"))

    assert [(a.shares, a.cash, a.part) for a in again.new] == [(1, D("-102.00"), 2)]
    assert again.new[0].adjustment_id != done.new[0].adjustment_id
    assert agrees(again, state({"AAPL": 14}, "595.00"))


def test_a_commission_alone_is_no_news_for_a_person():
    first = foreign(3, commission=None)
    done = held_against(records({}, fills=[first]), state({"AAPL": 3}, "697.00"))

    again = held_against(replace(done.records, fills=[replace(first, commission=D(1))]), state({"AAPL": 3}, "696.00"))

    assert ([a.cash for a in again.new], again.breaks) == ([D(-1)], ())


def test_an_execution_in_hrps_own_form_without_an_order_locks_its_name():
    stray = foreign(3, client_id=OWN_CLIENT, ref="hrp-20260105-AAPL-B1-ffffffff")
    done = held_against(records({}, fills=[stray]), state({}))

    assert told(done) == [("FOREIGN_FILL", "x.y.01", "none", "buy 3 AAPL at 101")]
    assert lock_of(done.breaks[0], NOW).subject == "AAPL"
    assert done.new == ()


@pytest.mark.parametrize(
    ("client_id", "order_id", "cause"),
    [(BY_HAND, 12, "manual"), (OTHER_CLIENT, -3, "manual"), (OTHER_CLIENT, 12, "other_client")],
)
def test_a_working_order_of_somebody_else_is_explained(client_id: int, order_id: int, cause: str):
    done = held_against(records({}), state({}, open_orders=[working("", 9, client_id, order_id)]))

    assert told(done) == [("FOREIGN_ORDER", "perm_id 9", "none", "working: buy 10 AAPL")]
    assert (done.breaks[0].cause, done.new) == (cause, ())


def test_a_split_makes_the_ledgers_shares_the_brokers():
    done = held_against(records({"AAPL": 10}), state({"AAPL": 20}), SPLIT)

    (found,) = done.breaks
    assert (found.cause, found.explanation) == ("split", "split 2 for 1 of AAPL, ex 2026-01-06: 10 became 20")
    assert (done.new[0].about, done.new[0].con_id, done.new[0].price) == ("split:AAPL:2026-01-06", 7, None)
    assert agrees(done, state({"AAPL": 20}))


def test_only_what_was_held_before_the_ex_day_is_split():
    """10 become 20, and 10 more were bought after the split."""
    done = held_against(records({"AAPL": 10}, cash="2011.00", fills=[fill(10)], orders=[order(S.FILLED)]),
                        state({"AAPL": 30}), SPLIT)  # fmt: skip

    assert agrees(done, state({"AAPL": 30}))


def test_what_was_bought_on_the_evening_before_is_split_too():
    early = replace(fill(5), executed_at=SPLIT.ex_at - timedelta(seconds=1))
    ours = records({}, cash="1506.00", fills=[early], orders=[order(S.FILLED, quantity=5)])

    assert agrees(held_against(ours, state({"AAPL": 10}), SPLIT), state({"AAPL": 10}))


def test_two_splits_after_one_another_are_both_taken():
    """1 for 4 of 10 shares leaves 2 and half a share, which is worth 200 USD; then 3 for 1."""
    merger = replace(SPLIT, ex_session=EVE, value=D("0.25"))
    theirs = state({"AAPL": 6}, "1200.00")
    done = held_against(records({"AAPL": 10}), theirs, merger, replace(SPLIT, value=D(3)))

    assert [found.cause for found in done.breaks] == ["split", "split"]
    assert agrees(done, theirs)


def test_the_cash_for_a_fraction_may_come_days_later():
    """1 for 4 of 10 shares at 100 USD: half a new share is worth 200 USD."""
    merger = replace(SPLIT, value=D("0.25"))
    first = held_against(records({"AAPL": 10}), state({"AAPL": 2}), merger)

    later = held_against(first.records, state({"AAPL": 2}, "1190.00"), merger)
    never_again = held_against(later.records, state({"AAPL": 2}, "1380.00"), merger)

    assert [(found.kind, found.cause) for found in (*first.breaks, *later.breaks)] == [
        ("POSITION", "split"), ("CASH", "split"),
    ]  # fmt: skip
    assert agrees(later, state({"AAPL": 2}, "1190.00"))
    assert [(found.kind, found.cause) for found in never_again.breaks] == [("CASH", "")]


@pytest.mark.parametrize(
    ("ours", "theirs", "actions"),
    [
        (records({"AAPL": 10}), {"AAPL": 21}, [SPLIT]),
        (records({"AAPL": 10}), {"AAPL": 20}, []),
        (records({"AAPL": 10}), {"AAPL": 20}, [replace(SPLIT, symbol="TRUE")]),
        (records({"AAPL": 10}, agreed={"AAPL": SESSION}), {"AAPL": 20}, [SPLIT]),
    ],
    ids=["other shares", "not on record", "another name", "agreed since the ex-day"],
)
def test_shares_that_a_split_does_not_prove_lock(ours: Records, theirs: dict, actions: list):
    done = held_against(ours, state(theirs), *actions)

    assert [locks(found) for found in done.breaks] == [True]
    assert done.new == ()


def test_a_split_that_the_broker_has_not_applied_yet_changes_nothing():
    assert held_against(records({"AAPL": 10}), state({"AAPL": 10}), SPLIT).new == ()


def test_a_dividend_is_what_its_shares_bring():
    done = held_against(records({"AAPL": 10}), state({"AAPL": 10}, "1002.50"), DIVIDEND)

    assert told(done) == [("CASH", "dividend:AAPL:2026-01-06", "1000.00", "1002.50")]
    assert (done.breaks[0].cause, done.breaks[0].symbol) == ("dividend", "AAPL")
    assert agrees(done, state({"AAPL": 10}, "1002.50"))


@pytest.mark.parametrize(
    ("broker_cash", "causes"),
    [("998.00", []), ("997.99", ["commission"]), ("996.00", ["commission"]), ("995.99", [""]), ("1000.01", [""])],
)
def test_cash_may_be_short_by_the_commissions_that_are_not_reported_yet(broker_cash: str, causes: list[str]):
    """Two executions of five shares cost about 1 USD each; on top of that comes the tolerance of 1 USD."""
    late = [fill(5, "a.b.01", commission=None), fill(-5, "c.d.01", commission=None)]
    ours = records({}, "999.00", fills=late, orders=[order(S.CANCELLED)])
    done = held_against(ours, state({}, broker_cash))

    assert [found.cause for found in done.breaks] == causes
    assert [locks(found) for found in done.breaks] == [not cause for cause in causes]
    assert done.new == ()


def test_a_dividend_is_on_the_shares_before_a_split_of_the_same_day():
    theirs = state({"AAPL": 20}, "1002.50")

    assert agrees(held_against(records({"AAPL": 10}), theirs, DIVIDEND, SPLIT), theirs)


def test_shares_bought_on_the_ex_day_bring_no_dividend():
    ours = records({}, cash="2011.00", fills=[fill(10)], orders=[order(S.FILLED)])
    done = held_against(ours, state({"AAPL": 10}, "1002.50"), DIVIDEND)

    assert [(found.kind, locks(found)) for found in done.breaks] == [("CASH", True)]


@pytest.mark.parametrize("usd", ["997.50", "1001.49", "1005.00"])
def test_cash_that_no_dividend_comes_to_locks(usd: str):
    done = held_against(records({"AAPL": 10}), state({"AAPL": 10}, usd), DIVIDEND)

    assert [locks(found) for found in done.breaks] == [True]


@given(
    held=st.integers(1, 500),
    ratio=st.sampled_from(["2", "3", "1.5", "0.5", "0.1", "0.33333333"]),
    usd=st.decimals("0.20", "3", places=2),
    by_hand=st.integers(-50, 50).filter(bool),
)
def test_whatever_is_explained_once_is_never_found_again(held: int, ratio: str, usd: Decimal, by_hand: int):
    actions = [replace(SPLIT, value=D(ratio)), replace(DIVIDEND, value=usd)]
    whole = int(held * actions[0].ratio)
    fraction = held * actions[0].ratio - whole
    worth = round(D(fraction.numerator) / D(fraction.denominator) * 100 / D(ratio), 2)
    trade = foreign(by_hand)
    cash = D(1000) + (usd * held) + worth + trade.cash_flow
    theirs = state({"AAPL": whole + by_hand}, str(cash))

    first = held_against(records({"AAPL": held}, fills=[trade]), theirs, *actions)
    again = held_against(first.records, theirs, *actions)

    assert all(found.cause for found in first.breaks)
    assert first.records.book().held == {s: q for s, q in theirs.held().items() if q}
    assert abs(first.records.book().cash - cash) <= 1  # less is no difference yet
    assert (again.new, again.breaks) == ((), ())
    assert len({a.adjustment_id for a in first.new}) == len(first.new)


# What a person takes over


def taken(subject: str, ours: Records, theirs: BrokerState) -> list[Adjustment]:
    return take_over(subject, AdjustmentKind.TRANSFER, SESSION, theirs, ours, "operator", "moved in")


def test_taking_over_a_name_makes_its_shares_the_brokers_and_leaves_the_rest():
    ours, theirs = records({"AAPL": 10, "TRUE": 1}), state({"AAPL": 12, "TRUE": 5}, "1300.00")
    (change,) = taken("AAPL", ours, theirs)

    assert (change.shares, change.cash, change.price, change.actor, change.reason) == (2, 0, 95, "operator", "moved in")
    assert told(held_against(ours.with_([change]), theirs)) == [
        ("POSITION", "TRUE", "1", "5"), ("CASH", "cash", "1000.00", "1300.00"),
    ]  # fmt: skip


def test_taking_over_cash_makes_it_the_brokers_to_the_cent():
    theirs = state({}, "1012.57")

    assert [change.cash for change in taken("cash", records({}), theirs)] == [D("12.57")]


def test_taking_over_a_name_takes_a_stray_execution_of_hrps_form_in():
    stray = foreign(3, client_id=OWN_CLIENT, ref="hrp-20260105-AAPL-B1-ffffffff")
    ours, theirs = records({"AAPL": 10}, fills=[stray]), state({"AAPL": 12}, "696.00")
    changes = taken("AAPL", ours, theirs)

    assert [(change.about, change.shares) for change in changes] == [
        ("fill:x.y", 3), (f"transfer:AAPL:{NOW.isoformat()}", -1),
    ]  # fmt: skip
    assert held_against(ours.with_(changes), theirs).breaks == ()


@pytest.mark.parametrize("subject", ["AAPL", "cash"])
def test_nothing_is_taken_over_where_both_agree(subject: str):
    assert taken(subject, records({"AAPL": 10}), state({"AAPL": 10})) == []


def test_the_same_subject_can_be_taken_over_twice_in_one_instant():
    ours = records({"AAPL": 10})
    first = taken("AAPL", ours, state({"AAPL": 12}))
    second = taken("AAPL", ours.with_(first), state({"AAPL": 15}))

    assert [change.shares for change in (*first, *second)] == [2, 3]
    assert first[0].adjustment_id != second[0].adjustment_id
