"""The store: one DuckDB file, opened only for short sections, and the read-only copies that everyone else reads.

Every opening of the live file, to read or to write, holds one file lock, so our own processes queue instead of
failing, and no process ever has two connections to it. A process that holds a connection must not open the file in
any other way: closing such a second handle would drop DuckDB's own lock. Hence the copy is made by a child process.

A section attaches the file to an engine that the process keeps, because to start one costs several times as much.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from hrp.data import migrations
from hrp.data.rows import Connection
from hrp.errors import DataError, SchemaVersionError, StoreBusyError, StoreUnwritableError

CURRENT = "current.duckdb"
COPIES_KEPT = 3

_Config = dict[str, str | bool | int | float | list[str]]

# Without the first, a table that is missing resolves to a Python variable of that name.
_SETTINGS: _Config = {
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
}
# A night asks small questions: worker threads cost more than they would give.
_STORE_SETTINGS: _Config = {**_SETTINGS, "threads": 1}
_CLONE = ["cp", "-c"] if sys.platform == "darwin" else ["cp", "--reflink=auto"]
_NUMBERS = count(1)  # one engine may have several stores attached: a scratch copy beside the live one
_COPY_NAME = re.compile(r"hrp-(\d{6,})\.duckdb")


@dataclass(frozen=True, slots=True)
class Store:
    """The live file at `path` and the folder `published` of its read-only copies.

    `wait_seconds` is how long an opening queues behind other processes before it raises StoreBusyError.
    """

    path: Path
    published: Path
    wait_seconds: float = 60.0

    @contextmanager
    def write(self, *, publish: bool = False) -> Iterator[Connection]:
        """A connection inside one transaction: committed at the end of the block, rolled back on any error.

        With `publish` a copy is published after the commit, as `publish` does.

        Raises:
            SchemaVersionError: there is no store, or it is of another version.
            StoreBusyError: other processes held the file for all of `wait_seconds`.
            StoreUnwritableError: the file system refused.
            DataError: the database refused what the block asked.
        """
        with self._opened() as con:
            with transaction(con):
                yield con
            if publish:
                self._publish(con)

    @contextmanager
    def batch(self) -> Iterator[Connection]:
        """A connection for many small transactions, each a block of `transaction`; keep it short.

        No other section can be opened meanwhile. Raises as `write` does.
        """
        with self._opened() as con:
            yield con

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only connection; keep the block short, writers wait for it. Raises as `write` does."""
        with self._opened(read_only=True) as con:
            yield con

    def migrate(self) -> list[int]:
        """Create the store, or bring it to the present schema; the versions applied, empty if there was nothing to do.

        Raises:
            SchemaVersionError: the store is newer than this HRP, or was made by other steps.
        """
        self._make_folder(self.path.parent)
        with self._connected() as con:
            return migrations.migrate(con, self.path)

    def publish(self) -> Path:
        """Publish a consistent read-only copy, `current.duckdb`, by an atomic swap; the path of the copy.

        Readers keep the copy they have open. The last three copies stay. Raises as `write` does.
        """
        with self._opened() as con:
            return self._publish(con)

    def copy_to(self, target: Path) -> None:
        """Copy the store, consistent and writable, to the file `target`. Raises as `write` does."""
        with self._opened() as con:
            self._copy_file(con, target)

    def _publish(self, con: Connection) -> Path:
        self._make_folder(self.published)
        try:
            draft = self.published / "draft.duckdb"
            draft.unlink(missing_ok=True)
            self._copy_file(con, draft)
            draft.chmod(0o444)
            copies = _copies(self.published)
            number = 1 + (_number(copies[-1]) if copies else 0)
            copy = draft.replace(self.published / f"hrp-{number:06d}.duckdb")
            _point_current_at(copy)
            for old in [*copies, copy][:-COPIES_KEPT]:
                old.unlink()
        except OSError as error:
            raise self._unwritable(self.published, error) from error
        return copy

    def _copy_file(self, con: Connection, target: Path) -> None:
        """Copy the file that `con` keeps still; without the checkpoint it would silently lack what is in the log."""
        con.execute("FORCE CHECKPOINT")
        for command in (_CLONE, ["cp"]):
            done = subprocess.run([*command, str(self.path), str(target)], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
        else:
            target.unlink(missing_ok=True)
            raise self._unwritable(target, done.stderr.strip())
        with target.open("rb+") as handle:
            os.fsync(handle.fileno())

    @contextmanager
    def _opened(self, *, read_only: bool = False) -> Iterator[Connection]:
        if not self.path.exists():
            raise SchemaVersionError(f"no store at {self.path}; run: hrp init")
        with self._connected(read_only=read_only) as con:
            migrations.require_current(con, self.path)
            yield con

    @contextmanager
    def _connected(self, *, read_only: bool = False) -> Iterator[Connection]:
        with self._locked():
            try:
                with self._attached(read_only=read_only) as con:
                    yield con
            except duckdb.Error as error:
                raise self._translated(error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        file = self.path.with_name(f"{self.path.name}.lock")
        lock = FileLock(file, timeout=self.wait_seconds, poll_interval=0.01)
        try:
            lock.acquire()
        except Timeout as error:
            raise self._busy(file.read_text()) from error
        except OSError as error:
            raise self._unwritable(file, error) from error
        try:
            with suppress(OSError):
                file.write_text(str(os.getpid()))  # only for the message of whoever waits in vain
            yield
        finally:
            lock.release()

    @contextmanager
    def _attached(self, *, read_only: bool) -> Iterator[Connection]:
        """The file in this process's engine, when programs that do not know our lock, such as a notebook, let go."""
        patient = Retrying(
            retry=retry_if_exception(_is_locked),
            wait=wait_random(0.02, 0.2),
            stop=stop_after_delay(self.wait_seconds),
            reraise=True,
        )
        engine, name = _engine(os.getpid()), f"store_{next(_NUMBERS)}"
        quoted, mode = str(self.path).replace("'", "''"), "READ_ONLY" if read_only else "READ_WRITE"
        with closing(engine.cursor()) as con, ExitStack() as failed:
            failed.callback(_discard, engine)
            patient(con.execute, f"ATTACH '{quoted}' AS {name} ({mode})")
            con.execute(f"USE {name}")
            yield con
            con.execute("USE memory")
            con.execute(f"DETACH {name}")
            failed.pop_all()

    def _translated(self, error: duckdb.Error) -> DataError:
        text = " ".join(str(error).split())
        if _is_locked(error):
            holder = re.search(r"PID (\d+)", text)
            return self._busy(holder[1] if holder else "")
        if "not a valid DuckDB" in text:
            return DataError(f"{self.path} is not a DuckDB file; move it away and run: hrp init")
        # A full disk fails a COMMIT or a checkpoint under names other than IOException.
        if isinstance(error, duckdb.IOException) or "Could not write" in text:
            return self._unwritable(self.path, text)
        return DataError(f"{self.path} refused: {text}")

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(folder, error) from error

    def _busy(self, pid: str) -> StoreBusyError:
        holder = f"process {pid}" if pid else "another process"
        if pid == str(os.getpid()):
            holder += ", this one (a section was opened inside another, or in another thread)"
        return StoreBusyError(
            f"{self.path} is held by {holder}, waited {self.wait_seconds:g} s; close that program "
            f"(notebooks should read the published copy in {self.published}) and run the command again"
        )

    @staticmethod
    def _unwritable(path: Path, reason: object) -> StoreUnwritableError:
        return StoreUnwritableError(
            f"cannot use {path}: {reason}; give this user write permission there, free some space, "
            f"or choose another data folder, and run the command again"
        )


@contextmanager
def published_copy(published: Path) -> Iterator[Connection]:
    """The newest copy in the folder `published` for the length of a block.

    Raises:
        SchemaVersionError: as `open_published`.
        DataError: the database refused what the block asked, such as a query with a mistake.
    """
    con = open_published(published)
    try:
        yield con
    except duckdb.Error as error:
        raise DataError(f"{published / CURRENT} refused: {error}") from error
    finally:
        con.close()


def open_published(published: Path) -> Connection:
    """A read-only connection to the newest copy in the folder `published`; it never blocks a job. Close it when done.

    Raises:
        SchemaVersionError: nothing was published yet, or the copy is of another version of HRP.
    """
    # The real path, because DuckDB would answer a second opening of one path from the copy it already has open.
    copy = (published / CURRENT).resolve()
    if not copy.exists():
        raise SchemaVersionError(f"no published copy in {published}; run: hrp init")
    con = duckdb.connect(str(copy), read_only=True, config=_SETTINGS)
    con.execute("SET TimeZone = 'UTC'")
    try:
        migrations.require_current(con, copy)
    except SchemaVersionError:
        con.close()
        raise
    return con


@cache
def _engine(process: int) -> Connection:
    """The engine of the process with that id; one that was forked needs its own."""
    con = duckdb.connect(config=_STORE_SETTINGS)
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    return con


def _discard(engine: Connection) -> None:
    """End an engine in which something failed: it may be of no more use, and it holds the file."""
    _engine.cache_clear()
    engine.close()


@contextmanager
def transaction(con: Connection) -> Iterator[None]:
    """Commit at the end of the block, roll back on any error."""
    con.execute("BEGIN")
    committed = False
    try:
        yield
        con.execute("COMMIT")
        committed = True
    finally:
        if not committed:
            with suppress(duckdb.Error):  # a failed COMMIT has ended the transaction already
                con.execute("ROLLBACK")


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, duckdb.IOException) and "Could not set lock" in str(error)


def _copies(folder: Path) -> list[Path]:
    return sorted((file for file in folder.iterdir() if _COPY_NAME.fullmatch(file.name)), key=_number)


def _number(copy: Path) -> int:
    return int(copy.name.removeprefix("hrp-").removesuffix(".duckdb"))


def _point_current_at(copy: Path) -> None:
    link = copy.with_name("current.new")
    link.unlink(missing_ok=True)
    link.symlink_to(copy.name)
    link.replace(copy.with_name(CURRENT))
