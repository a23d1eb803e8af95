"""A strict reader of Yjs v1 updates: what does not pass here never reaches pycrdt.

Crafted updates that are plausible byte by byte make yrs hang, allocate without end, panic, or write snapshots that
nothing can read. What honest clients send keeps to narrower rules, and those are checked here:

1. Every client has one section, with at least one struct; every length is at least 1; nothing follows the end.
2. Clocks stay below 2^31 and have no gap: a section begins at or below what the document has of its client.
3. What a struct refers to, and what is deleted, is known: in the document, or earlier in this update in an order
   in which it can be integrated.
4. Strings are UTF-8; embedded JSON is JSON that both JavaScript and Rust accept, nested at most `MAX_DEPTH` deep.

Source of the format: yjs `UpdateEncoderV1` / `readClientsStructRefs`, and yrs 0.2x for what it reads differently.
"""

import heapq
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from collabdoc.errors import Malformed, MissingDependencies
from collabdoc.protocol.lib0 import read_bytes, read_string, read_varuint

MAX_CLOCK = 2**31 - 1
MAX_DEPTH = 64

_GC, _DELETED, _JSON, _BINARY, _STRING, _EMBED, _FORMAT, _TYPE, _ANY, _DOC, _SKIP = range(11)
_HAS_ORIGIN, _HAS_RIGHT_ORIGIN, _HAS_PARENT_SUB, _CONTENT = 0x80, 0x40, 0x20, 0x1F
_XML_ELEMENT, _XML_HOOK, _XML_TEXT = 3, 5, 6

_Id = tuple[int, int]
_Struct = tuple[int, tuple[_Id, ...]]
"""Where a struct ends, and the ids that it refers to."""


@dataclass(frozen=True, slots=True)
class UpdateInfo:
    """What an update that passed holds: per client, the clocks at which its structs begin and end."""

    starts: Mapping[int, int]
    ends: Mapping[int, int]
    deletes: bool


@dataclass(slots=True)
class _Section:
    client: int
    start: int
    structs: list[_Struct] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.structs[-1][0]


def check_update(update: bytes, clocks: Mapping[int, int]) -> UpdateInfo:
    """Check an update against what the document has, `clocks` (client id -> clock).

    Raises `Malformed` for what no honest client sends and `MissingDependencies` for what may become valid once the
    sender has sent everything that the document lacks.
    """
    missing: list[str] = []  # told only once the whole update is known to be well formed
    try:
        sections, position = _read_sections(update, clocks, missing)
        ends = {section.client: section.end for section in sections}
        deletes, position = _read_deletes(update, position, clocks, ends, missing)
    except IndexError:
        raise Malformed("an update ends too early") from None
    if position != len(update):
        raise Malformed(f"{len(update) - position} bytes follow an update")
    if missing:
        raise MissingDependencies(missing[0])
    _check_dependencies(sections, clocks)
    return UpdateInfo({section.client: section.start for section in sections}, ends, deletes)


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
            length, references, position = _read_struct(update, position, missing)
            clock += length
            if clock > MAX_CLOCK:
                raise Malformed(f"an update takes client {client} past the clock 2^31 - 1")
            section.structs.append((clock, references))
        sections.append(section)
    return sections, position


def _read_struct(update: bytes, position: int, missing: list[str]) -> tuple[int, tuple[_Id, ...], int]:
    """The struct's length in clocks, what it refers to, and where the next one begins."""
    info = update[position]
    position += 1
    content = info & _CONTENT
    if content in (_GC, _SKIP):
        if info != content:
            raise Malformed(f"a struct has the info byte {info:#04x}, expected {content:#04x}")
        length, position = _read_length(update, position)
        if content == _SKIP:
            missing.append("an update has a gap")
        return length, (), position
    references: tuple[_Id, ...] = ()
    if info & _HAS_ORIGIN:
        client, position = read_varuint(update, position)
        clock, position = read_varuint(update, position)
        references = ((client, clock),)
    if info & _HAS_RIGHT_ORIGIN:
        client, position = read_varuint(update, position)
        clock, position = read_varuint(update, position)
        references = (*references, (client, clock))
    if not references:
        is_root, position = read_varuint(update, position)
        if is_root == 1:
            _, position = read_string(update, position)
        elif is_root == 0:
            client, position = read_varuint(update, position)
            clock, position = read_varuint(update, position)
            references = ((client, clock),)
        else:
            raise Malformed(f"a struct's parent is of kind {is_root}, expected 0 or 1")
        if info & _HAS_PARENT_SUB:
            _, position = read_string(update, position)
    length, position = _read_content(content, update, position)
    return length, references, position


def _read_content(content: int, update: bytes, position: int) -> tuple[int, int]:
    match content:
        case 4:  # _STRING: by far the most common
            text, position = read_string(update, position)
            length = len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
            if length == 0:
                raise Malformed("a struct holds an empty string")
            return length, position
        case 1:  # _DELETED
            return _read_length(update, position)
        case 2:  # _JSON
            length, position = _read_length(update, position)
            for _ in range(length):
                position = _skip_json(update, position)
            return length, position
        case 3:  # _BINARY
            _, position = read_bytes(update, position)
        case 5:  # _EMBED
            position = _skip_json(update, position)
        case 6:  # _FORMAT
            _, position = read_string(update, position)
            position = _skip_json(update, position)
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
                position = _skip_any(update, position, MAX_DEPTH)
            return length, position
        case 9:  # _DOC
            _, position = read_string(update, position)
            position = _skip_any(update, position, MAX_DEPTH)
        case _:
            raise Malformed(f"a struct's content is of kind {content}, expected at most {_SKIP}")
    return 1, position


def _read_length(update: bytes, position: int) -> tuple[int, int]:
    length, position = read_varuint(update, position)
    if length == 0:
        raise Malformed("a struct has the length 0")
    return length, position


def _skip_json(update: bytes, position: int) -> int:
    text, position = read_string(update, position)
    if text == "undefined":
        return position
    if max(text.count("["), text.count("{")) > MAX_DEPTH and _json_depth(text) > MAX_DEPTH:
        raise Malformed(f"embedded JSON is nested more than {MAX_DEPTH} deep")
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_float)
        if "\\u" in text:
            # JavaScript writes a lone surrogate as an escape, which Rust's reader refuses.
            json.dumps(value, ensure_ascii=False).encode()
    except ValueError as error:
        raise Malformed(f"embedded JSON is not JSON: {error!s:.100}") from None
    return position


def _json_depth(text: str) -> int:
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text:.20} is out of range")
    return value


def _skip_any(update: bytes, position: int, depth: int) -> int:
    """Step over one value in lib0's `any` encoding."""
    if depth == 0:
        raise Malformed(f"a value is nested more than {MAX_DEPTH} deep")
    kind = update[position]
    position += 1
    match kind:
        case 127 | 126 | 121 | 120:  # undefined, null, false, true
            return position
        case 125:  # an integer: sign and 6 bits, then 7 bits a byte
            start = position
            while update[position] >= 0x80:
                position += 1
                if position - start > 7:
                    raise Malformed("an integer is longer than 8 bytes")
            return position + 1
        case 124:
            position += 4
        case 123 | 122:
            position += 8
        case 119:
            _, position = read_string(update, position)
        case 118:
            count, position = read_varuint(update, position)
            for _ in range(count):
                _, position = read_string(update, position)
                position = _skip_any(update, position, depth - 1)
        case 117:
            count, position = read_varuint(update, position)
            for _ in range(count):
                position = _skip_any(update, position, depth - 1)
        case 116:
            _, position = read_bytes(update, position)
        case _:
            raise Malformed(f"a value is of kind {kind}, expected 116 to 127")
    if position > len(update):
        raise IndexError
    return position


def _check_dependencies(sections: list[_Section], clocks: Mapping[int, int]) -> None:
    """See that all structs can be integrated, in some order: each refers only to what is there before it.

    A section that has to wait for another is woken once that one has come far enough, so the work is linear (but for
    a logarithm) in the size of the update whatever its shape.
    """
    have = {**clocks} if len(sections) > 1 else clocks
    reached = [0] * len(sections)
    waiting: dict[int, list[tuple[int, int]]] = {}  # client -> heap of (clock it must pass, section that waits)
    ready = list(range(len(sections)))
    blocked = 0
    while ready:
        index = ready.pop()
        section = sections[index]
        done, need = _integrate(section, reached[index], have, clocks)
        if need is not None:
            heapq.heappush(waiting.setdefault(need[0], []), (need[1], index))
            blocked += 1
        if done > reached[index] and isinstance(have, dict):
            reached[index] = done
            clock = have[section.client] = max(have.get(section.client, 0), section.structs[done - 1][0])
            heap = waiting.get(section.client, [])
            while heap and heap[0][0] < clock:
                ready.append(heapq.heappop(heap)[1])
                blocked -= 1
    if blocked:
        raise MissingDependencies("an update builds on edits that the server has not seen")


def _integrate(
    section: _Section, first: int, have: Mapping[int, int], clocks: Mapping[int, int]
) -> tuple[int, _Id | None]:
    """How far the section gets from its struct `first`, and the id that it lacks there."""
    own = section.client
    known = clocks.get(own, 0)
    before = max(section.start, have.get(own, 0))
    for index in range(first, len(section.structs)):
        end, references = section.structs[index]
        if end > known:  # what the document has already was checked when it came
            for client, clock in references:
                if clock >= (before if client == own else have.get(client, 0)):
                    return index, (client, clock)
        before = max(before, end)
    return len(section.structs), None


def _read_deletes(
    update: bytes, position: int, clocks: Mapping[int, int], ends: Mapping[int, int], missing: list[str]
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
        for _ in range(ranges):
            clock, position = read_varuint(update, position)
            length, position = read_varuint(update, position)
            if length == 0:
                raise Malformed(f"an update deletes an empty range of client {client}")
            if clock + length > known:
                missing.append(f"an update deletes client {client} up to {clock + length}, the server has {known}")
    return count > 0, position
