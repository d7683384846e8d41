"""The numbered steps that make a store: each is one transaction, recorded with the checksum of its text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import duckdb

from hrp.data.rows import Connection
from hrp.errors import SchemaVersionError

_CREATE_RECORD = """
-- Which steps this store has gone through. Key (version). Writer: migrations.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER PRIMARY KEY,
    name VARCHAR NOT NULL,
    checksum VARCHAR NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One file `NNNN_name.sql`; `version` is its number."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def known_steps() -> tuple[Step, ...]:
    """Every step that this version of HRP ships, in order."""
    folder = resources.files("hrp.data") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Step(int(file.name[:4]), file.name, file.read_text(encoding="utf-8")) for file in files)


def migrate(con: Connection, path: Path) -> list[int]:
    """Apply the steps that the store at `path` lacks; the versions applied, empty if it was up to date.

    Raises:
        SchemaVersionError: the store is newer than this HRP, or was made by a step whose text has changed since.
    """
    con.execute(_CREATE_RECORD)
    applied = dict(con.execute("SELECT version, checksum FROM schema_migrations").fetchall())
    steps = known_steps()
    _refuse_newer(max(applied, default=0), path)
    for step in steps:
        if applied.get(step.version, step.checksum) != step.checksum:
            raise SchemaVersionError(
                f"{path} was made by another text of step {step.name} than this HRP ships; "
                f"install the HRP that made the store, or move the file away and run: hrp init"
            )
    pending = [step for step in steps if step.version not in applied]
    for step in pending:
        _apply(con, step)
    con.execute("FORCE CHECKPOINT")
    return [step.version for step in pending]


def _apply(con: Connection, step: Step) -> None:
    con.execute("BEGIN")
    con.execute(step.sql)
    con.execute("INSERT INTO schema_migrations VALUES (?, ?, ?)", [step.version, step.name, step.checksum])
    con.execute("COMMIT")


def require_current(con: Connection, path: Path) -> None:
    """Pass only a store that has gone through exactly the steps of this HRP.

    Raises:
        SchemaVersionError: the store is older or newer, or is no store of HRP.
    """
    try:
        row = con.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchone()
    except duckdb.CatalogException as error:
        raise SchemaVersionError(f"{path} holds no HRP tables; run: hrp init") from error
    version = int(row[0]) if row else 0
    _refuse_newer(version, path)
    newest = known_steps()[-1].version
    if version < newest:
        raise SchemaVersionError(f"{path} has schema version {version}, this HRP needs {newest}; run: hrp init")


def _refuse_newer(version: int, path: Path) -> None:
    newest = known_steps()[-1].version
    if version > newest:
        raise SchemaVersionError(
            f"{path} has schema version {version}, this HRP knows up to {newest}: a newer HRP wrote it; "
            f"upgrade HRP, then run: hrp init"
        )
