"""Every effect of a process on the world outside it, seen at the libraries' edge just before it happens.

Files, folders and child processes are seen through the interpreter's audit events, databases at their statements,
sockets at their writes. No line of HRP names an effect, so one that is written tomorrow is seen like the others.
What a C library does between two of them, such as the pages of one DuckDB commit, is one effect.
"""

from __future__ import annotations

import io
import os
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb

COMMIT, CHECKPOINT, STATEMENT = "commit", "checkpoint", "statement"
CONNECT, SEND = "connect", "send"
OPEN, WRITE, FSYNC = "open", "write", "fsync"
_AUDITED = {
    "os.rename": "rename",
    "os.remove": "unlink",
    "os.mkdir": "mkdir",
    "os.rmdir": "rmdir",
    "os.link": "link",
    "os.symlink": "symlink",
    "os.truncate": "truncate",
    "os.chmod": "chmod",
    "os.utime": "utime",
    "socket.connect": CONNECT,
    "socket.sendto": SEND,
    "socket.sendmsg": SEND,
    "subprocess.Popen": "process",
    "os.posix_spawn": "process",
    "os.exec": "process",
    "os.fork": "process",
    "os.system": "process",
}
_FILES = {event for event, kind in _AUDITED.items() if event.startswith("os.") and kind != "process"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_READING_STATEMENTS = frozenset(
    {"SELECT", "FROM", "WITH", "SET", "RESET", "SHOW", "DESCRIBE", "EXPLAIN", "PRAGMA", "USE", "ATTACH"}
)
_IN_MEMORY = ":memory:"
_ROOT = Path(__file__).parents[1]
_OWN = str(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class Effect:
    """The `ordinal`-th effect of a process, counted from 1: what kind, on what, and the line of HRP that causes it.

    `chain` names the functions of HRP on the stack, the innermost first.
    """

    ordinal: int
    kind: str
    target: str
    site: str
    chain: tuple[str, ...]


class Watch:
    """Calls `before` ahead of every effect of this process from now on, until the process ends.

    What `before` does itself is not counted. It may end the process or raise what the effect might raise. Files in
    `scratch`, the folder of temporary files, are nobody else's and do not count; nor do locks, which end with the
    process.
    """

    def __init__(self, before: Callable[[Effect], None], scratch: Path) -> None:
        self._before, self._scratch = before, str(scratch)
        self._count, self._busy = 0, threading.local()
        self._wrap()
        sys.addaudithook(self._audit)

    def happens(self, kind: str, target: object) -> None:
        """An effect is about to happen."""
        if getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            self._count += 1
            site, chain = _place()
            self._before(Effect(self._count, kind, _named(target), site, chain))
        finally:
            self._busy.now = False

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if flags & os.O_TRUNC or (flags & _WRITING and not _exists(path)):
                self._file(OPEN, path)
        elif event in ("os.link", "os.symlink"):
            self._file(_AUDITED[event], arguments[1])
        elif event in _FILES:
            if _changes(event, arguments[0]):
                self._file(_AUDITED[event], arguments[0])
        elif event in _AUDITED:
            self.happens(_AUDITED[event], "" if event.startswith("socket.") else arguments[0])

    def _file(self, kind: str, path: Any) -> None:
        if isinstance(path, int):
            self.happens(kind, "file")
        elif not (name := str(Path(os.fsdecode(path)).absolute())).startswith((self._scratch, os.devnull)) and (
            not name.endswith(".lock")
        ):
            self.happens(kind, name)

    def _trace(self, connection: sqlite3.Connection) -> None:
        def statement(text: str) -> None:
            kind = _kind(text, connection.in_transaction)
            if kind:
                self.happens(kind, "sqlite")

        connection.set_trace_callback(statement)

    def _wrap(self) -> None:
        """What the interpreter does not report by itself."""
        happens = self.happens
        duckdb_connect, sqlite_connect, plain_open, fsync = duckdb.connect, sqlite3.connect, io.open, os.fsync
        send, sendall = socket.socket.send, socket.socket.sendall

        def connected(database: str = _IN_MEMORY, read_only: bool = False, **options: Any) -> _Connection:
            connection = duckdb_connect(database, read_only, **options)
            return _Connection(connection, happens, keeps=not read_only and database != _IN_MEMORY)

        def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = sqlite_connect(*arguments, **options)
            self._trace(connection)
            return connection

        def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            handle = plain_open(file, mode, *arguments, **options)
            if not set(mode).isdisjoint("wax+"):
                self._file(WRITE, file)  # the file is there, and empty if it is new: nothing has been written
            return handle

        def synced(file: Any) -> None:
            happens(FSYNC, "file")
            fsync(file)

        def sent(carry: Any) -> Any:
            def sending(self: socket.socket, *arguments: Any) -> Any:
                if self.family in (socket.AF_INET, socket.AF_INET6):
                    happens(SEND, len(arguments[0]))
                return carry(self, *arguments)

            return sending

        patches: list[tuple[Any, str, Any]] = [
            (duckdb, "connect", connected),
            (sqlite3, "connect", traced),
            (sqlite3.dbapi2, "connect", traced),
            (io, "open", opened),
            (sys.modules["builtins"], "open", opened),
            (os, "fsync", synced),
            (socket.socket, "send", sent(send)),
            (socket.socket, "sendall", sent(sendall)),
        ]
        for owner, name, wrapped in patches:
            setattr(owner, name, wrapped)


class _Connection:
    """A DuckDB connection that tells of what it is about to keep in a file, its own or the one that is attached."""

    def __init__(self, connection: Any, happens: Callable[[str, object], None], *, keeps: bool) -> None:
        self._connection, self._happens, self._keeps, self._inside = connection, happens, keeps, False

    def execute(self, query: str, *arguments: Any) -> Any:
        word = _first_word(query)
        if self._keeps and (kind := _kind(query, self._inside)):
            self._happens(kind, "duckdb")
        done = self._connection.execute(query, *arguments)
        self._keeps = (self._keeps or word == "ATTACH") and word != "DETACH" and "READ_ONLY" not in query
        self._inside = word == "BEGIN" or (self._inside and word not in ("COMMIT", "ROLLBACK"))
        return done

    def cursor(self) -> _Connection:
        return _Connection(self._connection.cursor(), self._happens, keeps=self._keeps)

    def close(self) -> None:
        if self._keeps:
            self._happens(CHECKPOINT, "duckdb")  # what is in the log moves into the file
        self._connection.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _exists(path: Any) -> bool:
    return isinstance(path, int) or os.path.lexists(path)


def _changes(event: str, path: Any) -> bool:
    """Whether the call can do anything: folders that are there are made again and again, and files taken away."""
    return _exists(path) is not (event == "os.mkdir")


def _first_word(statement: str) -> str:
    return statement.split(maxsplit=1)[0].upper().rstrip(";")


def _kind(statement: str, inside: bool) -> str | None:
    """What a statement keeps, or None: inside of a transaction only its end does."""
    word = _first_word(statement)
    if word == "COMMIT":
        return COMMIT
    if inside or word in _READING_STATEMENTS or word in ("BEGIN", "ROLLBACK"):
        return None
    return CHECKPOINT if word == "DETACH" or "CHECKPOINT" in statement.upper() else STATEMENT


def _place() -> tuple[str, tuple[str, ...]]:
    frame: FrameType | None = sys._getframe(2)
    site, chain = "", []
    while frame:
        path = frame.f_code.co_filename
        if path.startswith(str(_ROOT)) and not path.startswith(_OWN):
            name = f"{Path(path).relative_to(_ROOT.parent)}:{frame.f_lineno}"
            site = site or name
            chain.append(frame.f_code.co_name)
        frame = frame.f_back
    return site or "outside of hrp", tuple(chain)


def _named(target: object) -> str:
    if isinstance(target, str | bytes | os.PathLike):
        return Path(os.fsdecode(target)).name
    return str(target)
