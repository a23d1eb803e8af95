"""One frame to many sockets: by `fanout.c` where that was compiled, else the same in Python.

A call of Python for each peer is a tenth of what an edit costs at a moderate load, and lets another thread in between
any two peers.
"""

import ctypes
import os
from array import array
from collections.abc import Callable, Sequence
from errno import EBADF
from pathlib import Path

LIBRARY = Path(__file__).with_name("libfanout.so")
"""Made where collabdoc is installed, if there is a C compiler."""

SendToEach = Callable[[Sequence[int], bytes], list[tuple[int, int]]]
"""`send_to_each(descriptors, frame)` gives the places of those whose peers did not take all of it, and what each took.

That is in bytes, or minus the number of the system's error; `EBADF` for a descriptor below 0. No socket may block.
"""


def send_in_python(descriptors: Sequence[int], frame: bytes) -> list[tuple[int, int]]:
    untaken: list[tuple[int, int]] = []
    for place, descriptor in enumerate(descriptors):
        try:
            sent = os.write(descriptor, frame) if descriptor >= 0 else -EBADF
        except OSError as error:
            sent = -(error.errno or EBADF)
        if sent < len(frame):
            untaken.append((place, sent))
    return untaken


def load(library: Path) -> SendToEach:
    """The compiled one. Raises `OSError` where there is none that this machine can run."""
    function = ctypes.CDLL(str(library)).collabdoc_send_to_each
    function.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]

    def send_compiled(descriptors: Sequence[int], frame: bytes) -> list[tuple[int, int]]:
        places = array("i", descriptors)
        took = array("i", places)
        count = function(places.buffer_info()[0], len(places), frame, len(frame), took.buffer_info()[0])
        return list(zip(places[:count], took[:count], strict=True)) if count else []

    return send_compiled


def _find() -> SendToEach:
    try:
        return load(LIBRARY)
    except OSError:
        return send_in_python


send_to_each = _find()
