"""`collabdoc serve` that tells how long its loop was away from its sockets: `python -m tests.reliability.turns serve`.

A turn is what happens between two looks at the sockets. The longest one is kept in a file, the processor's time apart
from the clock's: where a machine is busy with other work, only the first says what the server did. So are all turns, by
how long they are: whoever comes at any moment finds one under way that is no longer than `most_ms` in 99 of 100 cases.
"""

import asyncio
import mmap
import os
import struct
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from tests.reliability.polls import Poll, asked_by

PROGRAM = ("-m", "tests.reliability.turns", "serve", "--no-watchdog")
_VARIABLE = "COLLABDOC_TESTS_TURNS"
_LONGEST, _SUM = struct.Struct("<dd"), struct.Struct("<d")
_STEP_S, _STEPS = 0.0001, 1000
"""The last of them holds what is longer, too."""
_SIZE = _LONGEST.size + _STEPS * _SUM.size


@dataclass(frozen=True, slots=True)
class Taken:
    """Of the processor, but for `took_ms`, which is by the clock."""

    busy_ms: float
    took_ms: float
    most_ms: float

    def __str__(self) -> str:
        return f"{self.busy_ms:.0f} ms of the processor ({self.most_ms:.1f} ms in 99 of 100 moments)"


class Turns:
    """The turns of a process that runs with `environment`, since `take` was called last."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_SIZE))
        self.environment: Mapping[str, str] = {_VARIABLE: str(path)}
        self._mapped = _map(path)
        self._since_s = time.monotonic()

    def take(self) -> Taken:
        busy_s, took_s = _LONGEST.unpack_from(self._mapped)
        sums = [each for (each,) in _SUM.iter_unpack(self._mapped[_LONGEST.size :])]
        self._mapped[:] = bytes(_SIZE)
        since_s, self._since_s = self._since_s, time.monotonic()
        left_s, step = (self._since_s - since_s) / 100, _STEPS
        while step and left_s >= 0:
            step -= 1
            left_s -= sums[step]
        return Taken(1000 * busy_s, 1000 * took_s, 1000 * _STEP_S * (step + 1))


def _map(path: Path) -> mmap.mmap:
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), _SIZE)


def _noting(mapped: mmap.mmap) -> type[Poll]:
    class Noting(Poll):
        _began: tuple[float, float] | None = None

        def poll(self, timeout_s: float | None, most: int) -> list[tuple[int, int]]:
            if self._began is not None:
                turn = busy_s, _ = time.thread_time() - self._began[0], time.monotonic() - self._began[1]
                _LONGEST.pack_into(mapped, 0, *map(max, turn, _LONGEST.unpack_from(mapped)))
                place = _LONGEST.size + _SUM.size * min(int(busy_s / _STEP_S), _STEPS - 1)
                _SUM.pack_into(mapped, place, _SUM.unpack_from(mapped, place)[0] + busy_s)
            found = super().poll(timeout_s, most)
            self._began = time.thread_time(), time.monotonic()
            return found

    return Noting


def _helpers_anywhere() -> AbstractContextManager[object]:
    """Who gives this process a core of its own does not give it to its helper: that runs where the system puts it."""
    cores = ",".join(map(str, os.sched_getaffinity(0)))
    return patch.object(
        asyncio, "create_subprocess_exec", partial(asyncio.create_subprocess_exec, "taskset", "--cpu-list", cores)
    )


def main() -> None:
    from collabdoc.cli import main as collabdoc

    with asked_by(_noting(_map(Path(os.environ[_VARIABLE])))), _helpers_anywhere():
        collabdoc()


if __name__ == "__main__":
    main()
