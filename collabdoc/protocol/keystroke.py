"""What a key press sends: one run of plain text beside text that the document has, and nothing deleted.

Most of all updates are of this shape, and are recognised in a third of the time that the strict reader takes. Whatever
is in the least different, or wrong, is left to that one.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache

from collabdoc.protocol.lib0 import read_varuint, write_varuint
from collabdoc.protocol.structs import MAX_CLOCK

_HEAD = b"\x01\x01"
_ONLY_LEFT, _ONLY_RIGHT, _BOTH = b"\x84", 0x44, b"\xc4"
_MAX_TEXT_BYTES = 127
_UINT = rb"([\x80-\xff]{0,6}[\x00-\x7f]|[\x80-\xff]{7}[\x00-\x0f])"  # of 53 bits, as the ids of pycrdt's clients are
_ID = _UINT + _UINT
_KEYSTROKE = re.compile(
    _HEAD + _ID + rb"(?:[\x84\x44]" + _ID + rb"|\xc4" + _ID + _ID + rb")(?P<length>[\x01-\x7f])(.{1,127})\x00",
    re.DOTALL,
)
"""One section of one struct: its id, its origin or its right origin or both, the length of its text, the text."""


def may_be_keystroke(update: bytes) -> bool:
    """Whether it is worth a closer look: most that is none shows at its ends, as deletions do."""
    return update.startswith(_HEAD) and not update[-1]


def read_keystroke(
    update: bytes, clocks: Mapping[int, int], pairs: Mapping[int, Sequence[int]] | None = None
) -> tuple[int, int, int] | None:
    """Client, first clock and end of a key press, in a document with these `clocks` and surrogate `pairs`.

    None for any other update, and for what stands beside a pair.
    """
    match = _KEYSTROKE.fullmatch(update)
    if match is None:
        return None
    own, start_bytes, beside, beside_clock, left, left_clock, right, right_clock, length, text = match.groups()
    if length[0] != len(text):
        return None
    units = len(text) if text.isascii() else _count_units(text)
    client = _client(own)
    start, _ = read_varuint(start_bytes, 0)
    end = start + units
    known = clocks.get(client, 0)
    if not units or start > known or start < known < end or end > MAX_CLOCK:
        return None
    neighbours = ((beside, beside_clock),) if left is None else ((left, left_clock), (right, right_clock))
    for neighbour, clock_bytes in neighbours:
        clock, _ = read_varuint(clock_bytes, 0)
        if clock >= (start if neighbour == own else clocks.get(_client(neighbour), 0)):
            return None
        if pairs and _may_cut(pairs, _client(neighbour), clock):
            return None
    if pairs and _may_cut(pairs, client, start):
        return None
    return client, start, end


def join_keystrokes(updates: Sequence[bytes], end: int) -> tuple[int, bytes, int]:
    """How many at the head of these are one text, typed on from the first; one update that says the same; its end.

    The first of them is a key press that ends at the clock `end`. Each of the others stands behind the letter before
    it, and all of them before the same. Yjs joins them, too, as soon as it has them (`Item.mergeWith`).
    """
    match = _KEYSTROKE.fullmatch(updates[0])
    assert match is not None
    own, _, beside, beside_clock, _, _, right, right_clock, _, text = match.groups()
    if right is None:
        right, right_clock = (beside, beside_clock) if match.string[match.end(2)] == _ONLY_RIGHT else (b"", b"")
    origins = (_BOTH if right else _ONLY_LEFT) + own
    texts, size, left_clock = [text], len(text), _write_uint(end - 1)
    for update in updates[1:]:
        clock = _write_uint(end)
        head = b"".join((_HEAD, own, clock, origins, left_clock, right, right_clock))
        length_at = len(head)
        text = update[length_at + 1 : -1]
        length = len(text)
        if not (update.startswith(head) and text and update[length_at] == length and not update[-1]):
            break
        units = length if text.isascii() else _count_units(text)
        if not units or size + length > _MAX_TEXT_BYTES or end + units > MAX_CLOCK:
            break
        texts.append(text)
        size, end = size + length, end + units
        left_clock = clock if units == 1 else _write_uint(end - 1)
    if len(texts) == 1:
        return 1, match.string, end
    return len(texts), b"%b%c%b\x00" % (match.string[: match.start("length")], size, b"".join(texts)), end


def _may_cut(pairs: Mapping[int, Sequence[int]], client: int, clock: int) -> bool:
    """Whether there is a pair where something beside this clock begins or ends."""
    seconds = pairs.get(client, ())
    place = bisect_left(seconds, clock)
    return place < len(seconds) and seconds[place] <= clock + 1


def _count_units(text: bytes) -> int:
    """How many units of UTF-16 it has, which clocks count; 0 where it is no text, or has a character of two."""
    try:
        letters = text.decode()
    except UnicodeDecodeError:
        return 0
    return len(letters) if max(letters) <= "\uffff" else 0


def _write_uint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    write_varuint(out, value)
    return bytes(out)


@lru_cache(maxsize=10_000)
def _client(encoded: bytes) -> int:
    return read_varuint(encoded, 0)[0]
