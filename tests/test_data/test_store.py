"""The store under several processes, crashes, and a file system that refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hrp.data import migrations
from hrp.data.db import Store, open_published
from hrp.data.rows import Connection
from hrp.errors import DataError, SchemaVersionError, StoreBusyError, StoreUnwritableError

PREAMBLE = """
import sys, time
from pathlib import Path
from hrp.data.db import Store, open_published
store = Store(Path(sys.argv[1]), Path(sys.argv[2]))
def add(con, name):
    con.execute("INSERT INTO hypotheses VALUES (?, 'title', 'model', 'draft', 1, '')", [name])
def wait():
    print("ready", flush=True)
    time.sleep(60)
"""


@contextmanager
def other_process(store: Store, script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that works on `store`; whatever is left of it is killed at the end of the block."""
    command = [sys.executable, "-c", PREAMBLE + script, str(store.path), str(store.published), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def add(con: Connection, name: str) -> None:
    con.execute("INSERT INTO hypotheses VALUES (?, 'title', 'model', 'draft', 1, '')", [name])


def names(store: Store) -> list[str]:
    with store.read() as con:
        return [row[0] for row in con.execute("SELECT hypothesis_id FROM hypotheses ORDER BY ALL").fetchall()]


def test_a_block_that_ends_is_committed_and_one_that_fails_leaves_nothing(store):
    with store.write() as con:
        add(con, "kept")
    with pytest.raises(ZeroDivisionError), store.write() as con:
        add(con, "lost")
        _ = 1 / 0
    assert names(store) == ["kept"]


def test_an_error_of_the_database_is_a_data_error_and_rolls_back(store):
    with pytest.raises(DataError, match="Constraint Error"), store.write() as con:
        add(con, "same")
        add(con, "same")
    assert names(store) == []


def test_an_error_of_the_caller_keeps_its_class_even_if_it_is_an_os_error(store):
    with pytest.raises(ConnectionResetError), store.write():
        raise ConnectionResetError("not the store's")


def test_a_missing_table_is_an_error_even_if_a_variable_has_its_name(store):
    nosuch = {"a": [1]}
    with pytest.raises(DataError, match="nosuch"), store.read() as con:
        con.execute("SELECT * FROM nosuch")
    assert nosuch


def test_four_processes_lose_no_commit(store):
    script = """
for i in range(20):
    with store.write() as con:
        add(con, f"{sys.argv[3]}-{i:02d}")
"""
    with ExitStack() as stack:
        writers = [stack.enter_context(other_process(store, script, str(number))) for number in range(4)]
        assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert names(store) == [f"{number}-{i:02d}" for number in range(4) for i in range(20)]


def test_a_writer_killed_in_its_transaction_leaves_what_was_committed_and_blocks_nobody(store):
    script = """
with store.write() as con:
    add(con, "committed")
with store.write() as con:
    con.execute("INSERT INTO hypotheses SELECT 'half-' || i, 't', 'm', 'draft', 1, '' FROM range(50000) AS r(i)")
    con.execute("DELETE FROM hypotheses WHERE hypothesis_id = 'committed'")
    wait()
"""
    with other_process(store, script) as writer:
        wait_until_ready(writer)
        writer.kill()
    with store.write() as con:
        add(con, "after")
    assert names(store) == ["after", "committed"]


def test_a_reader_of_the_published_copy_blocks_no_writer_and_keeps_its_view(store):
    with store.write() as con:
        add(con, "published")
    store.publish()
    script = """
con = open_published(store.published)
print("ready", flush=True)
sys.stdin.readline()
print(con.execute("SELECT hypothesis_id FROM hypotheses").fetchall(), flush=True)
"""
    with other_process(store, script) as notebook:
        wait_until_ready(notebook)
        with Store(store.path, store.published, wait_seconds=0).write() as con:
            add(con, "written meanwhile")
        store.publish()
        seen, _ = notebook.communicate("\n")
    assert seen == "[('published',)]\n"
    with open_published(store.published) as con:
        assert len(con.execute("SELECT * FROM hypotheses").fetchall()) == 2


def test_whoever_waits_in_vain_for_a_writer_learns_its_process(store):
    impatient = Store(store.path, store.published, wait_seconds=0.1)
    with other_process(store, "with store.write() as con:\n    wait()") as writer:
        wait_until_ready(writer)
        with pytest.raises(StoreBusyError, match=f"held by process {writer.pid}"), impatient.read():
            pass


def test_a_section_inside_another_is_told_that_its_own_process_is_in_the_way(store):
    impatient = Store(store.path, store.published, wait_seconds=0.1)
    with store.write(), pytest.raises(StoreBusyError, match="this one"), impatient.read():
        pass


def test_a_reading_section_cannot_write(store):
    with pytest.raises(DataError, match="read-only"), store.read() as con:
        add(con, "no")


def test_whoever_waits_in_vain_for_a_program_that_ignores_our_lock_learns_its_process(store):
    script = "import duckdb\ncon = duckdb.connect(sys.argv[1], read_only=True)\nwait()"
    impatient = Store(store.path, store.published, wait_seconds=0.1)
    with other_process(store, script) as notebook:
        wait_until_ready(notebook)
        with pytest.raises(StoreBusyError, match=f"held by process {notebook.pid}.*published"), impatient.write():
            pass


def test_a_published_copy_has_everything_is_read_only_and_follows_the_last_three(store):
    for number in range(5):
        with store.write() as con:
            add(con, f"{number}")
        copy = store.publish()
        with open_published(store.published) as con:
            assert con.execute("SELECT count(*) FROM hypotheses").fetchone() == (number + 1,)
    copies = sorted(file.name for file in store.published.iterdir())
    assert copies == ["current.duckdb", "hrp-000003.duckdb", "hrp-000004.duckdb", "hrp-000005.duckdb"]
    assert (store.published / "current.duckdb").resolve() == copy.resolve()
    assert copy.stat().st_mode & 0o777 == 0o444


def test_one_process_sees_the_new_copy_while_it_still_holds_the_old_one(store):
    store.publish()
    with open_published(store.published) as old:
        with store.write() as con:
            add(con, "new")
        store.publish()
        with open_published(store.published) as new:
            assert new.execute("SELECT count(*) FROM hypotheses").fetchone() == (1,)
        assert old.execute("SELECT count(*) FROM hypotheses").fetchone() == (0,)


def test_a_scratch_copy_is_complete_and_its_changes_stay_in_it(store, tmp_path):
    with store.write() as con:
        add(con, "original")
    store.copy_to(tmp_path / "scratch.duckdb")
    scratch = Store(tmp_path / "scratch.duckdb", tmp_path / "elsewhere")
    with scratch.write() as con:
        add(con, "rehearsed")
    assert names(scratch) == ["original", "rehearsed"]
    assert names(store) == ["original"]


def test_without_a_store_the_next_step_is_init(tmp_path):
    store = Store(tmp_path / "none.duckdb", tmp_path / "published")
    with pytest.raises(SchemaVersionError, match=r"no store at .*none\.duckdb; run: hrp init"), store.write():
        pass
    with pytest.raises(SchemaVersionError, match=r"no published copy in .*; run: hrp init"):
        open_published(store.published)
    assert not store.path.exists()


def test_migrating_twice_applies_every_step_once(tmp_path):
    store = Store(tmp_path / "new" / "hrp.duckdb", tmp_path / "published")
    assert store.migrate() == [step.version for step in migrations.known_steps()]
    assert store.migrate() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)",
            r"has schema version \d, this HRP needs \d; run: hrp init",
        ),
        ("INSERT INTO schema_migrations VALUES (99, 'x', 'y')", "schema version 99.*newer HRP.*hrp init"),
        ("DROP TABLE schema_migrations", "holds no HRP tables; run: hrp init"),
    ],
)
def test_a_store_of_another_version_is_refused_with_both_versions(store, change, message):
    with store.write() as con:
        con.execute(change)
    with pytest.raises(SchemaVersionError, match=message), store.read():
        pass


def test_a_step_whose_text_has_changed_since_is_refused(store):
    with store.write() as con:
        con.execute("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1")
    with pytest.raises(SchemaVersionError, match="another text of step 0001_tables"):
        store.migrate()


def test_there_is_no_secondary_index(con):
    assert con.execute("SELECT index_name FROM duckdb_indexes()").fetchall() == []


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "hrp.duckdb", tmp_path / "published")
    with pytest.raises(StoreUnwritableError, match=r"cannot use .*file.*write permission"):
        store.migrate()


def test_a_file_system_that_is_full_is_named_and_loses_nothing(store):
    with store.write() as con:
        add(con, "kept")
    store.publish()
    script = """
import resource
from hrp.errors import StoreUnwritableError
def refused(work):
    try:
        work()
    except StoreUnwritableError as error:
        print(str(error)[:10], flush=True)
def fill():
    with store.write() as con:
        con.execute("INSERT INTO hypotheses SELECT md5(i::VARCHAR), 't', 'm', 'draft', 1, '' FROM range(100000) r(i)")
size = store.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size // 4, size // 4))
refused(fill)
refused(store.publish)
"""
    with other_process(store, script) as writer:
        said, _ = writer.communicate()
    assert said.splitlines() == ["cannot use", "cannot use"]
    assert names(store) == ["kept"]
    with open_published(store.published) as con:
        assert con.execute("SELECT hypothesis_id FROM hypotheses").fetchall() == [("kept",)]


def test_a_copy_that_cannot_be_made_leaves_the_published_one(store):
    before = store.publish()
    (store.published / "draft.duckdb").mkdir()  # stands where the copy would be written
    with pytest.raises(StoreUnwritableError, match="published"):
        store.publish()
    assert (store.published / "current.duckdb").resolve() == before.resolve()


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "hrp.duckdb"
    path.write_text("junk" * 5000)
    with pytest.raises(DataError, match="not a DuckDB file"), Store(path, Path(tmp_path)).read():
        pass
