"""The default store: one SQLite file in a locked folder (docs/storage-format.md).

One connection writes and belongs to the writer's thread; one reads (`mode=ro`) and belongs to the reader's. Both are
opened at once so that a folder which cannot be used is known at the start.
"""

import importlib.resources
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from zlib import crc32

from filelock import FileLock, Timeout

from collabdoc.errors import StoreDamaged, StoreError, StoreStopped, UsageError
from collabdoc.store.base import Append, DocumentRow, Entry, Loaded, Snapshot

REVISION = "0001"
APPLICATION_ID = 0x63446F63
FILE_NAME = "collabdoc.sqlite3"

_ROW = "name, epoch, title, kind, seq, created_ms, changed_ms"
_FSYNC_FAILED = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}


class SqliteStore:
    """Implements `Store`."""

    def __init__(self, folder: Path, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """Lock the folder, open the database and bring it to this version's format.

        Raises `UsageError` with one line for the operator where any of that cannot be done.
        """
        self._now_ms = now_ms
        self._lock = _lock(folder)
        self._path = folder / FILE_NAME
        try:
            self._writer = self._connect_writer()
            migrate(self._writer, self._path)
            self._reader = _connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
        except sqlite3.Error as error:
            self._lock.release()
            raise UsageError(f"the database {self._path} cannot be opened: {error}") from error
        except UsageError:
            self._lock.release()
            raise

    # Writing

    def append(self, appends: Sequence[Append]) -> list[int]:
        with self._transaction() as db:
            return [self._append_one(db, append) for append in appends]

    def create(self, document: str, *, title: str = "", kind: str = "") -> tuple[DocumentRow, bool]:
        now = self._now_ms()
        with self._transaction() as db:
            made = db.execute(
                "INSERT INTO document (name, epoch, title, kind, search, seq, created_ms, changed_ms)"
                " VALUES (?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT (name) DO NOTHING",
                (document, secrets.token_hex(8), title, kind, _search_text(title, document), now, now),
            )
            row = db.execute(f"SELECT {_ROW} FROM document WHERE name = ?", (document,)).fetchone()
            return DocumentRow(*row), made.rowcount == 1

    def delete(self, document: str) -> bool:
        with self._transaction() as db:
            return db.execute("DELETE FROM document WHERE name = ?", (document,)).rowcount == 1

    def put_snapshot(self, snapshot: Snapshot, *, keep_entries: int, keep_bytes: int) -> bool:
        seq, payload = snapshot.seq, snapshot.payload
        with self._transaction() as db:
            found = db.execute(
                "SELECT id FROM document WHERE name = ? AND epoch = ?", (snapshot.document, snapshot.epoch)
            ).fetchone()
            if found is None:
                return False
            (document_id,) = found
            db.execute(
                "INSERT INTO snapshot (document_id, seq, payload, crc) VALUES (?, ?, ?, ?) ON CONFLICT (document_id)"
                " DO UPDATE SET seq = excluded.seq, payload = excluded.payload, crc = excluded.crc",
                (document_id, seq, payload, crc32(payload)),
            )
            oldest_kept = seq + 1
            sizes = db.execute(
                "SELECT seq, length(payload) FROM log WHERE document_id = ? AND seq <= ? ORDER BY seq DESC LIMIT ?",
                (document_id, seq, keep_entries),
            ).fetchall()  # a cursor left open would keep the checkpoint below from its work
            for kept_seq, size in sizes:
                keep_bytes -= size
                if keep_bytes < 0:
                    break
                oldest_kept = kept_seq
            db.execute("DELETE FROM log WHERE document_id = ? AND seq < ?", (document_id, oldest_kept))
        with _translated():
            # A script, because execute() takes only the first step of this pragma: one page.
            self._writer.executescript("PRAGMA incremental_vacuum")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return True

    def check_writable(self) -> None:
        with self._transaction() as db:
            # A write that changes no row still has to take the lock; SQLite reports a read-only file or disk here.
            db.execute("UPDATE document SET seq = seq WHERE id = 0")

    # Reading

    def load(self, document: str) -> Loaded | None:
        with _translated(), self._reading() as db:
            found = db.execute(f"SELECT id, {_ROW} FROM document WHERE name = ?", (document,)).fetchone()
            if found is None:
                return None
            document_id, row = found[0], DocumentRow(*found[1:])
            snapshot, snapshot_seq = None, 0
            stored = db.execute(
                "SELECT payload, crc, seq FROM snapshot WHERE document_id = ?", (document_id,)
            ).fetchone()
            if stored is not None:
                snapshot, crc, snapshot_seq = stored
                _check_crc(snapshot, crc, f"the snapshot of {document!a}")
            entries = []
            for seq, payload, crc in db.execute(
                "SELECT seq, payload, crc FROM log WHERE document_id = ? ORDER BY seq", (document_id,)
            ):
                _check_crc(payload, crc, f"log entry {seq} of {document!a}")
                entries.append(Entry(seq, payload))
        tail = [entry for entry in entries if entry.seq > snapshot_seq]
        expected = list(range(snapshot_seq + 1, row.seq + 1))
        if [entry.seq for entry in tail] != expected:
            raise StoreDamaged(
                f"the log of {document!a} has {len(tail)} entries after its snapshot, expected {len(expected)}"
                f" ({snapshot_seq + 1} to {row.seq})"
            )
        return Loaded(row, snapshot, snapshot_seq, tail, entries[: len(entries) - len(tail)])

    def get(self, document: str) -> DocumentRow | None:
        with _translated():
            row = self._reader.execute(f"SELECT {_ROW} FROM document WHERE name = ?", (document,)).fetchone()
            return None if row is None else DocumentRow(*row)

    def list(self, *, query: str, limit: int, offset: int) -> tuple[list[DocumentRow], int]:
        pattern = "%" + query.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        where = "WHERE search LIKE ? ESCAPE '\\'"
        with _translated(), self._reading() as db:
            (total,) = db.execute(f"SELECT count(*) FROM document {where}", (pattern,)).fetchone()
            rows = db.execute(
                f"SELECT {_ROW} FROM document {where} ORDER BY changed_ms DESC, id DESC LIMIT ? OFFSET ?",
                (pattern, limit, offset),
            ).fetchall()
        return [DocumentRow(*row) for row in rows], total

    def close(self) -> None:
        # The writer closes last: only it can take the WAL's file away.
        with closing(self._writer), closing(self._reader), _translated():
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._lock.release()

    def _connect_writer(self) -> sqlite3.Connection:
        db = _connect(str(self._path))
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect only before the first table
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _translated():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Several reads of one state of the database."""
        self._reader.execute("BEGIN")
        try:
            yield self._reader
        finally:
            self._reader.execute("ROLLBACK")

    def _append_one(self, db: sqlite3.Connection, append: Append) -> int:
        found = db.execute("SELECT id, seq FROM document WHERE name = ?", (append.document,)).fetchone()
        if found is None:
            raise StoreStopped(f"the row of {append.document!a} is gone although the document is open")
        document_id, seq = found
        db.executemany(
            "INSERT INTO log (document_id, seq, payload, crc) VALUES (?, ?, ?, ?)",
            [
                (document_id, number, update, crc32(update))
                for number, update in enumerate(append.updates, start=seq + 1)
            ],
        )
        seq += len(append.updates)
        if append.meta is None:
            db.execute("UPDATE document SET seq = ?, changed_ms = ? WHERE id = ?", (seq, self._now_ms(), document_id))
        else:
            title, kind = append.meta
            db.execute(
                "UPDATE document SET seq = ?, changed_ms = ?, title = ?, kind = ?, search = ? WHERE id = ?",
                (seq, self._now_ms(), title, kind, _search_text(title, append.document), document_id),
            )
        return int(seq)


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring a database to `REVISION`; one from a later version is refused."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" in tables:
        (revision,) = db.execute("SELECT version_num FROM alembic_version").fetchone()
        if revision == REVISION:
            return
        if revision > REVISION:
            raise UsageError(f"{path} is of format {revision}, this version knows {REVISION}: use a newer collabdoc")
    elif tables:
        raise UsageError(f"{path} is a database of another program")
    _run_alembic(db)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _run_alembic(db: sqlite3.Connection) -> None:
    # Imported where a migration is due: SQLAlchemy would double the time that a start takes.
    import alembic.command
    import alembic.config
    import sqlalchemy
    import sqlalchemy.pool

    config = alembic.config.Config()
    with importlib.resources.as_file(importlib.resources.files("collabdoc.store") / "migrations") as scripts:
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        engine = sqlalchemy.create_engine("sqlite://", creator=lambda: db, poolclass=sqlalchemy.pool.StaticPool)
        # The connection is in autocommit mode, where pysqlite begins no transaction by itself.
        sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")
            connection.commit()


def _lock(folder: Path) -> FileLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", blocking=False)
        lock.acquire()
    except Timeout:
        raise UsageError(f"the data folder {folder} is held by another process: stop that one first") from None
    except OSError as error:
        raise UsageError(f"the data folder {folder} cannot be written: {error.strerror}") from None
    return lock


def _connect(path: str, *, uri: bool = False) -> sqlite3.Connection:
    # isolation_level None: transactions are begun and ended here, in words. The store's caller keeps each connection
    # in one thread at a time, which need not be the one that opened it.
    return sqlite3.connect(path, uri=uri, isolation_level=None, check_same_thread=False, timeout=5.0)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code in _FSYNC_FAILED:
            # The kernel may have dropped the pages that it could not write: a retry could succeed and be untrue.
            raise StoreStopped(f"the disk did not confirm a write: {error}") from error
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreDamaged(f"the database is damaged: {error}") from error
        raise StoreError(str(error)) from error


def _check_crc(payload: bytes, crc: int, what: str) -> None:
    if crc32(payload) != crc:
        raise StoreDamaged(f"{what} is damaged: its checksum is {crc32(payload):08x}, expected {crc:08x}")


def _search_text(title: str, name: str) -> str:
    return f"{title}\n{name}".casefold()
