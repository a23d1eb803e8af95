"""One frame to many sockets: by `fanout.c` where that was compiled, else the same in Python.

1. A call of Python for each peer is a tenth of what an edit costs at a moderate load, and lets another thread in
   between any two peers. To find each peer's descriptor in an object of its own takes 30 us for 100, from memory.
2. So descriptors stand in one table, and who sends keeps the places in it. What is written there is true at once,
   whoever keeps the place; a place is another's only when nobody has its `Seat` any more.
"""

import ctypes
import os
from array import array
from collections.abc import Callable
from errno import EBADF
from pathlib import Path

LIBRARY = Path(__file__).with_name("libfanout.so")
"""Made where collabdoc is installed, if there is a C compiler."""

SendToEach = Callable[["array[int]", bytes], list[tuple[int, int]]]
"""`send_to_each(seats, frame)`, with the numbers of seats, gives where in `seats` those are whose peers did not take
all of it, and what each took.

That is in bytes, or minus the number of the system's error; `EBADF` for a descriptor below 0. No socket may block.
"""


class _Table:
    __slots__ = ("descriptors", "free")

    def __init__(self) -> None:
        self.descriptors = array("i")
        self.free: list[int] = []

    def grow(self) -> None:
        size, more = len(self.descriptors), max(64, len(self.descriptors))
        # Another array: a loop of another thread may be sending by this one.
        self.descriptors = self.descriptors + array("i", [-1] * more)
        self.free.extend(range(size, size + more))


_table = _Table()


class Seat:
    """The place of one socket in the table; -1 stands there for one that takes no frames now."""

    __slots__ = ("_table", "number")

    def __init__(self) -> None:
        if not _table.free:
            _table.grow()
        self._table = _table  # which is gone from the module, where this is ended last
        self.number = _table.free.pop()

    def __del__(self) -> None:
        self.descriptor = -1
        self._table.free.append(self.number)

    @property
    def descriptor(self) -> int:
        return self._table.descriptors[self.number]

    @descriptor.setter
    def descriptor(self, descriptor: int) -> None:
        self._table.descriptors[self.number] = descriptor


def send_in_python(seats: "array[int]", frame: bytes) -> list[tuple[int, int]]:
    untaken: list[tuple[int, int]] = []
    for place, seat in enumerate(seats):
        descriptor = _table.descriptors[seat]
        try:
            sent = os.write(descriptor, frame) if descriptor >= 0 else -EBADF
        except OSError as error:
            sent = -(error.errno or EBADF)
        if sent < len(frame):
            untaken.append((place, sent))
    return untaken


def load(library: Path) -> SendToEach:
    """The compiled one. Raises `OSError` or `AttributeError` where there is none that this machine can run."""
    function = ctypes.CDLL(str(library)).collabdoc_send_to_seats
    pointer = ctypes.c_void_p
    function.argtypes = [pointer, pointer, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, pointer, pointer]

    def send_compiled(seats: "array[int]", frame: bytes) -> list[tuple[int, int]]:
        table, count = _table.descriptors, len(seats)
        answers = array("i", bytes(8 * count))
        at = answers.buffer_info()[0]
        untaken = function(table.buffer_info()[0], seats.buffer_info()[0], count, frame, len(frame), at, at + 4 * count)
        return [(answers[each], answers[count + each]) for each in range(untaken)] if untaken else []

    return send_compiled


def _find() -> SendToEach:
    try:
        return load(LIBRARY)
    except (OSError, AttributeError):  # also one that was made of an older source
        return send_in_python


send_to_each = _find()
