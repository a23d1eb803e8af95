"""A strict reader of Yjs v1 updates: what does not pass here never reaches pycrdt.

Crafted updates that are plausible byte by byte make yrs hang, allocate without end, panic, or write snapshots that
nothing can read. What honest clients send keeps to narrower rules, and those are checked here:

1. Every client has one section, with at least one struct; every length is at least 1; nothing follows the end.
2. Clocks stay below 2^31 and have no gap: a section begins at or below what the document has of its client.
3. What a struct refers to, and what is deleted, is known: in the document, or earlier in this update in an order
   in which it can be integrated. Deleted ranges ascend and do not overlap: yrs walks the document for each of them.
4. Strings are UTF-8; embedded JSON is JSON that both JavaScript and Rust accept (values.py).
5. Nothing cuts a surrogate pair in two. yjs then puts U+FFFD for both halves; yrs loses count, and whoever gets the
   document from it afterwards has other clocks than those who were there.

Source of the format: yjs `UpdateEncoderV1` / `readClientsStructRefs`, and yrs 0.2x for what it reads differently.
"""

import heapq
import re
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from collabdoc.errors import Malformed, MissingDependencies
from collabdoc.protocol.lib0 import read_bytes, read_string, read_varuint
from collabdoc.protocol.values import skip_any, skip_json

MAX_CLOCK = 2**31 - 1

Pairs = Mapping[int, Sequence[int]]
"""Client -> the clocks, ascending, at which the second half of a surrogate pair stands."""

_GC, _DELETED, _JSON, _BINARY, _STRING, _EMBED, _FORMAT, _TYPE, _ANY, _DOC, _SKIP = range(11)
_HAS_ORIGIN, _HAS_RIGHT_ORIGIN, _HAS_PARENT_SUB, _CONTENT = 0x80, 0x40, 0x20, 0x1F
_XML_ELEMENT, _XML_HOOK, _XML_TEXT = 3, 5, 6
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_ASTRAL_UTF8 = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_NO_HALVES: "array[int]" = array("I")

_Id = tuple[int, int]
_Reference = tuple[int, int, int]
"""Client and clock of what a struct refers to, and the clock before which that is cut for it."""
_Struct = tuple[int, tuple[_Reference, ...]]
"""Where a struct ends, and what it refers to."""


@dataclass(frozen=True, slots=True)
class UpdateInfo:
    """What an update that passed holds: per client, the clocks at which its structs begin and end."""

    starts: Mapping[int, int]
    ends: Mapping[int, int]
    deletes: bool
    pairs: Pairs = field(default_factory=dict)


@dataclass(slots=True)
class _Section:
    client: int
    start: int
    structs: list[_Struct] = field(default_factory=list)
    halves: "array[int]" = field(default_factory=lambda: array("I"))

    @property
    def end(self) -> int:
        return self.structs[-1][0]


def check_update(update: bytes, clocks: Mapping[int, int], pairs: Pairs | None = None) -> UpdateInfo:
    """Check an update against what the document has, `clocks` (client id -> clock) and surrogate `pairs`.

    Raises `Malformed` for what no honest client sends and `MissingDependencies` for what may become valid once the
    sender has sent everything that the document lacks.
    """
    missing: list[str] = []  # told only once the whole update is known to be well formed
    try:
        sections, position = _read_sections(update, clocks, missing)
        ends = {section.client: section.end for section in sections}
        new_pairs = {section.client: section.halves for section in sections if section.halves}
        all_pairs = [found for found in (pairs, new_pairs) if found]
        deletes, position = _read_deletes(update, position, clocks, ends, all_pairs, missing)
    except IndexError:
        raise Malformed("an update ends too early") from None
    if position != len(update):
        raise Malformed(f"{len(update) - position} bytes follow an update")
    if all_pairs:
        _check_cuts(sections, clocks, all_pairs)
    if missing:
        raise MissingDependencies(missing[0])
    _check_dependencies(sections, clocks)
    return UpdateInfo({section.client: section.start for section in sections}, ends, deletes, new_pairs)


def find_pairs(update: bytes) -> Pairs:
    """Where the structs of an update that was taken hold surrogate pairs."""
    if not _ASTRAL_UTF8.search(update):
        return {}
    try:
        sections, _ = _read_sections(update, {}, [])
    except (IndexError, Malformed):
        return {}  # taken before, under other rules: no reason to lock people out of their document
    return {section.client: section.halves for section in sections if section.halves}


def _read_sections(update: bytes, clocks: Mapping[int, int], missing: list[str]) -> tuple[list[_Section], int]:
    count, position = read_varuint(update, 0)
    sections: list[_Section] = []
    seen: set[int] = set()
    for _ in range(count):
        structs, position = read_varuint(update, position)
        client, position = read_varuint(update, position)
        clock, position = read_varuint(update, position)
        if structs == 0:
            raise Malformed(f"an update has an empty section for client {client}")
        if client in seen:
            raise Malformed(f"an update has two sections for client {client}")
        if clock > clocks.get(client, 0):
            known = clocks.get(client, 0)
            missing.append(f"an update of client {client} begins at {clock}, the server has {known}")
        seen.add(client)
        section = _Section(client, clock)
        for _ in range(structs):
            length, references, halves, position = _read_struct(update, position, missing)
            if clock + length > MAX_CLOCK:
                raise Malformed(f"an update takes client {client} past the clock 2^31 - 1")
            if halves:
                section.halves.extend(clock + half for half in halves)
            clock += length
            if references or not section.structs:
                section.structs.append((clock, references))
            else:  # it waits for nothing but the one before it: 8 MB of such structs stay small
                section.structs[-1] = (clock, section.structs[-1][1])
        sections.append(section)
    return sections, position


def _read_struct(
    update: bytes, position: int, missing: list[str]
) -> tuple[int, tuple[_Reference, ...], Sequence[int], int]:
    """The struct's length in clocks, what it refers to, its surrogate pairs, and where the next one begins."""
    info = update[position]
    position += 1
    content = info & _CONTENT
    if content in (_GC, _SKIP):
        if info != content:
            raise Malformed(f"a struct has the info byte {info:#04x}, expected {content:#04x}")
        length, position = _read_length(update, position)
        if content == _SKIP:
            missing.append("an update has a gap")
        return length, (), _NO_HALVES, position
    references: tuple[_Reference, ...] = ()
    if info & _HAS_ORIGIN:
        client, position = read_varuint(update, position)
        clock, position = read_varuint(update, position)
        references = ((client, clock, clock + 1),)
    if info & _HAS_RIGHT_ORIGIN:
        client, position = read_varuint(update, position)
        clock, position = read_varuint(update, position)
        references = (*references, (client, clock, clock))
    if not references:
        is_root, position = read_varuint(update, position)
        if is_root == 1:
            _, position = read_string(update, position)
        elif is_root == 0:
            client, position = read_varuint(update, position)
            clock, position = read_varuint(update, position)
            references = ((client, clock, clock),)
        else:
            raise Malformed(f"a struct's parent is of kind {is_root}, expected 0 or 1")
        if info & _HAS_PARENT_SUB:
            _, position = read_string(update, position)
            if content in (_FORMAT, _STRING):  # yrs panics over a format, and text belongs to sequences
                raise Malformed("a map's entry holds text or a format")
    if content == _STRING:  # by far the most common
        text, position = read_string(update, position)
        halves = _NO_HALVES if text.isascii() else _halves(text)
        length = len(text) + len(halves)
        if length == 0:
            raise Malformed("a struct holds an empty string")
        return length, references, halves, position
    length, position = _read_content(content, update, position)
    return length, references, _NO_HALVES, position


def _halves(text: str) -> "array[int]":
    """Where the second halves of surrogate pairs stand, in UTF-16 units."""
    return array("I", (match.start() + before + 1 for before, match in enumerate(_ASTRAL.finditer(text))))


def _read_content(content: int, update: bytes, position: int) -> tuple[int, int]:
    match content:
        case 1:  # _DELETED
            return _read_length(update, position)
        case 2:  # _JSON
            # yjs wrote it before version 13 only; yrs reads one string more than there is, and so all that follows
            # differently from how it is read here.
            raise Malformed("a struct holds JSON of a version of yjs that is not supported")
        case 3:  # _BINARY
            _, position = read_bytes(update, position)
        case 5:  # _EMBED
            position = skip_json(update, position)
        case 6:  # _FORMAT
            _, position = read_string(update, position)
            position = skip_json(update, position)
        case 7:  # _TYPE
            type_, position = read_varuint(update, position)
            # yjs reads a name after an XmlHook, yrs does not; no client makes one.
            if type_ > _XML_TEXT or type_ == _XML_HOOK:
                raise Malformed(f"a struct holds a shared type of kind {type_}")
            if type_ == _XML_ELEMENT:
                _, position = read_string(update, position)
        case 8:  # _ANY
            length, position = _read_length(update, position)
            for _ in range(length):
                position = skip_any(update, position)
            return length, position
        case 9:  # _DOC
            _, position = read_string(update, position)
            position = skip_any(update, position)
        case _:
            raise Malformed(f"a struct's content is of kind {content}, expected at most {_SKIP}")
    return 1, position


def _read_length(update: bytes, position: int) -> tuple[int, int]:
    length, position = read_varuint(update, position)
    if length == 0:
        raise Malformed("a struct has the length 0")
    return length, position


def _read_deletes(
    update: bytes,
    position: int,
    clocks: Mapping[int, int],
    ends: Mapping[int, int],
    pairs: Sequence[Pairs],
    missing: list[str],
) -> tuple[bool, int]:
    count, position = read_varuint(update, position)
    seen: set[int] = set()
    for _ in range(count):
        client, position = read_varuint(update, position)
        ranges, position = read_varuint(update, position)
        if ranges == 0 or client in seen:
            raise Malformed(f"an update's delete set has an empty or a second part for client {client}")
        seen.add(client)
        known = max(clocks.get(client, 0), ends.get(client, 0))
        end = 0
        for _ in range(ranges):
            clock, position = read_varuint(update, position)
            length, position = read_varuint(update, position)
            if length == 0:
                raise Malformed(f"an update deletes an empty range of client {client}")
            if clock < end:
                raise Malformed(f"an update deletes client {client} from {clock} after it did up to {end}")
            end = clock + length
            if pairs:
                _check_cut(client, clock, pairs)
                _check_cut(client, end, pairs)
        if end > known:
            missing.append(f"an update deletes client {client} up to {end}, the server has {known}")
    return count > 0, position


def _check_cuts(sections: list[_Section], clocks: Mapping[int, int], pairs: Sequence[Pairs]) -> None:
    for section in sections:
        _check_cut(section.client, section.start, pairs)
        _check_cut(section.client, clocks.get(section.client, 0), pairs)  # what is new of a struct is cut off there
        for _, references in section.structs:
            for client, _, cut in references:
                _check_cut(client, cut, pairs)


def _check_cut(client: int, clock: int, pairs: Sequence[Pairs]) -> None:
    for found in pairs:
        if client in found:
            halves = found[client]
            index = bisect_left(halves, clock)
            if index < len(halves) and halves[index] == clock:
                raise Malformed(f"an update cuts a character of client {client} in two, at {clock}")


def _check_dependencies(sections: list[_Section], clocks: Mapping[int, int]) -> None:
    """See that all structs can be integrated, in some order: each refers only to what is there before it.

    A section that has to wait for another is woken once that one has come far enough, so the work is linear (but for
    a logarithm) in the size of the update whatever its shape.
    """
    have = {section.client: clocks.get(section.client, 0) for section in sections}
    reached = [0] * len(sections)
    waiting: dict[int, list[tuple[int, int]]] = {}  # client -> heap of (clock it must pass, section that waits)
    ready = list(range(len(sections)))
    blocked = 0
    while ready:
        index = ready.pop()
        section = sections[index]
        reached[index], need = _integrate(section, reached[index], have, clocks)
        if need is not None:
            heapq.heappush(waiting.setdefault(need[0], []), (need[1], index))
            blocked += 1
        heap = waiting.get(section.client, ())
        while heap and heap[0][0] < have[section.client]:
            ready.append(heapq.heappop(heap)[1])
            blocked -= 1
    if blocked:
        raise MissingDependencies("an update builds on edits that the server has not seen")


def _integrate(
    section: _Section, first: int, have: dict[int, int], clocks: Mapping[int, int]
) -> tuple[int, _Id | None]:
    """Take the section as far as it gets from its struct `first`; what it lacks there, if anything."""
    own = section.client
    known = clocks.get(own, 0)
    for index in range(first, len(section.structs)):
        end, references = section.structs[index]
        if end > known:  # what the document has already was checked when it came
            for client, clock, _ in references:
                if clock >= (have[client] if client in have else clocks.get(client, 0)):
                    return index, (client, clock)
            have[own] = end
    return len(section.structs), None
