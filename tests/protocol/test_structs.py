"""Reading structs: where a section may be cut, what it waits for, and what is counted before it is read."""

from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from collabdoc.errors import Malformed, TooLarge
from collabdoc.protocol.structs import STEP_STRUCTS, Structs, read_structs
from collabdoc.protocol.update import check_update
from collabdoc.protocol.values import Parts
from tests.protocol.crafting import after, first, garbage, section, string, uint, update


def read(crafted: bytes, clocks: dict[int, int] | None = None, *, parts: int = 10**6) -> Structs:
    structs, position = read_structs(crafted, clocks or {}, Parts(parts), with_cuts=True)
    assert position == len(crafted) - 1, "the delete set is empty"
    return structs


def test_a_section_is_read_to_its_end() -> None:
    structs = read(update(section(1, 2, first("a😀"), garbage(5)), section(7, 0, after(1, 1, "é"))), {1: 2})
    assert [(each.client, each.start, each.end, each.count) for each in structs.sections] == [
        (1, 2, 10, 2),
        (7, 0, 1, 1),
    ]
    assert structs.count == 3
    assert {client: list(halves) for client, halves in structs.halves.items()} == {1: [4]}


def test_a_section_that_waits_for_nothing_has_a_step_every_so_many_structs() -> None:
    crafted = update(section(9, 0, first("x"), *(after(9, clock, "x") for clock in range(2 * STEP_STRUCTS))))
    structs = read(crafted)
    (typed,) = structs.sections
    assert [(step.clock, step.number, step.needs) for step in typed.steps] == [
        (number, number, ()) for number in (0, STEP_STRUCTS, 2 * STEP_STRUCTS)
    ]
    assert typed.end_position == len(crafted) - 1
    assert not structs.waits


def jumps(*structs: bytes, clocks: dict[int, int] | None = None) -> list[int]:
    """Which of the structs of one client are jumps."""
    crafted = update(section(1, 0, *structs))
    read_, _ = read_structs(crafted, clocks or {2: 9}, Parts(10**6), with_cuts=False, step_jumps=1)
    return [step.number for step in read_.sections[0].steps]


LEFT_AND_RIGHT = b"\xc4" + uint(1) + uint(0) + uint(2) + uint(3) + string("x")
BEFORE = b"\x44" + uint(2) + uint(3) + string("x")
ELEMENT = b"\x07" + b"\x01\x01t" + b"\x03\x01p"
WITHIN = b"\x04\x00" + uint(1) + uint(0) + string("x")


@pytest.mark.parametrize(
    ("structs", "expected"),
    [
        pytest.param([first("x"), after(1, 0, "x"), after(1, 1, "x")], [0], id="typed at the end"),
        pytest.param([BEFORE, LEFT_AND_RIGHT], [0], id="typed before something"),
        pytest.param([first("x"), LEFT_AND_RIGHT], [0, 1], id="up to somewhere else"),
        pytest.param([BEFORE, after(1, 0, "x")], [0, 1], id="up to the end"),
        pytest.param([first("x"), first("x")], [0, 1], id="at the beginning"),
        pytest.param([first("xx"), after(1, 0, "x")], [0, 1], id="within the one before"),
        pytest.param([first("x"), after(2, 0, "x")], [0, 1], id="behind another's"),
        pytest.param([first("x"), BEFORE], [0, 1], id="before another's"),
        pytest.param([ELEMENT, WITHIN], [0], id="the first in a new element"),
        pytest.param([first("x"), WITHIN], [0, 1], id="in what is none"),
        pytest.param([ELEMENT, WITHIN, WITHIN], [0, 2], id="the second in a new element"),
        pytest.param([first("x"), garbage(1), after(1, 1, "x")], [0, 2], id="behind what is gone"),
    ],
)
def test_a_jump_is_what_does_not_simply_follow_the_one_before(structs: list[bytes], expected: list[int]) -> None:
    assert jumps(*structs) == expected


def test_what_refers_to_another_section_begins_a_step() -> None:
    in_another = b"\x07\x00" + uint(2) + uint(3) + b"\x01"
    left_and_right = b"\xc4" + uint(2) + uint(0) + uint(2) + uint(1) + string("x")
    structs = read(update(section(1, 0, first("x"), left_and_right, after(1, 1, "x"), in_another)))
    assert [(step.number, step.needs) for step in structs.sections[0].steps] == [
        (0, ()),
        (1, ((2, 0), (2, 1))),
        (3, ((2, 3),)),
    ]
    assert structs.waits


def test_what_the_document_has_is_not_waited_for() -> None:
    structs = read(update(section(1, 0, first("x"), after(2, 0, "x"), after(2, 1, "x"))), {2: 2})
    assert [step.needs for step in structs.sections[0].steps] == [()]


def test_a_reference_to_what_comes_later_in_the_section_is_waited_for() -> None:
    assert read(update(section(1, 0, after(1, 1, "x"), first("x")))).waits
    assert read(update(section(1, 0, after(1, 0, "x")))).waits


def test_text_is_cut_before_a_right_origin_and_behind_an_origin() -> None:
    both = b"\xc4" + uint(2) + uint(4) + uint(2) + uint(8) + string("x")
    assert sorted(read(update(section(1, 0, both))).cuts) == [(2, 5), (2, 8)]


@pytest.mark.parametrize(
    ("crafted", "parts"),
    [
        pytest.param(update(section(1, 0, *[garbage(1)] * 7)), 17, id="structs"),
        pytest.param(update(section(1, 0, garbage(1)), section(2, 0, garbage(1))), 22, id="sections"),
        pytest.param(update(section(1, 0, after(2, 0, "x")), section(2, 0, first("x"))), 27, id="one that waits"),
        pytest.param(update(section(1, 0, b"\x08\x01\x01t" + uint(5) + b"\x7e" * 5)), 16, id="values"),
        pytest.param(update(section(1, 0, b"\x05\x01\x01t" + string("[1,[2,3]]"))), 15, id="JSON"),
    ],
)
def test_what_takes_time_is_counted(crafted: bytes, parts: int) -> None:
    read(crafted, parts=parts)
    with pytest.raises(TooLarge, match=f"more than {parts - 1} parts"):
        read(crafted, parts=parts - 1)


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(uint(10**9), id="sections"),
        pytest.param(uint(1) + uint(10**9) + uint(1) + uint(0), id="structs"),
        pytest.param(update(section(1, 0, b"\x08\x01\x01t" + uint(10**9))), id="values"),
    ],
)
def test_a_claim_is_too_large_before_it_is_looked_into(claim: bytes) -> None:
    with pytest.raises(TooLarge):
        read(claim)


@pytest.mark.parametrize("clock", [2**31, 2**32, 2**53 - 1])
def test_a_section_that_begins_past_the_last_clock_is_malformed(clock: int) -> None:
    """Surrogate pairs are noted in 32 bits."""
    with pytest.raises(Malformed, match=f"begins at the clock {clock}"):
        read(update(section(1, clock, first("😀"))))


def test_bytes_that_end_within_a_struct_are_told_from_malformed_ones() -> None:
    crafted = update(section(1, 0, after(2, 300, "text"), b"\x08\x01\x01t\x01\x7d\x80\x01"))[:-1]
    for end in range(1, len(crafted)):
        with pytest.raises((IndexError, Malformed)):
            read_structs(crafted[:end], {}, Parts(100), with_cuts=False)


# Whether an update can have changed a map


def test_an_update_says_whether_it_only_inserts_text() -> None:
    doc: Doc[Any] = Doc(client_id=1)
    text, meta = doc.get("t", type=Text), doc.get("meta", type=Map)
    seen: list[bytes] = []
    subscription = doc.observe(lambda event: seen.append(event.update))
    text.insert(0, "hello", {"bold": True})
    text.insert(2, "x")
    meta["title"] = "a"
    meta["title"] = "b"
    del text[0]
    text.format(0, 2, {"bold": None})
    del meta["title"]
    clocks: dict[int, int] = {}
    told = []
    for made in seen:
        info = check_update(made, clocks)
        clocks.update(info.ends)
        told.append(info.is_text)
    assert told == [True, True, False, False, False, False, False], (
        "a format that takes the place of another deletes it"
    )
    assert not check_update(b"\x00\x00", {}).is_text
    del subscription
