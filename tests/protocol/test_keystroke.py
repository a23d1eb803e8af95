"""What is recognised as a key press is what the strict reader takes, and it takes it for the same."""

import contextlib
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collabdoc.errors import Malformed, MissingDependencies
from collabdoc.protocol.keystroke import join_keystrokes, may_be_keystroke, read_keystroke
from collabdoc.protocol.structs import MAX_CLOCK
from collabdoc.protocol.update import UpdateInfo, check_in_steps, check_update
from collabdoc.steps import finish
from tests.protocol.crafting import section, uint, update

CLOCKS = {1: 10, 2**40: 5, 2**53 - 1: 3}
PAIRS = {1: [5, 9], 2**40: [1], 7: [1]}
"""The second clock of each surrogate pair."""

uints = st.sampled_from([0, 1, 4, 5, 9, 10, 11, 127, 128, MAX_CLOCK - 1, MAX_CLOCK, 2**40, 2**49, 2**53 - 1, 2**53])


def keystroke(client: int, clock: int, info: int, beside: list[int], text: bytes, length: int | None = None) -> bytes:
    ids = b"".join(map(uint, beside[: 4 if info == 0xC4 else 2]))
    return update(section(client, clock, bytes([info]) + ids + uint(len(text) if length is None else length) + text))


def strictly(sent: bytes, pairs: Mapping[int, Sequence[int]]) -> UpdateInfo | None:
    with contextlib.suppress(Malformed, MissingDependencies):
        return finish(check_in_steps(sent, CLOCKS, pairs))
    return None


@given(
    st.builds(
        keystroke,
        st.sampled_from([1, 2, 2**40, 2**53 - 1, 2**53]),
        uints,
        st.sampled_from([0x84, 0x44, 0xC4, 0x04, 0x81, 0x86, 0xA4]),
        st.lists(uints, min_size=4, max_size=4),
        st.binary(max_size=3)
        | st.sampled_from(
            [
                b"a",
                b"hello",
                b"a" * 127,
                b"a" * 128,
                "ü".encode(),
                "слово".encode(),
                "字a".encode(),
                "\ufeff\uffff".encode(),
                "a😀".encode(),
                b"a\x00",
            ]
        ),
        st.none() | st.integers(0, 130),
    ),
    st.integers(0, 30),
    st.binary(max_size=2),
)
@example(keystroke(1, 10, 0xC4, [1, 9, 2**40, 4], b"ab"), 0, b"")
def test_a_key_press_is_read_as_the_strict_reader_does(sent: bytes, place: int, spoilt: bytes) -> None:
    sent = sent[:place] + spoilt + sent[place + len(spoilt) :]
    for pairs in ({}, PAIRS):
        found = read_keystroke(sent, CLOCKS, pairs)
        if found is not None:
            assert may_be_keystroke(sent)
            client, start, end = found
            expected = UpdateInfo({client: start}, {client: end}, deletes=False, is_text=True)
            assert strictly(sent, pairs) == expected
            assert check_update(sent, CLOCKS, pairs) == expected


def test_what_people_type_is_recognised() -> None:
    assert read_keystroke(keystroke(1, 10, 0x84, [1, 9], b"a"), CLOCKS) == (1, 10, 11)
    assert read_keystroke(keystroke(9, 0, 0x44, [2**40, 4], b"two words"), CLOCKS) == (9, 0, 9)
    assert read_keystroke(keystroke(2**40, 5, 0xC4, [1, 3, 1, 4], b"a"), CLOCKS) == (2**40, 5, 6)
    assert read_keystroke(keystroke(1, 10, 0x84, [1, 9], "字".encode()), CLOCKS) == (1, 10, 11)
    assert read_keystroke(keystroke(1, 10, 0x84, [1, 9], "für".encode()), CLOCKS) == (1, 10, 13)
    assert read_keystroke(keystroke(2**53 - 1, 3, 0x84, [2**53 - 1, 2], b"a"), CLOCKS) == (2**53 - 1, 3, 4)


def test_what_is_not_known_or_not_plain_is_left_to_the_strict_reader() -> None:
    assert read_keystroke(keystroke(1, 11, 0x84, [1, 9], b"a"), CLOCKS) is None
    assert read_keystroke(keystroke(1, 10, 0x84, [1, 10], b"a"), CLOCKS) is None
    assert read_keystroke(keystroke(1, 10, 0x84, [2**40, 5], b"a"), CLOCKS) is None
    assert read_keystroke(keystroke(1, 10, 0x84, [1, 9], "😀".encode()), CLOCKS) is None
    assert read_keystroke(keystroke(1, 10, 0x84, [1, 9], b"\xed\xa0\x80"), CLOCKS) is None
    assert read_keystroke(keystroke(1, 10, 0x84, [1, 9], b"a", length=2), CLOCKS) is None


def test_what_is_typed_where_there_are_pairs_is_recognised_but_for_what_stands_beside_one() -> None:
    assert read_keystroke(keystroke(1, 10, 0xC4, [1, 6, 1, 7], b"a"), CLOCKS, PAIRS) == (1, 10, 11)
    assert read_keystroke(keystroke(9, 0, 0x44, [2**40, 4], b"a"), CLOCKS, PAIRS) == (9, 0, 1)
    for beside in ([1, 4, 1, 7], [1, 6, 1, 5], [2**40, 0, 1, 7]):
        assert read_keystroke(keystroke(1, 10, 0xC4, beside, b"a"), CLOCKS, PAIRS) is None


def test_what_the_document_has_in_part_is_left_to_the_strict_reader() -> None:
    """That one sees whether the rest stands where the part does."""
    assert read_keystroke(keystroke(1, 8, 0x84, [1, 7], b"abc"), CLOCKS) is None
    assert read_keystroke(keystroke(1, 8, 0x84, [1, 7], b"ab"), CLOCKS) == (1, 8, 10)


def test_letters_typed_on_are_one_text() -> None:
    """As Yjs joins them: each stands behind the one before it, all before the same."""
    at_the_end = [keystroke(1, 10 + place, 0x84, [1, 9 + place], b"abc"[place : place + 1]) for place in range(3)]
    assert join_keystrokes(at_the_end, 11) == (3, keystroke(1, 10, 0x84, [1, 9], b"abc"), 13)
    first = keystroke(1, 10, 0x44, [2**40, 4], b"a")
    on_from_it = [keystroke(1, 11, 0xC4, [1, 10, 2**40, 4], b"bc"), keystroke(1, 13, 0xC4, [1, 12, 2**40, 4], b"d")]
    assert join_keystrokes([first, *on_from_it], 11) == (3, keystroke(1, 10, 0x44, [2**40, 4], b"abcd"), 14)
    word = [keystroke(1, 10 + place, 0x84, [1, 9 + place], letter.encode()) for place, letter in enumerate("für字")]
    assert join_keystrokes(word, 11) == (4, keystroke(1, 10, 0x84, [1, 9], "für字".encode()), 14)
    between = keystroke(1, 10, 0xC4, [1, 3, 2**40, 4], b"a")
    assert join_keystrokes([between, *on_from_it], 11) == (3, keystroke(1, 10, 0xC4, [1, 3, 2**40, 4], b"abcd"), 14)


NEXT = keystroke(1, 11, 0xC4, [1, 10, 1, 4], b"b")


@pytest.mark.parametrize(
    "other",
    [
        keystroke(1, 11, 0x84, [1, 10], b"b"),  # before nothing
        keystroke(1, 11, 0xC4, [1, 10, 1, 5], b"b"),  # before something else
        keystroke(1, 11, 0xC4, [1, 9, 1, 4], b"b"),  # not behind the letter before it
        keystroke(2, 11, 0xC4, [2, 10, 1, 4], b"b"),  # of somebody else
        keystroke(1, 12, 0xC4, [1, 11, 1, 4], b"b"),  # leaves one out
        keystroke(1, 11, 0xC4, [1, 10, 1, 4], "😀".encode()),
        keystroke(1, 11, 0xC4, [1, 10, 1, 4], b"\xff"),
        keystroke(1, 11, 0xC4, [1, 10, 1, 4], b"b", length=2),
        keystroke(1, 11, 0xC4, [1, 10, 1, 4], b"", length=0),
        NEXT + b"\x00",
        NEXT[:-1] + b"\x01",
        NEXT[:-2],
        b"",
    ],
)
def test_what_is_not_typed_on_from_it_begins_anew(other: bytes) -> None:
    first = keystroke(1, 10, 0xC4, [1, 9, 1, 4], b"a")
    assert join_keystrokes([first, NEXT], 11)[0] == 2
    assert join_keystrokes([first, other, NEXT], 11) == (1, first, 11)


def test_a_text_is_joined_up_to_the_length_of_a_key_press_and_the_last_clock() -> None:
    def typed(clock: int, text: bytes) -> bytes:
        return keystroke(1, clock, 0x84, [1, clock - 1], text)

    first = typed(10, b"a" * 100)
    assert join_keystrokes([first, typed(110, b"b" * 27)], 110)[0] == 2
    assert join_keystrokes([first, typed(110, b"b" * 28)], 110) == (1, first, 110)
    last = typed(MAX_CLOCK - 2, b"a")
    assert join_keystrokes([last, typed(MAX_CLOCK - 1, b"b"), typed(MAX_CLOCK, b"c")], MAX_CLOCK - 1)[::2] == (
        2,
        MAX_CLOCK,
    )
