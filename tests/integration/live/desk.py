"""Orders that can do no harm: one share, bought at half its last close or less, and taken back at the end."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import uuid4

from hrp.domain.orders import Order, OrderSide, OrderType, TimeInForce
from hrp.domain.positions import Acknowledgement, BrokerState, Instrument
from hrp.domain.sessions import last_closed, next_session
from hrp.errors import BrokerError
from hrp.execution.broker import IBKRBroker
from hrp.execution.translate import contract_of

from .venue import SYMBOL, Venue, ask

CENT = Decimal("0.01")


class Desk:
    """Draws up orders under references that nobody had before, and knows them again."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.refs: set[str] = set()
        self.instrument, self._limit = instrument_and_limit(venue)

    def order(self) -> Order:
        """A purchase that will not trade."""
        session = last_closed(self.venue.clock().now())
        order = Order(
            SYMBOL, OrderSide.BUY, 1, OrderType.LIMIT, self._limit, TimeInForce.DAY,
            order_ref=f"contract-{uuid4().hex[:20]}",
            session=session,
            for_session=next_session(session),
            account=self.venue.account,
        )  # fmt: skip
        self.refs.add(order.order_ref)
        return order

    def place(self, broker: IBKRBroker) -> tuple[Order, Acknowledgement]:
        """Send one such order."""
        order = self.order()
        broker.state()
        return order, broker.place(order, self.instrument, broker.next_order_id())

    def own(self, state: BrokerState) -> BrokerState:
        """`state` without the orders of others."""
        return self._split(state, True)

    def foreign(self, state: BrokerState) -> BrokerState:
        """`state` without the orders of this desk."""
        return self._split(state, False)

    def _split(self, state: BrokerState, own: bool) -> BrokerState:
        lists = {
            name: tuple(record for record in getattr(state, name) if (record.order_ref in self.refs) is own)
            for name in ("working", "completed", "fills")
        }
        return replace(state, **lists)

    def take_back(self) -> None:
        """Cancel what still works of these orders, and see that it is gone."""
        with self.venue.broker() as broker:
            for working in self.own(broker.state()).working:
                broker.cancel(working)
            assert self.own(broker.state()).working == ()


def trade(venue: Venue, broker: IBKRBroker, symbol: str, signed_quantity: int, limit: Decimal | None = None) -> Order:
    """Send an order that will trade in the next session, to nobody but the paper gateway."""
    assert venue.gateway is not None
    order = Order(
        symbol,
        OrderSide.BUY if signed_quantity > 0 else OrderSide.SELL,
        abs(signed_quantity),
        OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit,
        TimeInForce.OPG if limit is None else TimeInForce.DAY,
        order_ref=f"trade-{uuid4().hex[:20]}",
        account=venue.account,
    )
    broker.state()
    word = broker.place(order, broker.qualify([symbol])[symbol], broker.next_order_id())
    assert word.perm_id, word
    return order


@cache  # a real server takes the same question for bars once in 15 seconds
def instrument_and_limit(venue: Venue) -> tuple[Instrument, Decimal]:
    """The instrument of these orders and half its last close in USD, or a dollar where the account gets no prices."""
    with venue.broker() as broker:
        instrument = broker.qualify([SYMBOL])[SYMBOL]
        contract = contract_of(instrument)

        def bars(api: Any) -> Any:
            return api.reqHistoricalDataAsync(contract, "", "5 D", "1 day", "TRADES", useRTH=True)

        try:
            close = Decimal(str(ask(broker, "daily bars", bars)[-1].close))
        except BrokerError:
            return instrument, Decimal(1)
        return instrument, (close / 2).quantize(CENT)
