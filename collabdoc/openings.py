"""What clients that come together lack, made once for all of them."""

import zlib
from collections.abc import Callable

_KEPT = 8


class Openings:
    """Updates by what a client has, its state vector or its watermark; to be forgotten with the next edit."""

    __slots__ = ("_deflated", "_made")

    def __init__(self) -> None:
        self._made: dict[bytes | int | None, bytes] = {}
        self._deflated: tuple[bytes, bytes] | None = None

    def __len__(self) -> int:
        return len(self._made)

    def get(self, has: bytes | int | None, make: Callable[[], bytes]) -> bytes:
        update = self._made.get(has)
        if update is None:
            update = make()
            if len(self._made) == _KEPT:
                self._made.clear()
            self._made[has] = update
        return update

    def deflate(self, update: bytes) -> bytes:
        """One of these compressed; the last that was asked for is kept."""
        if self._deflated is None or self._deflated[0] is not update:
            # Level 1: 223 KB become 108 KB in 2.8 ms; 100 KB would take 8.4 ms.
            self._deflated = update, zlib.compress(update, 1)
        return self._deflated[1]

    def forget(self) -> None:
        self._made.clear()
        self._deflated = None
