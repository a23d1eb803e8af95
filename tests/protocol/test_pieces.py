"""Large updates in pieces: each is an update that can be taken, and all together lead to the same document."""

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlFragment, merge_updates

from collabdoc.document import Document, compact
from collabdoc.protocol import pieces, structs
from collabdoc.protocol.lib0 import read_state_vector
from collabdoc.protocol.pieces import WHOLE_STRUCTS
from collabdoc.protocol.structs import STEP_STRUCTS
from collabdoc.protocol.update import UpdateInfo, check_update, cut_taken
from collabdoc.protocol.values import Parts
from tests.protocol.company import write_together
from tests.protocol.crafting import after, first, garbage, section, string, update

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
    """In one text pycrdt took 0.3 s or more for 74,000 at once, and 2 ms for 200."""
    base = [update(section(client, 0, first("a" * 2_000))) for client in (1, 2, 3)]
    ranges = {client: [(clock, 1) for clock in range(0, 2_000, 3)] for client in (1, 2)} | {3: [(5, 9)]}
    many = update(deletes=ranges)
    taken = cut(many, {1: 2_000, 2: 2_000, 3: 2_000})
    assert len(taken) == 2 * 4
    assert doc_of([*base, *taken]).get_update() == doc_of([*base, many]).get_update()
    just_fits = update(deletes={1: ranges[1][:WHOLE_STRUCTS]})
    assert cut(just_fits, {1: 2_000}) == [just_fits]


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
    assert len(taken) == 5
    clocks: dict[int, int] = {}
    for piece in taken:
        clocks |= check_update(piece, clocks).ends
    assert clocks == {1: WHOLE_STRUCTS, 2: WHOLE_STRUCTS + 1}
    assert doc_of(taken).get_update() == doc_of([zigzag]).get_update()


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
        monkeypatch.setattr("collabdoc.document.WHOLE_BYTES", 0)  # the log's, too
        for room in (structs, pieces):
            monkeypatch.setattr(room, "STEP_STRUCTS", 2)
        monkeypatch.setattr(pieces, "WHOLE_STRUCTS", 0)
        monkeypatch.setattr(pieces, "isqrt", lambda _: 0)
        piecewise = Document(snapshot, log[known:])
    assert loaded_again(piecewise._doc) == loaded_again(whole._doc)
    assert piecewise.clocks == whole.clocks
