"""Faults planted into HRP, to see that a rehearsal finds them. Each runs in a process of its own."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import duckdb

from hrp.agents.report_job import ReportJob
from hrp.execution.broker import IBKRBroker
from hrp.rehearsal.books import Books
from hrp.rehearsal.effects import Effect, Watch
from hrp.rehearsal.processes import Doom, go_on, play
from hrp.rehearsal.stage import Workspace


def one_of_each_kind(folder: Path) -> list[tuple[str, str]]:
    """(kind, target) of every effect of a program that does a bit of everything."""
    listening = socket.create_server(("127.0.0.1", 0))
    (folder / "scratch").mkdir()
    (folder / "there").write_text("")
    seen: list[Effect] = []
    Watch(seen.append, folder / "scratch")
    (folder / "scratch" / "file").write_text("nobody else's")
    (folder / "there" / "..").resolve()
    (folder / "scratch").mkdir(exist_ok=True)
    (folder / "absent").unlink(missing_ok=True)
    (folder / "new").write_text("text")
    (folder / "there").open("a").close()
    (folder / "new").replace(folder / "newer")
    (folder / "link").symlink_to("newer")
    os.link(folder / "newer", folder / "hard")
    (folder / "link").unlink()
    (folder / "made").mkdir()
    with (folder / "there").open("rb") as file:
        os.fsync(file.fileno())
    subprocess.run(["true"], check=True)
    with socket.create_connection(listening.getsockname()) as line:
        line.sendall(b"12345")
        line.send(b"123")
    _databases(folder)
    return [(effect.kind, effect.target) for effect in seen]


def _databases(folder: Path) -> None:
    con = duckdb.connect(str(folder / "a.duckdb"))
    con.execute("CREATE TABLE t (a INTEGER)")
    con.execute("BEGIN")
    con.execute("INSERT INTO t VALUES (1)")
    con.execute("SELECT * FROM t")
    con.execute("COMMIT")
    con.close()
    lite = sqlite3.connect(folder / "a.sqlite")
    lite.execute("CREATE TABLE t (a INTEGER)")
    lite.execute("INSERT INTO t VALUES (1)")
    lite.commit()
    lite.close()


def a_new_effect(workspace: Workspace) -> list[Effect]:
    """The effects of a night whose report leaves another file behind."""
    report = ReportJob.execute

    def execute(job: ReportJob) -> Any:
        (job.api.app.settings.home / "extra.txt").write_text("new")
        return report(job)

    ReportJob.execute = execute  # type: ignore[method-assign]
    return play(workspace, "nightly", Doom(0))[1]


def every_order_twice(workspace: Workspace) -> Books:
    """The books after a night that sends each order a second time, under another number."""
    place = IBKRBroker.place

    def twice(broker: IBKRBroker, order: Any, instrument: Any, order_id: int) -> Any:
        said = place(broker, order, instrument, order_id)
        place(broker, order, instrument, broker.next_order_id())
        return said

    IBKRBroker.place = twice  # type: ignore[method-assign]
    return go_on(workspace, [("nightly", None)])[1]


def waits_for_ever() -> None:
    """Never comes back."""
    time.sleep(10_000)


def crashes() -> None:
    """Ends by an error that nobody foresaw."""
    raise RuntimeError("nobody foresaw this")
