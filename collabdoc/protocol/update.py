"""A strict reader of Yjs v1 updates: what does not pass here never reaches pycrdt.

Crafted updates that are plausible byte by byte make yrs hang, allocate without end, panic, or write snapshots that
nothing can read. What honest clients send keeps to narrower rules, and those are checked here:

1. Every client has one section, with at least one struct; every length is at least 1; nothing follows the end.
2. Clocks stay below 2^31 and have no gap: a section begins at or below what the document has of its client.
3. What a struct refers to, and what is deleted, is known: in the document, or earlier in this update in an order
   in which it can be integrated; also where the document has the struct already, for yjs looks at it again and waits.
   Deleted ranges ascend and do not overlap: yrs walks the document for each of them.
4. Strings are UTF-8; embedded JSON is JSON that both JavaScript and Rust accept (values.py).
5. There is no subdocument: pycrdt 0.14.13 never frees a document that holds one.
6. A struct of which the document has a part already stands where that part does (`check_across` compares them): yrs
   puts the rest behind the part and lets it be of another parent, and reads freed memory once that one is deleted.
7. Nothing cuts a surrogate pair in two. yjs then puts U+FFFD for both halves; yrs loses count, and whoever gets the
   document from it afterwards has other clocks than those who were there.

Source of the format: yjs `UpdateEncoderV1` / `readClientsStructRefs`, and yrs 0.2x for what it reads differently.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from collabdoc.errors import Malformed, MissingDependencies, ProtocolError
from collabdoc.protocol.keystroke import read_keystroke
from collabdoc.protocol.lib0 import read_varuint, write_state_vector
from collabdoc.protocol.nans import may_have_nans
from collabdoc.protocol.pieces import (
    STEP_RANGES,
    WHOLE_JUMPS,
    WHOLE_RANGES,
    Plan,
    Ranges,
    is_small,
    make_plan,
    step_jumps_of,
)
from collabdoc.protocol.structs import (
    CONTENT,
    DELETED,
    GC,
    TYPE,
    Id,
    Structs,
    find_across,
    read_place,
    read_structs,
    read_structs_in_steps,
)
from collabdoc.protocol.values import UNLIMITED, Parts
from collabdoc.steps import Steps, finish

Pairs = Mapping[int, Sequence[int]]
"""Client -> the clocks, ascending, at which the second half of a surrogate pair stands."""

_ASTRAL_UTF8 = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_EACH_ASTRAL_UTF8 = [(lead, re.compile(rb"%c[\x80-\xbf]{3}" % lead)) for lead in range(0xF0, 0xF5)]
"""One for each lead: a byte is searched for ten times as fast as one of a class."""
_WHOLE_JUMPS = bytes([WHOLE_JUMPS])
_WHOLE_BYTES = 2 * WHOLE_RANGES
"""No more ranges are deleted by an update of no more: none is shorter than 2 bytes."""
_TAKEN_PARTS = 10_000_000
"""What is larger is loaded in one go: to plan it would take more memory than to have it."""
_STEP_CUTS = 1_000
_STEP_BYTES = 256 * 1024
"""So many are searched for surrogate pairs in one step."""
_SHORT_BYTES = 1_000
"""What has fewer is read in one step."""
_FEW_PARENTS = 10
"""So many are looked up one by one; to read all that a document has behind the first takes about 15 times as long."""
_RANGE_PARTS = 2
"""What a deleted range counts: pycrdt may have to cut a text for it, at either end."""


class Across(NamedTuple):
    """A struct of which the document has the beginning, and lacks the rest."""

    client: int
    clock: int
    place: tuple[int, bytes] | None
    """As of `read_place`."""


class UpdateInfo(NamedTuple):
    """What an update that passed holds: per client, the clocks at which its structs begin and end."""

    starts: Mapping[int, int]
    ends: Mapping[int, int]
    deletes: bool
    pairs: Pairs = MappingProxyType({})
    plan: Plan | None = None
    """How to take it in pieces; None where it is small enough to be taken whole."""
    is_text: bool = False
    """Whether it only inserts text and formats: no entry of any map is another after it."""
    across: Sequence[Across] = ()
    """Structs of which the document has a part."""
    known_parents: Collection[Id] = frozenset()
    """What the document has and structs that it lacks say that they stand in."""

    def cut(self, update: bytes) -> Iterable[bytes]:
        """The update that this was told of in the pieces in which pycrdt is to take it."""
        return (update,) if self.plan is None else self.plan.cut(update)


def check_update(
    update: bytes, clocks: Mapping[int, int], pairs: Pairs | None = None, *, max_parts: int = UNLIMITED
) -> UpdateInfo:
    """Check an update against what the document has, `clocks` (client id -> clock) and surrogate `pairs`.

    Raises `Malformed` for what no honest client sends, `MissingDependencies` for what may become valid once the
    sender has sent everything that the document lacks, and `TooLarge` for more than `max_parts` structs, embedded
    values and deleted ranges, before they are read. What takes longer than a struct counts for several.
    """
    if keystroke := read_keystroke(update, clocks, pairs):
        client, start, end = keystroke
        return UpdateInfo({client: start}, {client: end}, deletes=False, is_text=True)
    return finish(check_in_steps(update, clocks, pairs, max_parts=max_parts))


def check_in_steps(
    update: bytes, clocks: Mapping[int, int], pairs: Pairs | None = None, *, max_parts: int = UNLIMITED
) -> Steps[UpdateInfo]:
    """The same in short steps; `clocks` and `pairs` may grow between two of them."""
    parts, step_jumps = Parts(max_parts), step_jumps_of(update)
    try:
        structs, position = Structs(), 1
        if update[0]:
            with_cuts = bool(pairs) or (yield from _has_pairs(update))
            if len(update) < _SHORT_BYTES:
                structs, position = read_structs(update, clocks, parts, with_cuts=with_cuts, step_jumps=step_jumps)
            else:
                structs, position = yield from read_structs_in_steps(
                    update, clocks, parts, with_cuts=with_cuts, step_jumps=step_jumps
                )
        ends = {section.client: section.end for section in structs.sections}
        all_pairs: list[Pairs] = [found for found in (pairs, structs.halves) if found]
        missing = structs.missing  # told only once the whole update is known to be well formed
        deletes: Sequence[Ranges] = ()
        if update[position]:
            deletes, position = yield from _read_deletes(update, position, clocks, ends, all_pairs, missing, parts)
        else:
            position += 1
    except IndexError:
        raise Malformed("an update ends too early") from None
    if position != len(update):
        raise Malformed(f"{len(update) - position} bytes follow an update")
    if all_pairs:
        for section in structs.sections:
            _check_cut(section.client, section.start, all_pairs)
            # What is new of a struct is cut off there.
            _check_cut(section.client, clocks.get(section.client, 0), all_pairs)
        for number, (client, clock) in enumerate(structs.cuts, 1):
            _check_cut(client, clock, all_pairs)
            if number % _STEP_CUTS == 0:
                yield
    starts = {section.client: section.start for section in structs.sections}
    for number, (client, clock) in enumerate(structs.parents, 1):
        # In pieces pycrdt takes it where that was deleted before; in one go, as clients do, it fails over it.
        if not starts.get(client, 0) <= clock < ends.get(client, 0):
            structs.known_parents.add((client, clock))  # which came meanwhile, or is found missing
        elif not structs.may_be_parent((client, clock)):
            raise _no_type(client, clock)
        if number % _STEP_CUTS == 0:
            yield
    if structs.subdocument is not None:
        client, clock = structs.subdocument
        raise Malformed(f"an update holds a subdocument, at {clock} of client {client}: subdocuments are not supported")
    if missing:
        raise MissingDependencies(missing[0])
    plan = None
    if structs.waits or not is_small(structs, deletes):
        plan = yield from make_plan(update, structs, clocks, deletes)
    is_text = structs.is_text and not deletes and bool(ends)
    across = _find_across(update, structs, clocks)
    return UpdateInfo(starts, ends, bool(deletes), structs.halves, plan, is_text, across, structs.known_parents)


def check_known(
    info: UpdateInfo, read_clocks: Callable[[], Mapping[int, int]], read: Callable[[bytes], bytes]
) -> Steps[None]:
    """See what a document has of what an update refers to, in short steps; `read_clocks` and `read` as `check_across`.

    What an update is put into has to be a type, or what is left of something. Else pycrdt fails over it, but where the
    update is taken in pieces and has deleted that in one before: then clients, who take it in one go, fail.
    """
    if info.across:
        check_across(info.across, read_clocks(), read)
    if info.plan is None or not info.known_parents:
        return
    if len(info.known_parents) <= _FEW_PARENTS:
        for client, clock in info.known_parents:
            known = read(write_state_vector({**read_clocks(), client: clock}))
            if known[_find_first(known, client)] & CONTENT not in (GC, DELETED, TYPE):
                raise _no_type(client, clock)
            yield
        return
    clocks = read_clocks()
    before = dict(clocks)
    for client, clock in info.known_parents:
        before[client] = min(clock, before[client])
    known = read(write_state_vector(before))
    yield
    try:
        structs, _ = yield from read_structs_in_steps(known, clocks, Parts(UNLIMITED), with_cuts=False)
    except (IndexError, Malformed):
        return  # taken before, under other rules: pycrdt is to judge
    for client, clock in info.known_parents:
        if not structs.may_be_parent((client, clock)):
            raise _no_type(client, clock)


def check_across(across: Iterable[Across], clocks: Mapping[int, int], read: Callable[[bytes], bytes]) -> None:
    """See that structs which a document has in part stand where those parts do; raises `Malformed`.

    `clocks` are exactly those of the document, and `read` gives what it has over a state vector.
    """
    for client, clock, place in across:
        if place is None:
            continue
        before = write_state_vector({**clocks, client: clock})
        update = read(before)
        known = read_place(update, _find_first(update, client))
        if known is not None and known != place:
            raise Malformed(f"an update puts the edit {clock} of client {client} elsewhere than the document has it")


def _find_across(update: bytes, structs: Structs, clocks: Mapping[int, int]) -> Sequence[Across]:
    return tuple(
        Across(section.client, found[0], read_place(update, found[1]))
        for section in structs.sections
        if section.start < (known := clocks.get(section.client, 0)) < section.end
        and (found := find_across(update, section, known))
    )


def _find_first(update: bytes, client: int) -> int:
    """Where the first struct begins of an update that begins with this client.

    Nothing else is read: 12 bytes that claim the whole of a document as one edit cost 0.9 us for each of its structs.
    """
    _, position = read_varuint(update, 0)
    _, position = read_varuint(update, position)
    first, position = read_varuint(update, position)
    assert first == client
    _, position = read_varuint(update, position)
    return position


def _no_type(client: int, clock: int) -> Malformed:
    return Malformed(f"an update puts something into what is no type, at {clock} of client {client}")


def state_vector_before(clocks: Mapping[int, int], infos: Iterable[UpdateInfo]) -> bytes:
    """The state vector that a document with `clocks` had before it took these updates."""
    before = dict(clocks)
    for info in infos:
        for client, start in info.starts.items():
            before[client] = min(before.get(client, 0), start)
    return write_state_vector({client: clock for client, clock in before.items() if clock})


def has_structs(update: bytes) -> bool:
    """Whether an update inserts anything, or only deletes."""
    return update[:1] != b"\x00"


def has_deletes(update: bytes) -> bool:
    """Whether an update deletes anything: its delete set stands at its end, and only an empty one ends with 0."""
    return update[-1:] != b"\x00"


def cut_taken(update: bytes, read_clocks: Callable[[], Mapping[int, int]]) -> Iterable[bytes]:
    """An update that a server took in pieces, for a document of one's own, which has the clocks of `read_clocks`."""
    if is_whole(update):
        return (update,)
    plan = finish(plan_taken(update, read_clocks(), step_jumps=UNLIMITED))
    return (update,) if plan is None else plan.cut(update)


def is_whole(update: bytes) -> bool:
    """Whether an update that was taken is known at a glance to have been taken whole, as most of all were."""
    if has_structs(update) and (update[:1] > b"\x01" or update[1:2] > _WHOLE_JUMPS):
        return False
    return (not has_deletes(update) or len(update) <= _WHOLE_BYTES) and not may_have_nans(update)


def plan_taken(update: bytes, clocks: Mapping[int, int], *, step_jumps: int | None = None) -> Steps[Plan | None]:
    """How a document with `clocks` took an update of the log; or in pieces of `step_jumps`, what it did not take so."""
    parts = Parts(_TAKEN_PARTS)
    try:
        structs, position = yield from read_structs_in_steps(
            update, clocks, parts, with_cuts=False, step_jumps=step_jumps or step_jumps_of(update)
        )
        ends = {section.client: section.end for section in structs.sections}
        deletes, _ = yield from _read_deletes(update, position, clocks, ends, (), structs.missing, parts)
        return None if structs.missing else (yield from make_plan(update, structs, clocks, deletes))
    except (IndexError, ProtocolError):
        return None  # taken before, under other rules


def find_pairs(update: bytes) -> Steps[Pairs]:
    """Where the structs of an update that was taken hold surrogate pairs, in short steps."""
    if not (yield from _has_pairs(update)):
        return {}
    try:
        structs, _ = yield from read_structs_in_steps(update, {}, Parts(UNLIMITED), with_cuts=False)
    except (IndexError, Malformed):
        return {}  # taken before, under other rules: no reason to lock people out of their document
    return structs.halves


def _has_pairs(update: bytes) -> Steps[bool]:
    if len(update) < _SHORT_BYTES:
        return bool(_ASTRAL_UTF8.search(update))
    for start in range(0, len(update), _STEP_BYTES):
        if start:
            yield
        stop = start + _STEP_BYTES
        for lead, pattern in _EACH_ASTRAL_UTF8:
            if (found := update.find(lead, start, stop)) >= 0 and pattern.search(update, found, stop + 3):
                return True
    return False


def _read_deletes(
    update: bytes,
    position: int,
    clocks: Mapping[int, int],
    ends: Mapping[int, int],
    pairs: Sequence[Pairs],
    missing: list[str],
    parts: Parts,
) -> Steps[tuple[Sequence[Ranges], int]]:
    count, position = read_varuint(update, position)
    found: list[Ranges] = []
    seen: set[int] = set()
    for _ in range(count):
        client, position = read_varuint(update, position)
        left, position = read_varuint(update, position)
        if left == 0 or client in seen:
            raise Malformed(f"an update's delete set has an empty or a second part for client {client}")
        seen.add(client)
        parts.take(_RANGE_PARTS * left)
        known = max(clocks.get(client, 0), ends.get(client, 0))
        end = 0
        while left:
            some, start = min(left, STEP_RANGES), position
            for _ in range(some):
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
            found.append(Ranges(client, some, start, position))
            left -= some
            if left or len(found) % STEP_RANGES == 0:
                yield
        if end > known:
            missing.append(f"an update deletes client {client} up to {end}, the server has {known}")
    return found, position


def _check_cut(client: int, clock: int, pairs: Sequence[Pairs]) -> None:
    for found in pairs:
        if client in found:
            halves = found[client]
            index = bisect_left(halves, clock)
            if index < len(halves) and halves[index] == clock:
                raise Malformed(f"an update cuts a character of client {client} in two, at {clock}")
