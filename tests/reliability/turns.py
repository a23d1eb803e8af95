"""A server that notes how long each turn of its loop keeps the processor, whatever else the machine does meanwhile.

python -m tests.reliability.turns serve ...    notes in the file that the environment names
"""

import asyncio
import os
import sys
import time
from pathlib import Path

PROGRAM = ("-m", "tests.reliability.turns", "serve", "--no-watchdog")
FILE = "TURNS_FILE"
_LEAST_S = 0.01
"""Shorter ones are not noted."""


def note_turns(path: Path) -> None:
    """From now on, in this process: when each ended, on the system's monotonic clock, and what it took, in seconds."""
    file = path.open("w", buffering=1)
    run = asyncio.Handle._run

    def run_and_note(handle: asyncio.Handle) -> None:
        began_s = time.thread_time()
        run(handle)
        took_s = time.thread_time() - began_s
        if took_s >= _LEAST_S:
            file.write(f"{time.monotonic()} {took_s}\n")

    asyncio.Handle._run = run_and_note  # type: ignore[method-assign,assignment]  # typeshed gives it two selfs


def longest_turn_ms(path: Path, since_s: float) -> float:
    """Of those that ended since then, 0 where all were shorter than is noted."""
    turns = (line.split() for line in path.read_text().splitlines())
    return 1000 * max((float(took) for ended, took in turns if float(ended) >= since_s), default=0.0)


if __name__ == "__main__":
    note_turns(Path(os.environ[FILE]))
    sys.argv[0] = "collabdoc"
    from collabdoc.cli import main

    main()
