"""A store in which the past can be lived again: what was decided and known before it, and no night."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from hrp.data.db import Store
from hrp.data.rows import Connection, fetch, fetch_value, utc

KEPT = frozenset({"deployments", "hypotheses", "hypothesis_events", "listings", "schema_migrations", "universe"})
_COLUMNS = "SELECT DISTINCT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database()"


def forget_nights(con: Connection, known_at: datetime) -> None:
    """Empty every table of a copied store but those of KEPT, and date what they know back: the newest to `known_at`."""
    tables = fetch(con, "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()")
    for table in sorted({row["table_name"] for row in tables} - KEPT):
        con.execute(f"DELETE FROM {table}")
    dated = {row["table_name"] for row in fetch(con, _COLUMNS) if row["column_name"] == "known_at"}
    for table in sorted(KEPT & dated):
        con.execute(
            f"UPDATE {table} SET known_at = ?::TIMESTAMPTZ - ((SELECT max(known_at) FROM {table}) - known_at)",
            [utc(known_at)],
        )


@dataclass(frozen=True, slots=True)
class KeptStore(Store):
    """A store that stays open, for one process that asks it thousands of times; nobody reads beside it.

    What is committed is as safe as ever. Copies are published when it is closed, not in between.
    """

    engine: Connection | None = None
    name: str = ""

    @contextmanager
    def _opened(self, *, read_only: bool = False) -> Iterator[Connection]:
        assert self.engine is not None
        with closing(self.engine.cursor()) as con:
            con.execute(f"USE {self.name}")
            try:
                yield con
            except duckdb.Error as error:
                raise self._translated(error) from error

    def _publish(self, con: Connection) -> Path:
        return self.published


@contextmanager
def kept_open(store: Store) -> Iterator[Store]:
    """`store`, open for the length of the block, and published at its end. Raises as `Store.write` does."""
    with store.batch() as con:
        name = str(fetch_value(con, "SELECT current_database()"))
        yield KeptStore(store.path, store.published, store.wait_seconds, con, name)
    store.publish()
