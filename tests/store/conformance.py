"""What every Store does, as tests: a store's own file subclasses `StoreConformance` and says how one is made.

A store keeps bytes that it does not look into, so the updates here are words.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import pytest

from collabdoc.errors import StoreError
from collabdoc.store.base import Append, DocumentRow, Entry, LinkRow, RevocationRow, Snapshot, Store

Opener = Callable[[], Store]


class Clock:
    """Milliseconds that pass only when told to."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now_ms

    def tick(self) -> int:
        self.now_ms += 1000
        return self.now_ms


class StoreConformance(ABC):
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    @abstractmethod
    def reopen(self, clock: Clock) -> Iterator[Opener]:
        """Opens the one store under test; what was open before is closed first."""

    @pytest.fixture
    def store(self, reopen: Opener) -> Store:
        return reopen()

    # The log

    def test_what_is_appended_is_loaded_in_order(self, store: Store) -> None:
        store.create("notes")
        assert store.append([Append("notes", [b"a", b"b"])]) == [2]
        assert store.append([Append("notes", [b"c"])]) == [3]
        assert log_of(store, "notes") == [(1, b"a"), (2, b"b"), (3, b"c")]

    def test_a_new_document_is_empty_and_has_an_epoch(self, store: Store, clock: Clock) -> None:
        row, made = store.create("notes", title="My notes", kind="text")
        assert made
        assert row == DocumentRow("notes", row.epoch, "My notes", "text", 0, clock.now_ms, clock.now_ms)
        assert len(row.epoch) == 16
        assert int(row.epoch, 16) >= 0
        loaded = store.load("notes")
        assert loaded is not None
        assert (loaded.row, loaded.snapshot, loaded.snapshot_seq) == (row, None, 0)
        assert (list(loaded.tail), list(loaded.covered)) == ([], [])

    def test_one_commit_may_hold_many_documents(self, store: Store) -> None:
        for name in ("one", "two"):
            store.create(name)
        store.append([Append("two", [b"x"])])
        assert store.append([Append("one", [b"a"]), Append("two", [b"y", b"z"])]) == [1, 3]
        assert log_of(store, "one") == [(1, b"a")]
        assert log_of(store, "two") == [(1, b"x"), (2, b"y"), (3, b"z")]

    def test_appending_to_no_document_is_said_and_costs_the_others_nothing(self, store: Store) -> None:
        store.create("notes")
        appends = [Append("nowhere", [b"b"]), Append("notes", [b"a"], ("Title", "text")), Append("nor here", [b"c"])]
        assert store.append(appends) == [None, 1, None]
        assert log_of(store, "notes") == [(1, b"a")]
        assert store.get("nowhere") is None

    def test_bytes_come_back_as_they_were(self, store: Store) -> None:
        store.create("notes")
        updates = [b"", b"\x00", bytes(range(256)), b"\xff" * 1_000_000]
        store.append([Append("notes", updates)])
        assert [update for _, update in log_of(store, "notes")] == updates

    def test_everything_is_there_after_a_restart(self, reopen: Opener, clock: Clock) -> None:
        store = reopen()
        row, _ = store.create("notes", title="T", kind="rich")
        changed_ms = clock.tick()
        store.append([Append("notes", [b"a", b"b"])])
        store.put_snapshot(snapshot(row, 1, b"A"), keep_entries=0, keep_bytes=0)
        store = reopen()
        loaded = store.load("notes")
        assert loaded is not None
        assert loaded.row == DocumentRow("notes", row.epoch, "T", "rich", 2, row.created_ms, changed_ms)
        assert (loaded.snapshot, loaded.snapshot_seq, list(loaded.tail)) == (b"A", 1, [Entry(2, b"b")])

    def test_not_found_is_an_answer(self, store: Store) -> None:
        assert store.load("nowhere") is None
        assert store.get("nowhere") is None

    def test_names_are_told_apart_to_the_letter(self, store: Store) -> None:
        names = ["a", "A", "ä", "a\u0308", "a/b", "a/B", "a%2Fb", "日本語"]
        for name in names:
            assert store.create(name)[1]
            store.append([Append(name, [name.encode()])])
        assert [log_of(store, name) for name in names] == [[(1, name.encode())] for name in names]

    # Lives of a document

    def test_a_document_is_created_once(self, store: Store) -> None:
        first, made = store.create("notes", title="T", kind="text")
        again, made_again = store.create("notes", title="Other", kind="rich")
        assert (made, made_again) == (True, False)
        assert again == first

    def test_a_deleted_document_is_gone_with_its_log_and_snapshot(self, store: Store) -> None:
        row, _ = store.create("notes")
        store.append([Append("notes", [b"a", b"b"])])
        store.put_snapshot(snapshot(row, 1, b"A"), keep_entries=1, keep_bytes=100)
        assert store.delete("notes")
        assert not store.delete("notes")
        assert store.load("notes") is None
        assert store.list(query="", limit=10, offset=0) == ([], 0)

    def test_a_document_made_anew_has_another_epoch_and_begins_at_one(self, store: Store) -> None:
        before, _ = store.create("notes", title="T", kind="text")
        store.append([Append("notes", [b"a", b"b"])])
        store.put_snapshot(snapshot(before, 2, b"A"), keep_entries=1, keep_bytes=100)
        store.delete("notes")
        after, made = store.create("notes")
        assert made
        assert after.epoch != before.epoch
        assert (after.seq, after.title, after.kind) == (0, "", "")
        assert store.append([Append("notes", [b"c"])]) == [1]
        assert log_of(store, "notes") == [(1, b"c")]

    # Snapshots

    def test_a_snapshot_stands_for_the_log_up_to_it(self, store: Store) -> None:
        row, _ = store.create("notes")
        store.append([Append("notes", [b"a", b"b", b"c"])])
        assert store.put_snapshot(snapshot(row, 2, b"AB"), keep_entries=0, keep_bytes=0)
        loaded = store.load("notes")
        assert loaded is not None
        assert (loaded.snapshot, loaded.snapshot_seq) == (b"AB", 2)
        assert (list(loaded.tail), list(loaded.covered)) == ([Entry(3, b"c")], [])
        assert loaded.row.seq == 3

    def test_numbers_go_on_after_a_snapshot_of_everything(self, store: Store) -> None:
        row, _ = store.create("notes")
        store.append([Append("notes", [b"a", b"b"])])
        store.put_snapshot(snapshot(row, 2, b"AB"), keep_entries=0, keep_bytes=0)
        assert store.append([Append("notes", [b"c"])]) == [3]
        assert log_of(store, "notes") == [(3, b"c")]

    def test_a_newer_snapshot_takes_the_place_of_the_older(self, store: Store) -> None:
        row, _ = store.create("notes")
        store.append([Append("notes", [b"a", b"b", b"c"])])
        store.put_snapshot(snapshot(row, 1, b"A"), keep_entries=0, keep_bytes=0)
        store.put_snapshot(snapshot(row, 3, b"ABC"), keep_entries=0, keep_bytes=0)
        loaded = store.load("notes")
        assert loaded is not None
        assert (loaded.snapshot, loaded.snapshot_seq, list(loaded.tail)) == (b"ABC", 3, [])

    def test_an_older_snapshot_never_takes_the_place_of_a_newer(self, store: Store) -> None:
        """The entries between the two may be gone: the document would be shorter."""
        row, _ = store.create("notes")
        store.append([Append("notes", [b"a", b"b", b"c"])])
        store.put_snapshot(snapshot(row, 3, b"ABC"), keep_entries=0, keep_bytes=0)
        assert store.put_snapshot(snapshot(row, 1, b"A"), keep_entries=0, keep_bytes=0)
        loaded = store.load("notes")
        assert loaded is not None
        assert (loaded.snapshot, loaded.snapshot_seq) == (b"ABC", 3)

    def test_a_snapshot_of_what_is_not_there_is_our_own_fault(self, store: Store) -> None:
        row, _ = store.create("notes")
        with pytest.raises(AssertionError):
            store.put_snapshot(snapshot(row, 1, b"A"), keep_entries=0, keep_bytes=0)
        loaded = store.load("notes")
        assert loaded is not None
        assert loaded.snapshot is None

    @pytest.mark.parametrize(
        ("keep_entries", "keep_bytes", "kept"),
        [
            pytest.param(0, 100, [], id="no entries"),
            pytest.param(2, 100, [3, 4], id="the newest by number"),
            pytest.param(9, 100, [1, 2, 3, 4], id="all there are"),
            pytest.param(9, 5, [3, 4], id="the newest by bytes"),
            pytest.param(9, 6, [2, 3, 4], id="bytes to the brim"),
            pytest.param(9, 2, [], id="the newest is too large"),
            pytest.param(1, 3, [4], id="both"),
        ],
    )
    def test_the_newest_entries_stay_for_those_who_come_back(
        self, store: Store, keep_entries: int, keep_bytes: int, kept: list[int]
    ) -> None:
        row, _ = store.create("notes")
        store.append([Append("notes", [b"a", b"b", b"cc", b"ddd", b"tail"])])
        store.put_snapshot(snapshot(row, 4, b"S"), keep_entries=keep_entries, keep_bytes=keep_bytes)
        loaded = store.load("notes")
        assert loaded is not None
        assert [entry.seq for entry in loaded.covered] == kept
        assert [entry.seq for entry in loaded.tail] == [5]

    def test_what_was_kept_is_trimmed_by_the_next_snapshot(self, store: Store) -> None:
        row, _ = store.create("notes")
        store.append([Append("notes", [b"a", b"b", b"c", b"d"])])
        store.put_snapshot(snapshot(row, 3, b"S"), keep_entries=2, keep_bytes=100)
        store.put_snapshot(snapshot(row, 4, b"T"), keep_entries=2, keep_bytes=100)
        loaded = store.load("notes")
        assert loaded is not None
        assert list(loaded.covered) == [Entry(3, b"c"), Entry(4, b"d")]

    def test_a_snapshot_of_another_life_is_not_taken(self, store: Store) -> None:
        row, _ = store.create("notes")
        store.append([Append("notes", [b"a"])])
        store.delete("notes")
        assert not store.put_snapshot(snapshot(row, 1, b"A"), keep_entries=0, keep_bytes=0)
        store.create("notes")
        store.append([Append("notes", [b"b"])])
        assert not store.put_snapshot(snapshot(row, 1, b"A"), keep_entries=0, keep_bytes=0)
        assert log_of(store, "notes") == [(1, b"b")]

    def test_a_snapshot_of_one_document_leaves_the_others_alone(self, store: Store) -> None:
        rows = [store.create(name)[0] for name in ("one", "two")]
        store.append([Append("one", [b"a"]), Append("two", [b"b"])])
        store.put_snapshot(snapshot(rows[0], 1, b"A"), keep_entries=0, keep_bytes=0)
        assert log_of(store, "two") == [(1, b"b")]

    # Lists

    def test_the_list_has_the_most_recently_changed_first(self, store: Store, clock: Clock) -> None:
        for name in ("old", "middle", "new"):
            store.create(name)
            clock.tick()
        assert names(store) == ["new", "middle", "old"]
        store.append([Append("old", [b"a"])])
        assert names(store) == ["old", "new", "middle"]

    def test_documents_of_the_same_moment_keep_their_order_from_page_to_page(self, store: Store) -> None:
        for number in range(7):
            store.create(f"d{number}")
        pages = [names(store, limit=3, offset=offset) for offset in (0, 3, 6, 9)]
        assert pages == [["d6", "d5", "d4"], ["d3", "d2", "d1"], ["d0"], []]

    def test_the_total_is_that_of_all_pages(self, store: Store) -> None:
        for number in range(5):
            store.create(f"d{number}")
        assert store.list(query="", limit=2, offset=4)[1] == 5
        assert store.list(query="d3", limit=2, offset=0)[1] == 1
        assert store.list(query="", limit=0, offset=0) == ([], 5)

    def test_title_and_kind_change_with_the_edits_that_changed_them(self, store: Store) -> None:
        store.create("notes", title="Before", kind="text")
        store.append([Append("notes", [b"a"], ("After", "rich"))])
        row = store.get("notes")
        assert row is not None
        assert (row.title, row.kind) == ("After", "rich")
        store.append([Append("notes", [b"b"])])
        row = store.get("notes")
        assert row is not None
        assert (row.title, row.kind, row.seq) == ("After", "rich", 2)
        assert [names(store, query=query) for query in ("before", "after")] == [[], ["notes"]]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("plan", True),
            ("PLAN", True),
            ("für", True),
            ("FÜR", True),
            ("STRASSE", True),
            ("straße", True),
            ("team/", True),
            ("ΟΔΌΣ", True),
            ("100%", True),
            ("a_b", True),
            ("back\\slash", True),
            ("'quoted\"", True),
            ("", True),
            ("1%0", False),
            ("a%b", False),
            ("axb", False),
            ("_", True),
            ("%", True),
            ("\\%", False),
            ("plan\nteam", False),
            ("nothing", False),
        ],
    )
    def test_search_finds_what_is_written_whatever_its_case(self, store: Store, query: str, found: bool) -> None:
        store.create("team/notes", title="Plan für die Hauptstraße, ὁδός ΟΔΌΣ 100% a_b back\\slash 'quoted\"")
        assert names(store, query=query) == (["team/notes"] if found else [])

    def test_a_wildcard_in_a_search_is_a_letter_like_others(self, store: Store) -> None:
        store.create("axb")
        store.create("a_b")
        assert names(store, query="a_b") == ["a_b"]
        assert names(store, query="%") == []

    # Share links

    def test_a_link_comes_back_as_it_was(self, reopen: Opener) -> None:
        store = reopen()
        store.create("notes/ä")
        rows = [
            LinkRow("aa", "notes/ä", bytes(range(32)), 3, "für Bob", "Ana", 1_700_000_000_000, 1_800_000_000_000),
            LinkRow("ab", "notes/ä", b"", 1, "", "", 1_700_000_000_001, None),
        ]
        assert [store.put_link(row) for row in rows] == [True, True]
        store = reopen()
        assert list(store.links("notes/ä")) == rows[::-1]
        assert sorted(store.find_links(["ab", "aa"]), key=lambda row: row.id) == rows

    def test_links_are_listed_newest_first_those_of_one_moment_as_they_came(self, store: Store) -> None:
        store.create("notes")
        for link_id, created_ms in (("b", 5), ("a", 5), ("c", 4)):
            store.put_link(link(link_id, created_ms=created_ms))
        assert [row.id for row in store.links("notes")] == ["a", "b", "c"]

    def test_no_document_no_link(self, store: Store) -> None:
        assert not store.put_link(link("a"))
        assert list(store.links("notes")) == list(store.find_links(["a"])) == []

    def test_a_link_id_is_used_once(self, store: Store) -> None:
        store.create("notes")
        store.create("other")
        store.put_link(link("a"))
        with pytest.raises(StoreError):
            store.put_link(link("a", document="other"))
        assert list(store.links("other")) == []
        assert list(store.links("notes")) == [link("a")]

    def test_unknown_links_are_left_out(self, store: Store) -> None:
        store.create("notes")
        store.put_link(link("a"))
        assert list(store.find_links(["x", "a", "A", "'"])) == [link("a")]
        assert list(store.find_links([])) == []

    def test_a_link_is_deleted_by_its_document_alone(self, store: Store) -> None:
        store.create("notes")
        store.create("other")
        store.put_link(link("a"))
        assert not store.delete_link("other", "a")
        assert not store.delete_link("nowhere", "a")
        assert store.delete_link("notes", "a")
        assert not store.delete_link("notes", "a")
        assert list(store.find_links(["a"])) == []

    def test_a_links_life_is_its_documents(self, store: Store) -> None:
        store.create("notes")
        store.create("other")
        store.put_link(link("a"))
        store.put_link(link("b", document="other"))
        store.delete("notes")
        store.create("notes")
        assert list(store.find_links(["a", "b"])) == [link("b", document="other")]
        assert list(store.links("notes")) == []

    def test_links_that_have_ended_are_still_told_of_until_the_next_is_made(self, store: Store) -> None:
        store.create("notes")
        store.create("other")
        ended = [link("a", expires_ms=10), link("b", document="other", expires_ms=10)]
        for row in ended:
            store.put_link(row)
        assert list(store.links("notes")) == ended[:1]
        lasting = [link("c", created_ms=9, expires_ms=11), link("d", created_ms=9)]
        for row in lasting:
            store.put_link(row)
        assert [row.id for row in store.links("notes")] == ["d", "c", "a"]
        store.put_link(link("e", created_ms=10))
        assert [row.id for row in store.links("notes")] == ["e", "d", "c"]
        assert list(store.links("other")) == ended[1:], "another document's are left alone"

    def test_links_that_have_not_ended_are_counted(self, store: Store) -> None:
        for document in ("notes", "other", "third"):
            store.create(document)
        for number, (document, expires_ms) in enumerate(
            [("notes", None), ("notes", 11), ("notes", 10), ("other", 10), ("third", None)]
        ):
            store.put_link(link(f"{number}", document=document, expires_ms=expires_ms))
        assert store.count_links(["notes", "other", "nowhere"], now_ms=10) == {"notes": 2}
        assert store.count_links([], now_ms=10) == {}

    # Revocations

    def test_revocations_are_kept_by_kind_and_value(self, reopen: Opener) -> None:
        store = reopen()
        rows = [RevocationRow("user", "ana", 5.25), RevocationRow("token", "ana", 6.0), RevocationRow("user", "Ä'", 7)]
        for row in rows:
            store.put_revocation(row)
        assert set(reopen().revocations()) == set(rows)

    def test_the_latest_revocation_of_somebody_counts(self, store: Store) -> None:
        for before_s in (5.0, 9.0, 7.0):
            store.put_revocation(RevocationRow("user", "ana", before_s))
        assert list(store.revocations()) == [RevocationRow("user", "ana", 9.0)]

    # Failing

    def test_a_store_that_can_be_written_says_so_and_changes_nothing(self, store: Store) -> None:
        store.create("notes")
        before = store.get("notes")
        store.check_writable()
        assert store.get("notes") == before


def snapshot(row: DocumentRow, seq: int, payload: bytes) -> Snapshot:
    return Snapshot(row.name, row.epoch, seq, payload)


def link(link_id: str, *, document: str = "notes", created_ms: int = 1, expires_ms: int | None = None) -> LinkRow:
    return LinkRow(link_id, document, b"hash of " + link_id.encode(), 1, "", "ana", created_ms, expires_ms)


def log_of(store: Store, name: str) -> list[tuple[int, bytes]]:
    loaded = store.load(name)
    assert loaded is not None
    return [(entry.seq, entry.update) for entry in loaded.tail]


def names(store: Store, *, query: str = "", limit: int = 50, offset: int = 0) -> list[str]:
    rows, _ = store.list(query=query, limit=limit, offset=offset)
    return [row.name for row in rows]
