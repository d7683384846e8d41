"""Sockets and nothing else: the client port, the control port, both on the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hrp.gateway import control
from hrp.gateway.channel import LOOPBACK, STOP, to_line
from hrp.gateway.desk import Delivery, Desk
from hrp.gateway.errors import GatewayError, ProtocolError
from hrp.gateway.session import Session
from hrp.gateway.wire import GREETING, HEADER_BYTES, Fields, frame, payload_length, split


class Server:
    """Carries bytes between sockets and a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._writers: dict[Session, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._servers: list[asyncio.Server] = []

    async def listen(self, port: int) -> tuple[int, int]:
        """Open both ports (0: any free one) and return them: for clients, for control.

        Raises:
            GatewayError: the port is taken.
        """
        try:
            clients = await asyncio.start_server(self._accept_client, LOOPBACK, port)
        except OSError as error:
            raise GatewayError(
                f"cannot listen on {LOOPBACK}:{port} ({error.strerror}); choose another --port"
            ) from error
        commands = await asyncio.start_server(self._accept_control, LOOPBACK, 0)
        self._servers = [clients, commands]
        return _port(clients), _port(commands)

    async def run(self) -> None:
        """Serve until `stop`, then close every connection."""
        await self._stopping.wait()
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()

    def _accept_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(asyncio.create_task(self._serve_client(reader, writer)))

    def _accept_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(asyncio.create_task(self._serve_control(reader, writer)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session()
        self._writers[session] = writer
        try:
            if await self._greet(reader, writer):
                while not writer.is_closing():
                    self._deliver(self._desk.receive(session, await _read_message(reader)))
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ProtocolError):
            pass  # the client went away, or does not speak the protocol: this session ends
        finally:
            self._desk.leave(session)
            del self._writers[session]
            writer.close()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if await reader.readexactly(len(GREETING)) != GREETING:
            return False
        reply = self._desk.greet((await _read_payload(reader)).decode(errors="backslashreplace"))
        if reply is None:
            return False
        writer.write(frame(reply))
        return True

    async def _serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (line := await reader.readline()) and (command := control.parse(line)):
                reply, deliveries = control.execute(self._desk, command)
                self._deliver(deliveries)
                writer.write(to_line(reply))
                await writer.drain()
                if command.name == STOP:
                    self.stop()
        except (ConnectionError, ValueError):
            pass  # the caller went away, or sent an endless line
        finally:
            writer.close()

    def _deliver(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            writer = self._writers.get(delivery.session)
            if writer is None or writer.is_closing():
                continue
            writer.write(frame(delivery.fields))
            if delivery.closes:
                writer.close()


async def _read_message(reader: asyncio.StreamReader) -> Fields:
    return split(await _read_payload(reader))


async def _read_payload(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(payload_length(await reader.readexactly(HEADER_BYTES)))


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])
