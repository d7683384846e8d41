"""One connection to the broker, from socket to close: deadlines, interruptions, and nothing left in the queue."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

from hrp.errors import BrokerConnectionError, BrokerError, BrokerTimeoutError, ClientIdInUseError
from hrp.execution.account import BrokerConfig
from hrp.execution.ibapi import RequestError, ib
from hrp.execution.translate import instant, number

T = TypeVar("T")

_INVALID, _CLIENT_ID_IN_USE = 321, 326
_SERVER_CUT_OFF = frozenset({1100, 1101, 1102, 2110})
_NOTICES = range(2100, 2170)  # farm connections and the like; 2110 is among the cuts
_GREETING = re.compile(rb"\0\0\0.(\d+)\0\d{8} ", re.DOTALL)  # a frame with the server's version and its time
_EXCERPT = 160  # characters of a message that could not be read
_LINGER_SECONDS, _PAUSE_SECONDS = 1.0, 0.001
_ORDER_ID_MESSAGE, _EXECUTION_MESSAGE, _COMMISSION_MESSAGE, _EXECUTION_TIME = 9, 11, 59, 15


class Link:
    """A connection is used once: what one of them learnt is never carried into the next.

    ib_insync's own `connect` is passed by: it logs an unanswered request and goes on with an empty list, and the late
    end of that list would then complete the next request of its kind.
    """

    def __init__(self, config: BrokerConfig) -> None:
        self.ib = ib.IB()
        self.ib.RaiseRequestErrors = True  # else an error answers a request for executions with "none"
        self.ib.client.MaxRequests = config.requests_per_second
        self._config = config
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self.commissions: dict[str, Decimal] = {}  # USD by execution id
        self._messages: list[tuple[int, int, str]] = []
        self._greeting = b""
        self._unreadable = ""
        self._cut_off = ""
        self._listen()

    def _listen(self) -> None:
        self.ib.errorEvent += self._hear
        self.ib.client.conn.hasData += self._greet
        self.ib.updateEvent += self._changed.set
        self.ib.disconnectedEvent += self._changed.set
        decoder: Any = self.ib.client.decoder
        decoder.logger = _Alarm(self)
        decoder.handlers[_EXECUTION_MESSAGE] = _in_utc(decoder.handlers[_EXECUTION_MESSAGE], self._config.time_zone)
        decoder.handlers[_COMMISSION_MESSAGE] = self._keep_commission
        decoder.handlers[_ORDER_ID_MESSAGE] = lambda fields: self.ib.client.updateReqId(int(fields[2]))

    def _keep_commission(self, fields: list[str]) -> None:
        amount = number(float(fields[3] or 0))
        if amount is not None:
            self.commissions[fields[2]] = amount

    def _greet(self, data: bytes) -> None:
        self._greeting = (self._greeting + data)[:_EXCERPT]

    def _hear(self, request: int, code: int, text: str, _contract: object) -> None:
        if code in _SERVER_CUT_OFF:
            self._cut_off = f"{code} {text}"
        if code not in _NOTICES:
            self._messages.append((request, code, text))
        if code == _INVALID:
            # ib_async takes it for a warning and would let the request that it answers wait for more.
            self.ib.wrapper._endReq(request, RequestError(request, code, text), success=False)

    def cannot_read(self, reason: str) -> None:
        """Note that a message of the broker was lost because it could not be read."""
        self._unreadable = self._unreadable or reason

    def messages_about(self, request: int) -> dict[int, str]:
        """The broker's messages with the id `request`, by code, each as `code text`."""
        return {code: f"{code} {text}" for about, code, text in self._messages if about == request}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, with the socket being served meanwhile."""
        asyncio.set_event_loop(self._loop)  # where ib_insync looks for it
        return self._loop.run_until_complete(work)

    async def open(self) -> list[str]:
        """Connect; returns the accounts that the server reports.

        Raises:
            BrokerConnectionError: refused, silent, or the client id is in use.
        """
        config, client = self._config, self.ib.client
        self.ib.wrapper.clientId = config.client_id
        closed: asyncio.Future[str] = self._loop.create_future()
        client.apiError += lambda text: None if closed.done() else closed.set_result(text)
        attempt = asyncio.ensure_future(client.connectAsync(config.host, config.port, config.client_id, config.timeout))
        await asyncio.wait({attempt, closed}, return_when=asyncio.FIRST_COMPLETED)
        if not attempt.done():
            attempt.cancel()
        try:
            await attempt
        except (OSError, asyncio.CancelledError) as error:
            if any(code == _CLIENT_ID_IN_USE for _, code, _ in self._messages):
                raise ClientIdInUseError(
                    f"client id {config.client_id} is already in use at {config.address}: another hrp command is still "
                    "connected, let it end; keep the id, orders belong to it"
                ) from error
            raise BrokerConnectionError(self._why_no_connection(error)) from error
        return list(client.getAccounts())

    def _why_no_connection(self, error: BaseException) -> str:
        config = self._config
        client = self.ib.client
        guide = "run: hrp gateway start, or start TWS and see docs/ibkr-setup.md"
        version = _GREETING.match(self._greeting)
        if self._greeting and version is None:
            said = self._greeting[:_EXCERPT].decode("ascii", "backslashreplace")
            return f"{config.address} does not speak the protocol of TWS (it said {said!r}); set IBKR_PORT, or {guide}"
        if version and int(version[1]) < client.MinClientVersion:
            return (
                f"{config.address} speaks server version {version[1].decode()}, at least {client.MinClientVersion} is "
                "needed; install a current TWS or IB Gateway"
            )
        if isinstance(error, TimeoutError):
            waited = f"{config.timeout:g} s{self._last_words()}; {guide}"
            if version:
                return f"{config.address} did not finish signing on within {waited}"
            return f"{config.address} accepted the connection and was silent for {waited}"
        if isinstance(error, asyncio.CancelledError):
            return f"{config.address} closed the connection at once{self._last_words()}; {guide}"
        reason = "connection refused" if isinstance(error, ConnectionRefusedError) else error
        return f"no broker at {config.address} ({reason}); {guide}"

    def _last_words(self) -> str:
        """The broker's last message that belongs to no single order, ready to end a sentence."""
        general = [f"{code} {text}" for about, code, text in self._messages if about < 0]
        return f" (it said: {general[-1]})" if general else ""

    def require_whole(self) -> None:
        """Nothing was lost since the connection was opened.

        Raises:
            BrokerConnectionError: the socket is closed, or TWS lost its own server meanwhile.
            BrokerError: a message could not be read.
        """
        if not self.ib.isConnected():
            raise BrokerConnectionError(f"the connection to {self._config.address} was lost; run the command again")
        if self._cut_off:
            raise BrokerConnectionError(
                f"{self._config.address} lost its server ({self._cut_off}): what it said before no longer counts; "
                "run the command again"
            )
        if self._unreadable:
            raise BrokerError(f"a message of {self._config.address} could not be read: {self._unreadable}")

    async def ask(self, what: str, request: Callable[[], Awaitable[T]]) -> T:
        """The complete answer to one request, before its deadline.

        Raises:
            BrokerTimeoutError, BrokerConnectionError, BrokerError: there is none.
        """
        try:
            return await asyncio.wait_for(request(), self._config.timeout)
        except (OSError, RequestError) as error:
            self._fail(what, error)

    def _fail(self, what: str, error: OSError | RequestError) -> NoReturn:
        where = self._config.address
        if isinstance(error, RequestError):
            raise BrokerError(f"{where} refused to state its {what}: {error.code} {error.message}") from error
        if isinstance(error, TimeoutError):
            raise BrokerTimeoutError(
                f"{where} did not finish stating its {what} within {self._config.timeout:g} s{self._last_words()}; "
                "nothing is known, run the command again"
            ) from error
        raise BrokerConnectionError(
            f"the connection to {where} was lost while it stated its {what}; run the command again"
        ) from error

    async def until(self, found: Callable[[], T | None]) -> T | None:
        """The first answer of `found` that is not None; None at the deadline or when the connection is lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.timeout):
                while found() is None and self.ib.isConnected():
                    self._changed.clear()
                    await self._changed.wait()
        return found()

    def close(self) -> None:
        """Let the queue run empty, then close; harmless if the connection is already lost.

        Raises:
            BrokerTimeoutError: messages were still waiting to leave at the deadline.
        """
        try:
            waiting = self.run(self._close())
        finally:
            self._loop.close()
            asyncio.set_event_loop(None)
        if waiting:
            raise BrokerTimeoutError(
                f"{waiting} messages to {self._config.address} never left within {self._config.timeout:g} s; "
                "read the state of the account before sending anything"
            )

    async def _close(self) -> int:
        client, connection = self.ib.client, self.ib.client.conn
        # ib_insync holds back what exceeds its rate, and forgets on disconnect what still waits.
        await _wait(lambda: not (client.isReady() and client._msgQ), self._config.timeout)
        waiting = len(client._msgQ)
        for unanswered in self.ib.wrapper._futures.values():
            unanswered.cancel()
        # Closing at once could destroy what is still on its way: first say that this was all, and let the server read
        # it and close.
        if connection.transport and client.isReady():
            connection.transport.write_eof()
            await _wait(lambda: not connection.isConnected(), _LINGER_SECONDS)
        self.ib.disconnect()
        await _wait(lambda: not connection.isConnected(), _LINGER_SECONDS)
        if connection.transport:
            connection.transport.abort()
        await _cancel_the_rest()
        return waiting


async def _wait(condition: Callable[[], bool], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(_PAUSE_SECONDS)


async def _cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


class _Alarm:
    """Takes the place of the decoder's logger: a message that cannot be read is lost, and must not pass unnoticed."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def exception(self, text: str) -> None:
        self._link.cannot_read(f"{sys.exc_info()[1]} ({text[:_EXCERPT]})")


def _in_utc(handler: Callable[[list[str]], None], zone: str) -> Callable[[list[str]], None]:
    """`handler` for executions whose time is first written in UTC, the one zone that ib_insync never mistakes."""

    def handle(fields: list[str]) -> None:
        fields[_EXECUTION_TIME] = f"{instant(fields[_EXECUTION_TIME], zone):%Y%m%d %H:%M:%S} UTC"
        handler(fields)

    return handle
