"""A NaN among several values: what made pycrdt stand still is taken, and so is what honest clients write."""

import math
import struct
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map

from collabdoc.document import Document, compact, merge
from collabdoc.protocol.nans import may_have_nans
from collabdoc.protocol.structs import STEP_STRUCTS
from collabdoc.protocol.update import check_update
from collabdoc.replica import Replica
from tests.protocol.applier import Applier
from tests.protocol.crafting import ROOT, section, string, uint, update

ONE = b"\x7d\x01"
NAN = b"\x7b" + struct.pack(">d", math.nan)
SHORT_NAN = b"\x7c" + struct.pack(">f", math.nan)
NESTED = b"\x76\x01" + string("a") + b"\x75\x01" + NAN
INFINITE = b"\x7b" + struct.pack(">d", -math.inf)


def values(*each: bytes) -> bytes:
    return uint(len(each)) + b"".join(each)


def entry(*each: bytes) -> bytes:
    return b"\x28" + ROOT + string("k") + values(*each)


def in_list(*each: bytes) -> bytes:
    return b"\x08" + ROOT + values(*each)


def at(client: int, clock: int) -> bytes:
    return uint(client) + uint(clock)


@pytest.fixture(scope="module")
def applier() -> Iterator[Applier]:
    with Applier() as running:
        yield running


def before(client: int, clock: int, *each: bytes) -> bytes:
    return b"\x48" + at(client, clock) + values(*each)


# From fuzzing, 29 and 19 bytes. pycrdt came back from none: an edit cuts the values apart, and others stand before.
BETWEEN = b"\xc8" + at(2, 0) + at(2, 2) + values(NAN)
AGAIN = update(section(2, 3, before(2, 0, ONE), before(2, 3, ONE, ONE)))
STOOD_STILL = [
    *([update(section(2, 0, entry(ONE, nan), before(2, 1, ONE))), AGAIN] for nan in (NAN, SHORT_NAN, NESTED)),
    [
        update(section(2, 0, entry(ONE, NAN), before(2, 1, ONE))),
        update(section(2, 3, before(2, 2, ONE), entry(ONE))),
    ],
    [
        update(section(2, 0, entry(ONE), b"\x88" + at(2, 0) + values(ONE, NAN), BETWEEN)),
        update(section(1, 0, before(2, 3, ONE), entry(ONE))),
    ],
]


@pytest.mark.parametrize("crafted", STOOD_STILL)
def test_what_pycrdt_stood_still_over_is_taken(applier: Applier, crafted: list[bytes]) -> None:
    assert applier.verdict(crafted[:-1], crafted[-1]) == "applied"


def test_so_it_is_in_a_snapshot_and_by_a_client(applier: Applier) -> None:
    """A snapshot may have been made before this was known."""
    snapshot = update(section(2, 0, entry(ONE, NAN), before(2, 1, ONE)))
    assert applier.verdict([compact(b"\x00\x00", [snapshot])], AGAIN) == "applied"
    assert applier.verdict([snapshot], AGAIN) == "applied"
    merged = merge([snapshot, AGAIN])
    assert applier.verdict([], merged) == "applied"
    for crafted in STOOD_STILL:
        replica = Replica(lambda _: None)
        for each in crafted:
            replica.apply(each)
        replica.diff(b"\x00")


def test_an_honest_list_with_such_values_is_the_same(applier: Applier) -> None:
    doc: Doc[Array[Any]] = Doc()
    array = doc.get("t", type=Array)
    array.extend([1.0, math.nan, {"a": [math.nan]}, "text", math.inf, math.nan])
    array.insert(2, True)
    del array[0]
    assert applier.verdict([], doc.get_update()) == "applied"
    document = Document(tail=[doc.get_update()])
    read = Document(compact(b"\x00\x00", [doc.get_update()]))
    for each in (document, read):
        assert repr(each._doc.get("t", type=Array).to_py()) == repr(array.to_py())
        assert each.diff(b"\x00") == doc.get_update()


# Yjs 13: `array.push([1.5, NaN, "x", {a: [NaN]}, Infinity, NaN]); array.insert(3, [NaN, 2])`
BY_YJS = bytes.fromhex(
    "0103070008010174037c3fc000007b7ff8000000000000770178880702037601016175017b7ff80000000000007c7f8000007b7ff8000000"
    "000000c807020703027b7ff80000000000007d0200"
)
# Yjs 13 without garbage collection: `map.set("k", 1)`, then NaN, NaN and 3
ENTRY_BY_YJS = bytes.fromhex("0102090028010174016b037d017b7ff80000000000007b7ff8000000000000a80902017d030109010003")


def test_what_yjs_writes_is_taken(applier: Applier) -> None:
    for written in (BY_YJS, ENTRY_BY_YJS):
        assert applier.verdict([], written) == "applied"
    assert Document(tail=[BY_YJS]).diff(b"\x00") == BY_YJS
    assert Document(tail=[ENTRY_BY_YJS])._doc.get("t", type=Map)["k"] == 3


def test_of_several_values_of_one_entry_the_last_counts() -> None:
    document = Document(tail=[update(section(1, 0, entry(ONE, NAN, ONE, b"\x7d\x02")))])
    assert document._doc.get("t", type=Map)["k"] == 2
    assert document.clocks == {1: 4}


@given(
    st.lists(st.sampled_from([ONE, NAN, SHORT_NAN, NESTED, INFINITE, b"\x7f"]), min_size=1, max_size=9),
    st.booleans(),
    st.booleans(),
)
def test_a_list_is_the_same_whatever_its_neighbours(each: list[bytes], has_left: bool, has_right: bool) -> None:
    base = update(section(1, 0, in_list(ONE, ONE)))
    info = b"\x08" if not (has_left or has_right) else bytes([0x80 * has_left | 0x40 * has_right | 0x08])
    beside = at(1, 0) * has_left + at(1, 1) * has_right or ROOT
    crafted = update(section(2, 0, info + beside + values(*each)))
    whole: Doc[Array[Any]] = Doc()
    for taken in (base, crafted):
        whole.apply_update(taken)
    document = Document(tail=[base])
    assert document.apply(crafted, document.check(crafted))
    assert document.diff(b"\x00") == whole.get_update() == Document(tail=[base, crafted]).diff(b"\x00")


def test_many_come_in_pieces_of_so_many() -> None:
    crafted = update(section(1, 0, in_list(*[ONE, NAN] * (3 * STEP_STRUCTS), ONE), in_list(ONE)))
    taken = list(check_update(crafted, {}).cut(crafted))
    assert [piece[1] for piece in taken] == [STEP_STRUCTS] * 3 + [1, 1]
    clocks: dict[int, int] = {}
    for piece in taken:
        clocks |= check_update(piece, clocks).ends
    assert clocks == {1: 6 * STEP_STRUCTS + 2}


@pytest.mark.parametrize(
    ("crafted", "expected"),
    [(in_list(first, second), True) for first, second in product((ONE, NAN), (NAN, SHORT_NAN, NESTED))]
    + [(in_list(ONE, ONE), False), (b"\x04" + ROOT + string("{\x7b|\x7c"), False)],
)
def test_bytes_that_may_be_one_are_found(crafted: bytes, *, expected: bool) -> None:
    assert may_have_nans(update(section(1, 0, crafted))) is expected


def test_one_value_is_left_as_it_is() -> None:
    for crafted in (update(section(1, 0, entry(NAN))), update(section(1, 0, in_list(NAN), in_list(ONE, ONE)))):
        assert check_update(crafted, {}).plan is None
