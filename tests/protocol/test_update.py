"""The strict reader in front of pycrdt: what Yjs makes passes, what is crafted does not, and nothing takes long."""

import contextlib
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collabdoc import errors
from collabdoc.document import EMPTY_UPDATE, Document
from collabdoc.errors import Malformed, MissingDependencies, TooLarge
from collabdoc.protocol.lib0 import read_state_vector
from collabdoc.protocol.structs import MAX_CLOCK
from collabdoc.protocol.update import UpdateInfo, check_update, find_pairs
from collabdoc.steps import finish
from tests.protocol.applier import Applier
from tests.protocol.crafting import after, first, garbage, section, string, update
from tests.vectors import read_vectors

VECTORS = read_vectors("updates.json")


def taken(vector: Mapping[str, Any]) -> list[bytes]:
    return [bytes.fromhex(base) for base in vector["base"]]


HONEST = [(taken(vector), bytes.fromhex(vector["hex"])) for vector in VECTORS["honest"]]
HOSTILE = [(taken(vector), bytes.fromhex(vector["hex"])) for vector in VECTORS["hostile"]]


@pytest.fixture(scope="module")
def applier() -> Iterator[Applier]:
    with Applier() as started:
        yield started


@pytest.mark.parametrize("vector", VECTORS["honest"], ids=[vector["name"] for vector in VECTORS["honest"]])
def test_what_yjs_makes_is_taken_and_leads_to_the_same_clocks(vector: Mapping[str, Any]) -> None:
    document = document_of(taken(vector))
    honest = bytes.fromhex(vector["hex"])
    document.apply(honest, document.check(honest))
    expected = read_state_vector(bytes.fromhex(vector["state_vector"]), max_clients=100)
    assert document.clocks == expected
    assert read_state_vector(document.state_vector(), max_clients=100) == expected


@pytest.mark.parametrize("vector", VECTORS["hostile"], ids=[vector["name"] for vector in VECTORS["hostile"]])
def test_what_nobody_sends_is_refused_and_leaves_the_document_alone(vector: Mapping[str, Any]) -> None:
    document = document_of(taken(vector))
    before = dict(document.clocks)
    with pytest.raises(getattr(errors, vector["error"])):
        finish(document.check_in_steps(bytes.fromhex(vector["hex"])))
    assert document.clocks == before


def document_of(updates: list[bytes]) -> Document:
    document = Document()
    for each in updates:
        document.apply(each, document.check(each))
    return document


def test_the_info_says_where_each_client_begins_and_ends_and_whether_anything_is_deleted() -> None:
    crafted = update(section(1, 2, first("a😀"), garbage(5)), section(7, 0, after(1, 1, "é")), deletes={1: [(0, 1)]})
    info = check_update(crafted, {1: 2})
    assert info == UpdateInfo({1: 2, 7: 0}, {1: 10, 7: 1}, True, info.pairs)
    assert {client: list(halves) for client, halves in info.pairs.items()} == {1: [4]}
    assert check_update(EMPTY_UPDATE, {}) == UpdateInfo({}, {}, False)


def test_clocks_count_utf_16_units() -> None:
    assert check_update(update(section(1, 0, first("aé日😀"))), {}).ends == {1: 5}


def test_a_clock_may_reach_2_31_minus_1_and_no_further() -> None:
    assert check_update(update(section(1, 0, garbage(MAX_CLOCK))), {}).ends == {1: MAX_CLOCK}
    with pytest.raises(Malformed):
        check_update(update(section(1, MAX_CLOCK, garbage(1))), {1: MAX_CLOCK})


def test_what_the_document_has_may_come_again() -> None:
    again = update(section(1, 0, first("ab"), after(2, 0, "c")), section(2, 0, after(1, 1, "d")))
    assert check_update(again, {1: 3, 2: 1}).ends == {1: 3, 2: 1}


def test_what_the_document_has_is_not_taken_for_something_else() -> None:
    """yjs waits for what it refers to, and so with all that follows; pycrdt does not look at it."""
    with pytest.raises(MissingDependencies):
        check_update(update(section(1, 0, after(9, 5, "ab"), after(1, 1, "c"))), {1: 2})


@pytest.mark.parametrize(
    ("crafted", "parts"),
    [
        pytest.param(update(section(1, 0, garbage(9)), deletes={1: [(0, 1), (2, 1)]}), 15, id="deleted ranges"),
        pytest.param(update(deletes={1: [(0, 1)], 2: [(0, 1)]}), 4, id="of two clients"),
    ],
)
def test_deletes_are_counted(crafted: bytes, parts: int) -> None:
    check_update(crafted, {1: 1, 2: 1}, max_parts=parts)
    with pytest.raises(TooLarge, match=f"more than {parts - 1} parts"):
        check_update(crafted, {1: 1, 2: 1}, max_parts=parts - 1)


def test_sections_may_come_in_any_order_that_leaves_one_to_take_them_in() -> None:
    zigzag = update(
        section(5, 0, after(9, 0, "b"), after(9, 1, "d")),
        section(9, 0, first("a"), after(5, 0, "c")),
        section(2, 0, after(5, 1, "e")),
    )
    assert check_update(zigzag, {}).ends == {5: 2, 9: 2, 2: 1}


def test_an_update_that_is_refused_halfway_raises_no_clock() -> None:
    """A section of one client got as far as it could, and the document took that for what it has."""
    clocks = {1: 5}
    with pytest.raises(MissingDependencies):
        check_update(update(section(1, 5, after(1, 4, "ok"), after(9, 0, "no"))), clocks)
    assert clocks == {1: 5}


def test_malformed_comes_before_missing() -> None:
    """One that may become valid is asked for again; one that never can is not."""
    with pytest.raises(Malformed):
        check_update(update(section(1, 7, first("a"), first(""))), {})


def test_a_pair_that_is_known_may_be_followed_and_deleted_whole() -> None:
    document = document_of([update(section(1, 0, first("a😀b")))])
    document.check(update(section(2, 0, after(1, 2, "X"))))
    document.check(update(section(2, 0, after(1, 0, "X"))))
    document.check(update(deletes={1: [(1, 2)]}))


@pytest.mark.parametrize("loaded", ["snapshot", "tail", "live"])
def test_pairs_are_known_wherever_the_document_came_from(loaded: str) -> None:
    pair = update(section(1, 0, first("a😀b😀")))
    match loaded:
        case "snapshot":
            document = Document(document_of([pair]).diff(b"\x00"))
        case "tail":
            document = Document(EMPTY_UPDATE, [pair])
        case _:
            document = document_of([pair])
    for cut in (2, 5):
        with pytest.raises(Malformed, match="in two"):
            document.check(update(deletes={1: [(0, cut)]}))


def test_a_loaded_snapshot_that_the_reader_would_refuse_is_still_served() -> None:
    old = update(section(1, 0, first("😀"), b"\x01" + b"\x01\x01t" + b"\x00"))
    assert finish(find_pairs(old)) == {}


def test_a_subdocument_that_the_document_has_may_stay_and_come_again() -> None:
    """It was taken before subdocuments were refused; what Yjs sends of such a document may hold it again."""
    holds_one = update(section(1, 0, first("a"), b"\x09\x01\x01d" + string("guid") + b"\x7e"))
    for document in (Document(holds_one), Document(EMPTY_UPDATE, [holds_one])):
        assert not document.apply(holds_one, document.check(holds_one))
        more = update(section(1, 2, after(1, 0, "b")))
        assert document.apply(more, document.check(more))
        with pytest.raises(Malformed, match="subdocument, at 3 of client 1"):
            document.check(update(section(1, 3, b"\x09\x01\x01d" + string("other") + b"\x7e")))


N = 5_000
SHAPES = {
    "sections that each wait for the next": update(
        *(section(client, 0, after(client + 1, 0, "x")) for client in range(1, N)), section(N, 0, first("x"))
    ),
    "sections that each wait for the one before": update(
        section(1, 0, first("x")), *(section(client, 0, after(client - 1, 0, "x")) for client in range(2, N))
    ),
    "sections that all wait for the last": update(
        *(section(client, 0, after(N, client, "x")) for client in range(1, N)), section(N, 0, first("x" * N))
    ),
    "two sections that wait for each other at each step": update(
        section(1, 0, first("x"), *(after(2, clock, "x") for clock in range(N))),
        section(2, 0, *(after(1, clock, "x") for clock in range(N))),
    ),
    "many structs that wait for a section that never gets there": update(
        *(section(client, 0, after(N + 1, 5, "x")) for client in range(1, N))
    ),
    "a megabyte of garbage": update(section(1, 0, *[garbage(1)] * (N * 5))),
    "many deleted ranges": update(section(1, 0, garbage(3 * N)), deletes={1: [(3 * clock, 1) for clock in range(N)]}),
    "many pairs, each cut beside": update(
        section(1, 0, first("😀" * N)), section(2, 0, *(after(1, 2 * clock + 1, "x") for clock in range(N)))
    ),
    "JSON that is all brackets in a string": update(
        section(1, 0, b"\x05\x01\x01t" + string('"' + "[{" * N * 10 + '"'))
    ),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_time_and_memory_stay_in_proportion_whatever_the_shape(shape: bytes) -> None:
    started = time.process_time()
    try_check(shape)
    assert time.process_time() - started < 1.0  # some 0.02 s; a square of the size would be many
    tracemalloc.start()
    try:
        try_check(shape)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * len(shape)


def try_check(crafted: bytes) -> None:
    with contextlib.suppress(Malformed, MissingDependencies):
        check_update(crafted, {})


@given(st.binary(max_size=300))
def test_any_bytes_are_an_update_or_refused(data: bytes) -> None:
    try_check(data)


_SNIPPETS = sorted({bytes(part) for _, honest in HONEST for part in (honest[:9], honest[9:20], honest[-12:]) if part})
_MUTATIONS = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 400), st.integers(0, 7)),
    st.tuples(
        st.just("set"),
        st.integers(0, 400),
        st.sampled_from(b"\x00\x01\x02\x04\x06\x07\x08\x09\x0a\x27\x44\x84\xc4\xff"),
    ),
    st.tuples(st.just("cut"), st.integers(0, 400), st.integers(1, 12)),
    st.tuples(st.just("repeat"), st.integers(0, 400), st.integers(1, 12)),
    st.tuples(st.just("insert"), st.integers(0, 400), st.sampled_from(_SNIPPETS)),
    st.tuples(st.just("truncate"), st.integers(0, 400), st.none()),
)


def mutate(honest: bytes, mutations: list[tuple[str, int, Any]]) -> bytes:
    out = bytearray(honest)
    for what, where, how in mutations:
        at = where % max(1, len(out))
        match what:
            case "flip" if out:
                out[at] ^= 1 << how
            case "set" if out:
                out[at] = how
            case "cut":
                del out[at : at + how]
            case "repeat":
                out[at:at] = out[at : at + how]
            case "insert":
                out[at:at] = how
            case "truncate":
                del out[at:]
    return bytes(out)


@settings(max_examples=700, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(HONEST + HOSTILE), st.lists(_MUTATIONS, max_size=3))
@example(([update(section(1, 0, first("a😀b")))], update(deletes={1: [(1, 1)]})), [])
def test_a_damaged_update_is_refused_or_harmless(
    applier: Applier, vector: tuple[list[bytes], bytes], mutations: list[tuple[str, int, Any]]
) -> None:
    """Harmless: pycrdt takes it, and newcomers and snapshots have what the document has.

    What only the types of structs tell apart, such as a parent that is text, is left to pycrdt: it says so, and the
    document is thrown away and loaded anew.
    """
    verdict = applier.verdict(vector[0], mutate(vector[1], mutations))
    refused = verdict.startswith(("refused: ", "broken: pycrdt failed while applying an update: RuntimeError: "))
    assert verdict == "applied" or refused, verdict
