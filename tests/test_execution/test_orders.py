from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hrp.domain.orders import OrderSide, OrderStatus, TimeInForce
from hrp.domain.positions import Acknowledgement
from hrp.errors import BrokerConnectionError, BrokerError, OrderError, StoreUnwritableError, WrongAccountError
from hrp.execution.broker import BrokerConfig, IBKRBroker
from hrp.execution.dry_run import DryRunBroker, DryRunLedger
from hrp.execution.orders import OrderManager, Outcome, require_same_time, sending_window

from . import peer
from .night import ACCOUNT, AFTER_CLOSE, AFTER_OPEN, SESSIONS, buy, order
from .peer import Peer, hangup, silent, status

S = OrderStatus


def ny(day: int, hour: int, minute: int = 0) -> datetime:
    """January 2026 in New York, five hours behind UTC."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC) + timedelta(hours=5)


@pytest.mark.parametrize(
    ("tif", "for_session", "first", "last"),
    [
        (TimeInForce.OPG, SESSIONS[1], ny(5, 16), ny(6, 9, 28)),
        (TimeInForce.DAY, SESSIONS[1], ny(5, 16), ny(6, 16)),
        (TimeInForce.OPG, SESSIONS[0], ny(2, 16), ny(5, 9, 28)),  # over a weekend
    ],
)
def test_an_order_is_sent_between_the_close_before_and_the_cutoff(tif, for_session, first, last):
    assert sending_window(buy("AAPL", 1, tif=tif, for_session=for_session)) == (first, last)


@pytest.mark.parametrize(("skew", "agrees"), [(0, True), (120, True), (-120, True), (121, False), (-3600, False)])
def test_the_clocks_of_host_and_broker_may_differ_by_two_minutes(skew, agrees):
    host = AFTER_CLOSE + timedelta(seconds=skew)
    if agrees:
        require_same_time(AFTER_CLOSE, host)
        return
    with pytest.raises(BrokerError, match=r"host clock says 2026-01-05 .* UTC, broker says 2026-01-05 22:00:00 UTC"):
        require_same_time(AFTER_CLOSE, host)


def test_a_night_is_sent_acknowledged_and_filled_at_the_open(gateway, ledger, clock):
    orders = [buy("AAPL", 10), buy("BRK.B", 5)]
    with gateway.broker() as broker:
        manager = OrderManager(broker, ledger, clock)
        sent = manager.submit_all(orders)
    assert [(one.outcome, one.order.status) for one in sent] == [(Outcome.SUBMITTED, S.ACKED)] * 2
    assert all(one.order.perm_id and one.order.broker_order_id for one in sent)

    gateway.advance(AFTER_OPEN)
    with gateway.broker() as broker:
        morning = OrderManager(broker, ledger, clock, manager.get_all_orders())
        steps = morning.reconcile()

    assert [(step.order_ref, step.status) for step in steps] == [(one.order_ref, S.FILLED) for one in orders]
    for one in orders:
        assert ledger.of(one.order_ref) == [S.SENDING, S.ACKED, S.FILLED]
    assert morning.get_order(orders[0].order_ref).status is S.FILLED
    assert morning.get_order("nobody") is None


def test_the_note_that_an_order_is_being_sent_is_written_before_it_leaves(quiet_gateway, clock):
    class FullDisk:
        def record_status(self, *_args: object, **_kwargs: object) -> None:
            raise StoreUnwritableError("no space left")

        def batch(self) -> AbstractContextManager[None]:
            return nullcontext()

    with quiet_gateway.broker() as broker, pytest.raises(StoreUnwritableError):
        OrderManager(broker, FullDisk(), clock).submit_order(buy("AAPL", 10))
    assert quiet_gateway.orders_received() == 0


def test_a_second_run_sends_nothing(gateway, ledger, clock):
    orders = [buy("AAPL", 10), buy("TRUE", 7)]
    with gateway.broker() as broker:
        first = OrderManager(broker, ledger, clock)
        first.submit_all(orders)
    with gateway.broker() as broker:
        second = OrderManager(broker, ledger, clock, first.get_all_orders())
        again = second.submit_all(orders)

    assert [one.outcome for one in again] == [Outcome.ALREADY_SENT] * 2
    assert gateway.orders_received() == 2


def test_killed_between_the_note_and_the_wire_the_order_is_not_guessed_about(quiet_gateway, ledger, clock):
    killed = replace(buy("AAPL", 10), status=S.SENDING, broker_order_id=5)
    with quiet_gateway.broker() as broker:
        manager = OrderManager(broker, ledger, clock, [killed])
        sent = manager.submit_all([buy("AAPL", 10), buy("TRUE", 7)])

    assert [one.outcome for one in sent] == [Outcome.UNKNOWN_ORDER] * 2
    assert killed.order_ref in sent[1].message
    assert ledger.of(killed.order_ref) == [S.UNKNOWN]
    assert quiet_gateway.orders_received() == 0


def test_killed_after_the_wire_the_order_is_found_and_not_sent_again(gateway, ledger, clock):
    first, second = buy("AAPL", 10), buy("TRUE", 7)
    with gateway.broker() as broker:
        instrument = broker.qualify(["AAPL"])["AAPL"]
        broker.place(first, instrument, broker.next_order_id())
    with gateway.broker() as broker:
        manager = OrderManager(broker, ledger, clock, [replace(first, status=S.SENDING), second])
        sent = manager.submit_all([first, second])

    assert [one.outcome for one in sent] == [Outcome.ALREADY_SENT, Outcome.SUBMITTED]
    assert ledger.of(first.order_ref) == [S.ACKED]
    assert gateway.orders_received() == 2


def test_a_store_that_was_restored_does_not_send_again_what_the_broker_has(gateway, ledger, clock):
    planned = buy("AAPL", 10)
    with gateway.broker() as broker:
        OrderManager(broker, ledger, clock).submit_order(planned)
    with gateway.broker() as broker:
        again = OrderManager(broker, ledger, clock, [planned]).submit_order(planned)
    assert (again.outcome, again.order.status) == (Outcome.ALREADY_SENT, S.ACKED)

    with gateway.broker() as broker, pytest.raises(BrokerError, match=f"never wrote: {planned.order_ref}"):
        OrderManager(broker, ledger, clock).submit_order(buy("TRUE", 1))
    assert gateway.orders_received() == 1


def test_a_rejection_is_recorded_with_its_reason_and_the_batch_goes_on(gateway, ledger, clock):
    unheld, fine = order("TRUE", OrderSide.SELL, 3), buy("AAPL", 10)
    with gateway.broker() as broker:
        rejected, sent = OrderManager(broker, ledger, clock).submit_all([unheld, fine])

    assert (rejected.outcome, rejected.order.status) == (Outcome.REJECTED, S.REJECTED)
    assert rejected.message.startswith("201 ")
    assert sent.outcome is Outcome.SUBMITTED


def test_a_name_that_the_broker_does_not_know_is_not_sent(gateway, ledger, clock):
    with gateway.broker() as broker:
        strange, fine = OrderManager(broker, ledger, clock).submit_all([buy("NOSUCH", 1), buy("AAPL", 1)])

    assert (strange.outcome, strange.order.status) == (Outcome.UNKNOWN_INSTRUMENT, S.PLANNED)
    assert fine.outcome is Outcome.SUBMITTED
    assert ledger.of(strange.order.order_ref) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"for_session": SESSIONS[0]}, "OPG orders for session 2026-01-05 are sent between 2026-01-02 21:00 and"),
        ({"for_session": SESSIONS[2]}, "are sent between 2026-01-06 21:00 and 2026-01-07 14:28 UTC"),
        ({"for_session": None}, "names no session"),
        ({"for_session": SESSIONS[0].replace(day=10)}, "2026-01-10 is not an XNYS session"),
    ],
)
def test_outside_its_window_an_order_stays_planned(quiet_gateway, ledger, clock, changes, words):
    with quiet_gateway.broker() as broker:
        held = OrderManager(broker, ledger, clock).submit_order(buy("AAPL", 10, **changes))

    assert (held.outcome, held.order.status) == (Outcome.OUTSIDE_WINDOW, S.PLANNED)
    assert words in held.message
    assert ledger.lines == []
    assert quiet_gateway.orders_received() == 0


def test_clocks_that_differ_send_nothing(quiet_gateway, ledger, clock):
    clock.at = AFTER_CLOSE + timedelta(minutes=5)
    with quiet_gateway.broker() as broker, pytest.raises(BrokerError, match="host clock says 2026-01-05 22:05:00 UTC"):
        OrderManager(broker, ledger, clock).submit_order(buy("AAPL", 10))
    assert quiet_gateway.orders_received() == 0


@pytest.mark.parametrize(
    ("orders", "error", "message"),
    [
        ([buy("AAPL", 1, order_ref="")], OrderError, "order for AAPL has no order_ref"),
        ([buy("AAPL", 1), buy("AAPL", 2)], OrderError, "stands twice in the batch"),
        ([buy("AAPL", 1, account="DU9")], WrongAccountError, "is for account DU9, the broker serves DU1234567"),
    ],
)
def test_a_batch_that_cannot_be_identified_is_refused_whole(quiet_gateway, ledger, clock, orders, error, message):
    with quiet_gateway.broker() as broker, pytest.raises(error, match=message):
        OrderManager(broker, ledger, clock).submit_all(orders)
    assert quiet_gateway.orders_received() == 0


def test_an_order_that_the_ledger_holds_with_other_terms_is_refused(quiet_gateway, ledger, clock):
    with (
        quiet_gateway.broker() as broker,
        pytest.raises(OrderError, match="buy 11 AAPL market OPG for 2026-01-06, the ledger holds buy 10 AAPL"),
    ):
        OrderManager(broker, ledger, clock, [buy("AAPL", 10)]).submit_order(buy("AAPL", 11))
    assert quiet_gateway.orders_received() == 0


def test_a_batch_of_nothing_still_reconciles(quiet_gateway, ledger, clock):
    lost = replace(buy("AAPL", 10), status=S.SENDING)
    with quiet_gateway.broker() as broker:
        assert OrderManager(broker, ledger, clock, [lost]).submit_all([]) == []
    assert ledger.of(lost.order_ref) == [S.UNKNOWN]


def test_a_dry_run_goes_all_the_way_and_sends_nothing(quiet_gateway, clock):
    with DryRunBroker(quiet_gateway.broker()) as broker:
        manager = OrderManager(broker, DryRunLedger(), clock)
        wrong, dry = manager.submit_all([buy("NOSUCH", 1), buy("AAPL", 10)])

    assert wrong.outcome is Outcome.UNKNOWN_INSTRUMENT
    assert (dry.outcome, dry.order.status) == (Outcome.DRY_RUN, S.PLANNED)
    assert dry.message == "DRY_RUN: not sent: buy 10 AAPL at the market, OPG"
    assert quiet_gateway.orders_received() == 0


def test_a_dry_run_cancels_nothing(gateway, ledger, clock):
    with gateway.broker() as broker:
        OrderManager(broker, ledger, clock).submit_order(buy("AAPL", 10))
    with DryRunBroker(gateway.broker()) as broker:
        [working] = broker.state().working
        assert broker.cancel(working).message == "DRY_RUN: not cancelled: buy 10 AAPL"
        assert broker.state().working == (working,)


def test_a_rehearsal_writes_nothing_even_into_a_real_ledger(quiet_gateway, ledger, clock):
    with DryRunBroker(quiet_gateway.broker()) as broker:
        OrderManager(broker, ledger, clock).submit_order(buy("AAPL", 10))
    assert ledger.lines == []


@pytest.mark.parametrize("answer", [silent, hangup])
def test_an_order_without_an_answer_stops_the_batch(ledger, clock, answer):
    orders = [buy(symbol, 1) for symbol in ("AAPL", "MSFT", "TRUE")]

    def first_is_fine(fields: list[str]):
        return [status(fields[1], "PreSubmitted")] if fields[3] == "AAPL" else answer(fields)

    with (
        Peer(m3=first_is_fine) as server,
        IBKRBroker(BrokerConfig("127.0.0.1", server.port, 7, ACCOUNT, timeout=0.5)) as broker,
    ):
        sent = OrderManager(broker, ledger, clock).submit_all(orders)
        placed = [fields for fields in server.heard if fields[0] == peer.PLACE]

    assert [one.outcome for one in sent] == [Outcome.SUBMITTED, Outcome.UNKNOWN_ORDER, Outcome.UNKNOWN_ORDER]
    assert [one.order.status for one in sent] == [S.ACKED, S.UNKNOWN, S.PLANNED]
    assert ledger.of(orders[1].order_ref) == [S.SENDING, S.UNKNOWN]
    assert len(placed) == 2


class LosesTheWire(DryRunBroker):
    """Draws an id and then cannot say whether the order left."""

    def next_order_id(self, above: int = 0) -> int:
        return above + 5

    def place(self, *_args: object) -> Acknowledgement:
        raise BrokerConnectionError("the wire broke")


def test_an_error_while_sending_is_unknown_and_not_rejected(quiet_gateway, ledger, clock):
    with LosesTheWire(quiet_gateway.broker()) as broker:
        lost = OrderManager(broker, ledger, clock).submit_order(buy("AAPL", 10))

    assert (lost.outcome, lost.order.status, lost.message) == (Outcome.UNKNOWN_ORDER, S.UNKNOWN, "the wire broke")
    assert ledger.of(lost.order.order_ref) == [S.SENDING, S.UNKNOWN]


def test_a_broker_lost_between_two_orders_leaves_the_second_one_planned(ledger, clock):
    def cut_after_the_word(fields: list[str]):
        return [status(fields[1], "PreSubmitted"), peer.error(-1, 1100, "Connectivity lost")]

    with (
        Peer(m3=cut_after_the_word) as server,
        IBKRBroker(BrokerConfig("127.0.0.1", server.port, 7, ACCOUNT)) as broker,
    ):
        first, second = OrderManager(broker, ledger, clock).submit_all([buy("AAPL", 1), buy("MSFT", 1)])

    assert first.outcome is Outcome.SUBMITTED
    assert (second.outcome, second.order.status) == (Outcome.BROKER_LOST, S.PLANNED)
    assert "1100 Connectivity lost" in second.message
    assert ledger.of(second.order.order_ref) == []


@pytest.mark.parametrize(("seconds_an_order", "times_asked"), [(0.0, 2), (25.0, 3)])
def test_the_brokers_clock_is_asked_for_once_a_minute_and_not_once_an_order(
    ledger, clock, monkeypatch, seconds_an_order, times_asked
):
    """Once for the state, once for the batch."""
    passed = [0.0]
    monkeypatch.setattr(type(clock), "elapsed", lambda _: passed[0])

    def answer(fields: list[str]):
        passed[0] += seconds_an_order
        return [status(fields[1], "PreSubmitted", perm_id=500 + int(fields[1]))]

    orders = [buy(symbol, 1) for symbol in ("AAPL", "KO", "MSFT", "TRUE")]
    with (
        Peer(m3=answer) as server,
        IBKRBroker(BrokerConfig("127.0.0.1", server.port, 7, ACCOUNT)) as broker,
    ):
        sent = OrderManager(broker, ledger, clock).submit_all(orders)
        heard = [fields[0] for fields in server.heard]

    assert [one.outcome for one in sent] == [Outcome.SUBMITTED] * 4
    assert heard.count(peer.TIME) == times_asked


def test_told_to_stop_between_two_orders_the_rest_stays_planned(ledger, clock):
    told: list[bool] = []
    with (
        Peer(m3=lambda f: told.append(True) or [status(f[1], "PreSubmitted")]) as server,
        IBKRBroker(BrokerConfig("127.0.0.1", server.port, 7, ACCOUNT)) as broker,
    ):
        manager = OrderManager(broker, ledger, clock, should_stop=lambda: bool(told))
        first, second = manager.submit_all([buy("AAPL", 1), buy("MSFT", 1)])

    assert (first.outcome, second.outcome, second.order.status) == (Outcome.SUBMITTED, Outcome.STOPPED, S.PLANNED)
    assert ledger.of(second.order.order_ref) == []
