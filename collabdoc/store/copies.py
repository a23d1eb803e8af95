"""Whole databases: a copy of one that is served, and a new one in the place of a damaged one."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from collabdoc.errors import StoreError
from collabdoc.store.base import DocumentRow
from collabdoc.store.damage import Stored, find_missing
from collabdoc.store.mark import FILE_NAME as MARK_NAME
from collabdoc.store.mark import remove_mark, sync
from collabdoc.store.remains import Ruin
from collabdoc.store.sqlite_folder import (
    BACKUP,
    FILE_NAME,
    connect_reader,
    connect_writer,
    migrate,
    search_text,
    translated,
)

_PAGES_AT_ONCE = 2_000
_MOST_MISSING_BYTES = 2**40
"""More is no file that was cut off, but a header that is damaged."""
_BESIDE = ("-wal", "-shm")
_TABLES_BESIDE = {
    "link": "id, document_id, secret_hash, permission, label, created_by, created_ms, expires_ms",
    "revocation": "kind, value, before_s",
}


def back_up(folder: Path, target: Path, on_progress: Callable[[int, int], None]) -> None:
    """Copy the database as it is at one moment, while a server may write on. Raises `StoreError`, `OSError`.

    `on_progress(done, total)` hears of pages.
    """
    with translated(), closing(connect_reader(folder / FILE_NAME)) as source, closing(sqlite3.connect(target)) as copy:
        # Held open: SQLite would begin again whenever somebody commits, and on a busy server never end.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(copy, pages=_PAGES_AT_ONCE, progress=lambda _, left, total: on_progress(total - left, total))
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, that needs none beside it
        copy.execute(f"PRAGMA user_version = {BACKUP}")
    sync(target)


class Rebuilt:
    """The database that is to take a damaged one's place."""

    def __init__(self, path: Path) -> None:
        self._db = connect_writer(path)
        migrate(self._db, path)
        self._db.execute("BEGIN IMMEDIATE")

    def put(self, document_id: int, row: DocumentRow, snapshot: Stored | None, log: list[Stored]) -> None:
        """Raises `StoreError` where the name is taken."""
        with translated():
            self._db.execute(
                "INSERT INTO document (id, name, epoch, title, kind, search, seq, created_ms, changed_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(document_id, row.name, row.epoch, row.title, row.kind, search_text(row.title, row.name)),
                    *(row.seq, row.created_ms, row.changed_ms),
                ),
            )
            for table, rows in (("snapshot", [snapshot] if snapshot else []), ("log", log)):
                self._db.executemany(
                    f"INSERT INTO {table} (document_id, seq, payload, crc) VALUES (?, ?, ?, ?)",
                    [(document_id, stored.seq, stored.payload, stored.crc) for stored in rows],
                )

    def take_over(self, ruin: Ruin) -> list[str]:
        """Copy what is no document's content; what could not be read of it."""
        unreadable = []
        for table, columns in _TABLES_BESIDE.items():
            rows, are_all = ruin.rows(table, columns)
            if not are_all:
                unreadable.append(f"some of the table {table} cannot be read: {len(rows)} rows were kept")
            places = ", ".join("?" * len(columns.split(",")))
            for row in rows:
                try:
                    self._db.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", row)
                except sqlite3.IntegrityError as error:
                    unreadable.append(f"a row of the table {table} was left out: {error}")
        return unreadable

    def finish(self) -> None:
        with translated():
            self._db.execute("COMMIT")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        self._db.close()


@contextmanager
def rebuilding(folder: Path) -> Iterator[tuple[Path, Ruin, Rebuilt]]:
    """The caller holds the folder, and puts into the new database what is to be kept.

    The damaged files are copied to a folder of their own first, whose path comes with; only at the end, and if nothing
    was raised, the new database takes their place.
    """
    if (missing := find_missing(folder)) is not None:
        raise StoreError(missing)
    path, aside, new = folder / FILE_NAME, _make_folder_aside(folder), folder / f"{FILE_NAME}.new"
    _remove(new)
    try:
        for name in (FILE_NAME, f"{FILE_NAME}-wal", MARK_NAME):
            if (folder / name).exists():
                shutil.copy2(folder / name, aside / name)
                sync(aside / name)
        _lengthen(aside / FILE_NAME)
        sync(aside)
        with Ruin(aside / FILE_NAME) as ruin, closing(Rebuilt(new)) as rebuilt:
            yield aside, ruin, rebuilt
            rebuilt.finish()
        sync(new)
    except BaseException:
        _remove(new)
        shutil.rmtree(aside)
        raise
    # The WAL goes before the new file comes: SQLite would take it for the new file's.
    for beside in _BESIDE:
        path.with_name(FILE_NAME + beside).unlink(missing_ok=True)
    remove_mark(folder)
    new.replace(path)
    sync(folder)


def _make_folder_aside(folder: Path) -> Path:
    number = 1
    while True:
        try:
            (aside := folder / f"damaged-{number}").mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise StoreError(f"{aside} cannot be made: {error.strerror}") from error
        else:
            return aside


def _lengthen(path: Path) -> None:
    """Of a file that was cut off, SQLite reads nothing; with zeros in the place of what is missing, the rest."""
    with path.open("rb") as file:
        header = file.read(32)
    size_bytes, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    missing_bytes = size_bytes * pages - path.stat().st_size
    if 0 < missing_bytes < _MOST_MISSING_BYTES:
        os.truncate(path, size_bytes * pages)


def _remove(path: Path) -> None:
    for name in (path.name, *(path.name + beside for beside in _BESIDE)):
        path.with_name(name).unlink(missing_ok=True)
