from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from hrp.domain.orders import LIVE, TRANSITIONS, Order, OrderSide, OrderStatus
from hrp.domain.positions import Account, Break, BrokerState, CompletedOrder, Fill, WorkingOrder
from hrp.domain.reconcile import find_breaks, reconcile
from hrp.errors import BrokerError

S = OrderStatus
REF, PERM, ACCOUNT = "hrp-20260105-AAPL-B1-0a1b2c3d", 501, "DU1234567"
NOW = datetime(2026, 1, 6, 15, 0, tzinfo=UTC)
SESSION = date(2026, 1, 6)


def ledger(status: OrderStatus, perm_id: int | None = None, quantity: int = 10) -> Order:
    return Order("AAPL", OrderSide.BUY, quantity, order_ref=REF, status=status, perm_id=perm_id)


def working(ref: str = REF, perm_id: int = PERM, remaining: int = 10, order_id: int = 12) -> WorkingOrder:
    return WorkingOrder(ref, perm_id, order_id, 7, "AAPL", 1, OrderSide.BUY, Decimal(remaining))


def ended(status: OrderStatus, filled: int = 0, ref: str = REF, perm_id: int = PERM) -> CompletedOrder:
    return CompletedOrder(ref, perm_id, "AAPL", OrderSide.BUY, Decimal(filled), status, status.value.title())


def fill(quantity: int, exec_id: str = "a.b.01", ref: str = REF, perm_id: int = PERM) -> Fill:
    return Fill(exec_id, ref, perm_id, ACCOUNT, 1, "AAPL", OrderSide.BUY, Decimal(quantity), Decimal(101), NOW)


def state(*records: WorkingOrder | CompletedOrder | Fill) -> BrokerState:
    def of(kind: type) -> tuple:
        return tuple(record for record in records if isinstance(record, kind))

    money = Account(ACCOUNT, Decimal(1000), Decimal(1000))
    return BrokerState(money, (), of(WorkingOrder), of(CompletedOrder), of(Fill), NOW)


def statuses(order: Order, seen: Iterable[WorkingOrder | CompletedOrder | Fill]) -> list[OrderStatus]:
    return [step.status for step in reconcile(state(*seen), [order])]


@pytest.mark.parametrize(
    ("held_as", "seen", "becomes"),
    [
        # nowhere at the broker
        (S.SENDING, [], [S.UNKNOWN]),
        (S.UNKNOWN, [], []),
        (S.SUBMITTED, [], [S.UNKNOWN]),
        (S.PARTIALLY_FILLED, [], []),
        (S.PENDING, [], []),
        (S.FILLED, [], []),
        (S.REJECTED, [], []),
        # working
        (S.SENDING, [working()], [S.SUBMITTED]),
        (S.UNKNOWN, [working()], [S.SUBMITTED]),
        (S.SUBMITTED, [working()], []),
        (S.PARTIALLY_FILLED, [working(remaining=6)], []),
        (S.SUBMITTED, [working(remaining=6), fill(4)], [S.PARTIALLY_FILLED]),
        (S.UNKNOWN, [working(remaining=6), fill(4)], [S.PARTIALLY_FILLED]),
        # ended
        (S.SENDING, [ended(S.REJECTED)], [S.REJECTED]),
        (S.UNKNOWN, [ended(S.CANCELLED)], [S.CANCELLED]),
        (S.SUBMITTED, [ended(S.CANCELLED)], [S.CANCELLED]),
        (S.SUBMITTED, [ended(S.FILLED, 10)], [S.FILLED]),
        (S.PARTIALLY_FILLED, [ended(S.CANCELLED, 4), fill(4)], [S.CANCELLED]),
        (S.PARTIALLY_FILLED, [ended(S.REJECTED, 4), fill(4)], [S.CANCELLED]),
        (S.SENDING, [ended(S.UNKNOWN)], [S.UNKNOWN]),
        # between two answers an order moved from working to ended
        (S.SUBMITTED, [working(), ended(S.CANCELLED)], [S.CANCELLED]),
        (S.SUBMITTED, [working(), fill(10)], [S.FILLED]),
        # executions
        (S.SENDING, [fill(10)], [S.FILLED]),
        (S.UNKNOWN, [fill(4), fill(6, "a.c.01")], [S.FILLED]),
        (S.SUBMITTED, [fill(4)], [S.PARTIALLY_FILLED]),
        (S.PARTIALLY_FILLED, [fill(4)], []),
        (S.PARTIALLY_FILLED, [fill(4), fill(6, "a.c.01")], [S.FILLED]),
        # a fill overtook the cancellation
        (S.CANCELLED, [fill(10)], [S.FILLED]),
        (S.CANCELLED, [fill(4)], []),
        (S.EXPIRED, [fill(10)], [S.FILLED]),
        # the store lost the note that it was being sent: adopted, so it is not sent twice
        (S.PENDING, [working()], [S.SENDING, S.SUBMITTED]),
        (S.PENDING, [fill(10)], [S.SENDING, S.FILLED]),
        (S.PENDING, [ended(S.REJECTED)], [S.SENDING, S.REJECTED]),
        (S.PENDING, [ended(S.UNKNOWN)], [S.SENDING, S.UNKNOWN]),
    ],
)
def test_the_ledger_follows_the_brokers_word(held_as, seen, becomes):
    assert statuses(ledger(held_as), seen) == becomes


@pytest.mark.parametrize("held_as", [status for status in OrderStatus if status is not S.DENIED])
@pytest.mark.parametrize(
    "seen", [[], [working()], [working(remaining=6), fill(4)], [fill(10)], [ended(S.CANCELLED)], [ended(S.FILLED, 10)]]
)
def test_every_step_is_legal_and_reconciling_again_changes_nothing(held_as, seen):
    order = ledger(held_as)
    for step in reconcile(state(*seen), [order]):
        assert step.status in TRANSITIONS[order.status]
        order = replace(order, status=step.status, perm_id=step.perm_id)

    assert reconcile(state(*seen), [order]) == []


def test_a_step_carries_its_evidence_and_the_brokers_ids():
    [step] = reconcile(state(working(order_id=12)), [ledger(S.SENDING)])

    assert (step.order_ref, step.broker_order_id, step.perm_id) == (REF, 12, PERM)
    assert step.evidence == "working at the broker, 10 remain"


def test_an_order_is_found_by_permanent_id_where_the_reference_is_missing():
    assert statuses(ledger(S.SUBMITTED, PERM), [fill(10, ref="")]) == [S.FILLED]


def test_an_order_id_alone_identifies_nothing():
    order = replace(ledger(S.SENDING), broker_order_id=12)

    assert statuses(order, [working(ref="by hand", perm_id=9, order_id=12)]) == [S.UNKNOWN]


@pytest.mark.parametrize(
    "stranger", [working("hrp-other", 7), ended(S.FILLED, 1, "hrp-other", 7), fill(1, "x.1", "hrp-other", 7)]
)
def test_an_order_of_hrp_that_the_ledger_never_wrote_stops_everything(stranger):
    with pytest.raises(BrokerError, match="orders of HRP that this ledger never wrote: hrp-other"):
        reconcile(state(stranger), [ledger(S.SUBMITTED)])


def test_orders_placed_by_hand_are_let_be():
    assert reconcile(state(working("", 7), fill(1, "x.1", "mine", 8)), [ledger(S.FILLED)]) == []


@pytest.mark.parametrize(
    ("order", "seen"),
    [
        (ledger(S.UNKNOWN), [working(perm_id=501), working(perm_id=502)]),
        (ledger(S.SUBMITTED, 501), [working(perm_id=502)]),
        (ledger(S.UNKNOWN), [working(perm_id=501), fill(10, perm_id=502)]),
    ],
)
def test_one_order_under_two_permanent_ids_stops_everything(order, seen):
    with pytest.raises(BrokerError, match=r"at the broker more than once \(permanent ids 501, 502\)"):
        statuses(order, seen)


def test_more_shares_than_ordered_stop_everything():
    with pytest.raises(BrokerError, match="asks for 10 shares, executions sum to 20"):
        statuses(ledger(S.SUBMITTED), [fill(10), fill(10, "a.c.01")])


def test_a_denied_order_at_the_broker_stops_everything():
    denied = replace(ledger(S.DENIED), denial="MAX_ORDERS")
    with pytest.raises(BrokerError, match=r"was denied by HRP \(MAX_ORDERS\) and is at the broker all the same"):
        statuses(denied, [working()])


def breaks(**changes: object) -> list[tuple[str, str, str, str]]:
    given: dict[str, object] = {
        "ledger_held": {"AAPL": Decimal(10)},
        "broker_held": {"AAPL": Decimal(10)},
        "ledger_cash": Decimal("1000.00"),
        "broker_cash": Decimal("1000.00"),
    }
    found = find_breaks(SESSION, ACCOUNT, **{**given, **changes})  # type: ignore[arg-type]
    assert all((one.session, one.account) == (SESSION, ACCOUNT) for one in found)
    return [(one.kind, one.subject, one.ledger, one.broker) for one in found]


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
    shares = [{symbol: Decimal(count) for symbol, count in side.items()} for side in (ours, theirs)]

    assert breaks(ledger_held=shares[0], broker_held=shares[1]) == expected


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
    assert breaks(ledger_cash=Decimal(ours), broker_cash=Decimal(theirs)) == expected


@pytest.mark.parametrize("status", list(OrderStatus))
def test_an_order_without_an_answer_is_a_break(status):
    expected = [("UNKNOWN_ORDER", REF, f"{status}: buy 10 AAPL", "no word")]

    assert breaks(orders=[ledger(status)]) == (expected if status in (S.SENDING, S.UNKNOWN) else [])


@pytest.mark.parametrize("status", [status for status in OrderStatus if status not in (S.SENDING, S.UNKNOWN)])
def test_a_working_order_that_the_ledger_holds_for_ended_is_a_break(status):
    expected = [("UNKNOWN_ORDER", REF, status.value, "working: buy 10 AAPL")]

    assert breaks(orders=[ledger(status)], working=[working()]) == ([] if status in LIVE else expected)


def test_what_nobody_ordered_is_a_break():
    found = breaks(orders=[ledger(S.SUBMITTED, 501)], working=[working("", 9)], fills=[fill(10), fill(3, "x.1", "", 9)])

    assert found == [
        ("UNKNOWN_ORDER", "perm_id 9", "none", "working: buy 10 AAPL"),
        ("FOREIGN_FILL", "x.1", "none", "buy 3 AAPL at 101"),
    ]


def test_a_break_says_where_and_what():
    [one] = find_breaks(SESSION, ACCOUNT, {}, {"AAPL": Decimal(1)}, Decimal(0), Decimal(0))

    assert one == Break(SESSION, ACCOUNT, "POSITION", "AAPL", "0", "1")
