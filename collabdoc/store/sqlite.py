"""The default store: one SQLite file in a locked folder (docs/storage-format.md).

One connection writes and belongs to the writer's thread; one reads (`mode=ro`) and belongs to the reader's. Both are
opened at once so that a folder which cannot be used is known at the start.
"""

import importlib.resources
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from zlib import crc32

from filelock import FileLock, Timeout

from collabdoc.errors import StoreDamaged, StoreError, StoreStopped, UsageError
from collabdoc.store.base import Append, DocumentRow, Entry, LinkRow, Loaded, RevocationRow, Snapshot

REVISION = "0002"
APPLICATION_ID = 0x63446F63
FILE_NAME = "collabdoc.sqlite3"

_ROW = "name, epoch, title, kind, seq, created_ms, changed_ms"
_LINK = "link.id, document.name, secret_hash, permission, label, created_by, link.created_ms, expires_ms"
_OF_DOCUMENT = "document_id = (SELECT id FROM document WHERE name = ?)"
_FSYNC_FAILED = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}


class SqliteStore:
    """Implements `Store`."""

    def __init__(self, folder: Path, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """Lock the folder, open the database and bring it to this version's format.

        Raises `UsageError` with one line for the operator where any of that cannot be done.
        """
        self._now_ms = now_ms
        self._path = folder / FILE_NAME
        with ExitStack() as stack:
            stack.callback(_lock(folder).release)
            try:
                self._writer = stack.enter_context(closing(self._connect_writer()))
                migrate(self._writer, self._path)
                self._reader = stack.enter_context(closing(_connect(f"{self._path.absolute().as_uri()}?mode=ro")))
                self._reader.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opens the file
                self.check_writable()
            except (sqlite3.Error, StoreError) as error:
                raise UsageError(f"the database {self._path} cannot be opened: {error}") from error
            self._opened = stack.pop_all()

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
                "SELECT document.id, document.seq, coalesce(snapshot.seq, 0) FROM document"
                " LEFT JOIN snapshot ON document_id = id WHERE name = ? AND epoch = ?",
                (snapshot.document, snapshot.epoch),
            ).fetchone()
            if found is None:
                return False
            document_id, last_seq, older_seq = found
            assert seq <= last_seq, f"a snapshot stands for {seq} entries, the log has {last_seq}"
            if seq < older_seq:
                return True  # the entries that it would be followed by may be gone
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

    def put_link(self, link: LinkRow) -> bool:
        with self._transaction() as db:
            db.execute(f"DELETE FROM link WHERE expires_ms <= ? AND {_OF_DOCUMENT}", (link.created_ms, link.document))
            made = db.execute(
                "INSERT INTO link (id, document_id, secret_hash, permission, label, created_by, created_ms, expires_ms)"
                " SELECT ?, id, ?, ?, ?, ?, ?, ? FROM document WHERE name = ?",
                (
                    *(link.id, link.secret_hash, link.permission, link.label, link.created_by),
                    *(link.created_ms, link.expires_ms, link.document),
                ),
            )
            return made.rowcount == 1

    def delete_link(self, document: str, link_id: str) -> bool:
        with self._transaction() as db:
            return db.execute(f"DELETE FROM link WHERE id = ? AND {_OF_DOCUMENT}", (link_id, document)).rowcount == 1

    def put_revocation(self, revocation: RevocationRow) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO revocation (kind, value, before_s) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, value) DO UPDATE SET before_s = max(before_s, excluded.before_s)",
                (revocation.kind, revocation.value, revocation.before_s),
            )

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
        first = row.seq + 1 - len(entries)
        if first > snapshot_seq + 1 or [entry.seq for entry in entries] != list(range(first, row.seq + 1)):
            raise StoreDamaged(
                f"the log of {document!a} has {len(entries)} entries, which do not run from its snapshot"
                f" (of {snapshot_seq}) to its last ({row.seq})"
            )
        if snapshot_seq > row.seq:
            raise StoreDamaged(f"the snapshot of {document!a} stands for {snapshot_seq} entries of {row.seq}")
        covered = snapshot_seq + 1 - first
        return Loaded(row, snapshot, snapshot_seq, entries[covered:], entries[:covered])

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

    def links(self, document: str) -> Sequence[LinkRow]:
        return self._find_links("document.name = ? ORDER BY link.created_ms DESC, link.rowid DESC", [document])

    def find_links(self, link_ids: Sequence[str]) -> Sequence[LinkRow]:
        return self._find_links(f"link.id IN ({_placeholders(link_ids)})", link_ids)

    def count_links(self, documents: Sequence[str], *, now_ms: int) -> dict[str, int]:
        with _translated():
            return dict(
                self._reader.execute(
                    "SELECT document.name, count(*) FROM link JOIN document ON document.id = document_id"
                    f" WHERE document.name IN ({_placeholders(documents)})"
                    " AND (expires_ms IS NULL OR expires_ms > ?) GROUP BY document.name",
                    (*documents, now_ms),
                ).fetchall()
            )

    def revocations(self) -> Sequence[RevocationRow]:
        with _translated():
            return [RevocationRow(*row) for row in self._reader.execute("SELECT kind, value, before_s FROM revocation")]

    def close(self) -> None:
        # The writer closes after the reader: only it can take the WAL's file away.
        with self._opened, _translated():
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _connect_writer(self) -> sqlite3.Connection:
        with ExitStack() as stack:
            db = stack.enter_context(closing(_connect(self._path.absolute().as_uri())))
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect only before the first table
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            stack.pop_all()
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

    def _find_links(self, where: str, values: Sequence[str]) -> Sequence[LinkRow]:
        with _translated():
            rows = self._reader.execute(
                f"SELECT {_LINK} FROM link JOIN document ON document.id = document_id WHERE {where}", values
            ).fetchall()
        return [LinkRow(*row) for row in rows]

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
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise UsageError(f"{path} is a database of another program")
    if "alembic_version" in tables:
        (revision,) = db.execute("SELECT max(version_num) FROM alembic_version").fetchone()
        if revision == REVISION:
            return
        if revision is not None and revision > REVISION:
            raise UsageError(f"{path} is of format {revision}, this version knows {REVISION}: use a newer collabdoc")
    # Marked before the first table: whenever the power fails, the next start knows the file for its own.
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    _run_alembic(db)


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
        try:
            with engine.connect() as connection:
                config.attributes["connection"] = connection
                alembic.command.upgrade(config, "head")
                connection.commit()
        except sqlalchemy.exc.DBAPIError as error:
            raise StoreError(f"a migration failed, nothing was changed: {error.orig}") from error


def _lock(folder: Path) -> FileLock:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # documents are nobody else's on this machine
        lock = FileLock(folder / "lock", blocking=False, thread_local=False)
        lock.acquire()
    except Timeout:
        raise UsageError(f"the data folder {folder} is held by another process: stop that one first") from None
    except OSError as error:
        raise UsageError(f"the data folder {folder} cannot be written: {error.strerror}") from None
    return lock


def _connect(uri: str) -> sqlite3.Connection:
    # isolation_level None: transactions are begun and ended here, in words. The store's caller keeps each connection
    # in one thread at a time, which need not be the one that opened it.
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5.0)


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


def _placeholders(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _search_text(title: str, name: str) -> str:
    return f"{title}\n{name}".casefold()
