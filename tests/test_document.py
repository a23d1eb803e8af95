"""A document's content: what it takes, gives, and makes of a log."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Map, Text, get_update

from collabdoc.document import (
    EMPTY_UPDATE,
    MAX_TITLE_CHARACTERS,
    Document,
    Meta,
    compact,
    make_meta,
    make_update,
    merge,
)
from collabdoc.errors import CollabdocError, DocumentBroken, Malformed, MissingDependencies
from collabdoc.protocol.lib0 import read_state_vector, write_state_vector
from collabdoc.protocol.update import has_structs, state_vector_before
from collabdoc.replica import Replica
from tests.protocol.crafting import after, first, garbage, section, string, uint, update


class Typist:
    """Somebody with a replica, whose edits go to a log as they were made."""

    def __init__(self, client: int, log: list[bytes]) -> None:
        self.doc: Doc[Any] = Doc(client_id=client)
        self._own = self.doc.observe(self._note)
        self._hears = False
        self._log = log

    def types(self, text: str) -> "Typist":
        self.text.insert(0, text)
        return self

    def deletes(self, start: int, end: int) -> "Typist":
        del self.text[start:end]
        return self

    def titles(self, title: str) -> "Typist":
        self.doc.get("meta", type=Map)["title"] = title
        return self

    def hears(self, updates: list[bytes]) -> "Typist":
        self._hears = True
        for each in updates:
            self.doc.apply_update(each)
        self._hears = False
        return self

    @property
    def text(self) -> Text:
        text: Text = self.doc.get("content", type=Text)
        return text

    def _note(self, event: Any) -> None:
        if not self._hears:
            self._log.append(event.update)


def content(update_: bytes) -> str:
    doc: Doc[Any] = Doc()
    doc.apply_update(update_)
    return str(doc.get("content", type=Text))


def take(document: Document, updates: list[bytes]) -> list[bool]:
    return [document.apply(each, document.check(each)) for each in updates]


# Loading and applying


def test_a_log_of_short_updates_is_loaded_in_a_step_or_two_for_each() -> None:
    log = [update(section(1, clock, first("a") if clock == 0 else after(1, clock - 1, "a"))) for clock in range(50)]
    assert sum(1 for _ in Document().load(EMPTY_UPDATE, log)) >= 2 * len(log)


def test_a_document_is_its_snapshot_and_the_tail_after_it() -> None:
    log: list[bytes] = []
    Typist(1, log).types("c").types("b").types("a")
    document = Document(merge(log[:1]), log[1:])
    assert content(document.diff(b"\x00")) == "abc"
    assert document.clocks == {1: 3}


def test_a_new_document_is_empty() -> None:
    assert Document().diff(b"\x00") == EMPTY_UPDATE
    assert Document().clocks == {}
    assert Document().state_vector() == b"\x00"


def test_an_update_is_new_once() -> None:
    log: list[bytes] = []
    Typist(1, log).types("abc").deletes(0, 1)
    document = Document()
    assert take(document, log) == [True, True]
    assert take(document, log) == [False, False]
    assert take(document, [merge(log), EMPTY_UPDATE]) == [False, False]


def test_an_update_that_is_new_in_part_is_new() -> None:
    log: list[bytes] = []
    Typist(1, log).types("a").types("b")
    document = Document(log[0])
    assert take(document, [merge(log)]) == [True]
    assert document.clocks == {1: 2}


def test_a_delete_is_new_although_it_moves_no_clock() -> None:
    log: list[bytes] = []
    Typist(1, log).types("abc").deletes(0, 1)
    document = Document(log[0])
    assert not has_structs(log[1])
    assert take(document, [log[1]]) == [True]
    assert document.clocks == {1: 3}


def test_an_update_out_of_order_is_missing_what_it_builds_on() -> None:
    log: list[bytes] = []
    Typist(1, log).types("a").types("b").deletes(0, 2)
    document = Document()
    for early in log[1:]:
        with pytest.raises(MissingDependencies):
            document.check(early)
    assert take(document, log) == [True, True, True]


def test_clocks_are_those_of_pycrdt() -> None:
    log: list[bytes] = []
    anna, ben = Typist(1, log), Typist(2**53 - 1, log)
    anna.types("ä😀")
    ben.hears(log).types("x").deletes(0, 1)
    document = Document()
    take(document, log)
    assert read_state_vector(document.state_vector(), max_clients=9) == document.clocks == {1: 3, 2**53 - 1: 1}


def test_a_failure_within_pycrdt_breaks_the_document_and_not_the_process() -> None:
    document = Document(update(section(1, 0, first("text"))))
    in_text = update(section(2, 0, b"\x04\x00\x01\x01\x01x"))  # its parent is a letter
    with pytest.raises(DocumentBroken, match="applying an update"):
        document.apply(in_text, document.check(in_text))


def test_bytes_that_are_no_update_do_not_load() -> None:
    with pytest.raises(DocumentBroken, match="loading"):
        Document(b"\xff\xff")


def test_a_state_vector_that_pycrdt_cannot_read_breaks_nothing_else() -> None:
    document = Document(update(section(1, 0, first("text"))))
    with pytest.raises(CollabdocError):
        document.diff(b"\x05")
    assert content(document.diff(b"\x00")) == ""
    assert document.clocks == {1: 4}


def test_what_was_taken_live_loads_again() -> None:
    """Below a deleted letter yrs takes an edit, though not in the same transaction as the letter's delete."""
    log = [
        update(section(1, 0, first("a"))),
        update(deletes={1: [(0, 1)]}),
        update(section(2, 0, b"\x04\x00\x01\x00\x01x")),
    ]
    document = Document()
    assert take(document, log) == [True, True, True]
    assert Document(EMPTY_UPDATE, log).diff(b"\x00") == document.diff(b"\x00") == compact(EMPTY_UPDATE, log)


# Large updates, in pieces


def offline(keystrokes: int, *, client: int = 1) -> bytes:
    """What somebody sends whose editor kept each keystroke apart."""
    return update(section(client, 0, first("x"), *(after(client, clock, "x") for clock in range(keystrokes - 1))))


def test_a_large_update_is_new_once_and_is_what_it_is_whole() -> None:
    large = merge([offline(500), update(deletes={1: [(100, 300)]})])
    document = Document()
    assert take(document, [large, large]) == [True, False]
    whole: Doc[Any] = Doc()
    whole.apply_update(large)
    assert document.diff(b"\x00") == whole.get_update()
    assert document.clocks == {1: 500}


@pytest.mark.parametrize("delete", [[], [update(deletes={1: [(0, 9)]})]], ids=["in the middle", "at the end"])
def test_a_large_update_that_is_new_in_one_piece_is_new(delete: list[bytes]) -> None:
    known = 400 if delete else 399
    document = Document(EMPTY_UPDATE, [offline(known)])
    assert take(document, [merge([offline(400), *delete])]) == [True]


def test_thirty_thousand_keystrokes_are_taken_and_loaded_in_a_moment() -> None:
    large = offline(30_000)
    started = time.process_time()
    document = Document()
    take(document, [large])
    assert Document(EMPTY_UPDATE, [large]).clocks == document.clocks == {1: 30_000}
    assert time.process_time() - started < 0.8  # some 0.15 s; whole, 0.9 s each


def test_a_failure_in_a_later_piece_breaks_the_document() -> None:
    """What came before it is in the document, which is to be thrown away, and never gets into the log."""
    document = Document(update(section(1, 0, first("text"))))
    letters = [after(2, clock, "x") for clock in range(300)]
    in_text = b"\x04\x00\x01\x01\x01x"  # its parent is a letter
    large = update(section(2, 0, first("x"), *letters, in_text))
    with pytest.raises(DocumentBroken, match="applying an update"):
        document.apply(large, document.check(large))
    assert document.clocks == {1: 4}


def test_what_was_taken_in_pieces_loads_again() -> None:
    """Below a letter that was deleted in the piece before, yrs takes an edit; in one transaction it does not."""
    log = [update(section(1, 0, first("base")))]
    key = b"\x28\x01\x04meta\x01k\x01\x7d\x01"
    over = b"\xa8" + b"\x02\x00" + b"\x01\x7d\x02"
    log.append(update(section(2, 0, key)))
    log.append(update(section(3, 0, over, *(garbage(1) for _ in range(300)), b"\x04\x00\x02\x00\x01x")))
    document = Document()
    assert take(document, log) == [True, True, True]
    assert Document(EMPTY_UPDATE, log).diff(b"\x00") == document.diff(b"\x00")


def test_a_large_update_that_would_be_refused_today_still_loads() -> None:
    refused = update(section(1, 0, *[garbage(1)] * 300), section(2, 0, b"\x01" + b"\x01\x01t" + b"\x00"))
    assert Document(EMPTY_UPDATE, [refused]).clocks.get(1) == 300


# What a list of documents shows


def test_meta_is_told_at_first_and_after_changes_only() -> None:
    document = Document(make_meta(title="Plan", kind="rich"))
    assert document.take_meta() == Meta("Plan", "rich")
    assert document.take_meta() is None
    log: list[bytes] = []
    Typist(1, log).types("text does not count")
    take(document, log)
    assert document.take_meta() is None
    writer = Typist(2, log).hears([document.diff(b"\x00")])
    writer.titles("Better plan")
    take(document, log[1:])
    assert document.take_meta() == Meta("Better plan", "rich")


@pytest.mark.parametrize(
    ("title", "kind", "expected"),
    [
        (5.0, "rich", Meta("", "rich")),
        (None, None, Meta()),
        ({"a": "b"}, "spreadsheet", Meta()),
        ("x" * 1000, True, Meta("x" * MAX_TITLE_CHARACTERS)),
        (Text("shared"), Map({"a": 1}), Meta()),
        ("", "text", Meta("", "text")),
    ],
)
def test_meta_of_a_strange_shape_is_shown_as_none(title: Any, kind: Any, expected: Meta) -> None:
    def edit(doc: Doc[Any]) -> None:
        doc.get("meta", type=Map).update({"title": title, "kind": kind})

    assert Document(make_update(edit)).take_meta() == expected


def test_a_made_document_says_its_schema_as_a_javascript_number() -> None:
    doc: Doc[Any] = Doc()
    doc.apply_update(make_meta(title="T", kind="text"))
    schema = doc.get("meta", type=Map)["schema"]
    assert (schema, type(schema)) == (1.0, float)


def test_a_map_of_thousands_of_keys_is_not_looked_through_for_a_title() -> None:
    document = Document(make_meta(title="Plan", kind="rich"))
    document.take_meta()
    log: list[bytes] = []
    writer = Typist(2, log).hears([document.diff(b"\x00")])
    writer.doc.get("meta", type=Map).update({f"key {number}": 1.0 for number in range(1001)} | {"title": "Other"})
    take(document, log)
    assert document.take_meta() is None


# Differences


def test_a_difference_brings_a_replica_up_to_date_with_deletes() -> None:
    log: list[bytes] = []
    Typist(1, log).types("world").types("hello ").deletes(0, 1)
    document = Document(EMPTY_UPDATE, log)
    reader: list[bytes] = []
    behind = Typist(2, reader).hears(log[:1])
    behind.hears([document.diff(behind.doc.get_state())])
    assert str(behind.text) == "ello world"


def test_the_state_before_some_updates_gets_a_difference_that_holds_them() -> None:
    log: list[bytes] = []
    document = Document()
    anna, ben = Typist(1, log), Typist(2, log)
    anna.types("one")
    infos = [document.check(log[0])]
    take(document, log)
    ben.hears(log).types("two")
    anna.types("three").deletes(0, 2)
    for each in log[1:]:
        infos.append(document.check(each))
        take(document, [each])
    before = state_vector_before(document.clocks, infos[1:])
    assert read_state_vector(before, max_clients=9) == {1: 3}
    reader = Typist(3, []).hears(log[:1]).hears([document.diff(before)])
    assert content(reader.doc.get_update()) == content(document.diff(b"\x00"))
    assert state_vector_before(document.clocks, infos) == b"\x00"


# Merging and compaction


@pytest.mark.parametrize("count", [0, 1, 2, 99, 100, 101, 250])
def test_a_merged_log_says_what_the_log_says(count: int) -> None:
    log: list[bytes] = []
    typist = Typist(1, log)
    for number in range(count):
        typist.types(chr(ord("a") + number % 26))
    assert content(merge(log)) == str(typist.text)
    assert len(str(typist.text)) == count


def test_merging_many_updates_takes_linear_time() -> None:
    log: list[bytes] = []
    typist = Typist(1, log)
    for _ in range(10_000):
        typist.types("x")
    merged = merge(log)  # 50,000 in one go took 15 s
    assert Document(merged).clocks == {1: 10_000}


def test_compaction_collects_what_was_deleted() -> None:
    log: list[bytes] = []
    Typist(1, log).types("x" * 1000).deletes(0, 999)
    snapshot = compact(EMPTY_UPDATE, log)
    assert content(snapshot) == "x"
    assert len(snapshot) < 60


def test_compaction_collects_also_where_two_set_a_title_at_once() -> None:
    """The title that lost is deleted by the document itself; no log says so."""
    log: list[bytes] = []
    anna, ben = Typist(1, log).titles("A"), Typist(2, log).titles("B")
    anna.hears(log).types("x" * 1000).deletes(0, 1000)
    snapshot = compact(EMPTY_UPDATE, log)
    assert len(snapshot) < 100
    assert Document(snapshot).take_meta() == Document(EMPTY_UPDATE, log).take_meta() == Meta("B")
    assert ben.hears([snapshot]).doc.get_update() == snapshot


def test_compaction_keeps_what_waits_for_its_dependencies() -> None:
    """`Doc.get_update` drops both; a log from elsewhere may hold them."""
    log: list[bytes] = []
    Typist(1, log).types("c").types("b").types("a").deletes(1, 2)
    late = log.pop(1)
    snapshot = compact(log[0], log[1:])
    assert content(merge([snapshot, late])) == "ac"


def test_compaction_keeps_a_delete_that_waits() -> None:
    log: list[bytes] = []
    Typist(1, log).types("abc").deletes(1, 2)
    assert content(merge([compact(EMPTY_UPDATE, log[1:]), log[0]])) == "ac"


def test_compaction_of_a_compaction_changes_nothing() -> None:
    log: list[bytes] = []
    Typist(1, log).types("abc").deletes(0, 1).titles("T")
    snapshot = compact(EMPTY_UPDATE, log)
    assert compact(snapshot, []) == snapshot
    assert compact(snapshot, log) == snapshot


def test_an_edit_that_claims_the_clocks_of_another_never_gets_into_a_snapshot() -> None:
    """The document has what came first; merging the log could take the other."""
    base = update(section(1, 0, first("first")), section(2, 0, after(1, 4, "!")))
    claim = update(section(1, 0, b"\x04\x01\x07content\x05other", after(1, 4, "?")))
    document = Document(base)
    assert take(document, [claim]) == [True]
    snapshot = compact(base, [claim])
    assert Document(snapshot).diff(b"\x00") == document.diff(b"\x00")


def test_a_snapshot_that_does_not_load_to_the_same_is_not_taken() -> None:
    """pycrdt loses count where a surrogate pair is cut: such a log stays as it is."""
    pair, cut = update(section(1, 0, first("a😀b"))), update(deletes={1: [(1, 1)]})
    with pytest.raises(DocumentBroken, match="does not load"):
        compact(pair, [cut])


def test_bytes_that_are_no_update_do_not_compact() -> None:
    with pytest.raises(DocumentBroken, match="compacting"):
        compact(EMPTY_UPDATE, [b"\x01"])


_STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["types", "deletes", "titles", "hears"]), st.integers(0, 30)),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(_STEPS)
def test_whatever_people_did_a_snapshot_holds_it_and_all_agree(steps: list[tuple[int, str, int]]) -> None:
    log: list[bytes] = []
    people = [Typist(client, log) for client in (1, 2, 3)]
    for who, what, number in steps:
        person = people[who]
        length = len(person.text)
        match what:
            case "types":
                person.types(f"<{number}>")
            case "deletes" if length:
                start = number % length
                person.deletes(start, min(length, start + 3))
            case "titles":
                person.titles(str(number))
            case "hears":
                person.hears(log)
    document = Document()
    take(document, log)
    middle = len(log) // 2
    snapshot = compact(compact(EMPTY_UPDATE, log[:middle]), log[middle:])
    # Loaded once more: pycrdt leaves two structs apart now and then that it joins when it reads them.
    for same in (
        document.diff(b"\x00"),
        compact(EMPTY_UPDATE, log),
        *(each.hears(log).doc.get_update() for each in people),
    ):
        assert compact(EMPTY_UPDATE, [same]) == compact(EMPTY_UPDATE, [snapshot])
    assert get_update(snapshot, write_state_vector(document.clocks))[:1] == b"\x00"


# A client's replica


def test_a_replica_tells_of_its_owners_edits_and_not_of_others() -> None:
    said: list[bytes] = []
    replica = Replica(said.append)
    replica.apply(make_meta(title="T", kind="text"))
    assert said == []
    replica.doc.get("content", type=Text).insert(0, "mine")
    assert [content(merge([each])) for each in said] == ["mine"]
    assert content(replica.diff(b"\x00")) == "mine"
    assert read_state_vector(replica.state_vector(), max_clients=9)


def test_a_replica_that_was_given_rubbish_still_tells_of_its_owners_edits() -> None:
    said: list[bytes] = []
    replica = Replica(said.append)
    with pytest.raises(DocumentBroken):
        replica.apply(b"\xff")
    replica.doc.get("content", type=Text).insert(0, "mine")
    assert len(said) == 1


@pytest.mark.parametrize(
    ("made", "expected"),
    [(EMPTY_UPDATE, False), (update(deletes={1: [(0, 1)]}), False), (update(section(1, 0, garbage(1))), True)],
)
def test_an_update_has_structs_or_only_deletes(made: bytes, expected: bool) -> None:
    assert has_structs(made) is expected


def test_a_document_holds_what_tells_it_nothing_new() -> None:
    doc: Doc[Any] = Doc(client_id=1)
    text = doc.get("content", type=Text)
    text.insert(0, "hello")
    document = Document(doc.get_update())
    assert document.holds(EMPTY_UPDATE)
    assert document.holds(doc.get_update())
    assert not document.holds(b"\x00")
    state = doc.get_state()
    del text[1:3]
    deletion, whole = doc.get_update(state), doc.get_update()
    assert not document.holds(deletion)
    assert not document.holds(whole)
    document.apply(deletion, document.check(deletion))
    assert document.holds(deletion)
    assert document.holds(whole)
    text.insert(0, "more ")
    assert not document.holds(doc.get_update(state))


def test_a_replica_takes_a_long_offline_edit_in_pieces() -> None:
    author: Doc[Any] = Doc(client_id=7)
    text = author.get("content", type=Text)
    for number in range(3_000):
        text.insert(number, "x")
        text.insert(0, "y")
    replica = Replica(lambda _: None)
    pieces: list[object] = []
    watched = replica.doc.get("content", type=Text)
    watched.observe(lambda _, transaction: pieces.append(transaction.origin))
    replica.apply(author.get_update(), origin="somebody")
    assert str(replica.text()) == "y" * 3_000 + "x" * 3_000
    assert len(pieces) > 10
    assert set(pieces) == {"somebody"}


def test_an_observer_that_fails_does_not_keep_a_replica_from_what_others_do(caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica(lambda _: None)
    watched = replica.doc.get("content", type=Text)
    watched.observe(lambda _: 1 / 0)
    replica.apply(make_update(lambda doc: doc.get("content", type=Text).insert(0, "a")))
    replica.apply(make_update(lambda doc: doc.get("content", type=Text).insert(0, "b")))
    assert set(str(replica.text())) == {"a", "b"}
    assert "ZeroDivisionError" in caplog.text


def test_of_a_document_that_an_edit_claims_whole_only_the_beginning_is_read() -> None:
    structs = 20_000
    before = (b"\x44\x01" + uint(number) + b"\x01a" for number in range(structs - 1))
    document = Document(update(section(1, 0, first("a"), *before)))
    claims = [
        update(section(1, 0, b"\x01\x01\x01u" + uint(structs + 1))),
        update(section(1, 0, garbage(structs + 1))),
        update(section(1, 5, b"\x41\x01\x04" + uint(structs))),
    ]
    for claim, is_taken in zip(claims, (False, True, True), strict=True):
        began_s = time.thread_time()
        if is_taken:
            document.check(claim)
        else:
            with pytest.raises(Malformed, match="elsewhere"):
                document.check(claim)
        assert time.thread_time() - began_s < 0.01  # when all of it was read, 0.018 s


def test_what_an_edit_has_in_part_is_compared_while_another_is_half_taken() -> None:
    document = Document(update(section(1, 0, first("abc"))))
    large = update(section(9, 0, first("x"), *(b"\x44\x09" + uint(number) + b"\x01x" for number in range(300))))
    info = document.check(large)
    pieces = iter(info.cut(large))
    document.apply_piece(next(pieces), info)
    good = update(section(1, 0, first("abcd")))
    document.apply(good, document.check(good))
    with pytest.raises(Malformed, match="elsewhere"):
        document.check(update(section(1, 3, b"\x84\x01\x00" + string("de"))))
    for piece in pieces:
        document.apply_piece(piece, info)
    assert document.end_pieces(info, deleted=False)
    assert document.clocks == {1: 4, 9: 301}
