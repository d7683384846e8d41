"""When an order without an answer is proven lost, and how often an order may be sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from hrp.domain.lost import Bounds, why_not_lost
from hrp.domain.orders import Order, OrderSide, OrderStatus
from hrp.domain.positions import Account, BrokerState, CompletedOrder, Fill, Position, WorkingOrder
from hrp.domain.sessions import exchange_day

S = OrderStatus
D = Decimal
SENT = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)  # 17:00 in New York
SESSION = date(2026, 1, 5)
MISSING = Order(
    "AAPL", OrderSide.BUY, 10, order_ref="hrp-1", session=SESSION, status=S.UNKNOWN, attempt=1, broker_order_id=12,
    client_id=7, sending_at=SENT,
)  # fmt: skip
OTHER = replace(MISSING, order_ref="hrp-2", status=S.ACKED, perm_id=900)
BOOK = {"AAPL": D(30)}


def look(*records: WorkingOrder | CompletedOrder | Fill, held: int = 30, at: datetime = SENT) -> BrokerState:
    def of(kind: type) -> tuple:
        return tuple(record for record in records if isinstance(record, kind))

    positions = (Position("AAPL", D(held), D(100)),) if held else ()
    return BrokerState(Account("DU1", D(1), D(1)), positions, of(WorkingOrder), of(CompletedOrder), of(Fill), at)


def working(ref: str, perm_id: int, symbol: str = "AAPL") -> WorkingOrder:
    return WorkingOrder(ref, perm_id, 12, 7, symbol, 1, OrderSide.BUY, D(10))


def ended(ref: str) -> CompletedOrder:
    return CompletedOrder(ref, 501, "AAPL", OrderSide.BUY, D(0), S.CANCELLED)


def fill(ref: str, perm_id: int, symbol: str = "AAPL") -> Fill:
    return Fill("a.01", ref, perm_id, "DU1", 1, symbol, OrderSide.BUY, D(10), D(100), SENT)


NOTHING = look(at=SENT + timedelta(minutes=1))


def why(order: Order = MISSING, looks: tuple[BrokerState, ...] = (NOTHING, NOTHING), **changes: object) -> str:
    given = {"client_id": 7, "book": BOOK, "ledger_orders": [order, OTHER]} | changes
    return why_not_lost(order, looks, **given)  # type: ignore[arg-type]


def test_absent_in_both_looks_on_its_day_with_the_position_unmoved_it_is_lost():
    assert why() == ""
    assert why(looks=(look(held=0), look(held=0)), book={}) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"perm_id": 501}, "the broker had given it the permanent id 501"),
        ({"sending_at": None}, "it is not written down when and by which client it was sent"),
        ({"client_id": None}, "it is not written down when and by which client it was sent"),
        ({"client_id": 8}, "client 8 sent it and client 7 is looking for it"),
        (
            {"sending_at": SENT - timedelta(days=1)},
            "it was sent on 2026-01-04 in New York and there it is 2026-01-05: the broker no longer lists",
        ),
    ],
)
def test_what_the_ledger_says_of_the_attempt_can_forbid_the_proof(changes, reason):
    assert why(replace(MISSING, **changes)).startswith(reason)


@pytest.mark.parametrize("seen_in", ["first", "second"])
@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (look(working("hrp-1", 501)), "the broker lists it (permanent id 501)"),
        (look(ended("hrp-1")), "the broker lists it (permanent id 501)"),
        (look(fill("hrp-1", 501)), "the broker lists it (permanent id 501)"),
        (look(held=40), "the broker holds 40 AAPL, by the ledger's executions it should be 30"),
        (look(held=0), "the broker holds 0 AAPL, by the ledger's executions it should be 30"),
        (look(working("", 77)), "an order that the ledger does not explain is about AAPL too (permanent id 77, "),
        (look(fill("by hand", 78)), "an order that the ledger does not explain is about AAPL too (permanent id 78, "),
        (look(ended("")), "an order that the ledger does not explain is about AAPL too (permanent id 501, "),
    ],
)
def test_whatever_either_look_shows_forbids_the_proof(seen, reason, seen_in):
    looks = (seen, NOTHING) if seen_in == "first" else (NOTHING, seen)
    assert why(looks=looks).startswith(reason)


@pytest.mark.parametrize(
    "explained",
    [working("hrp-2", 900), fill("hrp-2", 900), fill("", 900), working("", 77, "MSFT"), fill("by hand", 78, "MSFT")],
)
def test_orders_that_the_ledger_knows_and_other_names_forbid_nothing(explained):
    assert why(looks=(look(explained), look(explained))) == ""


@pytest.mark.parametrize(
    ("sent", "looked", "lost"),
    [
        ("2026-01-06T04:59:59", "2026-01-06T05:00:00", False),  # midnight in New York
        ("2026-01-05T23:59:59", "2026-01-06T00:00:10", True),  # midnight in UTC is 19:00 there
        ("2026-01-05T22:00:00", "2026-01-06T04:59:59", True),
        ("2026-03-08T04:59:00", "2026-03-08T05:01:00", False),  # the clocks go forward at 07:00 UTC of this day
        ("2026-03-08T06:30:00", "2026-03-09T03:59:00", True),  # that day ends at 04:00 UTC
        ("2026-03-08T06:30:00", "2026-03-09T04:00:00", False),
        ("2026-11-01T04:30:00", "2026-11-02T04:59:00", True),  # back: this day has 25 hours
        ("2026-11-01T04:30:00", "2026-11-02T05:00:00", False),
        ("2026-01-02T22:00:00", "2026-01-05T22:00:00", False),  # a weekend lies between
    ],
)
def test_the_proof_holds_on_one_calendar_day_in_new_york(sent, looked, lost):
    at = datetime.fromisoformat(looked).replace(tzinfo=UTC)
    order = replace(MISSING, sending_at=datetime.fromisoformat(sent).replace(tzinfo=UTC))
    assert (why(order, (look(at=at), look(at=at))) == "") is lost


def test_a_day_that_ends_between_the_two_looks_forbids_the_proof():
    midnight = datetime(2026, 1, 6, 5, tzinfo=UTC)
    looks = (look(at=midnight - timedelta(seconds=10)), look(at=midnight + timedelta(seconds=20)))
    assert exchange_day(looks[0].at) != exchange_day(looks[1].at)
    assert "in New York" in why(looks=looks)


def planned(symbol: str = "AAPL", quantity: int = 10, **changes: object) -> Order:
    fields = {"order_ref": f"hrp-{symbol}", "session": SESSION} | changes
    return Order(symbol, OrderSide.BUY, quantity, **fields)  # type: ignore[arg-type]


PLAN = Bounds(sends=4, shares={"AAPL": D(10), "KO": D(-5)}, prices={"AAPL": D(100), "KO": D(60)})
SALE = Order("KO", OrderSide.SELL, 5, order_ref="hrp-KO", session=SESSION)


@pytest.mark.parametrize(
    ("order", "others", "bound"),
    [
        (planned(), [SALE], ""),
        (SALE, [planned(attempt=1)], ""),
        (planned(attempt=2, lost=2), [replace(SALE, attempt=1)], ""),
        (planned(attempt=3, lost=3), [], "attempts=3, limit=3"),
        (planned(attempt=2, lost=2), [replace(SALE, attempt=2, lost=1)], "sends=4, limit=4"),
        (planned(attempt=1), [], "shares=20 AAPL, planned=10"),  # sent, and never found to be lost
        (planned(order_ref="again"), [planned(attempt=1)], "shares=20 AAPL, planned=10"),
        (planned(quantity=11), [], "shares=11 AAPL, planned=10"),
        (replace(planned(), side=OrderSide.SELL), [], "shares=-10 AAPL, planned=10"),
        (planned("MSFT", 1), [], "shares=1 MSFT, planned=0"),
        (planned(), [planned("MSFT", 1, attempt=1)], ""),  # no price of it: bounded by its own shares when it was sent
    ],
)
def test_the_bounds_are_counted_from_what_was_written_down(order, others, bound):
    assert PLAN.exceeded_by(order, [order, *others]) == bound


def test_the_value_sent_stays_within_the_plans():
    bounds = replace(PLAN, shares={"AAPL": D(10)}, prices={"AAPL": D(100), "OLD": D(1)})
    assert bounds.exceeded_by(planned(), [planned("OLD", 1, attempt=1)]) == "notional=1001.00 USD, planned=1000.00 USD"


def test_other_sessions_do_not_count():
    yesterday = planned(order_ref="old", session=SESSION - timedelta(days=3), attempt=3)
    assert PLAN.exceeded_by(planned(), [planned(), yesterday]) == ""


def test_without_a_plan_the_attempts_and_sends_are_bounded_all_the_same():
    assert Bounds().exceeded_by(planned(quantity=999), []) == ""
    assert Bounds().exceeded_by(planned(attempt=3, lost=3), []) == "attempts=3, limit=3"
