"""Reading the structs of a Yjs v1 update: what each holds is checked, what they refer to is collected.

Rules 1, 2 and 4 of `update.py` are kept here. The loop over structs is the longest that the server runs on bytes of a
stranger, some 1.5 us a struct: hence the few things that are written out in it, and `Parts`.

Source of the format: yjs `UpdateEncoderV1` / `readClientsStructRefs`, and yrs 0.2x for what it reads differently.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from collabdoc.errors import Malformed
from collabdoc.protocol.lib0 import read_bytes, read_string, read_varuint, write_varuint
from collabdoc.protocol.texts import LONG_TEXT_BYTES, Halves, read_long_text, read_text
from collabdoc.protocol.values import UNLIMITED, Parts, skip_any, skip_json
from collabdoc.steps import Steps

MAX_CLOCK = 2**31 - 1
STEP_STRUCTS = 100
"""Structs that go to pycrdt at once: of two neighbours that can be one it makes one by copying all that follow."""
_TURN_STRUCTS = 10 * STEP_STRUCTS
"""Structs that are read in one step."""
_SECTION_PARTS, _WAIT_PARTS = 10, 5
"""What a section, and a struct that waits for another section, counts: it takes so many times as long as a struct."""

GC, DELETED, _JSON, _BINARY, _STRING, _EMBED, _FORMAT, TYPE, ANY, _DOC, _SKIP = range(11)
HAS_ORIGIN, HAS_RIGHT_ORIGIN, HAS_PARENT_SUB, CONTENT = 0x80, 0x40, 0x20, 0x1F
_XML_ELEMENT, _XML_HOOK, _XML_TEXT = 3, 5, 6
_WITHOUT_PARENT = (GC, _SKIP)
_REFERENCES = ((), (0,), (1,), (1, 0))
"""By the first two bits of a struct: for its origin and its right origin, where that is cut for it (1: the origin)."""

Id = tuple[int, int]
"""Client and clock."""


class Step(NamedTuple):
    """Structs that follow each other, up to the next step or the section's end, and need nothing after the first."""

    clock: int
    number: int
    """How many structs of the section come before."""
    position: int
    """The byte of the update at which they begin."""
    needs: tuple[Id, ...]
    """What the document lacks and the first of them refers to, unless that comes before it in the section."""
    jumps: int
    """How many jumps of the update come before."""


@dataclass(slots=True)
class Section:
    """The structs of one client."""

    client: int
    start: int
    count: int
    steps: list[Step] = field(default_factory=list)
    end: int = 0
    end_position: int = 0
    jumps: int = 0
    """How many jumps of the update come before its end."""


@dataclass(slots=True)
class Structs:
    """All structs of an update. No step has more than `step_jumps` jumps.

    A jump is a struct that does not simply follow the one before it, as text that is typed does, nor is the first in
    it. For its place pycrdt may have to pass all that stands where it is put: 0.18 us for each, 25 ms for 140,000.
    """

    step_jumps: int = UNLIMITED
    jumps: int = 0
    sections: list[Section] = field(default_factory=list)
    clients: set[int] = field(default_factory=set)
    count: int = 0
    is_text: bool = True
    """Whether there is nothing but text and its formats, so that no entry of a map is set."""
    waits: bool = False
    """Whether any of them refers to another section's, beyond what the document has."""
    halves: Halves = field(default_factory=dict)
    cuts: list[Id] = field(default_factory=list)
    """The clocks before which a client's text is cut, as far as they were asked for."""
    nans: list[tuple[int, bytes, int]] = field(default_factory=list)
    """Structs of several values with a NaN, each a step: where it begins, its client as it is encoded, its clock."""
    texts: dict[int, int] | None = None
    """How long the long texts are that were read by themselves, by where they begin; None: all is read in one go."""
    unread: tuple[int, int, int] | None = None
    """The next long text: how many structs of the section come before, and between which bytes it stands."""
    known_parents: set[Id] = field(default_factory=set)
    """Those that the document has, of structs that it lacks."""
    types: set[Id] = field(default_factory=set)
    remains: dict[int, list[Id]] = field(default_factory=dict)
    """What is left of what was deleted: client -> the first clock of each run and that behind it, ascending."""
    parents: list[Id] = field(default_factory=list)
    """Those that the document lacks and that were no type yet when they were referred to."""
    missing: list[str] = field(default_factory=list)
    subdocument: Id | None = None
    """One that the document lacks."""

    def may_be_parent(self, one: Id) -> bool:
        """Whether something may stand in this one, which is of the update: in a type, or what is left of one."""
        runs = self.remains.get(one[0], [])
        place = bisect_right(runs, (one[1], MAX_CLOCK + 1)) - 1
        return one in self.types or (place >= 0 and one[1] < runs[place][1])


def read_structs(
    update: bytes, clocks: Mapping[int, int], parts: Parts, *, with_cuts: bool, step_jumps: int = UNLIMITED
) -> tuple[Structs, int]:
    """Read the sections at the beginning of an update; also gives the position after them.

    Raises `Malformed`, `TooLarge`, and an `IndexError` where the bytes end too early.
    """
    structs = Structs(step_jumps)
    count, position = read_varuint(update, 0)
    parts.take(_SECTION_PARTS * count)
    for _ in range(count):
        section, own, position = _begin_section(update, position, structs, clocks, parts)
        numbers = range(section.count)
        position = _read_some(update, position, own, numbers, section, structs, clocks, parts, with_cuts=with_cuts)
        section.end_position = position
    return structs, position


def find_across(update: bytes, section: Section, clock: int) -> tuple[int, int] | None:
    """The struct of a section that begins before a clock and ends behind it: its own clock, and its position."""
    own = bytearray()
    write_varuint(own, section.client)
    step = next(each for each in reversed(section.steps) if each.clock <= clock)
    at, position = step.clock, step.position
    while at < clock:
        one, parts = Section(section.client, at, 1, end=at), Parts(section.end_position)
        behind = _read_some(update, position, bytes(own), range(1), one, Structs(), {}, parts, with_cuts=False)
        if one.end > clock:
            return at, position
        at, position = one.end, behind
    return None


def read_place(update: bytes, position: int) -> tuple[int, bytes] | None:
    """Where the struct at a position says that it stands, to be compared; None for one that has no place any more."""
    info = update[position]
    if info & CONTENT in _WITHOUT_PARENT:
        return None
    _, end = read_head(update, position)
    return info >> 6, update[position + 1 : end]


def read_head(update: bytes, position: int) -> tuple[bytes, int]:
    """The right origin, as it is encoded, of a struct at a position that has a place, and where its content begins."""
    info = update[position]
    right = b""
    position += 1
    for cut in _REFERENCES[info >> 6]:
        begin = position
        _, _, position = _read_id(update, position)
        if not cut:
            right = update[begin:position]
    if info < HAS_RIGHT_ORIGIN:
        _, position = _read_parent(update, position, info)
    return right, position


def read_structs_in_steps(
    update: bytes, clocks: Mapping[int, int], parts: Parts, *, with_cuts: bool, step_jumps: int = UNLIMITED
) -> Steps[tuple[Structs, int]]:
    """The same in short steps; so is a long text. Other values, however long, are read in one go."""
    structs = Structs(step_jumps)
    structs.texts = texts = {}
    count, position = read_varuint(update, 0)
    parts.take(_SECTION_PARTS * count)
    for number in range(1, count + 1):
        section, own, position = _begin_section(update, position, structs, clocks, parts)
        first = 0
        while first < section.count:
            if first or number % _TURN_STRUCTS == 0:
                yield
            some = range(first, min(first + _TURN_STRUCTS, section.count))
            position = _read_some(update, position, own, some, section, structs, clocks, parts, with_cuts=with_cuts)
            first = some.stop
            if structs.unread is not None:
                (first, begin, end), structs.unread = structs.unread, None
                text = read_long_text(update, begin, end, section.client, section.end, structs.halves)
                texts[begin] = yield from text
        section.end_position = position
    return structs, position


def _begin_section(
    update: bytes, position: int, structs: Structs, clocks: Mapping[int, int], parts: Parts
) -> tuple[Section, bytes, int]:
    count, begin = read_varuint(update, position)
    client, position = read_varuint(update, begin)
    own = update[begin:position]
    clock, position = read_varuint(update, position)
    if count == 0:
        raise Malformed(f"an update has an empty section for client {client}")
    if client in structs.clients:
        raise Malformed(f"an update has two sections for client {client}")
    if clock > MAX_CLOCK:
        raise Malformed(f"an update begins at the clock {clock} of client {client}, expected at most 2^31 - 1")
    if clock > (known := clocks.get(client, 0)):
        structs.missing.append(f"an update of client {client} begins at {clock}, the server has {known}")
    parts.take(count)
    structs.clients.add(client)
    structs.count += count
    section = Section(client, clock, count, end=clock)
    structs.sections.append(section)
    return section, own, position


def _read_some(
    update: bytes,
    position: int,
    own: bytes,
    numbers: range,
    section: Section,
    structs: Structs,
    clocks: Mapping[int, int],
    parts: Parts,
    *,
    with_cuts: bool,
) -> int:
    clock, client, next_step = section.end, section.client, numbers.start
    jumps = first_jump = structs.jumps
    before, right_before = -1, None
    step_jumps, nans, has_nans = structs.step_jumps, parts.nans, False
    for number in numbers:
        begin = position
        info = update[position]
        content = info & CONTENT
        position += 1
        needs: tuple[Id, ...] = ()
        is_jump = True
        right: bytes | None = b""
        if info >= HAS_RIGHT_ORIGIN:
            right_at = position
            for cut in _REFERENCES[info >> 6]:
                # An origin is mostly the author's own.
                if update.startswith(own, position):
                    other = client
                    position += len(own)
                else:
                    other, position = read_varuint(update, position)
                other_clock, position = read_varuint(update, position)
                if other_clock >= (clock if other == client else clocks.get(other, 0)):
                    needs = (*needs, (other, other_clock))
                if with_cuts:
                    structs.cuts.append((other, other_clock + cut))
                if cut:
                    is_jump = other_clock != clock - 1 or other != client
                    right_at = position
            right = update[right_at:position]
            if right != right_before:
                is_jump = True
        elif content not in _WITHOUT_PARENT:
            parent, position = _read_parent(update, position, info)
            if parent is not None:
                is_jump = before != TYPE or parent != (client, clock - 1)
                if parent[1] >= (clock if parent[0] == client else clocks.get(parent[0], 0)):
                    needs = (parent,)
                if parent[1] < clocks.get(parent[0], 0):
                    if clock >= clocks.get(client, 0):
                        structs.known_parents.add(parent)
                elif parent not in structs.types:
                    structs.parents.append(parent)
                if with_cuts:
                    structs.cuts.append(parent)
        if content == _STRING:  # by far the most common
            length = update[position]
            if length < 0x80:
                position += 1
            else:
                length, position = read_varuint(update, position)
            if length == 0:
                raise Malformed("a struct holds an empty string")
            if length > LONG_TEXT_BYTES and structs.texts is not None:
                text_at, position = position, position + length
                if position > len(update):
                    raise IndexError
                if text_at not in structs.texts:
                    structs.unread, position = (number, text_at, position), begin
                    break
                length = structs.texts[text_at]
            else:
                text = update[position : position + length]
                position += length
                if not text.isascii():
                    length = read_text(text, client, clock, structs.halves)
                if position > len(update):
                    raise IndexError
        elif content in _WITHOUT_PARENT:
            if info != content:
                raise Malformed(f"a struct has the info byte {info:#04x}, expected {content:#04x}")
            is_jump, right = False, None
            length, position = _read_length(update, position)
            structs.remains.setdefault(client, []).append((clock, clock + length))
            if content == _SKIP:
                structs.missing.append("an update has a gap")
        else:
            length, position = _read_content(content, update, position, parts)
            if content == TYPE:
                structs.types.add((client, clock))
            elif content == DELETED:
                structs.remains.setdefault(client, []).append((clock, clock + length))
            if content != _FORMAT:
                structs.is_text = False
                if content == _DOC and clock >= clocks.get(client, 0):
                    structs.subdocument = (client, clock)
                if parts.nans != nans:
                    nans = parts.nans
                    if length > 1:
                        structs.nans.append((begin, own, clock))
                        next_step, has_nans = number, True
        if number >= next_step or needs or jumps + is_jump - first_jump > step_jumps:
            if needs:
                structs.waits = True
                parts.take(_WAIT_PARTS)
            section.steps.append(Step(clock, number, begin, needs, jumps))
            next_step, first_jump = number + (1 if has_nans else STEP_STRUCTS), jumps
            has_nans = False
        jumps += is_jump
        before, right_before = content, right
        clock += length
        if clock > MAX_CLOCK:
            raise Malformed(f"an update takes client {client} past the clock 2^31 - 1")
    section.end = clock
    section.jumps = structs.jumps = jumps
    return position


def _read_id(update: bytes, position: int) -> tuple[int, int, int]:
    client, position = read_varuint(update, position)
    clock, position = read_varuint(update, position)
    return client, clock, position


def _read_parent(update: bytes, position: int, info: int) -> tuple[Id | None, int]:
    """The struct that a struct lies in, None where that is a root; and its key there is stepped over."""
    parent: Id | None = None
    is_root, position = read_varuint(update, position)
    if is_root == 1:
        _, position = read_string(update, position)
    elif is_root == 0:
        client, clock, position = _read_id(update, position)
        parent = (client, clock)
    else:
        raise Malformed(f"a struct's parent is of kind {is_root}, expected 0 or 1")
    if info & HAS_PARENT_SUB:
        _, position = read_string(update, position)
        if info & CONTENT in (_FORMAT, _STRING):  # yrs panics over a format, and text belongs to sequences
            raise Malformed("a map's entry holds text or a format")
    return parent, position


def _read_content(content: int, update: bytes, position: int, parts: Parts) -> tuple[int, int]:
    match content:
        case 1:  # DELETED
            return _read_length(update, position)
        case 2:  # _JSON
            # yjs wrote it before version 13 only; yrs reads one string more than there is, and so all that follows
            # differently from how it is read here.
            raise Malformed("a struct holds JSON of a version of yjs that is not supported")
        case 3:  # _BINARY
            _, position = read_bytes(update, position)
        case 5:  # _EMBED
            position = skip_json(update, position, parts)
        case 6:  # _FORMAT
            _, position = read_string(update, position)
            position = skip_json(update, position, parts)
        case 7:  # TYPE
            type_, position = read_varuint(update, position)
            # yjs reads a name after an XmlHook, yrs does not; no client makes one.
            if type_ > _XML_TEXT or type_ == _XML_HOOK:
                raise Malformed(f"a struct holds a shared type of kind {type_}")
            if type_ == _XML_ELEMENT:
                _, position = read_string(update, position)
        case 8:  # ANY
            length, position = _read_length(update, position)
            parts.take(length)
            for _ in range(length):
                position = skip_any(update, position, parts)
            return length, position
        case 9:  # _DOC
            _, position = read_string(update, position)
            position = skip_any(update, position, parts)
        case _:
            raise Malformed(f"a struct's content is of kind {content}, expected at most {_SKIP}")
    return 1, position


def _read_length(update: bytes, position: int) -> tuple[int, int]:
    length, position = read_varuint(update, position)
    if length == 0:
        raise Malformed("a struct has the length 0")
    return length, position
