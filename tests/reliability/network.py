"""People of every dialect edit over lines that delay, stall, break and repeat: do all agree in the end?

    python -m tests.reliability.network --runs 10000 --seed 1 --processes 2
    python -m tests.reliability.network --runs 1 --seed 4711

In each run 2 to 5 clients edit, delete and are present in one or two documents: the Python client, and clients that
come back as y-websocket and Hocuspocus' provider do. Each has a line of its own with troubles at any byte, in the
handshake too, and some leave for good without a word. Then the lines are healed, and all, a late joiner, the store and
a second server on it must have the same: every edit once, none that was reported saved missing, nobody unsaved, nobody
present who has gone. Run n of seed S is the first of seed S + n - 1, and `--runs 1` tells what happened.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from collabdoc.config import Settings
from collabdoc.document import EMPTY_UPDATE, Document
from collabdoc.server.app import Server
from collabdoc.store.sqlite import SqliteStore
from tests.reliability.people import Content, content_of
from tests.reliability.quick import LIMITS, let_go_of_all, run_quickly
from tests.reliability.scene import play, visit

_BATCH = 250
"""Runs on one server."""
_TOGETHER = 25
"""Runs at a time: they wait more than they work."""


@dataclass
class Total:
    runs: int = 0
    edits: int = 0
    troubles: int = 0
    failures: int = 0

    def add(self, other: "Total") -> None:
        self.runs += other.runs
        self.edits += other.edits
        self.troubles += other.troubles
        self.failures += other.failures

    def __str__(self) -> str:
        return f"{self.runs} runs, {self.edits} edits, {self.troubles} troubles of lines, {self.failures} failures"


async def run(seeds: Sequence[int], data: Path, *, tell: bool = False) -> Total:
    """One server and its runs; what failed is told on stderr, and with `tell` all that happened."""
    total = Total(runs=len(seeds))
    settings = Settings(port=0, data=data, limits=LIMITS)
    documents: dict[str, tuple[int, Content]] = {}
    turns = asyncio.Semaphore(_TOGETHER)

    def fail(seed: int, error: BaseException, notes: Sequence[str]) -> None:
        total.failures += 1
        told = [*notes, *traceback.format_exception(error), f"--seed {seed}: {error}"]
        print("\n".join(told), file=sys.stderr, flush=True)

    async def one(server: Server, seed: int) -> None:
        notes: list[str] = []
        async with turns:
            try:
                result = await play(server, seed, notes)
            except Exception as error:
                fail(seed, error, notes)
                return
        total.edits += result.edits
        total.troubles += result.troubles
        documents.update({name: (seed, content) for name, content in result.documents.items()})
        if tell:
            print("\n".join(notes), file=sys.stderr)

    async with Server(settings) as server:
        await asyncio.gather(*(one(server, seed) for seed in seeds))
        try:
            await let_go_of_all(server)
        except AssertionError as error:
            fail(seeds[0], error, ())
    for name, (seed, content) in documents.items():
        if (stored := _stored(data, name)) != content:
            fail(seed, AssertionError(f"the store has of {name} {stored}, expected {content}"), ())

    async def look_again(server: Server, name: str, seed: int, content: Content) -> None:
        async with turns:
            found = await visit(server, name, Random(f"{seed} restart"))
        if found != content:
            fail(seed, AssertionError(f"after a restart {name} is {found}, expected {content}"), ())

    async with Server(settings) as server:
        await asyncio.gather(*(look_again(server, name, *expected) for name, expected in documents.items()))
    return total


def _stored(data: Path, name: str) -> Content | None:
    """What the store of a server that was stopped holds."""
    store = SqliteStore(data)
    try:
        loaded = store.load(name)
        if loaded is None:
            return None
        document = Document(loaded.snapshot or EMPTY_UPDATE, [entry.update for entry in loaded.tail])
        return content_of(document._doc)
    finally:
        store.close()


def run_batch(seeds: Sequence[int], *, tell: bool) -> Total:
    with tempfile.TemporaryDirectory() as folder:
        total, errors = run_quickly(run(seeds, Path(folder), tell=tell))
    for error in errors:
        total.failures += 1
        print(f"logged within the runs from {seeds[0]}: {error}", file=sys.stderr, flush=True)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run (default: 1)")
    parser.add_argument("--processes", type=int, default=1, help="how many at a time (default: 1)")
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    batches = [seeds[start : start + _BATCH] for start in range(0, len(seeds), _BATCH)]
    began_s = time.monotonic()
    total = Total()
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for batch in pool.imap_unordered(partial(run_batch, tell=arguments.runs == 1), batches):
            total.add(batch)
            print(f"{total} in {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
    print(f"{total} in {time.monotonic() - began_s:.0f} s")
    sys.exit(1 if total.failures else 0)


if __name__ == "__main__":
    main()
