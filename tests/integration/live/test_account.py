"""The complete state, and what becomes of the broker's positions, instruments and executions."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from .venue import SYMBOL, Venue, ask

UNKNOWN = "NOSUCHNAME"


def test_the_state_is_complete_and_of_one_moment(venue: Venue):
    with venue.broker() as broker:
        state, now = broker.state(), broker.server_time()

    assert state.account.net_liquidation > 0
    assert state.account.currency == "USD"
    assert timedelta() <= now - state.at < timedelta(minutes=1)
    assert len({held.con_id for held in state.positions}) == len(state.positions)
    assert all(held.quantity and held.entry_price >= 0 for held in state.positions)
    assert all(order.perm_id and order.remaining > 0 for order in state.working)
    assert all(fill.account == venue.account and fill.price > 0 for fill in state.fills)


def test_a_position_is_the_brokers_in_shares_cost_and_name(venue: Venue):
    with venue.broker() as broker:
        raw = ask(broker, "positions", lambda api: api.reqPositionsAsync())
        positions = broker.state().positions
    listed = [held for held in raw if held.account == venue.account and held.position]
    if not listed:
        pytest.skip("the account holds nothing")

    assert {held.con_id: (held.quantity, held.entry_price) for held in positions} == {
        held.contract.conId: (Decimal(str(held.position)), Decimal(str(held.avgCost))) for held in listed
    }
    stocks = {
        h.contract.conId: h.contract for h in listed if (h.contract.secType, h.contract.currency) == ("STK", "USD")
    }
    assert {held.con_id: held.symbol for held in positions if held.con_id in stocks} == {
        con_id: contract.symbol.replace(" ", ".") for con_id, contract in stocks.items()
    }


def test_an_instrument_is_known_by_its_symbol_or_left_out(venue: Venue):
    with venue.broker() as broker:
        known = broker.qualify([SYMBOL, UNKNOWN, "BRK.B", SYMBOL])

    assert list(known) == [SYMBOL, "BRK.B"]
    assert all((one.symbol, one.currency) == (symbol, "USD") for symbol, one in known.items())
    assert len({one.con_id for one in known.values()}) == 2


def test_executions_and_commissions_are_the_same_after_a_reconnect(venue: Venue):
    first, again = venue.state().fills, venue.state().fills
    if not first:
        pytest.skip("the account traded nothing today")

    assert set(first) <= set(again)
    assert len({fill.identity for fill in again}) == len(again)
    assert all(fill.executed_at.utcoffset() == timedelta() for fill in again)
    assert all(fill.commission is not None for fill in again if fill.order_ref)
