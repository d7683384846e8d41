"""The account at Interactive Brokers: TWS, IB Gateway, or anything that speaks their protocol."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from hrp.domain.orders import Order, OrderStatus
from hrp.domain.positions import (
    Account,
    Acknowledgement,
    BrokerState,
    Instrument,
    Position,
    WorkingOrder,
)
from hrp.errors import BrokerConnectionError, BrokerError, WrongAccountError
from hrp.execution import translate
from hrp.execution.account import BrokerConfig, prove_accounts, prove_settings
from hrp.execution.ibapi import RequestError, ib
from hrp.execution.link import Link

__all__ = ["BrokerConfig", "IBKRBroker"]

T = TypeVar("T")

_NO_SUCH_INSTRUMENT = 200
_SYMBOLS_AT_ONCE = 40  # ib_insync sends 45 messages a second: a group is out before its deadline
_UNINVESTED_TOLERANCE = Decimal("0.01")  # of net liquidation: accrued interest and dividends


class IBKRBroker:
    """`hrp.ports.Broker` over ib_insync. Used as a context manager, connected inside.

    Until the server has proven that it serves the configured account, nothing can be asked and no order built. After
    an answer that was incomplete the connection is dropped: the next one starts from nothing.
    """

    def __init__(self, config: BrokerConfig) -> None:
        self.config = config
        self._link: Link | None = None

    def connect(self) -> None:
        """Open a fresh connection and prove the account.

        Raises:
            BrokerConnectionError: nobody there, no answer, or the client id is in use.
            WrongAccountError: mode, port and the accounts that the server reports do not agree.
        """
        if self.is_connected():
            return
        self.disconnect()
        prove_settings(self.config)
        link = Link(self.config)
        try:
            prove_accounts(self.config, link.run(link.open()))
        except BrokerError:
            link.close()
            raise
        self._link = link

    def disconnect(self) -> None:
        """Close, once everything that was sent has left this machine.

        Raises:
            BrokerTimeoutError: something could not be sent.
        """
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def is_connected(self) -> bool:
        """True while the proven connection stands."""
        return self._link is not None and bool(self._link.ib.isConnected())

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    @property
    def client_id(self) -> int:
        """The number under which orders are sent; they belong to it."""
        return self.config.client_id

    def reopen(self) -> None:
        """Close, let the time of grace pass, and open a fresh connection. Raises as `connect` does."""
        self.disconnect()
        time.sleep(self.config.grace_seconds)
        self.connect()

    def server_time(self) -> datetime:
        """The broker's clock, aware, UTC, in whole seconds."""
        return self._run(self._server_time)

    def state(self) -> BrokerState:
        """Money, positions, orders and executions, asked for afresh, all complete."""
        return self._run(self._state)

    def qualify(self, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        """The instrument of each symbol; one that the broker does not know, or knows twice, is left out."""
        return self._run(partial(self._qualify, symbols))

    def next_order_id(self, above: int = 0) -> int:
        """An order id that this client has never used; ask for `state()` first, it shows the ids in use.

        Args:
            above: the greatest id that is known to have been used; the broker hands those of lost requests out again.
        """
        link = self._proven()
        link.require_whole()
        link.ib.client.updateReqId(above + 1)
        return int(link.ib.client.getReqId())

    def place(self, order: Order, instrument: Instrument, order_id: int) -> Acknowledgement:
        """Send one order and wait for the broker's word, `UNKNOWN` at the deadline.

        Raises:
            BrokerError: the order was not sent.
        """
        if order.account not in ("", self.config.account):
            raise WrongAccountError(
                f"order {order.order_ref} is for account {order.account}, this connection trades {self.config.account}"
            )
        if order.symbol != instrument.symbol:
            raise BrokerError(f"order {order.order_ref} is for {order.symbol}, the instrument is {instrument.symbol}")
        return self._run(partial(self._place, order, instrument, order_id))

    def cancel(self, working: WorkingOrder) -> Acknowledgement:
        """Ask for a cancellation and wait for the broker's word, `UNKNOWN` at the deadline.

        Raises:
            BrokerError: the request was not sent.
        """
        if working.client_id != self.config.client_id:
            raise BrokerError(
                f"order {working.order_ref or working.perm_id} belongs to client {working.client_id}, this is client "
                f"{self.config.client_id}; cancel it in TWS, or connect with IBKR_CLIENT_ID={working.client_id}"
            )
        return self._run(partial(self._cancel, working))

    def _proven(self) -> Link:
        if self._link is None:
            raise BrokerConnectionError(f"not connected to {self.config.address}; call connect() first")
        return self._link

    def _run(self, work: Callable[[Link], Coroutine[Any, Any, T]]) -> T:
        """Do `work` on the whole connection; an error of the broker drops it."""
        link = self._proven()
        try:
            link.require_whole()
            return link.run(work(link))
        except BrokerError:
            self.disconnect()
            raise

    async def _server_time(self, link: Link) -> datetime:
        told = await link.ask("time", link.ib.reqCurrentTimeAsync)
        return told.astimezone(UTC)

    async def _state(self, link: Link) -> BrokerState:
        api = link.ib
        api.client.reqIds(1)  # the id given at the start may be behind the ids that are used up
        # In this order, one that moves on between two answers is seen twice and never not at all.
        open_orders = await link.ask("open orders", api.reqAllOpenOrdersAsync)
        ended = await link.ask("completed orders", partial(api.reqCompletedOrdersAsync, False))
        await link.ask("executions", api.reqExecutionsAsync)
        held = await link.ask("positions", api.reqPositionsAsync)
        api.client.cancelPositions()
        rows = await self._account_rows(link)
        at = await self._server_time(link)
        link.require_whole()
        self._keep_order_ids_new(link)

        name = self.config.account
        fills = translate.latest(
            translate.fill(f, link.commissions) for f in api.fills() if f.execution.acctNumber == name
        )
        working = (translate.working(trade, fills) for trade in open_orders if trade.order.account == name)
        return BrokerState(
            account=(money := translate.account(name, rows)),
            positions=_agreeing(money, [translate.position(p) for p in held if p.account == name and p.position]),
            working=tuple(order for order in working if order is not None),
            completed=tuple(translate.completed(trade) for trade in ended if trade.order.account == name),
            fills=fills,
            at=at,
        )

    async def _account_rows(self, link: Link) -> list[ib.AccountValue]:
        """The account's values, in a subscription of their own that ends with them."""
        api, rows = link.ib, list[ib.AccountValue]()
        api.accountValueEvent += rows.append
        request = api.client.getReqId()
        complete = api.wrapper.startReq(request)
        api.client.reqAccountUpdatesMulti(request, self.config.account, "", False)
        await link.ask("account values", lambda: complete)
        api.client.cancelAccountUpdatesMulti(request)
        api.accountValueEvent -= rows.append
        return rows

    def _keep_order_ids_new(self, link: Link) -> None:
        """Let ids that are used up in executions not be drawn again; ib_insync looks at open orders alone."""
        for done in link.ib.fills():
            if done.execution.clientId == self.config.client_id:
                link.ib.client.updateReqId(done.execution.orderId + 1)

    async def _qualify(self, symbols: Sequence[str], link: Link) -> Mapping[str, Instrument]:
        questions = {symbol: translate.stock(symbol) for symbol in dict.fromkeys(symbols)}
        known: dict[str, Instrument] = {}
        names = list(questions)
        for start in range(0, len(names), _SYMBOLS_AT_ONCE):
            group = names[start : start + _SYMBOLS_AT_ONCE]
            answers = await link.ask("instruments", partial(_details, link.ib, [questions[s] for s in group]))
            for symbol, found in zip(group, answers, strict=True):
                if (instrument := translate.instrument(symbol, found)) is not None:
                    known[symbol] = instrument
        return known

    async def _place(self, order: Order, instrument: Instrument, order_id: int, link: Link) -> Acknowledgement:
        if (self.config.client_id, order_id) in link.ib.wrapper.trades:
            raise BrokerError(f"order id {order_id} is in use: sending {order.order_ref} would change another order")
        sent = translate.order_to_send(order, self.config.account, order_id)
        trade = link.ib.placeOrder(translate.contract_of(instrument), sent)
        word = await link.until(lambda: translate.answer(trade, link.messages_about(order_id)))
        return word or self._no_word(trade, link)

    async def _cancel(self, working: WorkingOrder, link: Link) -> Acknowledgement:
        open_orders = await link.ask("open orders", link.ib.reqAllOpenOrdersAsync)
        trade = next((trade for trade in open_orders if trade.order.permId == working.perm_id), None)
        if trade is None:
            return Acknowledgement(OrderStatus.UNKNOWN, working.perm_id, "no longer among the open orders")
        # Not through ib.cancelOrder: it writes a status of its own into the order.
        link.ib.client.cancelOrder(trade.order.orderId, "")
        word = await link.until(lambda: translate.cancel_answer(trade, link.messages_about(trade.order.orderId)))
        return word or self._no_word(trade, link)

    def _no_word(self, trade: ib.Trade, link: Link) -> Acknowledgement:
        heard = "; ".join(link.messages_about(trade.order.orderId).values())
        waited = f"no word within {self.config.timeout:g} s" if link.ib.isConnected() else "the connection was lost"
        perm_id = trade.orderStatus.permId or trade.order.permId or None
        return Acknowledgement(OrderStatus.UNKNOWN, perm_id, f"{waited}; {heard}" if heard else waited)


async def _details(api: ib.IB, questions: Sequence[ib.Contract]) -> list[list[ib.ContractDetails]]:
    return await asyncio.gather(*(_detail(api, question) for question in questions))


async def _detail(api: ib.IB, question: ib.Contract) -> list[ib.ContractDetails]:
    try:
        return await api.reqContractDetailsAsync(question)
    except RequestError as error:
        if error.code == _NO_SUCH_INSTRUMENT:
            return []
        raise


def _agreeing(money: Account, positions: Sequence[Position]) -> tuple[Position, ...]:
    """`positions`, if they can be all that the account holds.

    Raises:
        BrokerError: one symbol is two instruments, or the account is worth more than its cash and holds nothing.
    """
    instruments: dict[str, int] = {}
    for held in positions:
        other = instruments.setdefault(held.symbol, held.con_id)
        if other != held.con_id:
            raise BrokerError(
                f"{held.symbol} is held as two instruments, {other} and {held.con_id}; clear it up in TWS"
            )
    gap = abs(money.net_liquidation - money.cash)
    if not positions and gap > _UNINVESTED_TOLERANCE * abs(money.net_liquidation):
        raise BrokerError(
            f"account {money.account} is worth {money.net_liquidation} with {money.cash} in cash, and the broker lists "
            "no position: the list is not complete; run the command again"
        )
    return tuple(sorted(positions, key=lambda held: held.symbol))
