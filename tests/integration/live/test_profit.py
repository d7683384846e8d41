"""Realised profit: HRP's from executions and average cost, held against what the broker says it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hrp.domain.pnl import profit
from hrp.domain.positions import BrokerState, Fill, Position
from hrp.execution.broker import IBKRBroker
from hrp.execution.translate import number

from .desk import trade
from .venue import SESSIONS, Venue, ask, evening, on_commission

DOLLAR, CENTS = Decimal(1), Decimal("0.05")


def as_booked(fill: Fill) -> Fill:
    """`fill` with its commission in the price, which is how the broker counts cost and proceeds."""
    return replace(fill, price=fill.price + (fill.commission or Decimal(0)) / fill.signed_quantity, commission=None)


def realized(fills: Iterable[Fill], opening: Sequence[Position] = ()) -> Decimal:
    """HRP's profit of `fills` on top of the holdings before them."""
    return profit(map(as_booked, fills), {}, opening).realized


def stated(broker: IBKRBroker) -> Decimal:
    """What the broker says the account has realised today."""

    async def told(api: Any) -> Decimal:
        answered = asyncio.Event()
        api.pnlEvent += lambda _: answered.set()
        answer = api.reqPnL(broker.config.account)
        await answered.wait()
        api.cancelPnL(broker.config.account)
        return number(answer.realizedPnL) or Decimal(0)

    return ask(broker, "profit", told)


def play(stage: Venue, day: int, *trades: tuple[str, int]) -> tuple[BrokerState, Decimal]:
    """Trade at the open of session `day`; the account in its evening, and what the broker says was realised."""
    with stage.broker() as broker:
        for symbol, quantity in trades:
            trade(stage, broker, symbol, quantity)
    stage.advance(evening(SESSIONS[day]))
    with stage.broker() as broker:
        return broker.state(), stated(broker)


# Worked out by hand: half a cent a share and at least a dollar an order is part of what was paid.
NIGHTS = [
    ((("AAPL", 300), ("BRK.B", 100)), "0"),  # at 110 and 410
    ((("AAPL", -100), ("BRK.B", -40)), "-1942.90"),  # at 95 and 399: two losses of a night, and both count
    ((("AAPL", 100),), "0"),  # at 97.50: the day begins at zero, the average falls to 105.84
    ((("AAPL", -50),), "757.00"),  # at 121
    ((("AAPL", -250), ("BRK.B", -60)), "-5762.85"),  # at 90 and 380, after the weekend's fall
]


def test_realised_profit_adds_up_within_a_day_starts_anew_with_the_next_and_jumps_with_the_night(stage: Venue):
    opening: Sequence[Position] = ()
    fills: list[Fill] = []
    for day, (trades, expected) in enumerate(NIGHTS, start=1):
        state, said = play(stage, day, *trades)
        assert said == Decimal(expected)
        assert abs(realized(state.fills, opening) - said) <= CENTS
        opening, fills = state.positions, [*fills, *state.fills]

    total = sum(Decimal(expected) for _, expected in NIGHTS)
    assert state.positions == ()
    assert len(fills) == sum(len(trades) for trades, _ in NIGHTS)
    assert abs(realized(fills) - total) <= CENTS
    assert state.account.cash == 1_000_000 + total


def test_a_quiet_day_realises_nothing_though_prices_moved(stage: Venue):
    play(stage, 1, ("AAPL", 100))
    _, sold = play(stage, 2, ("AAPL", -50))
    state, quiet = play(stage, 3)

    assert sold < -500
    assert quiet == 0
    assert state.fills == ()
    assert state.held() == {"AAPL": Decimal(50)}


def test_the_realised_profit_of_the_day_is_the_brokers_within_a_dollar(venue: Venue):
    booked: dict[str, Decimal] = {}  # by execution, as the broker reports it with the commission
    with venue.broker() as broker:
        on_commission(broker, lambda fields: booked.update({fields[2]: number(float(fields[5])) or Decimal(0)}))
        state, said = broker.state(), stated(broker)
    if not state.fills:
        pytest.skip("the account traded nothing today")
    assert abs(sum((booked[fill.exec_id] for fill in state.fills), Decimal(0)) - said) <= DOLLAR

    held = state.held()
    for symbol in {fill.symbol for fill in state.fills}:
        fills = [fill for fill in state.fills if fill.symbol == symbol]
        if held.get(symbol, Decimal(0)) == sum(fill.signed_quantity for fill in fills):  # begun today, from nothing
            assert abs(realized(fills) - sum(booked[fill.exec_id] for fill in fills)) <= DOLLAR
    if venue.gateway:
        assert said == Decimal("-1.40")  # two of five shares sold where they were bought, for two commissions
