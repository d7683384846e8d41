"""A broker that reads for real and sends nothing, and the ledger that goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from types import TracebackType
from typing import Self

from hrp.domain.orders import Order, OrderStatus
from hrp.domain.positions import Acknowledgement, BrokerState, Instrument, WorkingOrder
from hrp.ports import Broker

NO_ORDER_ID = 0  # drawn for an order that will not be sent, so nobody writes down that it is being sent


class DryRunBroker:
    """`hrp.ports.Broker` in front of another one: every question goes through, nothing is placed or cancelled.

    What would have been sent comes back as an acknowledgement with the status `PLANNED`. Goes with `DryRunLedger`.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def __enter__(self) -> Self:
        self._broker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._broker.__exit__(kind, error, trace)

    @property
    def client_id(self) -> int:
        """The real one."""
        return self._broker.client_id

    def reopen(self) -> None:
        """A fresh connection, after the real time of grace."""
        self._broker.reopen()

    def server_time(self) -> datetime:
        """The broker's clock, aware, UTC."""
        return self._broker.server_time()

    def state(self) -> BrokerState:
        """The real state of the account."""
        return self._broker.state()

    def qualify(self, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        """The real instruments."""
        return self._broker.qualify(symbols)

    def next_order_id(self, above: int = 0) -> int:
        """`NO_ORDER_ID`."""
        return NO_ORDER_ID

    def place(self, order: Order, instrument: Instrument, order_id: int) -> Acknowledgement:
        """What would have been sent, in words."""
        price = "at the market" if order.limit_price is None else f"at {order.limit_price} USD or better"
        return Acknowledgement(
            OrderStatus.PLANNED,
            message=f"DRY_RUN: not sent: {order.side} {order.quantity} {order.symbol} {price}, {order.tif}",
        )

    def cancel(self, working: WorkingOrder) -> Acknowledgement:
        """What would have been cancelled, in words."""
        return Acknowledgement(
            OrderStatus.PLANNED,
            working.perm_id,
            f"DRY_RUN: not cancelled: {working.side} {working.remaining} {working.symbol}",
        )


class DryRunLedger:
    """`hrp.ports.Ledger` that writes nothing: a rehearsal leaves the store as it was."""

    def record_status(self, order_ref: str, status: OrderStatus, evidence: str, **_news: object) -> None:
        """Nothing is written."""

    def record_note(self, order_ref: str, note: str) -> None:
        """Nothing is written."""

    def batch(self) -> AbstractContextManager[None]:
        """Nothing is opened."""
        return nullcontext()
