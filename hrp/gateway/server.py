"""Sockets and nothing else: the client port, the control port, both on the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from hrp.gateway import control
from hrp.gateway.channel import LOOPBACK, STOP, to_line
from hrp.gateway.delivery import Delivery, packets
from hrp.gateway.desk import Desk
from hrp.gateway.errors import GatewayError, ProtocolError
from hrp.gateway.session import Session
from hrp.gateway.wire import GREETING, Fields, Frames, frame, split

_CHUNK_BYTES = 1 << 16


class Server:
    """Carries bytes between sockets and a desk; `crash` ends the process like a crash."""

    def __init__(self, desk: Desk, crash: Callable[[], None]) -> None:
        self._desk = desk
        self._crash = crash
        self._writers: dict[Session, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._servers: list[asyncio.Server] = []

    async def listen(self, port: int, control_port: int = 0) -> tuple[int, int]:
        """Open both ports (0: any free one) and return them: for clients, for control.

        Raises:
            GatewayError: a port is taken.
        """
        self._servers = [
            await _listen(self._accept_client, port),
            await _listen(self._accept_control, control_port),
        ]
        clients, commands = self._servers
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
        ended = "the gateway ended it"
        try:
            ended = await self._converse(session, reader, writer)
        except asyncio.IncompleteReadError as problem:
            ended = f"the client hung up after {problem.partial!r}"
        except ProtocolError as problem:
            ended = str(problem)
        except ConnectionError as problem:
            ended = f"the connection broke: {problem}"
        finally:
            self._desk.note(session, f"session ended: {ended}")
            self._desk.leave(session)
            del self._writers[session]
            writer.close()

    async def _converse(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Answer until the session is over; why it is."""
        greeting = await reader.readexactly(len(GREETING))
        if greeting != GREETING:
            return f"it began with {greeting!r}, not with {GREETING!r}"
        frames, is_greeted = Frames(), False
        while received := await reader.read(_CHUNK_BYTES):
            payloads = frames.cut(received)
            if not is_greeted and (offer := next(payloads, None)):
                text = offer.decode(errors="backslashreplace")
                reply = self._desk.greet(session, text)
                if reply is None:
                    return f"no common version in {text!r}"
                writer.write(frame(reply))
                is_greeted = True
            self._hear(session, payloads)
            await writer.drain()
            if writer.is_closing():
                return "the gateway hung up"
        waiting = frames.waiting()
        return f"the client hung up within a frame, after {waiting} bytes" if waiting else "the client hung up"

    def _hear(self, session: Session, payloads: Iterable[bytes]) -> None:
        """Let the desk take messages that came together; what came whole before a broken one is taken."""
        messages: list[Fields] = []
        try:
            messages.extend(map(split, payloads))
        finally:
            if messages:
                heard_at = asyncio.get_running_loop().time()
                self._deliver(self._desk.receive(session, *messages, heard_at=heard_at))

    async def _serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (line := await reader.readline()) and (command := control.parse(line)):
                reply, deliveries = control.execute(self._desk, command)
                writer.write(to_line(reply))
                self._deliver(deliveries)
                await writer.drain()
                if command.name == STOP:
                    self.stop()
        except (ConnectionError, ValueError):
            pass  # the caller went away, or sent an endless line
        finally:
            writer.close()

    def _deliver(self, deliveries: Iterable[Delivery]) -> None:
        for delivery, parts in packets(deliveries):
            if delivery.seconds:
                asyncio.get_running_loop().call_later(delivery.seconds, self._write, delivery, parts)
            else:
                self._write(delivery, parts)
        if self._desk.stage.is_crashing:
            self._crash()

    def _write(self, delivery: Delivery, parts: Iterable[bytes]) -> None:
        writer = self._writers.get(delivery.session)
        if writer is None or writer.is_closing():
            return
        for part in parts:
            writer.write(part)
        if delivery.closes:
            writer.close()


async def _listen(accept: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None], port: int) -> asyncio.Server:
    try:
        return await asyncio.start_server(accept, LOOPBACK, port)
    except OSError as error:
        raise GatewayError(f"cannot listen on {LOOPBACK}:{port} ({error.strerror}); choose another --port") from error


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])
