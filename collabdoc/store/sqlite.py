"""The default store: one SQLite file in a locked folder (docs/storage-format.md).

One connection writes and belongs to the writer's thread; one reads (`mode=ro`) and belongs to the reader's. Both are
opened at once so that a folder which cannot be used is known at the start.
"""

import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from zlib import crc32

from collabdoc.errors import StoreDamaged, StoreError, UsageError
from collabdoc.store.base import Append, DocumentRow, LinkRow, Loaded, RevocationRow, Snapshot
from collabdoc.store.damage import ROW, Stored, assemble, check_start, document_row, link_row, listed_row
from collabdoc.store.mark import Mark, MarkFile
from collabdoc.store.sqlite_folder import (
    BUSY_MS,
    FILE_NAME,
    connect_reader,
    connect_writer,
    lock_folder,
    migrate,
    search_text,
    translated,
)

log = logging.getLogger(__name__)

_LINK = "link.id, document.name, secret_hash, permission, label, created_by, link.created_ms, expires_ms"
_OF_DOCUMENT = "document_id = (SELECT id FROM document WHERE name = ?)"


class SqliteStore:
    """Implements `Store`."""

    def __init__(self, folder: Path, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """Lock the folder, open the database and bring it to this version's format.

        Raises `UsageError` with one line for the operator where any of that cannot be done.
        """
        self._now_ms = now_ms
        self._path = folder / FILE_NAME
        with ExitStack() as stack:
            stack.callback(lock_folder(folder).release)
            try:
                check_start(folder)  # before a writing connection takes a damaged WAL away
                self._writer = stack.enter_context(closing(connect_writer(self._path)))
                migrate(self._writer, self._path)
                self._reader = stack.enter_context(closing(connect_reader(self._path)))
                self.check_writable()
                self._mark = stack.enter_context(closing(MarkFile(folder)))
            except (sqlite3.Error, OSError, StoreError) as error:
                raise UsageError(f"the database {self._path} cannot be opened: {error}") from error
            self._opened = stack.pop_all()

    # Writing

    def append(self, appends: Sequence[Append]) -> list[int | None]:
        try:
            with self._transaction() as db:
                marks = [self._append_one(db, append) for append in appends]
        except StoreDamaged:  # of one of them; which one is looked for only now, for it costs the others time
            with self._transaction() as db:
                marks = [self._append_apart(db, append) for append in appends]
        if committed := [mark for mark in marks if mark is not None]:
            self._mark.write(committed[-1])
        return [None if mark is None else mark.seq for mark in marks]

    def create(self, document: str, *, title: str = "", kind: str = "") -> tuple[DocumentRow, bool]:
        now = self._now_ms()
        with self._transaction() as db:
            made = db.execute(
                "INSERT INTO document (name, epoch, title, kind, search, seq, created_ms, changed_ms)"
                " VALUES (?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT (name) DO NOTHING",
                (document, secrets.token_hex(8), title, kind, search_text(title, document), now, now),
            )
            row = db.execute(f"SELECT {ROW} FROM document WHERE name = ?", (document,)).fetchone()
            return document_row(row), made.rowcount == 1

    def delete(self, document: str) -> bool:
        self._mark.clear()
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
        with translated():
            # A script, because execute() takes only the first step of this pragma: one page.
            self._writer.executescript("PRAGMA incremental_vacuum")
            self._shorten_wal()
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
        with translated(), self._reading() as db:
            found = db.execute(f"SELECT id, {ROW} FROM document WHERE name = ?", (document,)).fetchone()
            if found is None:
                return None
            document_id, row = found[0], document_row(found[1:])
            if row.name != document:
                raise StoreDamaged(f"the index of names leads from {document!a} to {row.name!a}")
            snapshot = db.execute(
                "SELECT seq, payload, crc FROM snapshot WHERE document_id = ?", (document_id,)
            ).fetchone()
            log = db.execute(
                "SELECT seq, payload, crc FROM log WHERE document_id = ? ORDER BY seq", (document_id,)
            ).fetchall()
        return assemble(row, None if snapshot is None else Stored.of(snapshot), [Stored.of(entry) for entry in log])

    def get(self, document: str) -> DocumentRow | None:
        with translated():
            row = self._reader.execute(f"SELECT {ROW} FROM document WHERE name = ?", (document,)).fetchone()
            return None if row is None else document_row(row)

    def list(self, *, query: str, limit: int, offset: int) -> tuple[list[DocumentRow], int]:
        pattern = "%" + query.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        where = "WHERE search LIKE ? ESCAPE '\\'"
        with translated(), self._reading() as db:
            (total,) = db.execute(f"SELECT count(*) FROM document {where}", (pattern,)).fetchone()
            rows = db.execute(
                f"SELECT {ROW} FROM document {where} ORDER BY changed_ms DESC, id DESC LIMIT ? OFFSET ?",
                (pattern, limit, offset),
            ).fetchall()
        return [listed_row(row) for row in rows], total

    def links(self, document: str) -> Sequence[LinkRow]:
        return self._find_links("document.name = ? ORDER BY link.created_ms DESC, link.rowid DESC", [document])

    def find_links(self, link_ids: Sequence[str]) -> Sequence[LinkRow]:
        return self._find_links(f"link.id IN ({_placeholders(link_ids)})", link_ids)

    def count_links(self, documents: Sequence[str], *, now_ms: int) -> dict[str, int]:
        with translated():
            return dict(
                self._reader.execute(
                    "SELECT document.name, count(*) FROM link JOIN document ON document.id = document_id"
                    f" WHERE document.name IN ({_placeholders(documents)})"
                    " AND (expires_ms IS NULL OR expires_ms > ?) GROUP BY document.name",
                    (*documents, now_ms),
                ).fetchall()
            )

    def revocations(self) -> Sequence[RevocationRow]:
        with translated():
            return [RevocationRow(*row) for row in self._reader.execute("SELECT kind, value, before_s FROM revocation")]

    def close(self) -> None:
        # The writer closes after the reader: only it can take the WAL's file away.
        with self._opened, translated():
            self._shorten_wal()

    def _shorten_wal(self) -> None:
        """Unless somebody reads an older state, as a backup does: waiting for that would hold up commits."""
        self._writer.execute("PRAGMA busy_timeout = 0")
        try:
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._writer.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with translated():
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
        with translated():
            rows = self._reader.execute(
                f"SELECT {_LINK} FROM link JOIN document ON document.id = document_id WHERE {where}", values
            ).fetchall()
        return [link_row(row) for row in rows]

    def _append_apart(self, db: sqlite3.Connection, append: Append) -> Mark | None:
        """The same; None also where what is stored of the document is damaged."""
        db.execute("SAVEPOINT apart")
        try:
            with translated():
                mark = self._append_one(db, append)
        except StoreDamaged as error:
            log.critical("document %a cannot be written: %s", append.document, error)
            db.execute("ROLLBACK TO apart")
            mark = None
        db.execute("RELEASE apart")
        return mark

    def _append_one(self, db: sqlite3.Connection, append: Append) -> Mark | None:
        found = db.execute("SELECT id, epoch, seq FROM document WHERE name = ?", (append.document,)).fetchone()
        if found is None:
            return None
        document_id, epoch, seq = found
        if type(seq) is not int or type(epoch) is not str:
            raise StoreDamaged("the row of a document is damaged: a value is of another type")
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
                (seq, self._now_ms(), title, kind, search_text(title, append.document), document_id),
            )
        return Mark(document_id, epoch, seq)


def _placeholders(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
