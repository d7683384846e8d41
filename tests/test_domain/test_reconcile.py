from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hrp.domain.orders import TRANSITIONS, Order, OrderSide, OrderStatus
from hrp.domain.positions import Account, BrokerState, CompletedOrder, Fill, WorkingOrder
from hrp.domain.reconcile import reconcile
from hrp.errors import BrokerError

S = OrderStatus
REF, PERM, ACCOUNT = "hrp-20260105-AAPL-B1-0a1b2c3d", 501, "DU1234567"
NOW = datetime(2026, 1, 6, 15, 0, tzinfo=UTC)


def ledger(status: OrderStatus, perm_id: int | None = None, quantity: int = 10) -> Order:
    return Order("AAPL", OrderSide.BUY, quantity, order_ref=REF, status=status, perm_id=perm_id)


def working(ref: str = REF, perm_id: int = PERM, remaining: int = 10, **changes: object) -> WorkingOrder:
    order = WorkingOrder(ref, perm_id, 12, 7, "AAPL", 1, OrderSide.BUY, Decimal(remaining), S.ACKED, Decimal(10))
    return replace(order, **changes)


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
        (S.ACKED, [], [S.UNKNOWN]),
        (S.PARTIALLY_FILLED, [], [S.UNKNOWN]),
        (S.LOST, [], []),
        (S.CANCELLED, [], []),
        (S.EXPIRED, [], []),
        (S.PLANNED, [], []),
        (S.FILLED, [], []),
        (S.REJECTED, [], []),
        # working
        (S.SENDING, [working()], [S.ACKED]),
        (S.UNKNOWN, [working()], [S.ACKED]),
        (S.ACKED, [working()], []),
        (S.LOST, [working()], [S.ACKED]),
        (S.ACKED, [working(status=S.WORKING)], [S.WORKING]),
        (S.WORKING, [working()], [S.ACKED]),
        (S.PARTIALLY_FILLED, [working(remaining=6), fill(4)], []),
        (S.ACKED, [working(remaining=6), fill(4)], [S.PARTIALLY_FILLED]),
        (S.UNKNOWN, [working(remaining=6), fill(4)], [S.PARTIALLY_FILLED]),
        # ended
        (S.SENDING, [ended(S.REJECTED)], [S.REJECTED]),
        (S.UNKNOWN, [ended(S.CANCELLED)], [S.CANCELLED]),
        (S.ACKED, [ended(S.CANCELLED)], [S.CANCELLED]),
        (S.ACKED, [ended(S.FILLED, 10)], [S.FILLED]),
        (S.PARTIALLY_FILLED, [ended(S.CANCELLED, 4), fill(4)], [S.CANCELLED]),
        (S.PARTIALLY_FILLED, [ended(S.REJECTED, 4), fill(4)], [S.CANCELLED]),
        (S.SENDING, [ended(S.UNKNOWN)], [S.UNKNOWN]),
        # between two answers an order moved from working to ended
        (S.ACKED, [working(), ended(S.CANCELLED)], [S.CANCELLED]),
        (S.ACKED, [working(), fill(10)], [S.FILLED]),
        # listed, and yet neither working nor ended
        (S.SENDING, [working(status=S.UNKNOWN)], [S.UNKNOWN]),
        (S.ACKED, [working(status=S.UNKNOWN)], [S.UNKNOWN]),
        (S.REJECTED, [working(status=S.UNKNOWN)], []),
        # ended in the ledger, and it lives
        (S.CANCELLED, [working()], [S.ACKED]),
        (S.EXPIRED, [working()], [S.ACKED]),
        (S.REJECTED, [working(status=S.WORKING)], [S.WORKING]),
        (S.REJECTED, [ended(S.CANCELLED, 4), fill(4)], [S.CANCELLED]),
        (S.CANCELLED, [ended(S.CANCELLED)], []),
        (S.CANCELLED, [ended(S.REJECTED)], []),
        (S.EXPIRED, [ended(S.CANCELLED)], []),
        (S.EXPIRED, [ended(S.CANCELLED, 4), fill(4)], []),
        # a correction took shares off a full order
        (S.FILLED, [fill(6)], [S.PARTIALLY_FILLED]),
        (S.FILLED, [ended(S.FILLED, 10), fill(6)], [S.CANCELLED]),
        (S.FILLED, [working(remaining=4), fill(6)], [S.PARTIALLY_FILLED]),
        (S.FILLED, [ended(S.FILLED, 10)], []),
        # executions
        (S.SENDING, [fill(10)], [S.FILLED]),
        (S.UNKNOWN, [fill(4), fill(6, "a.c.01")], [S.FILLED]),
        (S.ACKED, [fill(4)], [S.PARTIALLY_FILLED]),
        (S.PARTIALLY_FILLED, [fill(4)], []),
        (S.PARTIALLY_FILLED, [fill(4), fill(6, "a.c.01")], [S.FILLED]),
        # a fill overtook the cancellation
        (S.CANCELLED, [fill(10)], [S.FILLED]),
        (S.CANCELLED, [fill(4)], []),
        (S.EXPIRED, [fill(10)], [S.FILLED]),
        # the store lost the note that it was being sent: adopted, so it is not sent twice
        (S.PLANNED, [working()], [S.ACKED]),
        (S.PLANNED, [fill(10)], [S.FILLED]),
        (S.PLANNED, [ended(S.REJECTED)], [S.REJECTED]),
        (S.PLANNED, [ended(S.UNKNOWN)], [S.UNKNOWN]),
    ],
)
def test_the_ledger_follows_the_brokers_word(held_as, seen, becomes):
    assert statuses(ledger(held_as), seen) == becomes


@pytest.mark.parametrize("held_as", [status for status in OrderStatus if status is not S.DENIED])
@pytest.mark.parametrize(
    "seen",
    [
        *([], [working()], [working(remaining=6), fill(4)], [fill(10)], [fill(4)], [ended(S.CANCELLED)]),
        *([working(status=S.UNKNOWN)], [ended(S.FILLED, 10)], [ended(S.FILLED, 10), fill(4)], [ended(S.UNKNOWN)]),
    ],
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
    assert statuses(ledger(S.ACKED, PERM), [fill(10, ref="")]) == [S.FILLED]


def test_an_order_id_alone_identifies_nothing():
    order = replace(ledger(S.SENDING), broker_order_id=12)

    assert statuses(order, [working(ref="by hand", perm_id=9, order_id=12)]) == [S.UNKNOWN]


@pytest.mark.parametrize(
    "stranger", [working("hrp-other", 7), ended(S.FILLED, 1, "hrp-other", 7), fill(1, "x.1", "hrp-other", 7)]
)
def test_an_order_of_hrp_that_the_ledger_never_wrote_stops_everything(stranger):
    with pytest.raises(BrokerError, match="orders of HRP that this ledger never wrote: hrp-other"):
        reconcile(state(stranger), [ledger(S.ACKED)])


def test_orders_placed_by_hand_are_let_be():
    assert reconcile(state(working("", 7), fill(1, "x.1", "mine", 8)), [ledger(S.FILLED)]) == []


@pytest.mark.parametrize(
    ("order", "seen"),
    [
        (ledger(S.UNKNOWN), [working(perm_id=501), working(perm_id=502)]),
        (ledger(S.ACKED, 501), [working(perm_id=502)]),
        (ledger(S.UNKNOWN), [working(perm_id=501), fill(10, perm_id=502)]),
    ],
)
def test_one_order_under_two_permanent_ids_stops_everything(order, seen):
    with pytest.raises(BrokerError, match=r"at the broker more than once \(permanent ids 501, 502\)"):
        statuses(order, seen)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (working(quantity=Decimal(12)), "buy 12 AAPL"),
        (working(side=OrderSide.SELL), "sell 10 AAPL"),
        (working(symbol="MSFT"), "buy 10 MSFT"),
        (replace(ended(S.CANCELLED, 4), side=OrderSide.SELL), "sell 4 AAPL"),
        (replace(fill(3), symbol="MSFT"), "buy 3 MSFT"),
    ],
)
def test_an_order_with_other_terms_at_the_broker_stops_everything(record, words):
    with pytest.raises(
        BrokerError, match=rf"is buy 10 AAPL in the ledger and {words} at the broker \(permanent id 501"
    ):
        statuses(ledger(S.ACKED), [record])


def test_more_shares_than_ordered_stop_everything():
    with pytest.raises(BrokerError, match="asks for 10 shares, executions sum to 20"):
        statuses(ledger(S.ACKED), [fill(10), fill(10, "a.c.01")])


def test_a_denied_order_at_the_broker_stops_everything():
    denied = replace(ledger(S.DENIED), denial="MAX_ORDERS")
    with pytest.raises(BrokerError, match=r"was denied by HRP \(MAX_ORDERS\) and is at the broker all the same"):
        statuses(denied, [working()])
