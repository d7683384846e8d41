"""Cancelling: written down, asked for, and believed only when the broker's lists say so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from hrp.domain.orders import OrderStatus
from hrp.domain.positions import BrokerState, WorkingOrder
from hrp.errors import BrokerError
from hrp.execution.lives import Lives
from hrp.ports import Broker


class CancelOutcome(StrEnum):
    """What became of one order that was to be cancelled."""

    CANCELLED = "CANCELLED"
    FILLED = "FILLED"  # before the request could reach it
    STILL_WORKING = "STILL_WORKING"
    UNKNOWN = "UNKNOWN"
    NOT_OURS = "NOT_OURS"  # of another client, or placed by hand: only they can cancel it
    DRY_RUN = "DRY_RUN"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One order that was to be cancelled, and what became of it, with the reason in words."""

    working: WorkingOrder
    outcome: CancelOutcome
    message: str


def cancel_all(broker: Broker, lives: Lives, wanted: Callable[[WorkingOrder], bool]) -> list[Cancellation]:
    """Cancel every working order that is `wanted`; see `OrderManager.cancel_all`."""
    listed = [order for order in broker.state().working if wanted(order)]
    answers = [_ask(broker, lives, order) for order in listed]
    if all(isinstance(answer, Cancellation) for answer in answers):
        return [answer for answer in answers if isinstance(answer, Cancellation)]
    try:
        after = broker.state()
    except BrokerError as error:
        return [_became(order, answer, error) for order, answer in zip(listed, answers, strict=True)]
    with suppress(BrokerError):  # a contradiction elsewhere must not hide what became of these; the next sync tells it
        lives.follow(after)
    return [_became(order, answer, after) for order, answer in zip(listed, answers, strict=True)]


def _ask(broker: Broker, lives: Lives, order: WorkingOrder) -> Cancellation | str:
    """The broker's answer in words; for an order that cannot be cancelled from here what becomes of it."""
    if order.client_id != broker.client_id:
        owner = f"client {order.client_id}" if order.client_id else "a person"
        return Cancellation(order, CancelOutcome.NOT_OURS, f"{owner} placed it; cancel it in TWS")
    if order.order_ref in lives.orders:
        lives.ledger.record_note(order.order_ref, f"to be cancelled: {order.remaining} remain")
    try:
        answer = broker.cancel(order)
    except BrokerError as error:
        return str(error)
    if answer.status is OrderStatus.PLANNED:
        return Cancellation(order, CancelOutcome.DRY_RUN, answer.message)
    return answer.message


def _became(order: WorkingOrder, answer: Cancellation | str, after: BrokerState | BrokerError) -> Cancellation:
    if isinstance(answer, Cancellation):
        return answer
    if isinstance(after, BrokerError):
        return Cancellation(order, CancelOutcome.UNKNOWN, f"{answer}; {after}")
    return outcome_of(order, after, answer)


def outcome_of(working: WorkingOrder, state: BrokerState, word: str) -> Cancellation:
    """What a complete `state`, read after the request, says of `working`; `word` is the answer to the request."""
    executed = sum((fill.quantity for fill in state.fills if fill.perm_id == working.perm_id), Decimal(0))
    ended = next((order for order in state.completed if order.perm_id == working.perm_id), None)
    listed = next((order for order in state.working if order.perm_id == working.perm_id), None)
    full = working.quantity is not None and executed >= working.quantity
    if full or (ended is not None and ended.status is OrderStatus.FILLED):
        return Cancellation(working, CancelOutcome.FILLED, f"filled before it could be cancelled ({word})")
    if ended is not None and ended.status is not OrderStatus.UNKNOWN:
        first = f", {executed} shares were executed first" if executed else ""
        return Cancellation(working, CancelOutcome.CANCELLED, f"completed at the broker: {ended.detail}{first}")
    if listed is not None:
        return Cancellation(working, CancelOutcome.STILL_WORKING, f"{listed.remaining} still work ({word})")
    return Cancellation(
        working, CancelOutcome.UNKNOWN, f"in no list of the broker ({word}); run: hrp run position-sync"
    )
