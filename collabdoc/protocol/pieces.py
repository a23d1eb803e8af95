"""Cutting a large update into pieces that are updates themselves, in an order in which each can be taken.

pycrdt joins neighbouring structs that can be one only at the end of a transaction, each at the cost of all that follow
them there: 16,000 typed letters in one transaction took 0.4 s, 40,000 took 2.7 s, and 8,000 values of an array 1.4 s.
In pieces of 100 they take 0.01 s, 0.03 s and 0.02 s. Each piece costs some 0.1 us for each client of the document, so
where these are many the pieces are larger.

What does not simply follow the struct before it (`structs.py`: a jump) may take pycrdt 25 ms and more, so that a piece
has few of these. How many depends on the update alone: a log has to be read back in the pieces in which it was taken,
for yrs refuses an edit below what is deleted but not collected yet, and collects at the end of each.
"""

import heapq
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

from collabdoc.errors import MissingDependencies
from collabdoc.protocol.lib0 import write_varuint
from collabdoc.protocol.nans import Part, part_nans
from collabdoc.protocol.structs import STEP_STRUCTS, Id, Section, Structs
from collabdoc.steps import Steps

WHOLE_STRUCTS, WHOLE_JUMPS, WHOLE_RANGES = 2 * STEP_STRUCTS, 3, 20
"""An update of no more structs, jumps and deleted ranges is not cut. A key press is one jump, a new title three."""
SHORT_BYTES = 4096
"""An update of no more is checked at once, which takes 3 ms for the densest, and its pieces have one jump each."""
_LONG_JUMPS = 4
"""Those of a longer one have so many. With more, 150,000 of them take less (0.37 s, and 0.15 s in pieces of 100)."""
SNAPSHOT_JUMPS = 16
"""Those of a snapshot have so many: to read 200,000 of them takes half as long again as in pieces of 100."""
_SOME_STEPS = 1_000
STEP_RANGES = 20
"""Deleted ranges that go to pycrdt at once: 74,000 in one text took 0.3 s or more, and 200 in a long list 0.4 s."""


class Run(NamedTuple):
    """Structs of one client that follow each other: those between two bytes of the update."""

    client: int
    clock: int
    structs: int
    jumps: int
    start: int
    end: int


class Ranges(NamedTuple):
    """Deleted ranges of one client that follow each other: those between two bytes of the update."""

    client: int
    ranges: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How to take an update in pieces: structs of one or several clients in each, then its deletes."""

    runs: Sequence[Run]
    size: int
    """Structs of a piece, or a few more."""
    jumps: int
    """Those of a piece, at most."""
    parted: Mapping[int, Sequence[Part]]
    """What is put in the place of structs, by the bytes at which they begin; each is a run, and a part a piece."""
    deletes: Sequence[Ranges]

    def cut(self, update: bytes) -> Iterator[bytes]:
        """The pieces of the update that the plan was made for, to be applied in this order."""
        for runs in _gather(self.runs, self.size, self.jumps, self.parted):
            if parts := self.parted.get(runs[0].start):
                for part in parts:
                    yield _write([(part.structs, runs[0].client, part.clock, part.data)])
            else:
                yield _write([(run.structs, run.client, run.clock, update[run.start : run.end]) for run in runs])
        for gathered in _gather_ranges(self.deletes):
            piece = bytearray(1)
            write_varuint(piece, len(gathered))
            for ranges in gathered:
                write_varuint(piece, ranges.client)
                write_varuint(piece, ranges.ranges)
                piece += update[ranges.start : ranges.end]
            yield bytes(piece)


def _write(sections: Sequence[tuple[int, int, int, bytes]]) -> bytes:
    """An update that deletes nothing; of each section the number of its structs, client, clock, and the structs."""
    piece = bytearray()
    write_varuint(piece, len(sections))
    for structs, client, clock, data in sections:
        write_varuint(piece, structs)
        write_varuint(piece, client)
        write_varuint(piece, clock)
        piece += data
    piece.append(0)
    return bytes(piece)


def is_small(structs: Structs, deletes: Sequence[Ranges]) -> bool:
    """Whether it is to be taken whole."""
    if structs.count > WHOLE_STRUCTS or structs.jumps > WHOLE_JUMPS or structs.nans:
        return False
    return not deletes or sum([part.ranges for part in deletes]) <= WHOLE_RANGES


def step_jumps_of(update: bytes) -> int:
    """How many jumps a piece of an update has at most."""
    return 1 if len(update) <= SHORT_BYTES else _LONG_JUMPS


def make_plan(
    update: bytes, structs: Structs, clocks: Mapping[int, int], deletes: Sequence[Ranges]
) -> Steps[Plan | None]:
    """How to take an update in pieces, found in short steps; None where it is small enough to be taken whole.

    Raises `MissingDependencies` where there is no order in which each struct refers only to what is there before it.
    """
    runs = yield from _order(structs.sections, clocks)
    if is_small(structs, deletes):
        return None
    size = max(STEP_STRUCTS, 8 * isqrt(len(clocks) + len(structs.sections)))
    parted = {}
    for position, own, clock in structs.nans:
        parted[position] = yield from part_nans(update, position, own, clock)
    return Plan(runs, size, structs.step_jumps, parted, deletes)


def _order(sections: Sequence[Section], clocks: Mapping[int, int]) -> Steps[list[Run]]:
    """All structs in an order in which they can be taken.

    A section that has to wait for another is woken once that one has come as far as it gets, so the work is linear
    (but for a logarithm) in the size of the update whatever its shape, and the order does not depend on where the steps
    begin that wait for nothing.
    """
    have = {section.client: clocks.get(section.client, 0) for section in sections}
    reached = [0] * len(sections)
    waiting: dict[int, list[tuple[int, int]]] = {}  # client -> heap of (clock it must pass, section that waits)
    ready = list(range(len(sections) - 1, -1, -1))
    blocked = 0
    runs: list[Run] = []
    while ready:
        index = ready.pop()
        section = sections[index]
        reached[index], need = _integrate(section, reached[index], have, runs)
        while need is None and reached[index] < len(section.steps):
            yield
            reached[index], need = _integrate(section, reached[index], have, runs)
        if need is not None:
            heapq.heappush(waiting.setdefault(need[0], []), (need[1], index))
            blocked += 1
        heap = waiting.get(section.client, ())
        while heap and heap[0][0] < have[section.client]:
            ready.append(heapq.heappop(heap)[1])
            blocked -= 1
    if blocked:
        raise MissingDependencies("an update builds on edits that the server has not seen")
    return runs


def _integrate(section: Section, first: int, have: dict[int, int], runs: list[Run]) -> tuple[int, Id | None]:
    """Take the section as far as it gets from its step `first`, or some way; what it lacks there, if anything."""
    client, steps = section.client, section.steps
    last = min(first + _SOME_STEPS, len(steps))
    for index in range(first, last):
        step = steps[index]
        for need in step.needs:
            if need[1] >= have.get(need[0], 0):
                return index, need
        if index + 1 < len(steps):
            end, number, position, _, jumps = steps[index + 1]
        else:
            end, number, position, jumps = section.end, section.count, section.end_position, section.jumps
        have[client] = max(have[client], end)
        runs.append(Run(client, step.clock, number - step.number, jumps - step.jumps, step.position, position))
    return last, None


def _gather(runs: Iterable[Run], size: int, max_jumps: int, alone: Container[int]) -> Iterator[Sequence[Run]]:
    """The runs in pieces of `size` structs or a few more with at most `max_jumps`, those of one client joined.

    Those that begin at the bytes `alone` are not joined with any.
    """
    gathered: dict[int, Run] = {}
    count = jumps = 0
    for run in runs:
        is_alone = run.start in alone
        if gathered and (is_alone or jumps + run.jumps > max_jumps):
            yield tuple(gathered.values())
            gathered, count, jumps = {}, 0, 0
        if is_alone or (not gathered and run.jumps == max_jumps):
            yield (run,)
            continue
        if before := gathered.get(run.client):
            gathered[run.client] = before._replace(structs=before.structs + run.structs, end=run.end)
        else:
            gathered[run.client] = run
        count += run.structs
        jumps += run.jumps
        if count >= size:
            yield tuple(gathered.values())
            gathered, count, jumps = {}, 0, 0
    if gathered:
        yield tuple(gathered.values())


def _gather_ranges(deletes: Iterable[Ranges]) -> Iterator[Sequence[Ranges]]:
    gathered: list[Ranges] = []
    count = 0
    for part in deletes:
        # No client may come twice in a piece.
        if gathered and (count + part.ranges > STEP_RANGES or gathered[-1].client == part.client):
            yield gathered
            gathered, count = [], 0
        gathered.append(part)
        count += part.ranges
    if gathered:
        yield gathered
