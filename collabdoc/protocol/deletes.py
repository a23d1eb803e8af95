"""Delete sets of Yjs updates, for comparing what two updates delete."""

from collections.abc import Mapping, Sequence

from collabdoc.errors import Malformed
from collabdoc.protocol.lib0 import read_varuint

DeleteSet = Mapping[int, Sequence[tuple[int, int]]]
"""Client -> the deleted ranges (first clock, clock after the last), ascending, apart from each other."""


def read_deletes(update: bytes) -> DeleteSet:
    """The delete set of an update that holds no structs."""
    sections, position = read_varuint(update, 0)
    if sections:
        raise Malformed("read an update with structs, expected one with deletes only")
    clients, position = read_varuint(update, position)
    deletes = {}
    for _ in range(clients):
        client, position = read_varuint(update, position)
        count, position = read_varuint(update, position)
        ranges = []
        for _ in range(count):
            clock, position = read_varuint(update, position)
            length, position = read_varuint(update, position)
            ranges.append((clock, clock + length))
        deletes[client] = _joined(ranges)
    return deletes


def is_within(inner: DeleteSet, outer: DeleteSet) -> bool:
    """Whether `outer` deletes everything that `inner` deletes."""
    return all(_covers(outer.get(client, ()), ranges) for client, ranges in inner.items())


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _covers(outer: Sequence[tuple[int, int]], inner: Sequence[tuple[int, int]]) -> bool:
    index = 0
    for start, end in inner:
        while index < len(outer) and outer[index][1] < end:
            index += 1
        if index == len(outer) or outer[index][0] > start:
            return False
    return True
