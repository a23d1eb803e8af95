"""Text edited in characters."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from collabdoc.characters import EMBEDDED, CharacterText
from collabdoc.document import Document
from collabdoc.replica import Replica

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
CHARACTERS = "aüß漢字😀" + FAMILY


def text_of(content: str = "") -> tuple[Text, CharacterText]:
    text: Text = Doc[Any]().get("content", type=Text)
    text.insert(0, content)
    return text, CharacterText(text)


def test_positions_count_characters_and_not_bytes() -> None:
    _, text = text_of("grün 😀 漢字")
    text.insert(6, "!")
    text.delete(2, 4)
    text.replace(6, 8, "kanji")
    text.append(FAMILY)
    assert str(text) == f"gr 😀! kanji{FAMILY}"


@pytest.mark.parametrize(("start", "stop"), [(-1, 0), (0, 5), (3, 2), (5, 5)])
def test_a_position_outside_of_the_text_is_refused_and_changes_nothing(start: int, stop: int) -> None:
    _, text = text_of("ü😀漢字")
    with pytest.raises(IndexError, match="from 0 to 4"):
        text.replace(start, stop, "x")
    assert str(text) == "ü😀漢字"


@pytest.mark.parametrize("value", ["\ud83d", "a\udc00"])
def test_half_a_character_is_refused_and_changes_nothing(value: str) -> None:
    _, text = text_of("ab")
    with pytest.raises(ValueError, match="surrogates"):
        text.append(value)
    with pytest.raises(ValueError, match="surrogates"):
        text.replace(0, 2, value)
    assert str(text) == "ab"


def test_what_is_embedded_is_one_character() -> None:
    text, characters = text_of("ü😀")
    text.insert_embed(2, {"image": "a.png"})
    assert (str(characters), len(characters)) == (f"ü{EMBEDDED}😀", 3)
    characters.insert(2, "漢")
    characters.delete(1, 2)
    assert str(characters) == str(text) == "ü漢😀"


def test_a_text_in_which_nothing_can_be_counted_is_refused() -> None:
    text, characters = text_of("ü")
    text.insert_embed(0, "ünlike")
    with pytest.raises(ValueError, match="embedded"):
        characters.insert(1, "x")


EDITS = st.tuples(st.integers(0, 40), st.integers(0, 40), st.text(alphabet=CHARACTERS, max_size=5))


@given(st.lists(st.tuples(st.booleans(), EDITS), max_size=30))
def test_edits_of_two_at_once_are_what_a_str_would_do_and_what_a_server_takes(
    edits: list[tuple[bool, tuple[int, int, str]]],
) -> None:
    """Every update passes the server's check: a position within a character would make one that does not."""
    server = Document()
    outgoing: list[tuple[Replica, bytes]] = []
    first: Replica = Replica(lambda update: outgoing.append((first, update)))
    second: Replica = Replica(lambda update: outgoing.append((second, update)))
    for by_second, (one, other, value) in edits:
        replica = second if by_second else first
        text = replica.text()
        expected = str(text)
        start, stop = sorted((min(one, len(expected)), min(other, len(expected))))
        text.replace(start, stop, value)
        assert str(text) == expected[:start] + value + expected[stop:]
        if by_second:  # else both type on without having heard of each other
            for author, update in outgoing:
                server.apply(update, server.check(update))
                (second if author is first else first).apply(update)
            outgoing.clear()
            assert str(first.text()) == str(second.text())
