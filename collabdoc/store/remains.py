"""What can be read of a database that may be damaged: one unreadable page hides no other.

Only reads. A document is looked for wherever it left something: in its row, in the index of names, in the log, among
the snapshots.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from collabdoc.errors import StoreDamaged, StoreError
from collabdoc.store.base import DocumentRow
from collabdoc.store.damage import (
    ROW,
    Stored,
    assemble,
    document_ids,
    document_row,
    find_behind,
    find_in_structure,
    find_missing,
    find_orphans,
)
from collabdoc.store.mark import read_mark
from collabdoc.store.sqlite_folder import FILE_NAME, connect_reader, search_text

_STORED = "seq, payload, crc"
_SINGLE_ROWS = 1_000_000
"""Rows of one document's log looked for one by one, where it cannot be read in one go; takes some seconds."""


@dataclass(slots=True)
class Remains:
    """What there is of one document. `row` is None where it is missing, or says what cannot be."""

    id: int
    row: DocumentRow | None = None
    snapshot: Stored | None = None
    log: list[Stored] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def damage(self) -> str | None:
        """Why it could not be served; None where it is whole."""
        if self.unreadable:
            return self.unreadable[0]
        assert self.row is not None
        try:
            assemble(self.row, self.snapshot, self.log)
        except StoreDamaged as error:
            return str(error)
        return None


class Ruin:
    """One state of a database, however many write meanwhile. Use with `with`."""

    def __init__(self, path: Path) -> None:
        """Raises `StoreError` where nothing of it can be read."""
        try:
            self._db = connect_reader(path)
            self._db.execute("BEGIN")
            self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
        names, _ = _read_on(self._db, "SELECT id, name FROM document ORDER BY name")  # reads the index alone
        self._names = {document_id: name for document_id, name in names if isinstance(name, str)}

    def __enter__(self) -> "Ruin":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._db.close()

    def ids(self) -> list[int]:
        """Where documents are, or may be."""
        ids: set[int] = set()
        missed = False
        # Of the table, then of the index of names: one page of either hides what the other shows.
        for query in ("SELECT id FROM document NOT INDEXED", "SELECT id FROM document ORDER BY name"):
            rows, failure = _read_on(self._db, query)
            ids.update(row[0] for row in rows if isinstance(row[0], int))
            missed = missed or failure is not None
        for table in ("log", "snapshot"):
            try:
                ids |= document_ids(self._db, table)
            except sqlite3.DatabaseError:
                missed = True
        if missed:
            highest, _ = _read_on(self._db, "SELECT seq FROM sqlite_sequence WHERE name = 'document'")
            ids.update(range(1, max([*ids, *(row[0] for row in highest)], default=0) + 1))
        return sorted(ids)

    def read(self, document_id: int) -> Remains | None:
        """None where nothing is left at this id."""
        remains = Remains(document_id)
        self._read_row(remains)
        snapshots, failure = self._read_stored("SELECT {} FROM snapshot WHERE document_id = ?", remains.id)
        remains.snapshot = next(iter(snapshots), None)
        if failure is not None:
            remains.unreadable.append(f"its snapshot cannot be read: {failure}")
        self._read_log(remains)
        if remains.row is None and remains.snapshot is None and not remains.log:
            return None
        return remains

    def rows(self, table: str, columns: str) -> tuple[list[Any], bool]:
        """Rows of a table beside the documents, and whether these are all."""
        rows, failure = _read_on(self._db, f"SELECT {columns} FROM {table}")
        return rows, failure is None

    def is_bare(self) -> bool:
        """Whether it was never made, as where a first start was cut off."""
        try:
            return self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'document'").fetchone() is None
        except sqlite3.DatabaseError:
            return False

    def structure(self) -> Iterator[str]:
        """What SQLite itself finds, and what has lost its document."""
        yield from find_in_structure(self._db)
        try:
            yield from find_orphans(self._db)
        except sqlite3.DatabaseError as error:
            yield f"the database is damaged: {error}"

    def behind(self, folder: Path) -> str | None:
        """The last known commit, where it is not here."""
        try:
            return next(find_behind(self._db, read_mark(folder)), None)
        except sqlite3.DatabaseError as error:
            return f"the database is damaged: {error}"

    def _read_row(self, remains: Remains) -> None:
        rows, failure = _read_on(self._db, f"SELECT {ROW}, search FROM document WHERE id = ?", (remains.id,))
        if not rows:
            remains.unreadable.append(f"its row cannot be read: {failure or 'it is missing'}")
            return
        *values, search = rows[0]
        try:
            row = document_row(values)
        except StoreDamaged as error:
            remains.unreadable.append(str(error))
            return
        if re.fullmatch("[0-9a-f]{16}", row.epoch) is None:
            remains.unreadable.append(f"its row is damaged: its epoch is {row.epoch!a}")
        else:
            remains.row = self._with_name(row, search, remains)

    def _with_name(self, row: DocumentRow, search: object, remains: Remains) -> DocumentRow | None:
        """A name stands in the row, in the index and, casefolded, in what is searched: two outvote the third."""
        indexed = self._names.get(remains.id, row.name)
        if indexed == row.name:
            return row
        remains.unreadable.append(f"its name is {row.name!a} in its row, {indexed!a} in the index of names")
        names = [name for name in (row.name, indexed) if search == search_text(row.title, name)]
        return replace(row, name=names[0]) if len(names) == 1 else None

    def _read_log(self, remains: Remains) -> None:
        query = "SELECT {} FROM log WHERE document_id = ?"
        found, failure = self._read_stored(f"{query} ORDER BY seq", remains.id)
        if failure is not None:
            remains.unreadable.append(f"its log cannot be read: {failure}")
            newest, _ = self._read_stored(f"{query} ORDER BY seq DESC", remains.id)
            first = max((stored.seq for stored in found), default=0) + 1
            last = min((stored.seq for stored in newest), default=remains.row.seq + 1 if remains.row else 0) - 1
            between = range(first, min(last, first + _SINGLE_ROWS) + 1)
            singles = [self._read_stored(f"{query} AND seq = {seq}", remains.id)[0] for seq in between]
            found = [*found, *(stored for single in singles for stored in single), *newest]
        by_seq = {stored.seq: stored for stored in found}
        remains.log = [by_seq[seq] for seq in sorted(by_seq)]

    def _read_stored(self, query: str, document_id: int) -> tuple[list[Stored], Exception | None]:
        rows, failure = _read_on(self._db, query.format(_STORED), (document_id,))
        stored = []
        for row in rows:
            try:
                stored.append(Stored.of(row))
            except StoreDamaged as error:
                failure = failure or error
        return stored, failure


def verify(folder: Path) -> "Iterator[str | tuple[int, int]]":
    """Everything that is wrong in a folder, in words; between them how many documents of how many were looked at.

    A server may hold the folder. Raises `StoreError` where there is nothing to look at.
    """
    if (missing := find_missing(folder)) is not None:
        yield missing
        return
    if not (folder / FILE_NAME).exists():
        raise StoreError(f"there is no database in {folder}")
    if (folder / f"{FILE_NAME}-journal").exists():
        raise StoreError(f"the first start with {folder / FILE_NAME} was cut off: start the server, which begins again")
    yield from _verify_commits(folder)
    yield from verify_file(folder / FILE_NAME)


def verify_file(path: Path) -> "Iterator[str | tuple[int, int]]":
    """The same for a database alone, such as a backup."""
    try:
        with Ruin(path) as ruin:
            if ruin.is_bare():
                yield f"{path} holds no documents, nor room for any"
                return
            yield from ruin.structure()
            ids = ruin.ids()
            for number, document_id in enumerate(ids, start=1):
                remains = ruin.read(document_id)
                if remains is not None and (damage := remains.damage()) is not None:
                    name = f"the document {remains.row.name!a}" if remains.row else f"the document {document_id}"
                    yield f"{name}: {damage}"
                yield number, len(ids)
    except StoreError as error:
        yield str(error)


def _verify_commits(folder: Path) -> Iterator[str]:
    while True:
        mark = read_mark(folder)
        try:
            with Ruin(folder / FILE_NAME) as ruin:
                behind = ruin.behind(folder)
        except StoreError:
            return  # which is told of where the documents are read
        if behind is None:
            return
        if read_mark(folder) == mark:
            yield behind
            return
        # else a server deleted what the mark named between the two readings


def _read_on(db: sqlite3.Connection, query: str, values: tuple[object, ...] = ()) -> tuple[list[Any], Exception | None]:
    """Rows up to the first that cannot be read, and why it cannot."""
    rows: list[Any] = []
    try:
        with closing(db.execute(query, values)) as cursor:
            rows.extend(iter(cursor.fetchone, None))
    except sqlite3.DatabaseError as error:
        return rows, error
    return rows, None
