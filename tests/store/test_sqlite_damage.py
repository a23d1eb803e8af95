"""Damage is reported: a document is never served as if it were shorter, or another, or not there."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from collabdoc.errors import StoreDamaged, StoreError, UsageError
from collabdoc.store.base import Append, Loaded
from collabdoc.store.sqlite import SqliteStore
from collabdoc.store.sqlite_folder import FILE_NAME
from tests.store.conformance import link, snapshot

LOG = [f"log entry {number} {'.' * 500}".encode() for number in range(1, 9)]
SNAPSHOT = b"the snapshot" + b"." * 20_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A document whose snapshot stands for 5 entries of 8; 4 and 5 are kept."""
    store = SqliteStore(tmp_path)
    row, _ = store.create("notes")
    store.append([Append("notes", LOG)])
    store.put_snapshot(snapshot(row, 5, SNAPSHOT), keep_entries=2, keep_bytes=10_000)
    store.create("other")
    store.append([Append("other", [b"fine"])])
    store.close()
    return tmp_path


@pytest.fixture
def whole(folder: Path) -> Loaded:
    loaded = load(folder)
    assert loaded is not None
    return loaded


def load(folder: Path, name: str = "notes") -> Loaded | None:
    store = SqliteStore(folder)
    try:
        return store.load(name)
    finally:
        store.close()


def flip(folder: Path, where: bytes) -> None:
    path = folder / FILE_NAME
    data = bytearray(path.read_bytes())
    at = data.index(where)
    data[at + len(where) - 1] ^= 0x10
    path.write_bytes(data)


def change(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / FILE_NAME) as db:
        assert db.execute(statement).rowcount > 0
    db.close()


@pytest.mark.parametrize("where", [b"log entry 8", b"log entry 6", b"log entry 4", b"the snapshot"], ids=bytes.decode)
def test_a_byte_that_changed_is_damage(folder: Path, where: bytes) -> None:
    flip(folder, where)
    with pytest.raises(StoreDamaged, match="checksum"):
        load(folder)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("DELETE FROM log WHERE seq = 8", id="the last entry is gone"),
        pytest.param("DELETE FROM log WHERE seq = 6", id="the first entry after the snapshot is gone"),
        pytest.param("DELETE FROM log WHERE seq = 7", id="an entry in the middle is gone"),
        pytest.param("DELETE FROM log WHERE seq = 5", id="an entry that is kept for those who come back is gone"),
        pytest.param("DELETE FROM log WHERE document_id = 1", id="the log is gone"),
        pytest.param("DELETE FROM snapshot", id="the snapshot is gone"),
        pytest.param("UPDATE log SET seq = 9 WHERE seq = 8", id="an entry has another number"),
        pytest.param("UPDATE log SET crc = crc + 1 WHERE seq = 7", id="a checksum changed"),
        pytest.param("UPDATE log SET payload = x'' WHERE seq = 7", id="an entry is empty"),
        pytest.param("UPDATE snapshot SET crc = 0", id="the snapshot's checksum changed"),
        pytest.param("UPDATE snapshot SET seq = 2", id="the snapshot stands for less"),
        pytest.param("UPDATE snapshot SET seq = 9", id="the snapshot stands for more than there is"),
        pytest.param("UPDATE document SET seq = 7", id="the document is said to be shorter"),
        pytest.param("UPDATE document SET seq = 9", id="the document is said to be longer"),
        pytest.param("UPDATE document SET seq = 4", id="the document is said to end before its snapshot"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_damage(folder: Path, statement: str) -> None:
    change(
        folder, statement + (" AND document_id = 1" if "log" in statement and "document_id" not in statement else "")
    )
    with pytest.raises(StoreDamaged):
        load(folder)


def test_the_oldest_of_the_kept_entries_may_be_missing(folder: Path, whole: Loaded) -> None:
    """Nothing is lost with it: those who come back get a full difference."""
    change(folder, "DELETE FROM log WHERE seq = 4")
    loaded = load(folder)
    assert loaded is not None
    assert list(loaded.covered) == list(whole.covered)[1:]
    assert list(loaded.tail) == list(whole.tail)


def test_damage_of_one_document_leaves_the_others_alone(folder: Path) -> None:
    flip(folder, b"log entry 8")
    loaded = load(folder, "other")
    assert loaded is not None
    assert [entry.update for entry in loaded.tail] == [b"fine"]


def test_a_damaged_row_takes_its_place_in_the_list_and_leaves_theirs_to_the_others(folder: Path) -> None:
    change(folder, "UPDATE document SET title = CAST(x'ff' AS TEXT) WHERE name = 'notes'")
    store = SqliteStore(folder)
    try:
        rows, total = store.list(query="", limit=9, offset=0)
        assert [(row.name, row.is_damaged) for row in rows] == [("other", False), ("notes", True)]
        assert total == 2
        for read in (store.get, store.load):
            with pytest.raises(StoreDamaged):
                read("notes")
    finally:
        store.close()


def test_a_name_that_is_no_text_any_more_is_listed_as_far_as_it_is_one(folder: Path) -> None:
    change(folder, "UPDATE document SET name = CAST(x'6eff746573' AS TEXT) WHERE name = 'notes'")
    store = SqliteStore(folder)
    try:
        rows, _ = store.list(query="", limit=9, offset=0)
        assert [row.name for row in rows if row.is_damaged] == ["n\ufffdtes"]
    finally:
        store.close()


def test_a_share_link_that_is_damaged_is_told(folder: Path) -> None:
    store = SqliteStore(folder)
    try:
        store.put_link(link("a"))
        store._writer.execute("UPDATE link SET label = CAST(x'ff' AS TEXT)")
        with pytest.raises(StoreDamaged):
            store.links("notes")
    finally:
        store.close()


def cuts(folder: Path) -> Iterator[int]:
    size = (folder / FILE_NAME).stat().st_size
    yield from range(0, size, 4096)
    yield from (100, size - 4096 + 1, size - 1)


def test_a_file_that_was_cut_off_is_damage_wherever_it_was_cut(folder: Path, whole: Loaded) -> None:
    data = (folder / FILE_NAME).read_bytes()
    for cut in cuts(folder):
        (folder / FILE_NAME).write_bytes(data[:cut])
        try:
            loaded = load(folder)
        except (StoreError, UsageError):
            continue
        assert loaded == whole, f"cut at {cut}"


def test_a_byte_that_changed_anywhere_never_makes_another_document(folder: Path, whole: Loaded) -> None:
    """Of the content, that is: names, titles and times bear no checksum."""
    data = (folder / FILE_NAME).read_bytes()
    for at in range(13, len(data), 1009):
        (folder / FILE_NAME).write_bytes(data[:at] + bytes([data[at] ^ 0x04]) + data[at + 1 :])
        try:
            loaded = load(folder)
        except (StoreError, UsageError):
            continue
        if loaded is not None:
            assert (loaded.snapshot, list(loaded.tail)) == (whole.snapshot, list(whole.tail)), f"byte {at}"
