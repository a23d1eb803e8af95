"""The SQLite store's own: the folder and who holds it, the format and its revisions, a disk that fails."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collabdoc.document import Document
from collabdoc.errors import StoreDamaged, StoreError, StoreStopped, UsageError
from collabdoc.store.base import Append, DocumentRow, RevocationRow
from collabdoc.store.sqlite import SqliteStore
from collabdoc.store.sqlite_folder import APPLICATION_ID, FILE_NAME, REVISION, connect_reader
from tests.store.conformance import link, log_of, snapshot

V1 = Path(__file__).parent / "data" / "v1.sqlite3"
MIB = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path)
    yield opened
    opened.close()


def refusal(folder: Path) -> str:
    with pytest.raises(UsageError) as raised:
        SqliteStore(folder)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# The folder


def test_a_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "a" / "b c%20?mode=ro#ü").close()
    assert (tmp_path / "a" / "b c%20?mode=ro#ü" / FILE_NAME).is_file()


def test_a_folder_is_held_by_one_store_at_a_time(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    assert "held by another process" in refusal(tmp_path)
    store.close()
    SqliteStore(tmp_path).close()


def test_a_store_may_be_closed_in_another_thread_than_the_one_that_opened_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    closer = threading.Thread(target=store.close)
    closer.start()
    closer.join()
    SqliteStore(tmp_path).close()


HOLD = """
import sys, pathlib
from collabdoc.store.sqlite import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_is_kept_out_until_the_first_is_gone_however_it_went(tmp_path: Path) -> None:
    with child(HOLD, tmp_path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert "held by another process" in refusal(tmp_path)
        holder.kill()
        holder.wait()
        SqliteStore(tmp_path).close()


def test_after_closing_one_file_holds_everything(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.create("notes")
    store.append([Append("notes", [b"a"])])
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME, "committed", "lock"]


READ_ONLY = """
import os, sys, pathlib
from collabdoc.errors import UsageError
from collabdoc.store.sqlite import SqliteStore
if os.getuid() == 0:
    os.setuid(65534)
try:
    SqliteStore(pathlib.Path(sys.argv[1]))
except UsageError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_cannot_be_written_is_refused_at_the_start(what: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        SqliteStore(folder).close()
        folder.parent.chmod(0o755)
        folder.chmod(0o555 if what == "folder" else 0o777)
        (folder / FILE_NAME).chmod(0o444)
        (folder / "lock").chmod(0o666)
        with child(READ_ONLY, folder) as process:
            said, _ = process.communicate()
        assert said.startswith("refused:"), said
        assert said.count("\n") == 1


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("notes")
    assert "cannot be written" in refusal(tmp_path / "data")


# The format


def test_a_new_database_is_as_the_format_says(tmp_path: Path, store: SqliteStore) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        found = {
            name: db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "auto_vacuum", "journal_mode")
        }
        assert found == {"application_id": APPLICATION_ID, "auto_vacuum": 2, "journal_mode": "wal"}
        assert db.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert {"document", "log", "snapshot", "link", "revocation"} < tables
    db.close()


def test_the_frozen_first_revision_opens_and_goes_on(tmp_path: Path) -> None:
    shutil.copy(V1, tmp_path / FILE_NAME)
    store = SqliteStore(tmp_path)
    row = DocumentRow("team/plan", "0123456789abcdef", "Ein Plan", "text", 6, 1_700_000_000_000, 1_700_000_000_000)
    assert store.get("team/plan") == row
    loaded = store.load("team/plan")
    assert loaded is not None
    assert loaded.snapshot is not None
    assert loaded.snapshot_seq == 4
    assert [entry.seq for entry in loaded.covered] == [3, 4]
    assert [entry.seq for entry in loaded.tail] == [5, 6]
    meta = Document(loaded.snapshot, [entry.update for entry in loaded.tail]).take_meta()
    assert meta is not None
    assert (meta.title, meta.kind) == ("Ein Plan", "text")
    empty = store.load("empty")
    assert empty is not None
    assert (empty.row.seq, list(empty.tail)) == (0, [])
    assert store.append([Append("team/plan", [b"more"]), Append("empty", [b"first"])]) == [7, 1]
    assert store.list(query="PLAN", limit=9, offset=0)[1] == 1
    store.close()


def test_the_frozen_first_revision_learns_of_links_and_revocations_without_a_change_to_its_documents(
    tmp_path: Path,
) -> None:
    shutil.copy(V1, tmp_path / FILE_NAME)
    rows = {table: dump(tmp_path, table) for table in ("document", "log", "snapshot")}
    store = SqliteStore(tmp_path)
    assert not store.links("team/plan")
    assert not store.revocations()
    assert store.put_link(link("a", document="team/plan"))
    store.put_revocation(RevocationRow("user", "ana", 5.0))
    store.close()
    assert {table: dump(tmp_path, table) for table in rows} == rows
    store = SqliteStore(tmp_path)
    assert list(store.links("team/plan")) == [link("a", document="team/plan")]
    assert list(store.revocations()) == [RevocationRow("user", "ana", 5.0)]
    store.close()


def test_a_migration_that_fails_halfway_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    shutil.copy(V1, tmp_path / FILE_NAME)
    change(tmp_path, "CREATE TABLE revocation (in_the_way TEXT)")
    assert "a migration failed, nothing was changed: table revocation already exists" in refusal(tmp_path)
    change(tmp_path, "DROP TABLE revocation")
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        assert db.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
        assert db.execute("SELECT name FROM sqlite_master WHERE name = 'link'").fetchall() == []
    db.close()
    store = SqliteStore(tmp_path)
    assert store.put_link(link("a", document="team/plan"))
    store.close()


def test_a_newer_revision_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    shutil.copy(V1, tmp_path / FILE_NAME)
    change(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer collabdoc" in refusal(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        assert db.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    db.close()


@pytest.mark.parametrize("table", ["things", "alembic_version"])
def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path, table: str) -> None:
    change(tmp_path, f"CREATE TABLE {table} (version_num TEXT)")
    assert "another program" in refusal(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [(table,)]
    db.close()


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"notes to myself\n" * 1000)
    assert "cannot be opened" in refusal(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == b"notes to myself\n" * 1000


def test_a_refused_start_holds_the_folder_no_longer(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"notes to myself\n" * 1000)
    refusal(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    SqliteStore(tmp_path).close()


def test_a_start_that_was_cut_off_before_the_first_table_is_taken_up_again(tmp_path: Path) -> None:
    change(tmp_path, f"PRAGMA application_id = {APPLICATION_ID}")
    store = SqliteStore(tmp_path)
    assert store.create("notes")[1]
    store.close()


# The disk


def test_the_file_shrinks_when_the_log_is_trimmed(tmp_path: Path, store: SqliteStore) -> None:
    row, _ = store.create("notes")
    for _ in range(10):
        store.append([Append("notes", [b"x" * 2000] * 100)])
    store.put_snapshot(snapshot(row, 1, b"S"), keep_entries=0, keep_bytes=0)  # a checkpoint, so that the file is full
    full = size(tmp_path)
    store.put_snapshot(snapshot(row, 1000, b"S"), keep_entries=0, keep_bytes=0)
    assert full > 2 * MIB
    assert size(tmp_path) < full / 10


def test_a_snapshot_waits_for_no_reader_and_the_wal_is_shortened_when_it_is_gone(
    tmp_path: Path, store: SqliteStore
) -> None:
    row, _ = store.create("notes")
    store.append([Append("notes", [b"a", b"b"])])
    waits: list[str] = []
    with closing(connect_reader(tmp_path / FILE_NAME)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT seq FROM document").fetchone() == (2,)
        store.append([Append("notes", [b"c"])])
        store._writer.set_trace_callback(waits.append)
        assert store.put_snapshot(snapshot(row, 2, b"S"), keep_entries=0, keep_bytes=0)
        store._writer.set_trace_callback(None)
        assert reader.execute("SELECT seq FROM document").fetchone() == (2,)
    assert waits[-3:-1] == ["PRAGMA busy_timeout = 0", "PRAGMA wal_checkpoint(TRUNCATE)"]
    assert (tmp_path / f"{FILE_NAME}-wal").stat().st_size > 0
    store.put_snapshot(snapshot(row, 3, b"S"), keep_entries=0, keep_bytes=0)
    assert (tmp_path / f"{FILE_NAME}-wal").stat().st_size == 0


def test_a_full_disk_fails_the_commit_and_the_next_one_may_succeed(store: SqliteStore) -> None:
    store.create("notes")
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="full") as raised:
        store.append([Append("notes", [b"x" * MIB])])
    assert not isinstance(raised.value, StoreStopped)
    assert log_of(store, "notes") == []
    store._writer.execute("PRAGMA max_page_count = 100000")
    assert store.append([Append("notes", [b"x" * MIB])]) == [1]


class Failing:
    """A connection whose commits fail."""

    def __init__(self, db: sqlite3.Connection, code: int) -> None:
        self._db = db
        self._code = code

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        return self._db.execute(statement, *parameters)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, StoreStopped),
        (sqlite3.SQLITE_IOERR_DIR_FSYNC, StoreStopped),
        (sqlite3.SQLITE_IOERR_WRITE, StoreError),
        (sqlite3.SQLITE_BUSY, StoreError),
        (sqlite3.SQLITE_CORRUPT, StoreDamaged),
    ],
)
def test_a_commit_that_fails_is_rolled_back_and_says_whether_to_try_again(
    store: SqliteStore, code: int, expected: type[StoreError]
) -> None:
    """After a failed fsync the kernel may have dropped the pages: a retry could succeed and be untrue."""
    store.create("notes")
    good, store._writer = store._writer, Failing(store._writer, code)  # type: ignore[assignment]
    with pytest.raises(expected) as raised:
        store.append([Append("notes", [b"a"])])
    assert type(raised.value) is expected
    store._writer = good
    assert not good.in_transaction
    assert log_of(store, "notes") == []
    assert store.append([Append("notes", [b"a"])]) == [1]


def test_reading_goes_on_while_a_commit_is_on_its_way(store: SqliteStore) -> None:
    store.create("notes")
    store.append([Append("notes", [b"a"])])
    with store._transaction() as db:
        db.execute("UPDATE document SET title = 'new'")
        row = store.get("notes")
        assert row is not None
        assert row.title == ""
        assert log_of(store, "notes") == [(1, b"a")]


APPEND = """
import sys, pathlib
from collabdoc.store.base import Append, Snapshot
from collabdoc.store.sqlite import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
row, _ = store.create("notes")
seq = row.seq
while True:
    (seq,) = store.append([Append("notes", [b"%d" % (seq + 1), b"%d" % (seq + 2)])])
    print(seq, flush=True)
    if seq % 40 == 0:
        store.put_snapshot(Snapshot("notes", row.epoch, seq - 20, b"S"), keep_entries=5, keep_bytes=100)
"""


def test_what_was_committed_survives_kill_9(tmp_path: Path) -> None:
    for commits in (1, 17, 43):
        with child(APPEND, tmp_path) as process:
            assert process.stdout is not None
            said = 0
            for _ in range(commits):
                said = int(process.stdout.readline())
            process.kill()
            said = max(
                [said, *(int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n"))]
            )
        store = SqliteStore(tmp_path)
        loaded = store.load("notes")
        assert loaded is not None
        assert loaded.row.seq in (said, said + 2)
        entries = [*loaded.covered, *loaded.tail]
        assert [int(entry.update) for entry in entries] == [entry.seq for entry in entries]
        store.close()


def child(program: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    )


def dump(folder: Path, table: str) -> list[Any]:
    with sqlite3.connect(folder / FILE_NAME) as db:
        rows = db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
    db.close()
    return rows


def change(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / FILE_NAME) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def size(folder: Path) -> int:
    return sum(os.path.getsize(path) for path in folder.iterdir())


# Rows that contradict each other


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE document SET seq = 0 WHERE name = 'bad'",
        "UPDATE document SET epoch = CAST(x'ff' AS TEXT) WHERE name = 'bad'",
        "DELETE FROM document WHERE name = 'bad'",
    ],
)
def test_a_document_that_cannot_be_appended_to_costs_the_others_nothing(store: SqliteStore, damage: str) -> None:
    for name in ("one", "bad", "two"):
        store.create(name)
        store.append([Append(name, [b"a"])])
    store._writer.execute("PRAGMA foreign_keys = OFF")
    store._writer.execute(damage)
    appends = [Append("one", [b"b"]), Append("bad", [b"b", b"c"], ("Title", "text")), Append("two", [b"b", b"c"])]
    assert store.append(appends) == [2, None, 3]
    assert [log_of(store, name)[-1] for name in ("one", "two")] == [(2, b"b"), (3, b"c")]
    assert store._reader.execute("SELECT count(*) FROM log WHERE payload = x'63'").fetchone() == (1,)
    assert store.append([Append("one", [b"c"])]) == [3]
