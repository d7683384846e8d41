from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hrp.data.db import Store
from hrp.data.rows import Connection


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store fresh from `migrate`."""
    path = tmp_path_factory.mktemp("new") / "hrp.duckdb"
    Store(path, path.parent / "published").migrate()
    return path


@pytest.fixture
def store(new_store: Path, tmp_path: Path) -> Store:
    shutil.copy(new_store, tmp_path / "hrp.duckdb")
    return Store(tmp_path / "hrp.duckdb", tmp_path / "published", wait_seconds=10)


@pytest.fixture
def con(store: Store) -> Iterator[Connection]:
    with store.write() as con:
        yield con
