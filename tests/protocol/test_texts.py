"""Long text is read in short steps, and the same comes of it as in one go."""

import time
from random import Random

import pytest

from collabdoc.document import Document
from collabdoc.errors import Malformed
from collabdoc.protocol.structs import read_structs, read_structs_in_steps
from collabdoc.protocol.texts import LONG_TEXT_BYTES, read_long_text, read_text
from collabdoc.protocol.values import UNLIMITED, Parts
from collabdoc.steps import finish
from tests.protocol.crafting import after, first, section, update

ALPHABETS = ("a", "ab\n", "aé", "жд", "漢字", "😀", "a😀", "aé漢😀")


def any_text(random: Random, size: int) -> str:
    alphabet = random.choice(ALPHABETS)
    return "".join(random.choices(alphabet, k=size))


@pytest.mark.parametrize("seed", range(20))
def test_a_text_is_as_long_and_holds_the_same_pairs_however_it_is_read(seed: int) -> None:
    random = Random(seed)
    data = any_text(random, random.randrange(1, 150_000)).encode()
    behind = any_text(random, 10).encode()
    whole: dict[int, object] = {}
    cut: dict[int, object] = {}
    length = read_text(data, 7, 1000, whole)  # type: ignore[arg-type]  # arrays, to be compared
    steps = read_long_text(b"x" + data + behind, 1, 1 + len(data), 7, 1000, cut)  # type: ignore[arg-type]
    assert finish(steps) == length == len(data.decode().encode("utf-16-le")) // 2
    assert whole == cut


@pytest.mark.parametrize("bad", [b"\xff", b"\x80", b"\x80" * 100_000, b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xc0\x80"])
@pytest.mark.parametrize("before", [0, 1, 32_766, 32_767, 32_768, 70_000])
@pytest.mark.parametrize("behind", [b"", b"a" * 40_000, "ä".encode() * 40_000])
def test_what_is_not_utf_8_is_found_wherever_it_stands(bad: bytes, before: int, behind: bytes) -> None:
    data = b"a" * before + bad + behind
    with pytest.raises(Malformed, match="not UTF-8"):
        finish(read_long_text(data, 0, len(data), 1, 0, {}))


@pytest.mark.parametrize("seed", range(10))
def test_an_update_with_long_texts_is_read_in_steps_as_it_is_in_one_go(seed: int) -> None:
    random = Random(seed)
    structs, clock = [], 0
    for number in range(random.choice([1, 3, 30, 1500])):
        size = random.randrange(1, 50)
        if number < 4 and random.random() < 0.6:
            size = LONG_TEXT_BYTES + random.randrange(-20, 20)
        text = any_text(random, size)
        structs.append(after(1, clock - 1, text) if clock else first(text))
        clock += len(text.encode("utf-16-le")) // 2
    typed = update(section(1, 0, *structs), deletes={1: [(0, 2)]} if "😀".encode() not in structs[0] else None)
    whole, end = read_structs(typed, {}, Parts(UNLIMITED), with_cuts=False)
    stepped, end_in_steps = finish(read_structs_in_steps(typed, {}, Parts(UNLIMITED), with_cuts=False))
    assert (whole.count, whole.halves, whole.sections[0].end, end) == (
        *(stepped.count, stepped.halves, stepped.sections[0].end),
        end_in_steps,
    )
    live, loaded = Document(), Document()
    info = finish(live.check_in_steps(typed))
    for piece in info.cut(typed):
        live.apply_piece(piece, info)
    live.end_pieces(info, deleted=False)
    loaded._doc.apply_update(typed)
    assert live.clocks == {1: clock}
    assert live.diff(b"\x00") == loaded.diff(b"\x00") == Document(typed).diff(b"\x00")
    assert live._pairs == Document(b"\x00\x00", [typed])._pairs


@pytest.mark.parametrize("letter", ["a", "ж", "😀"])
def test_the_longest_text_takes_no_long_step(letter: str) -> None:
    typed = update(section(1, 0, first(letter * ((8 * 2**20 - 100) // len(letter.encode())))))
    steps, longest_s = Document().check_in_steps(typed), 0.0
    while True:
        began_s = time.thread_time()
        try:
            next(steps)
        except StopIteration:
            break
        longest_s = max(longest_s, time.thread_time() - began_s)
    assert longest_s < 0.02  # in one go 0.01, 0.02 and 0.35 s
