"""What clients that come together lack, made once for all of them."""

from collections.abc import Callable

_KEPT = 8


class Openings:
    """Updates by what a client has, its state vector or its watermark; to be forgotten with the next edit."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: dict[bytes | int | None, bytes] = {}

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

    def forget(self) -> None:
        self._made.clear()
