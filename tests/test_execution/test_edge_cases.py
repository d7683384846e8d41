"""Every known way in which a night can go wrong at the broker, by name; each run is what the trader does."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hrp.domain.lost import Bounds
from hrp.domain.orders import Order, OrderSide, OrderStatus
from hrp.errors import BrokerConnectionError, BrokerError, BrokerTimeoutError, WrongAccountError
from hrp.execution.broker import BrokerConfig, IBKRBroker
from hrp.execution.dry_run import DryRunBroker
from hrp.execution.orders import CancelOutcome, Outcome, sending_window

from . import doomed, peer
from .conftest import WIDE, FixedClock, PaperGateway
from .ledgers import Ledgers
from .night import ACCOUNT, AFTER_CLOSE, AFTER_OPEN, buy, order
from .peer import Peer, error, execution, executions, hangup, lines, silent, status

S = OrderStatus
AAPL, BRK = buy("AAPL", 10), buy("BRK.B", 5)
MORNING = "20260106 09:30:00 US/Eastern"


@pytest.fixture
def night(tmp_path: Path) -> Ledgers:
    """A store whose plan buys AAPL and BRK.B."""
    return Ledgers(tmp_path, [AAPL, BRK])


@pytest.fixture
def one(tmp_path: Path) -> Ledgers:
    """A store whose plan buys AAPL alone."""
    return Ledgers(tmp_path, [AAPL])


def broker(server: Peer, timeout: float = 10) -> IBKRBroker:
    return IBKRBroker(BrokerConfig("127.0.0.1", server.port, 7, ACCOUNT, timeout=timeout, grace_seconds=0.01))


def placed(server: Peer) -> list[list[str]]:
    return [fields for fields in server.heard if fields[0] == peer.PLACE]


def sending(ledgers: Ledgers, which: Order = AAPL, at: datetime = AFTER_CLOSE, client_id: int = 7) -> None:
    """The order was committed as being sent, and the process died."""
    ledgers.ledger.record_status(
        which.order_ref, S.SENDING, "about to be sent", broker_order_id=5, client_id=client_id, sending_at=at
    )


def acked(fields: list[str]) -> Sequence[peer.Message]:
    return [status(fields[1], "PreSubmitted")]


def killed(folder: Path, port: int, point: str) -> None:
    child = doomed.PROCESSES.Process(target=doomed.run_and_die, args=(folder, port, point))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL


def test_late_end_marker_after_a_timed_out_list_request(one, clock):
    """In one connection it would complete the next request of its kind with an empty list."""
    asked: list[int] = []

    def late(_fields: list[str]) -> Sequence[peer.Message]:
        asked.append(1)
        return [] if len(asked) == 1 else [peer.open_order(5, 501, ref=AAPL.order_ref), (53, 1)]

    sending(one)
    with Peer(m16=late) as server:
        with pytest.raises(BrokerTimeoutError, match="did not finish stating its open orders"):
            one.run(broker(server, 0.3), clock)
        one.run(broker(server), clock)
        connections = sum(fields[0] == peer.START for fields in server.heard)

    assert (len(asked), connections) == (2, 2)
    assert one.statuses() == {"AAPL": S.ACKED}


def test_crash_between_commit_and_socket_write(gateway, night, tmp_path, clock):
    killed(tmp_path, gateway.port, doomed.COMMITTED)
    assert night.statuses() == {"AAPL": S.SENDING, "BRK.B": S.PLANNED}
    assert gateway.orders_received() == 0

    _, sent = night.run(gateway.broker(), clock)

    assert [(done.outcome, done.order.attempt) for done in sent] == [(Outcome.SUBMITTED, 2), (Outcome.SUBMITTED, 1)]
    first, second = [order_id for _, to, order_id in night.life(AAPL) if to == "sending"]
    assert second > first
    assert [(attempt, to) for attempt, to, _ in night.life(AAPL)] == [
        (0, "planned"), (1, "sending"), (1, "unknown"), (1, "lost"), (2, "sending"), (2, "acked"),
    ]  # fmt: skip
    assert gateway.orders_received() == 2


@pytest.mark.parametrize("point", [doomed.WRITTEN, doomed.ACKNOWLEDGED])
def test_crash_between_write_and_ack_and_after_ack_before_commit(gateway, night, tmp_path, clock, point):
    killed(tmp_path, gateway.port, point)
    assert night.statuses() == {"AAPL": S.SENDING, "BRK.B": S.PLANNED}

    _, sent = night.run(gateway.broker(), clock)

    assert [done.order.symbol for done in sent] == ["BRK.B"]
    assert night.statuses() == {"AAPL": S.ACKED, "BRK.B": S.ACKED}
    assert gateway.orders_received() == 2


def test_after_fill_before_commission(one, clock):
    told: list[peer.Message] = [execution("a.b.01", MORNING, order_ref=AAPL.order_ref)]
    sending(one)
    with Peer(m7=lambda f: executions(*told)(f)) as server:
        one.run(broker(server), clock)
        before = one.fills()[0].commission
        told.append(peer.commission("a.b.01", "1.05"))
        told.append(peer.commission("a.b.01", "1.05"))
        one.run(broker(server), clock)

    assert (before, one.fills()[0].commission) == (None, Decimal("1.05"))
    assert one.statuses() == {"AAPL": S.FILLED}


def test_two_intents_for_one_symbol(tmp_path, clock):
    """One of them was executed, the other never arrived: only that one is sent again."""
    other = buy("AAPL", 4, order_ref="hrp-20260105-AAPL-B2-00000000")
    ledgers = Ledgers(tmp_path, [AAPL])
    second = Ledgers(tmp_path)
    with second.store.write() as con:
        con.execute(
            "INSERT INTO orders SELECT * REPLACE (? AS order_ref, 4 AS quantity) FROM orders", [other.order_ref]
        )
        con.execute("INSERT INTO order_events SELECT * REPLACE (? AS order_ref) FROM order_events", [other.order_ref])
    sending(ledgers)
    sending(ledgers, other)
    held = peer.position("AAPL", "10")
    done = executions(execution("a.b.01", MORNING, order_ref=AAPL.order_ref))
    rich = peer.values(("NetLiquidation", "2000", "USD"), ("TotalCashValue", "1000", "USD"))
    with Peer(m7=done, m61=lines(held, end=62), m76=rich, m3=acked) as server:
        _, sent = ledgers.run(broker(server), clock)
        [fields] = placed(server)

    assert [(one.order.order_ref, one.order.attempt) for one in sent] == [(other.order_ref, 2)]
    assert (fields[17], fields[26]) == ("4", other.order_ref)


def test_same_night_run_twice(gateway, night, clock):
    night.run(gateway.broker(), clock)
    _, again = night.run(gateway.broker(), clock)

    assert again == []
    assert gateway.orders_received() == 2


def test_partial_then_cancel_then_rerun(one, clock):
    sending(one)
    part = executions(execution("a.b.01", MORNING, shares="4", order_ref=AAPL.order_ref))
    held, rich = peer.position("AAPL", "4"), peer.values(("NetLiquidation", "9", "USD"), ("TotalCashValue", "1", "USD"))
    seen: list[OrderStatus] = []
    with Peer(m7=part, m61=lines(held, end=62), m76=rich) as server:
        server.answers[peer.OPEN_ORDERS] = lines(peer.open_order(5, 501, ref=AAPL.order_ref, word="Submitted"), end=53)
        one.run(broker(server), clock)
        seen += one.statuses().values()
        server.answers[peer.OPEN_ORDERS] = peer.NORMAL[peer.OPEN_ORDERS]
        server.answers[peer.COMPLETED] = lambda _: [peer.completed_order(501, "Cancelled", ref=AAPL.order_ref), (102,)]
        one.run(broker(server), clock)
        seen += one.statuses().values()
        server.answers[peer.COMPLETED] = peer.NORMAL[peer.COMPLETED]
        one.run(broker(server), clock)
        seen += one.statuses().values()
        assert placed(server) == []

    assert seen == [S.PARTIALLY_FILLED, S.CANCELLED, S.CANCELLED]


@pytest.mark.parametrize("order_id", [0, -3])
def test_manual_tws_order_on_the_same_symbol(one, clock, order_id):
    """It has no reference: it is known by its permanent id, and while it is there nothing on its name is proven."""
    sending(one)
    by_hand = [peer.open_order(order_id, 77, client_id=0), peer.open_order(order_id, 78, client_id=0)]
    with Peer(m16=lines(*by_hand, end=53)) as server:
        settled, sent = one.run(broker(server), clock)
        assert placed(server) == []

    assert [(order.perm_id, order.order_ref) for order in settled.state.working] == [(77, ""), (78, "")]
    assert (
        "an order that the ledger does not explain is about AAPL too (permanent id 77" in settled.doubts[AAPL.order_ref]
    )
    assert (sent, one.statuses()) == ([], {"AAPL": S.UNKNOWN})


def test_another_client_ids_orders(gateway, night, clock):
    with gateway.broker(client_id=8) as stranger:
        instrument = stranger.qualify(["TRUE"])["TRUE"]
        stranger.place(buy("TRUE", 3, order_ref="mine"), instrument, stranger.next_order_id())
    _, sent = night.run(gateway.broker(), clock)
    with gateway.broker() as own:
        cancelled = night.manager(own, clock).cancel_all(lambda _: True)

    assert [done.outcome for done in sent] == [Outcome.SUBMITTED, Outcome.SUBMITTED]
    assert {done.working.symbol: done.outcome for done in cancelled} == {
        "TRUE": CancelOutcome.NOT_OURS, "AAPL": CancelOutcome.CANCELLED, "BRK.B": CancelOutcome.CANCELLED,
    }  # fmt: skip


def test_duplicate_order_ref_with_two_perm_ids(gateway, night, clock):
    for client_id in (7, 8):
        with gateway.broker(client_id) as twice:
            twice.place(AAPL, twice.qualify(["AAPL"])["AAPL"], twice.next_order_id())

    with pytest.raises(BrokerError, match=f"order {AAPL.order_ref} is at the broker more than once"):
        night.run(gateway.broker(), clock)

    assert night.statuses() == {"AAPL": S.PLANNED, "BRK.B": S.PLANNED}
    assert gateway.orders_received() == 2


@pytest.mark.parametrize(
    ("number", "answer", "raised", "words"),
    [
        (peer.COMPLETED, silent, BrokerTimeoutError, "did not finish stating its completed orders"),
        (peer.POSITIONS, silent, BrokerTimeoutError, "did not finish stating its positions"),
        (peer.EXECUTIONS, lambda f: [error(f[2], 321, "no")], BrokerError, "refused to state its executions: 321 no"),
        (peer.START, peer.accounts("DU7654321"), WrongAccountError, "serves DU7654321, not account DU1234567"),
    ],
    ids=[
        "completed list unanswered",
        "positions empty because positionEnd never came",
        "reqExecutions answered by error",
        "account mismatch",
    ],
)
def test_nothing_is_known_and_nothing_is_sent_when(one, clock, number, answer, raised, words):
    sending(one)
    with Peer(**{f"m{number}": answer}) as server:
        with pytest.raises(raised, match=words):
            one.run(broker(server, 0.3), clock)
        assert placed(server) == []
    assert one.statuses() == {"AAPL": S.SENDING}


@pytest.mark.parametrize(
    ("sent_at", "resent"),
    [
        (datetime(2026, 1, 5, 4, 59, 59, tzinfo=UTC), False),  # 23:59:59 of the day before in New York
        (datetime(2026, 1, 5, 5, 0, 0, tzinfo=UTC), True),
    ],
)
def test_clock_at_midnight(gateway, one, clock, sent_at, resent):
    sending(one, at=sent_at)
    settled, _ = one.run(gateway.broker(), clock)

    assert (settled.doubts == {}) is resent
    assert gateway.orders_received() == int(resent)
    assert one.statuses() == {"AAPL": S.ACKED if resent else S.UNKNOWN}


@pytest.mark.parametrize(
    ("monday", "cutoff"),
    [(date(2026, 3, 2), 14), (date(2026, 3, 9), 13), (date(2026, 10, 26), 13), (date(2026, 11, 2), 14)],
)
def test_dst(monday, cutoff):
    """09:28 in New York is another hour in UTC, from the first Monday after the clocks have changed."""
    _, last = sending_window(buy("AAPL", 1, for_session=monday))
    assert last == datetime(monday.year, monday.month, monday.day, cutoff, 28, tzinfo=UTC)


@pytest.mark.parametrize("held_as", [S.ACKED, S.UNKNOWN, S.SENDING])
def test_execution_arriving_for_yesterdays_intent(gateway, one, clock, held_as):
    with gateway.broker() as first:
        first.place(AAPL, first.qualify(["AAPL"])["AAPL"], first.next_order_id())
    sending(one)
    if held_as is not S.SENDING:
        one.ledger.record_status(AAPL.order_ref, held_as, "the evening before")
    gateway.advance(AFTER_OPEN)
    clock.at = AFTER_OPEN

    settled, sent = one.run(gateway.broker(), clock)

    assert (settled.doubts, sent, one.statuses()) == ({}, [], {"AAPL": S.FILLED})
    assert [(fill.order_ref, fill.quantity) for fill in one.fills()] == [(AAPL.order_ref, 10)]


def test_gateway_reset_of_order_ids(one, clock):
    """The id told at the start is behind those that are used up: every order with one of them is answered by 103."""

    def used_up(fields: list[str]) -> Sequence[peer.Message]:
        if int(fields[1]) < 500:
            return [error(fields[1], 103, "Duplicate order id")]
        return [status(fields[1], "PreSubmitted")]

    with Peer(m3=used_up, m8=lambda _: [(9, 1, 500)]) as server:
        _, sent = one.run(broker(server), clock)

    assert [done.outcome for done in sent] == [Outcome.SUBMITTED]


def test_a_used_order_id_is_no_proof_and_the_next_run_takes_another_one(one, clock):
    def used_up(fields: list[str]) -> Sequence[peer.Message]:
        server.answers[peer.NEXT_ID] = lambda _: [(9, 1, 500)]
        if int(fields[1]) < 500:
            return [error(fields[1], 103, "Duplicate order id")]
        return [status(fields[1], "PreSubmitted")]

    with Peer(m3=used_up) as server:
        _, [first] = one.run(broker(server), clock)
        _, [second] = one.run(broker(server), clock)

    assert (first.outcome, first.message) == (Outcome.UNKNOWN_ORDER, "103 Duplicate order id")
    assert (second.outcome, second.order.attempt) == (Outcome.SUBMITTED, 2)
    assert [to for _, to, _ in one.life(AAPL)][-4:] == ["unknown", "lost", "sending", "acked"]


def test_326_because_the_previous_run_still_lives(gateway, night, clock):
    with gateway.broker(), pytest.raises(BrokerConnectionError, match=r"client id 7 is already in use .* keep the id"):
        night.run(gateway.broker(), clock)
    assert night.statuses() == {"AAPL": S.PLANNED, "BRK.B": S.PLANNED}
    assert gateway.orders_received() == 0


def test_another_client_id_than_at_the_sending_proves_nothing(gateway, one, clock):
    sending(one, client_id=6)
    settled, sent = one.run(gateway.broker(), clock)

    assert settled.doubts == {AAPL.order_ref: "client 6 sent it and client 7 is looking for it"}
    assert sent == []


def test_a_position_that_moved_proves_nothing(one, clock):
    sending(one)
    rich = peer.values(("NetLiquidation", "9", "USD"), ("TotalCashValue", "1", "USD"))
    with Peer(m61=lines(peer.position("AAPL", "10"), end=62), m76=rich) as server:
        settled, _ = one.run(broker(server), clock)
        assert sum(fields[0] == peer.START for fields in server.heard) == 1  # a second look could prove nothing

    assert "the broker holds 10 AAPL" in settled.doubts[AAPL.order_ref]


def test_an_order_that_appears_in_the_second_look_is_adopted(one, clock):
    looks: list[int] = []

    def slow(_fields: list[str]) -> Sequence[peer.Message]:
        looks.append(1)
        return [peer.open_order(5, 501, ref=AAPL.order_ref), (53, 1)] if len(looks) == 2 else [(53, 1)]

    sending(one)
    with Peer(m16=slow) as server:
        settled, sent = one.run(broker(server), clock)
        assert sum(fields[0] == peer.START for fields in server.heard) == 2
        assert placed(server) == []

    assert (settled.doubts, sent, one.statuses()) == ({}, [], {"AAPL": S.ACKED})


def test_a_lost_order_whose_time_has_passed_expires(gateway, one, clock):
    at = datetime(2026, 1, 6, 14, 29, tzinfo=UTC)  # a minute after the last one for the auction
    sending(one, at=at - timedelta(minutes=5))
    gateway.advance(at)
    clock.at = at

    settled, sent = one.run(gateway.broker(), clock)

    assert ([order.symbol for order in settled.expired], sent, one.statuses()) == (["AAPL"], [], {"AAPL": S.EXPIRED})
    assert [to for _, to, _ in one.life(AAPL)] == ["planned", "sending", "unknown", "lost", "expired"]


def test_a_dry_run_looks_twice_and_sends_nothing(quiet_gateway, one, clock):
    sending(one)
    _, sent = one.run(DryRunBroker(quiet_gateway.broker()), clock)
    assert [done.outcome for done in sent] == [Outcome.DRY_RUN]
    assert quiet_gateway.orders_received() == 0


def test_an_order_that_is_always_lost_is_sent_three_times_and_no_more(one, clock):
    outcomes = []
    with Peer(m3=silent) as server:
        for _ in range(5):
            _, sent = one.run(broker(server, 0.1), clock)
            outcomes += [(done.outcome, done.order.attempt) for done in sent]
        ids = [int(fields[1]) for fields in placed(server)]

    unknown = Outcome.UNKNOWN_ORDER
    assert outcomes == [(unknown, 1), (unknown, 2), (unknown, 3), (Outcome.BOUND, 3), (Outcome.BOUND, 3)]
    assert ids == sorted(set(ids))


def test_more_than_the_plan_says_is_not_sent(gateway, night, clock):
    bounds = Bounds(sends=10, shares={"AAPL": Decimal(10), "BRK.B": Decimal(4)}, prices={})
    _, sent = night.run(gateway.broker(), clock, bounds)

    assert [(done.outcome, done.message.partition(";")[0]) for done in sent][1] == (
        Outcome.BOUND, "shares=5 BRK.B, planned=4",
    )  # fmt: skip
    assert gateway.orders_received() == 1


@pytest.mark.parametrize(
    ("ended", "becomes", "outcome"),
    [
        ([peer.completed_order(501, "Cancelled", ref=AAPL.order_ref)], S.CANCELLED, Outcome.REJECTED),
        ([], S.UNKNOWN, Outcome.UNKNOWN_ORDER),  # its word alone proves nothing
    ],
)
def test_cancelled_at_the_sending_is_believed_when_the_lists_say_so(night, clock, ended, becomes, outcome):
    def cancelled(fields: list[str]) -> Sequence[peer.Message]:
        if fields[3] == "BRK B":
            return [status(fields[1], "PreSubmitted", perm_id=502)]
        server.answers[peer.COMPLETED] = lambda _: [*ended, (102,)]
        return [status(fields[1], "Cancelled")]

    with Peer(m3=cancelled) as server:
        _, [first, second] = night.run(broker(server), clock)

    assert (first.outcome, first.order.status) == (outcome, becomes)
    assert second.outcome is (Outcome.SUBMITTED if becomes is S.CANCELLED else Outcome.UNKNOWN_ORDER)


def test_cancelling_is_written_down_sent_and_believed_when_the_lists_say_so(gateway, night, clock):
    night.run(gateway.broker(), clock)
    with gateway.broker() as own:
        manager = night.manager(own, clock)
        [first] = manager.cancel_all(lambda working: working.symbol == "AAPL")
        again = manager.cancel_all(lambda working: working.symbol == "AAPL")

    assert (first.outcome, first.working.order_ref, again) == (CancelOutcome.CANCELLED, AAPL.order_ref, [])
    assert night.statuses() == {"AAPL": S.CANCELLED, "BRK.B": S.ACKED}
    assert night.evidence(AAPL)[-2] == "to be cancelled: 10 remain"


@pytest.mark.parametrize(
    ("after", "outcome", "becomes"),
    [
        ({peer.EXECUTIONS: executions(execution("a.b.01", MORNING, order_ref=AAPL.order_ref))}, "FILLED", S.FILLED),
        (
            {peer.COMPLETED: lambda _: [peer.completed_order(501, "Cancelled", ref=AAPL.order_ref), (102,)]},
            "CANCELLED",
            S.CANCELLED,
        ),
        ({peer.OPEN_ORDERS: lines(peer.open_order(5, 501, ref=AAPL.order_ref), end=53)}, "STILL_WORKING", S.ACKED),
        ({}, "UNKNOWN", S.UNKNOWN),
        ({peer.COMPLETED: hangup}, "UNKNOWN", S.SENDING),
    ],
)
def test_what_became_of_a_cancellation_is_read_from_the_lists(one, clock, after, outcome, becomes):
    listed = lines(peer.open_order(5, 501, ref=AAPL.order_ref), end=53)

    def answer(fields: list[str]) -> Sequence[peer.Message]:
        server.answers |= {peer.OPEN_ORDERS: peer.NORMAL[peer.OPEN_ORDERS]} | after
        return [status(fields[1], "Cancelled")]

    sending(one)
    with Peer(m16=listed, m4=answer) as server, broker(server, 1) as own:
        [done] = one.manager(own, clock).cancel_all(lambda _: True)

    assert (done.outcome, one.statuses()["AAPL"]) == (outcome, becomes)


def test_a_dry_run_of_a_cancellation_cancels_nothing(gateway, night, clock):
    night.run(gateway.broker(), clock)
    with DryRunBroker(gateway.broker()) as dry:
        cancelled = night.manager(dry, clock).cancel_all(lambda _: True)
        assert len(dry.state().working) == 2
    assert [done.outcome for done in cancelled] == [CancelOutcome.DRY_RUN] * 2


def test_told_to_stop_every_order_is_acknowledged_planned_or_unknown_and_a_rerun_sends_the_rest(
    wide_gateway: PaperGateway, tmp_path: Path, clock: FixedClock
) -> None:
    orders = [buy(symbol, 1) for symbol in WIDE]
    ledgers = Ledgers(tmp_path, orders)
    ready = doomed.PROCESSES.Event()
    child = doomed.PROCESSES.Process(target=doomed.run_until_told, args=(tmp_path, wide_gateway.port, ready))
    child.start()
    ready.wait()
    child.terminate()
    child.join()

    assert child.exitcode == 0
    received = wide_gateway.received()
    acknowledged = {order.order_ref for order in ledgers.orders() if order.status in (S.ACKED, S.WORKING)}
    left = {order.status for order in ledgers.orders()} - {S.ACKED, S.WORKING}
    assert len(orders) == 60
    assert left <= {S.PLANNED, S.UNKNOWN}
    assert len(acknowledged) < 60
    assert acknowledged <= set(received)

    ledgers.run(wide_gateway.broker(), clock)
    assert set(ledgers.statuses().values()) == {S.ACKED}
    assert sorted(wide_gateway.received()) == sorted(order.order_ref for order in orders)


def test_a_sale_of_what_is_not_held_is_refused_and_stays_refused(gateway, tmp_path, clock):
    ledgers = Ledgers(tmp_path, [order("TRUE", OrderSide.SELL, 3)])
    _, [first] = ledgers.run(gateway.broker(), clock)
    _, again = ledgers.run(gateway.broker(), clock)
    assert (first.outcome, again, ledgers.statuses()) == (Outcome.REJECTED, [], {"TRUE": S.REJECTED})


def test_an_order_changed_in_tws_stops_everything(one, clock):
    sending(one)
    with Peer(m16=lines(peer.open_order(5, 501, ref=AAPL.order_ref, shares=12), end=53)) as server:
        with pytest.raises(BrokerError, match="is buy 10 AAPL in the ledger and buy 12 AAPL at the broker"):
            one.run(broker(server), clock)
        assert placed(server) == []
