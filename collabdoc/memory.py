"""Memory that is no longer needed, given back to the system.

The C library keeps what was freed between what is still in use, and loading a document needs its bytes several times
over for a moment: without this, documents of 100 KB held 1.4 times what pycrdt has for them, and with it 1.2 times.

Python keeps its own objects in arenas of 1 MiB, and an arena for as long as it holds a single one. When 10,000
connections had left, 36 of 76 MiB were free and 2 had gone back. Small things among what was free held the others:
names in the cache of attributes of types (the C code of Python and of extensions makes some anew for each look-up, and
the cache keeps up to 4,096 names), and objects that Python had set aside to use again.
"""

import ctypes
import gc
import sys
from collections.abc import Callable

_CROWD = 100
"""Of fewer the arenas are not worth looking after."""
_STAY_AT_MOST = 10
"""One in so many. Looking for what is nobody's takes 16 ms for each 1,000 connections that stay."""


def give_back() -> None:
    """Takes 0.1 ms, and 1 ms for each 14 MB that are given back; holds up whoever needs memory, but not the GIL."""
    if _trim is not None:
        _trim(0)


def let_go() -> None:
    """Give back what Python keeps, too. Goes over all objects but frozen ones: see `_STAY_AT_MOST`."""
    _forget_attributes()
    gc.collect()  # of the oldest generation, which also empties the lists of what was set aside
    give_back()


class Ebb:
    """Tells when a crowd has left."""

    def __init__(self) -> None:
        self._most = self._before = 0

    def is_over(self, count: int) -> bool:
        """Asked with how many there are, every few seconds: once for each crowd, when no more of it leave."""
        leave, self._before = count < self._before, count
        self._most = max(self._most, count)
        if leave or self._most < _CROWD or count * _STAY_AT_MOST > self._most:
            return False
        self._most = count
        return True


_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
_forget_attributes: Callable[[], None] = next(
    (getattr(sys, name) for name in ("_clear_internal_caches", "_clear_type_cache") if hasattr(sys, name)), lambda: None
)
"""The first from Python 3.13 on."""
