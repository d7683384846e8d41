"""A workspace as an operator has it: a settings file, a store, a registry, a gateway, and the `hrp` command."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd

from hrp.cli import main
from hrp.data import models as store_models
from hrp.data.journal import load_events
from hrp.data.rows import fetch
from hrp.domain.deployment import CHAMPION, Deployment, DeploymentAction, DeploymentState
from hrp.domain.lineage import Event
from hrp.gateway import client
from hrp.rehearsal.stage import MODEL, Workspace

EVE, D1, D2 = date(2022, 12, 20), date(2022, 12, 21), date(2022, 12, 22)
HOLIDAY = date(2022, 12, 26)
PLACE_ORDER = 3
DONE, FAILED, USAGE, NOT_READY = 0, 1, 2, 3
SEND = ("--no-trading-dry-run",)
JOURNALS = frozenset({"job_runs", "lineage"})


@dataclass(frozen=True)
class Said:
    """How a command ended: its exit code, standard error, and the document on standard output."""

    code: int
    err: str
    document: Any

    def job(self, name: str) -> dict[str, Any]:
        """What one job of the run said."""
        return next(run for run in self.document if run["job"] == name)

    @property
    def complaint(self) -> str:
        """The one line that says what was wrong: of the error, or of the job that did not end well."""
        if isinstance(self.document, dict):
            lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
            assert lines == [f"error: {self.document['error']}"], self.err
            return str(self.document["error"])
        return next(str(run["alert"]) for run in self.document if run["exit_code"] == self.code)


@dataclass
class Night(Workspace):
    """A workspace with the `hrp` command in it."""

    sent_before: int = 0

    # Arranging

    def source(self, bars: pd.DataFrame) -> Path:
        """Let the prices come from a file with `bars`."""
        path = self.home / "source.parquet"
        bars.to_parquet(path, index=False)
        self.set(HRP_PRICE_SOURCE=path)
        return path

    def champion(self, version: int, *, forget: bool = False, sha256: str = "") -> None:
        """Make a version the champion in ledger and registry without a gate; `forget` empties the ledger first."""
        app = self.app
        if forget:
            with app.store().write() as con:
                con.execute("DELETE FROM deployments")
        found = app.registry().version(MODEL, version)
        line = Deployment(
            model_name=MODEL,
            action=DeploymentAction.PROMOTE,
            state=DeploymentState.DONE,
            from_version=None,
            to_version=version,
            artifact_sha256=sha256 or found.artifact_sha256,
            session=D1,
            actor="test",
            reason="arranged",
            at=app.clock.now(),
        )
        with app.store().write() as con:
            store_models.append_deployment(con, line)
        app.registry().set_alias(MODEL, CHAMPION, version)

    # Acting

    def hrp(self, *words: str) -> Said:
        """The command line, in this process."""
        out, err = io.StringIO(), io.StringIO()
        code = 0
        with patch.object(sys, "argv", ["hrp", *words]), redirect_stdout(out), redirect_stderr(err):
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        text = out.getvalue()
        return Said(code, err.getvalue(), json.loads(text) if text.startswith(("[", "{")) else text)

    def run(self, job: str, *options: str) -> Said:
        """`hrp run JOB --json`."""
        return self.hrp("run", job, "--json", "--env-file", str(self.env_file), *options)

    def refuses(
        self, job: str, *options: str, code: int, saying: Sequence[str], event: bool = True, besides: Sequence[str] = ()
    ) -> str:
        """Assert that a run is refused as specified; its complaint.

        One line with every word of `saying`, the exit `code`, an event with that line where there is a store, no
        row more or less in any table (but the journals and those `besides`), and no order at the gateway.
        """
        with self.nothing_written(besides), self.nothing_sent():
            said = self.run(job, *options)
        complaint = said.complaint
        assert (said.code, "Traceback" in said.err, "\n" in complaint) == (code, False, False), complaint
        assert [word for word in saying if word not in complaint] == [], complaint
        if event:
            assert complaint in (self.events()[-1].details or {}).values()
        return complaint

    # Looking

    def counts(self, besides: Iterable[str] = JOURNALS) -> dict[str, int]:
        """How many rows each table has, but for those `besides`."""
        with self.store.read() as con:
            tables = [row["table_name"] for row in fetch(con, "SELECT table_name FROM duckdb_tables() ORDER BY ALL")]
            sizes = {name: fetch(con, f"SELECT count(*) AS n FROM {name}")[0]["n"] for name in tables}
        return {name: size for name, size in sizes.items() if name not in besides}

    def events(self, kinds: Sequence[str] = ("run_refused", "job_finished")) -> list[Event]:
        """The lineage, oldest first."""
        with self.store.read() as con:
            return [event for event in load_events(con) if event.event_type in kinds]

    def place_orders_sent(self) -> list[str]:
        """References of the orders that the gateway received since this workspace was prepared."""
        log = client.message_log(self.state, direction="in", message_id=PLACE_ORDER, after=self.sent_before)
        return [str(message.order_ref) for message in log]

    def positions(self) -> dict[str, int]:
        """Shares of the newest sync, by symbol."""
        newest = "session = (SELECT max(session) FROM position_syncs)"
        return {row["symbol"]: int(row["quantity"]) for row in self.rows("positions", newest)}

    @contextmanager
    def nothing_written(self, besides: Sequence[str] = ()) -> Iterator[None]:
        """Assert that the block changes the number of rows in no table but the journals and those `besides`."""
        before = self.counts(JOURNALS.union(besides))
        yield
        assert self.counts(JOURNALS.union(besides)) == before

    @contextmanager
    def nothing_sent(self) -> Iterator[None]:
        """Assert that the gateway gets no order in the block."""
        before = self.place_orders_sent()
        yield
        assert self.place_orders_sent() == before
