"""Several values of one struct, of which one is not equal to itself: pycrdt is given them as structs of their own.

Where yrs joins two neighbours that are an entry of a map, it sees by comparing their content whether the entry is the
one of them that it frees. NaN is not equal to itself, so it goes on with what it has freed, and mostly never comes back
(`squash_left`, as of yrs 0.27.3). That takes a NaN behind other values of one struct, and an edit that cuts them apart
for a moment: 29 and 16 bytes. Whether a struct is an entry of a map shows only in what it stands beside. So a struct is
begun before each NaN, wherever it is: yrs joins those of a list again, and of those of a map it keeps the last, which
holds the value that was set.
"""

import re
from typing import NamedTuple

from collabdoc.protocol.lib0 import read_varuint, write_varuint
from collabdoc.protocol.structs import ANY, HAS_ORIGIN, HAS_PARENT_SUB, HAS_RIGHT_ORIGIN, STEP_STRUCTS, read_head
from collabdoc.protocol.values import Parts, skip_any
from collabdoc.steps import Steps

_EACH_NAN = [re.compile(rb"\x7b[\x7f\xff][\xf0-\xff]"), re.compile(rb"\x7c[\x7f\xff][\x80-\xff]")]


class Part(NamedTuple):
    """Some structs that take the place of one, or of a part of it."""

    clock: int
    structs: int
    data: bytes


def may_have_nans(update: bytes) -> bool:
    """Whether there are bytes that may be a NaN; or an infinite number, which is as seldom."""
    return any(pattern.search(update) for pattern in _EACH_NAN)


def part_nans(update: bytes, position: int, own: bytes, clock: int) -> Steps[list[Part]]:
    """What to put in the place of a struct at a position, in short steps; `own` is its client, as it is encoded."""
    info = update[position]
    right, begin = read_head(update, position)
    behind = bytes([info & HAS_PARENT_SUB | HAS_ORIGIN | (HAS_RIGHT_ORIGIN if right else 0) | ANY]) + own
    data = bytearray(update[position:begin])
    left, begin = read_varuint(update, begin)
    known = Parts(len(update))
    parts: list[Part] = []
    first, structs, count, at = clock, 0, 0, begin
    for _ in range(left):
        nans = known.nans
        end = skip_any(update, at, known)
        if known.nans != nans and count:
            write_varuint(data, count)
            data += update[begin:at]
            clock, structs = clock + count, structs + 1
            if structs == STEP_STRUCTS:
                parts.append(Part(first, structs, bytes(data)))
                first, structs, data = clock, 0, bytearray()
                yield
            data += behind
            write_varuint(data, clock - 1)
            data += right
            begin, count = at, 0
        at, count = end, count + 1
    write_varuint(data, count)
    data += update[begin:at]
    return [*parts, Part(first, structs + 1, bytes(data))]
