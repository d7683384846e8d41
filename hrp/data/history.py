"""Bars of many years as partitioned Parquet, which DuckDB reads where it lies: a folder, or the address of a bucket.

The files hold the same facts as `prices_raw`, so they answer the same questions; they are only ever added to. With
them the store needs no more than the sessions that a night looks back on.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from hrp.data.rows import Connection, fetch_value
from hrp.errors import DataError

COLUMNS = "symbol, session, known_at, open, high, low, close, volume, source, run_id, adjustment"
_KEY = "(symbol, session, known_at)"


def facts(location: str) -> str:
    """SQL of every known bar: the store's own, and those of the files at `location`, each once."""
    return f"SELECT {COLUMNS} FROM prices_raw UNION {_files(location)}"


def write_history(con: Connection, location: str, last: date) -> int:
    """Add to the files at `location` what they lack of the store's bars up to session `last`; how many rows.

    One folder a year (`year=2015`), zstd. Repeating it adds nothing; what is written is never rewritten.

    Args:
        location: a folder, or what DuckDB can write to, such as `s3://bucket/prefix` with its extension `httpfs`.
    """
    lacking = f"SELECT {COLUMNS} FROM prices_raw WHERE session <= '{last}'"
    if _has_files(con, location):
        lacking += f" AND {_KEY} NOT IN (SELECT {_KEY} FROM ({_files(location)}))"
    elif "://" not in location:
        Path(location).mkdir(parents=True, exist_ok=True)
    sql = f"""
    COPY (SELECT *, year(session) AS year FROM ({lacking}) ORDER BY symbol, session, known_at)
    TO '{_quoted(location)}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (year), APPEND)
    """
    return int(fetch_value(con, sql))


def drop_written(con: Connection, location: str, last: date) -> int:
    """Take the bars up to session `last` out of the store, if the files at `location` hold every one; how many.

    Raises:
        DataError: a bar is not in the files, or differs there; nothing was taken out.
    """
    old = f"SELECT {COLUMNS} FROM prices_raw WHERE session <= '{last}'"
    missing = "all" if not _has_files(con, location) else fetch_value(
        con, f"SELECT count(*) FROM ({old} EXCEPT {_files(location)})"
    )  # fmt: skip
    if missing:
        raise DataError(
            f"{missing} bars up to {last} are not in the files at {location}; nothing was taken out of the store; "
            "write them there first"
        )
    return int(fetch_value(con, f"DELETE FROM prices_raw WHERE session <= '{last}'"))


def _files(location: str) -> str:
    return f"SELECT {COLUMNS} FROM read_parquet('{_glob(location)}', hive_partitioning = true)"


def _has_files(con: Connection, location: str) -> bool:
    return bool(fetch_value(con, f"SELECT count(*) FROM glob('{_glob(location)}')"))


def _glob(location: str) -> str:
    return f"{_quoted(location.rstrip('/'))}/year=*/*.parquet"


def _quoted(location: str) -> str:
    return location.replace("'", "''")
