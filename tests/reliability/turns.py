"""`collabdoc serve` that tells how long its loop was away from its sockets: `python -m tests.reliability.turns serve`.

A turn is what happens between two looks at the sockets. The longest one is kept in a file, the processor's time apart
from the clock's: where a machine is busy with other work, only the first says what the server did.
"""

import mmap
import os
import selectors
import struct
import time
from collections.abc import Mapping
from pathlib import Path

PROGRAM = ("-m", "tests.reliability.turns", "serve", "--no-watchdog")
_VARIABLE = "COLLABDOC_TESTS_TURNS"
_LONGEST = struct.Struct("<dd")


class Turns:
    """The longest turn of a process that runs with `environment`, since `take` was called last."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_LONGEST.size))
        self.environment: Mapping[str, str] = {_VARIABLE: str(path)}
        self._mapped = _map(path)

    def take(self) -> tuple[float, float]:
        """In milliseconds: of the processor, and by the clock."""
        busy_s, took_s = _LONGEST.unpack(self._mapped[:])
        self._mapped[:] = bytes(_LONGEST.size)
        return 1000 * busy_s, 1000 * took_s


def _map(path: Path) -> mmap.mmap:
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), _LONGEST.size)


def _watch(mapped: mmap.mmap) -> None:
    """Let every loop that is made from now on note its turns."""

    class Selector(selectors.DefaultSelector):
        _began: tuple[float, float] | None = None

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if self._began is not None:
                turn = time.thread_time() - self._began[0], time.monotonic() - self._began[1]
                _LONGEST.pack_into(mapped, 0, *map(max, turn, _LONGEST.unpack(mapped[:])))
            found = super().select(timeout)
            self._began = time.thread_time(), time.monotonic()
            return found

    selectors.DefaultSelector = Selector  # type: ignore[misc]  # asyncio looks for it there


def main() -> None:
    from collabdoc.cli import main as collabdoc

    _watch(_map(Path(os.environ[_VARIABLE])))
    collabdoc()


if __name__ == "__main__":
    main()
