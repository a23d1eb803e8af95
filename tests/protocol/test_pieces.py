"""Large updates in pieces: each is an update that can be taken, and all together lead to the same document."""

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlFragment, merge_updates

from collabdoc.document import Document, compact
from collabdoc.errors import DocumentBroken, Malformed
from collabdoc.protocol import pieces, structs
from collabdoc.protocol.lib0 import read_state_vector
from collabdoc.protocol.pieces import SHORT_BYTES, WHOLE_JUMPS, WHOLE_RANGES, WHOLE_STRUCTS
from collabdoc.protocol.structs import STEP_STRUCTS
from collabdoc.protocol.update import UpdateInfo, check_update, cut_taken, is_whole
from collabdoc.protocol.values import Parts
from collabdoc.steps import finish
from tests.protocol.company import write_together
from tests.protocol.crafting import ROOT, after, first, garbage, section, string, uint, update

ROOTS: dict[str, Any] = {"text": Text, "list": Array, "map": Map, "xml": XmlFragment}


def doc_of(updates: Iterable[bytes]) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    for each in updates:
        doc.apply_update(each)
    return doc


def clocks_of(doc: Doc[Any]) -> dict[int, int]:
    return read_state_vector(doc.get_state(), max_clients=10**6)


def cut(crafted: bytes, clocks: dict[int, int] | None = None) -> list[bytes]:
    return list(check_update(crafted, clocks or {}).cut(crafted))


def check_finely(monkeypatch: pytest.MonkeyPatch, crafted: bytes, clocks: dict[int, int], size: int) -> UpdateInfo:
    monkeypatch.setattr(structs, "STEP_STRUCTS", size)
    monkeypatch.setattr(pieces, "STEP_STRUCTS", size)
    monkeypatch.setattr(pieces, "WHOLE_STRUCTS", 0)
    monkeypatch.setattr(pieces, "isqrt", lambda _: 0)
    return check_update(crafted, clocks)


def test_a_small_update_stays_whole() -> None:
    small = update(section(1, 0, *[garbage(1)] * WHOLE_STRUCTS))
    assert cut(small) == [small]
    waits = update(section(1, 0, after(2, 0, "b")), section(2, 0, first("a")))
    assert cut(waits) == [waits]


def test_a_large_update_comes_in_pieces_and_its_deletes_at_last() -> None:
    count = WHOLE_STRUCTS + 1
    large = update(
        section(1, 0, first("x"), *(after(1, clock, "x") for clock in range(count - 1))), deletes={1: [(5, 9)]}
    )
    *taken, last = cut(large)
    assert [sum(each.count for each in read_sections(piece)) for piece in taken] == [STEP_STRUCTS, STEP_STRUCTS, 1]
    assert last == update(deletes={1: [(5, 9)]})
    assert doc_of([*taken, last]).get_update() == doc_of([large]).get_update()


def test_many_deletes_come_in_pieces() -> None:
    """In one text pycrdt took 0.3 s or more for 74,000 at once, and in a list of 140,000 values 0.4 s for 200."""
    base = [update(section(client, 0, first("a" * 2_000))) for client in (1, 2, 3)]
    ranges = {client: [(clock, 1) for clock in range(0, 2_000, 3)] for client in (1, 2)} | {3: [(5, 9)]}
    many = update(deletes=ranges)
    taken = cut(many, {1: 2_000, 2: 2_000, 3: 2_000})
    assert len(taken) == 2 * 34
    assert doc_of([*base, *taken]).get_update() == doc_of([*base, many]).get_update()
    just_fits = update(deletes={1: ranges[1][:WHOLE_RANGES]})
    assert cut(just_fits, {1: 2_000}) == [just_fits]


def counts(piece: bytes) -> int:
    """How many structs it has."""
    return sum(each.count for each in read_sections(piece))


def ids(taken: Iterable[bytes]) -> list[tuple[int, int]]:
    """What is in the pieces, one struct after the other."""
    return [
        (each.client, each.start + number)  # of one unit each
        for piece in taken
        for each in read_sections(piece)
        for number in range(each.count)
    ]


def read_sections(piece: bytes) -> list[structs.Section]:
    return structs.read_structs(piece, {}, Parts(10**6), with_cuts=False)[0].sections


def test_a_log_that_holds_a_subdocument_is_loaded_in_pieces_as_it_was_taken() -> None:
    subdocument = b"\x09\x01\x01d" + string("guid") + b"\x7e"
    letters = (after(1, clock, "x") for clock in range(WHOLE_STRUCTS))
    large = update(section(2, 0, subdocument), section(1, 0, first("x"), *letters))
    taken = list(cut_taken(large, dict))
    assert len(taken) == 3
    assert clocks_of(doc_of(taken)) == clocks_of(doc_of([large]))


def test_structs_come_after_what_they_refer_to() -> None:
    """Whatever the order of the sections: here each of two clients answers the other at each letter."""
    zigzag = update(
        section(1, 0, *(after(2, clock, "a") for clock in range(WHOLE_STRUCTS))),
        section(2, 0, first("b"), *(after(1, clock, "b") for clock in range(WHOLE_STRUCTS))),
    )
    taken = cut(zigzag)
    assert len(taken) == 2 * WHOLE_STRUCTS + 1
    clocks: dict[int, int] = {}
    for piece in taken:
        clocks |= check_update(piece, clocks).ends
    assert clocks == {1: WHOLE_STRUCTS, 2: WHOLE_STRUCTS + 1}
    assert doc_of(taken).get_update() == doc_of([zigzag]).get_update()


def test_a_piece_of_a_short_update_has_one_struct_that_may_stand_anywhere_and_of_a_long_one_a_few() -> None:
    """pycrdt took 25 ms for each before 140,000 others, and an update of 65 bytes held ten of them."""
    short = update(section(1, 0, *[first("a")] * WHOLE_JUMPS))
    assert cut(short) == [short]
    one_more = update(section(1, 0, *[first("a")] * (WHOLE_JUMPS + 1)))
    assert [counts(piece) for piece in cut(one_more)] == [1] * (WHOLE_JUMPS + 1)
    long = update(section(1, 0, *[first("a")] * 1_000))
    assert len(long) > SHORT_BYTES
    assert [counts(piece) for piece in cut(long)] == [4] * 250
    by_others = update(*(section(client, 0, first("a")) for client in range(1, 1_001)))
    assert [counts(piece) for piece in cut(by_others)] == [4] * 250


def test_what_is_not_worth_a_look_was_taken_whole() -> None:
    jumps = [update(section(1, 0, *[first("a")] * count)) for count in (1, WHOLE_JUMPS, WHOLE_JUMPS + 1)]
    letters = update(section(1, 0, first("a"), *(after(1, clock, "x") for clock in range(9))))
    deletes = [update(deletes={1: [(3 * clock, 1) for clock in range(count)]}) for count in (1, 18, WHOLE_RANGES + 1)]
    assert [is_whole(each) for each in (*jumps, letters, *deletes)] == [True, True, False, False, True, True, False]
    assert list(cut_taken(letters, dict)) == [letters]
    assert [is_whole(b""), is_whole(b"\x01"), is_whole(b"\x02")] == [True, True, False]  # from a broken server


def test_the_order_does_not_depend_on_where_the_pieces_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where one piece deletes what the next one is put into: read back in another order, it may be refused."""
    waits = section(2, 0, *(after(1, 10 * number, "b") for number in range(20)))
    crafted = update(waits, section(1, 0, *[first("a")] * 300))
    coarse = ids(check_update(crafted, {}).cut(crafted))
    monkeypatch.setattr(pieces, "_SOME_STEPS", 7)
    for jumps in (1, 3, 10**6):
        monkeypatch.setattr("collabdoc.protocol.update.step_jumps_of", lambda _, jumps=jumps: jumps)
        assert ids(check_update(crafted, {}).cut(crafted)) == coarse


def test_an_update_that_is_put_into_what_it_deletes_itself_is_refused_and_read_back_where_it_was_taken() -> None:
    """yrs refuses that before it has collected what was deleted, which it does at the end of a piece.

    So the server took it, before its check knew of that, and clients, who get it whole, failed over it.
    """
    value = b"\x28" + ROOT + string("k") + b"\x01\x7d\x01"
    another = b"\xa8" + uint(1) + uint(0) + b"\x01\x7d\x02"
    inside = b"\x08\x00" + uint(1) + uint(0) + b"\x01\x7d\x03"
    crafted = update(section(1, 0, value, another, *[inside] * WHOLE_JUMPS))
    with pytest.raises(DocumentBroken):
        Document(snapshot=crafted)  # in one piece
    with pytest.raises(Malformed, match="into what is no type, at 0 of client 1"):
        Document().check(crafted)
    assert Document(tail=[crafted]).clocks == {1: 2 + WHOLE_JUMPS}
    assert Document(compact(b"\x00\x00", [crafted])).clocks == {1: 2 + WHOLE_JUMPS}


@pytest.mark.parametrize(
    ("parent", "is_taken"),
    [
        (b"\x07" + ROOT + b"\x02", True),
        (b"\x01" + ROOT + uint(3), True),
        (garbage(3), True),
        (b"\x04" + ROOT + string("abc"), False),
        (b"\x08" + ROOT + uint(2) + b"\x7d\x01\x7d\x02", False),
        (b"\x03" + ROOT + uint(1) + b"b", False),
        (b"\x05" + ROOT + string("1"), False),
    ],
    ids=["type", "deleted", "collected", "text", "values", "binary", "embedded"],
)
@pytest.mark.parametrize("comes_later", [False, True])
def test_only_into_what_is_or_was_a_type_an_update_may_put_something(
    parent: bytes, is_taken: bool, comes_later: bool
) -> None:
    inside = b"\x08\x00" + uint(5) + uint(0) + uint(1) + b"\x7d\x03"
    sections = [section(5, 0, parent), section(7, 0, inside)]
    crafted = update(*(reversed(sections) if comes_later else sections))
    if is_taken:
        check_update(crafted, {})
    else:
        with pytest.raises(Malformed, match="into what is no type"):
            check_update(crafted, {})
    check_update(update(section(7, 0, inside)), {5: 9})  # what the document has is pycrdt's to judge


def entry(number: int, content: bytes) -> bytes:
    """What stands in a map, under a key of its own."""
    return bytes([content[0] | 0x20]) + ROOT + string(f"k{number}") + content[1:]


KNOWN = {
    "type": b"\x07\x01",
    "element": b"\x07\x03" + string("p"),
    "deleted": b"\x01\x01",
    "value": b"\x08\x01\x7d\x01",
    "binary": b"\x03" + string("b"),
    "embedded": b"\x05" + string("1"),
}


def known_of(kind: str, count: int) -> list[bytes]:
    """The log of a document in which that many of a kind stand, at the first clocks of client 5."""
    if kind == "collected":
        return [update(section(5, 0, garbage(count)))]
    if kind == "text":
        return [update(section(5, 0, first("a" * count)))]
    content = KNOWN[kind.removesuffix(", then deleted")]
    log = [update(section(5, 0, *(entry(number, content) for number in range(count))))]
    return [*log, update(deletes={5: [(0, count)]})] if kind.endswith("deleted") and kind != "deleted" else log


def put_into(count: int, *, writes_over: bool) -> bytes:
    """An edit that puts values into as many, after it has written over them or not."""
    over = [b"\xa8" + uint(5) + uint(number) + b"\x01\x7d\x02" for number in range(count)] if writes_over else []
    inside = [b"\x08\x00" + uint(5) + uint(number) + b"\x01\x7d\x03" for number in range(count)]
    return update(section(7, 0, *over, *inside, *inside[:1] * WHOLE_JUMPS))


@pytest.mark.parametrize("count", [1, 3, 11])
@pytest.mark.parametrize("writes_over", [False, True])
@pytest.mark.parametrize("kind", [*KNOWN, "type, then deleted", "value, then deleted", "collected", "text"])
def test_an_update_in_pieces_is_taken_where_a_client_that_gets_it_whole_can_take_it(
    kind: str, writes_over: bool, count: int
) -> None:
    """yrs takes something into what is no type where that was deleted and collected, as by a piece before."""
    log, crafted = known_of(kind, count), put_into(count, writes_over=writes_over)
    whole, server = doc_of(log), Document(tail=log)
    try:
        whole.apply_update(crafted)
    except RuntimeError:
        with pytest.raises(Malformed, match="into what is no type"):
            finish(server.check_in_steps(crafted))
        assert kind in ("value", "binary", "embedded", "text")
    else:
        info = finish(server.check_in_steps(crafted))
        assert info.plan is not None
        server.apply(crafted, info)
        assert loaded_again(server._doc) == loaded_again(whole)


@pytest.mark.parametrize("count", [3, 11])
def test_what_an_update_is_put_into_is_looked_up_while_others_write(count: int) -> None:
    log, crafted = known_of("type", count), put_into(count, writes_over=False)
    server, letters = Document(tail=log), 0
    for _ in server.check_in_steps(crafted):
        letter = update(section(9, letters, after(9, letters - 1, "x") if letters else first("x")))
        server.apply(letter, server.check(letter))
        letters += 1
    assert letters


def test_nothing_is_looked_up_of_what_the_document_has_already() -> None:
    crafted = put_into(1, writes_over=False)
    document = Document(tail=[*known_of("type", 1), crafted])
    info = finish(document.check_in_steps(crafted))
    assert info.plan is not None
    assert not info.known_parents


def test_in_a_document_that_was_taken_under_other_rules_it_is_for_the_library_to_judge() -> None:
    text_in_a_map = b"\x24" + ROOT + string("k") + string("ab")
    document = Document(
        tail=[update(section(5, 0, *(entry(number, KNOWN["type"]) for number in range(11)), text_in_a_map))]
    )
    crafted = put_into(11, writes_over=False)
    assert document.apply(crafted, finish(document.check_in_steps(crafted)))


def test_pieces_are_larger_where_clients_are_many() -> None:
    """pycrdt goes through all clients at each: 100,000 structs of as many took 4.6 s in pieces of 100."""
    large = update(section(1, 0, *[garbage(1)] * 5_000))
    crowd = dict.fromkeys(range(2, 10000), 1)
    assert len(cut(large)) == 50
    assert len(cut(large, crowd)) == 7


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_pieces_lead_to_the_same_document(seed: int, size: int) -> None:
    """All that people wrote, or what somebody lacks of it, or a part of it again."""
    random = Random(seed)
    log = write_together(seed, people=random.randint(1, 4))
    known = random.randint(0, len(log))
    base, rest = log[:known], log[random.randint(0, known) :]
    state = doc_of(base).get_state()
    for large in (
        merge_updates(*rest) if rest else b"\x00\x00",
        doc_of(log).get_update(state),
        doc_of(log).get_update(),
    ):
        whole, piecewise = doc_of(base), doc_of(base)
        whole.apply_update(large)
        clocks = clocks_of(piecewise)
        with pytest.MonkeyPatch.context() as monkeypatch:
            info = check_finely(monkeypatch, large, clocks, size)
            monkeypatch.setattr("collabdoc.protocol.update._FEW_PARENTS", random.choice((0, 10)))
            finish(Document(tail=base).check_in_steps(large))
        for piece in info.cut(large):
            check_update(piece, clocks_of(piecewise))
            piecewise.apply_update(piece)
        assert clocks_of(piecewise) == clocks_of(whole)
        assert loaded_again(piecewise) == loaded_again(whole)
        for root in ROOTS:
            assert content(piecewise, root) == content(whole, root)


def loaded_again(doc: Doc[Any]) -> bytes:
    """All that a document holds, joined as far as can be: now and then pycrdt leaves deleted neighbours apart."""
    return doc_of([doc.get_update()]).get_update()


def content(doc: Doc[Any], root: str) -> Any:
    shared = doc.get(root, type=ROOTS[root])
    return str(shared) if isinstance(shared, (Text, XmlFragment)) else shared.to_py()


@given(st.integers(0, 2**32 - 1))
def test_a_snapshot_in_pieces_loads_to_the_same_document(seed: int) -> None:
    """And goes on to the same one, whatever comes after it."""
    log = write_together(seed)
    known = Random(seed).randint(0, len(log))
    snapshot = compact(b"\x00\x00", log[:known])
    whole = Document(snapshot, log[known:])
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("collabdoc.document.AT_ONCE_BYTES", 0)
        monkeypatch.setattr("collabdoc.document.is_whole", lambda _: False)  # the log's, too
        for room in (structs, pieces):
            monkeypatch.setattr(room, "STEP_STRUCTS", 2)
        monkeypatch.setattr(pieces, "WHOLE_STRUCTS", 0)
        monkeypatch.setattr(pieces, "isqrt", lambda _: 0)
        piecewise = Document(snapshot, log[known:])
    assert loaded_again(piecewise._doc) == loaded_again(whole._doc)
    assert piecewise.clocks == whole.clocks
