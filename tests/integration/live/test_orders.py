"""Placing, finding again, cancelling; the same thing twice is one thing; other people's orders stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hrp.domain.orders import Order, OrderStatus
from hrp.domain.positions import BrokerState
from hrp.errors import BrokerError
from hrp.execution.broker import IBKRBroker
from hrp.execution.dry_run import DryRunLedger
from hrp.execution.orders import OrderManager, Outcome

from .desk import Desk, trade
from .venue import AFTER_OPEN, BARS, SESSIONS, VOLUME, Venue, evening

ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
S = OrderStatus
AT_THE_BROKER = (S.ACKED, S.WORKING)  # held for the next session, or at the exchange


def manager(broker: IBKRBroker, desk: Desk, *known: Order) -> OrderManager:
    """One that has reconciled with the desk's own orders, at any hour."""
    manager = OrderManager(broker, DryRunLedger(), desk.venue.clock(), known, window=lambda _: ALWAYS)
    manager.reconcile(desk.own(broker.state()))
    return manager


def at_the_broker(desk: Desk) -> BrokerState:
    return desk.own(desk.venue.state())


def test_a_placed_order_is_acknowledged_and_found_again_by_another_connection(venue: Venue, desk: Desk):
    with venue.broker() as broker:
        order, word = desk.place(broker)
        drawn = broker._proven().ib.client.getReqId()

    assert word.status in AT_THE_BROKER
    assert word.perm_id
    for client in (0, 1):
        [found] = desk.own(venue.state(client)).working
        assert (found.order_ref, found.perm_id) == (order.order_ref, word.perm_id)
        assert (found.symbol, found.side, found.remaining) == (order.symbol, order.side, Decimal(1))
        assert (found.con_id, found.client_id) == (desk.instrument.con_id, venue.client_id)
    assert 0 < at_the_broker(desk).working[0].order_id < drawn


def test_a_cancelled_order_is_answered_for_and_ends_up_among_the_completed(venue: Venue, desk: Desk):
    with venue.broker() as broker:
        order, placed = desk.place(broker)
        [working] = desk.own(broker.state()).working
        word = broker.cancel(working)

    assert (word.status, word.perm_id) == (S.CANCELLED, placed.perm_id)
    state = at_the_broker(desk)
    assert state.working == ()
    assert [(ended.order_ref, ended.status, ended.filled) for ended in state.completed] == [
        (order.order_ref, S.CANCELLED, 0)
    ]


def test_to_cancel_twice_is_to_cancel_once(venue: Venue, desk: Desk):
    with venue.broker() as broker:
        desk.place(broker)
        [working] = desk.own(broker.state()).working
        broker.cancel(working)
        once = at_the_broker_of(broker, desk)
        again = broker.cancel(working)
        twice = at_the_broker_of(broker, desk)

    assert again.status in (S.CANCELLED, S.UNKNOWN)
    assert (once.working, once.completed) == (twice.working, twice.completed)


def at_the_broker_of(broker: IBKRBroker, desk: Desk) -> BrokerState:
    return desk.own(broker.state())


def test_the_same_order_twice_is_one_order_at_the_broker(venue: Venue, desk: Desk):
    order = desk.order()
    with venue.broker() as broker:
        sender = manager(broker, desk)
        first, second = sender.submit_order(order), sender.submit_order(order)
    with venue.broker() as broker:
        rerun = manager(broker, desk, first.order).submit_order(order)

    assert [one.outcome for one in (first, second, rerun)] == [
        Outcome.SUBMITTED,
        Outcome.ALREADY_SENT,
        Outcome.ALREADY_SENT,
    ]
    assert [found.order_ref for found in at_the_broker(desk).working] == [order.order_ref]


@pytest.mark.parametrize("written", [S.PLANNED, S.SENDING, S.UNKNOWN])
def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(venue: Venue, desk: Desk, written: OrderStatus):
    with venue.broker() as broker:
        order, word = desk.place(broker)
    with venue.broker() as broker:
        rerun = manager(broker, desk, replace(order, status=written))
        sent = rerun.submit_order(order)
        adopted = rerun.get_order(order.order_ref)

    assert sent.outcome is Outcome.ALREADY_SENT
    assert adopted is not None
    assert adopted.status in AT_THE_BROKER
    assert adopted.perm_id == word.perm_id
    assert len(at_the_broker(desk).working) == 1


def test_an_order_of_another_client_is_not_cancelled_from_here(venue: Venue, desk: Desk):
    with venue.broker() as broker:
        desk.place(broker)
    with venue.broker(client=1) as other:
        [working] = desk.own(other.state()).working
        with pytest.raises(BrokerError, match=f"belongs to client {venue.client_id}, this is client"):
            other.cancel(working)

    assert [(found.perm_id, found.remaining) for found in at_the_broker(desk).working] == [(working.perm_id, 1)]


def test_what_others_have_at_the_broker_is_left_alone(venue: Venue):
    before = venue.state()
    own = Desk(venue)
    with venue.broker() as broker:
        own.place(broker)
    own.take_back()
    after = venue.state()

    assert own.foreign(after).working == before.working
    assert after.held() == before.held()
    assert own.own(after).working == ()


def test_a_morning_brings_fill_position_commission_and_cash(stage: Venue):
    with stage.broker() as broker:
        order = trade(stage, broker, "BRK.B", 5)
    stage.advance(evening(SESSIONS[1]))
    state = stage.state()

    opened = Decimal(BARS["BRK.B"][1][0])
    [fill] = state.fills
    assert (fill.order_ref, fill.symbol, fill.quantity, fill.price) == (order.order_ref, "BRK.B", 5, opened)
    assert fill.commission == 1  # five shares at half a cent are below the least that is taken
    assert state.held() == {"BRK.B": Decimal(5)}
    assert state.account.cash == 1_000_000 - 5 * opened - 1


@pytest.mark.parametrize("stage", [{"volume-share": "0.01"}], indirect=True)
def test_a_part_is_filled_and_the_rest_works_on_until_it_is_cancelled(stage: Venue):
    with stage.broker() as broker:
        order = trade(stage, broker, "AAPL", 25, limit=Decimal(200))
    stage.advance(AFTER_OPEN)
    with stage.broker() as broker:
        state = broker.state()
        [working] = state.working
        word = broker.cancel(working)
    after = stage.state()

    part = VOLUME // 100
    assert [(fill.order_ref, fill.quantity, fill.commission) for fill in state.fills] == [(order.order_ref, part, 1)]
    assert (working.order_ref, working.remaining) == (order.order_ref, 25 - part)
    assert state.held() == after.held() == {"AAPL": part}
    assert word.status is S.CANCELLED
    assert [(ended.filled, ended.status) for ended in after.completed] == [(part, S.CANCELLED)]
