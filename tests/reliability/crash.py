"""Kill the server with -9 at random moments under load, start it again, and look for saved edits that are not there.

    python -m tests.reliability.crash --rounds 1000 --seed 1

Fifty clients of all dialects write words that nobody else writes, and delete some of their own. The server is killed as
it starts, as they come back, or while all write; in a third of its lives it makes snapshots and trims its log all the
time, in another it commits seldom, so that much is not yet saved when it ends.
After each kill the database is looked at as the dead server left it: each word that its author had been told is saved
has to stand in its document, none whose deletion was told saved may, and SQLite's integrity check has to pass. What was
told counts to the last byte that came before the line broke. After every `ROUNDS_A_LOAD` kills all have to get all
saved, and read the same as the database; then others begin with new documents.
"""

import argparse
import asyncio
import multiprocessing
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pycrdt import Doc, Text

from collabdoc.client import connect
from collabdoc.document import EMPTY_UPDATE, Document
from collabdoc.store.sqlite import SqliteStore
from collabdoc.store.sqlite_folder import FILE_NAME
from tests.process import ServerProcess, lasting_port
from tests.reliability.replicas import HocuspocusReplica, Replicas, YjsReplica

CLIENTS = 50
DOCUMENTS = 5
"""No multiple of the number of dialects, so that each document has clients of all."""
STANDING = 100
"""Words of one client about which it begins to delete more than it writes, so that the documents stay small."""
ROUNDS_A_LOAD = 50
EDITS_A_SECOND = 10.0
"""Of one client."""
_BACK_WITHIN_S = 60.0
_STARTING_S = 1.5
_COMING_BACK_S = 0.4
_WRITING_S = 0.6
_LIVES: list[dict[str, str]] = [
    {},
    {"COLLABDOC_LIMITS__SNAPSHOT_UPDATES": "20", "COLLABDOC_LIMITS__RESUME_ENTRIES": "10"},
    {"COLLABDOC_LIMITS__COMMIT_MS": "100"},
]
"""As it is by default; with snapshots made and the log trimmed all the time; with much that waits for its commit."""


class Copy(Protocol):
    """A document as one client has it."""

    @property
    def doc(self) -> Doc[Any]: ...

    @property
    def is_open(self) -> bool: ...

    @property
    def unsaved(self) -> int:
        """How many of its edits it was not told are saved."""


class Opens(Protocol):
    """A client, of whatever dialect."""

    async def __aenter__(self) -> "Opens": ...

    async def __aexit__(self, *raised: Any) -> None: ...

    async def open(self, name: str) -> Copy: ...


DIALECTS: dict[str, Callable[[str], Opens]] = {
    "native": partial(connect, max_backoff_s=0.2),
    "yjs": partial(Replicas, YjsReplica),
    "hocuspocus": partial(Replicas, HocuspocusReplica),
}


class Writer:
    """One client and what it did: `edits` in order, of which the first `saved` are."""

    def __init__(self, number: int, random_: random.Random, *, edits_a_second: float = 100.0) -> None:
        self.number = number
        self.name = f"crash/{number % DOCUMENTS}"
        self.edits: list[tuple[str, str]] = []
        self.standing: list[str] = []
        self.document: Copy | None = None
        self._random = random_
        self._edits_a_second = edits_a_second

    @property
    def is_open(self) -> bool:
        return self.document is not None and self.document.is_open

    @property
    def saved(self) -> int:
        return len(self.edits) - self.document.unsaved if self.document else 0

    @property
    def text(self) -> str:
        assert self.document is not None
        return str(self.document.doc.get("content", type=Text))

    async def run(self, client: Opens) -> None:
        self.document = document = await client.open(self.name)
        text = document.doc.get("content", type=Text)
        while True:
            if self.standing and self._random.random() < (0.2 if len(self.standing) < STANDING else 0.6):
                word = self.standing.pop(0)
                at = str(text).encode().index(word.encode())
                self.edits.append(("delete", word))
                del text[at : at + len(word)]
            else:
                word = f"<{self.number}.{len(self.edits)}>"
                self.standing.append(word)
                self.edits.append(("insert", word))
                text.insert(self._random.choice([0, len(str(text).encode())]), word)
            await asyncio.sleep(self._random.expovariate(self._edits_a_second))

    def missing(self, text: str, saved: int, made: int | None = None) -> list[str]:
        """What was reported saved and is not so in `text`, as it was when `made` edits had been made."""
        words = set(re.findall("<[^>]*>", text))
        touched = {word for kind, word in self.edits[:made] if kind == "delete"}
        return [
            f"{kind} {word}"
            for kind, word in self.edits[:saved]
            if (word in words if kind == "delete" else word not in words and word not in touched)
        ]


class Load:
    """One server and those who write to it, for some kills."""

    def __init__(self, seed: str, folder: Path, clients: int, looks: Executor) -> None:
        """`looks` is where databases are read, beside the clients."""
        self.lost = 0
        self.server = ServerProcess(folder / "data", port=lasting_port(), environment={})
        self.writers = [
            Writer(number, random.Random(f"{seed} {number}"), edits_a_second=EDITS_A_SECOND)
            for number in range(clients)
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._random = random.Random(seed)
        self._copy = folder / "copy"
        self._looks = looks
        self._looking: asyncio.Future[None] | None = None
        self._round = 0

    async def run(self, rounds: int) -> None:
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(self.server.start)
            stack.callback(self.server.__exit__, None, None, None)
            dialects = list(DIALECTS.values())
            clients = [
                await stack.enter_async_context(dialects[number % len(dialects)](self.server.url))
                for number in range(len(self.writers))
            ]
            self._tasks = [asyncio.create_task(w.run(client)) for w, client in zip(self.writers, clients, strict=True)]
            for _ in range(rounds):
                await self._live()
                await self._kill()
                self.server.environment = self._random.choice(_LIVES)
                self.server.launch()
            await asyncio.to_thread(self.server.listens)
            await self._look()
            await self._until(lambda: all(writer.document for writer in self.writers), "could not open")
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._until(lambda: all(w.saved == len(w.edits) for w in self.writers), "did not get all saved")
            await self._until(self._is_agreed, "do not read the same")
            await self._kill()
            await self._look()
            assert self._texts == {writer.name: writer.text for writer in self.writers}, "the database has another text"

    async def _live(self) -> None:
        """Until a random moment."""
        roll = self._random.random()
        if self._round and roll < 0.2:
            await asyncio.sleep(self._random.uniform(0, _STARTING_S))
            return
        if self._round:
            await asyncio.to_thread(self.server.listens)
        if roll < 0.4:
            await asyncio.sleep(self._random.uniform(0, _COMING_BACK_S))
            return
        await self._until(lambda: all(writer.is_open for writer in self.writers), "did not come back")
        await asyncio.sleep(self._random.uniform(0, _WRITING_S))

    async def _kill(self) -> None:
        self.server.kill()
        self._round += 1
        await self._look()
        await asyncio.to_thread(shutil.copytree, self.server.data, self._copy)
        await self._until(lambda: not any(writer.is_open for writer in self.writers), "did not notice")
        told = [(writer.saved, len(writer.edits)) for writer in self.writers]
        self._looking = asyncio.ensure_future(self._compare(self._round, told))

    async def _look(self) -> None:
        """Until what the last server left is looked through."""
        if self._looking is not None:
            await self._looking

    async def _compare(self, round_: int, told: Sequence[tuple[int, int]]) -> None:
        loop = asyncio.get_running_loop()
        self._texts = await loop.run_in_executor(self._looks, read_documents, self._copy)
        for writer, (saved, made) in zip(self.writers, told, strict=True):
            for what in writer.missing(self._texts.get(writer.name, ""), saved, made):
                self.lost += 1
                print(f"round {round_}, {writer.name}: {what} was saved and is missing", file=sys.stderr, flush=True)
        await asyncio.to_thread(shutil.rmtree, self._copy)

    def _is_agreed(self) -> bool:
        return len({(writer.name, writer.text) for writer in self.writers}) == len({w.name for w in self.writers})

    async def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        try:
            async with asyncio.timeout(_BACK_WITHIN_S):
                while not condition():
                    for task in self._tasks:
                        if task.done():
                            task.result()  # raises what it failed over
                    await asyncio.sleep(0.01)
        except TimeoutError:
            closed = [writer.number for writer in self.writers if not writer.is_open]
            raise AssertionError(f"round {self._round}: clients {otherwise}, not open are {closed}") from None


async def run(rounds: int, seed: int, folder: Path, *, clients: int = CLIENTS) -> int:
    """How many saved edits were missing."""
    started_s = time.monotonic()
    edits = lost = 0
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as looks:
        for number, first in enumerate(range(0, rounds, ROUNDS_A_LOAD)):
            load = Load(f"{seed} {number}", folder / str(number), clients, looks)
            await load.run(min(ROUNDS_A_LOAD, rounds - first))
            lost += load.lost
            edits += sum(len(writer.edits) for writer in load.writers)
            if not load.lost:
                shutil.rmtree(folder / str(number))
            took_s = time.monotonic() - started_s
            killed = min(rounds, first + ROUNDS_A_LOAD)
            print(f"{killed} kills in {took_s:.0f} s, {edits} edits, {lost} missing", file=sys.stderr, flush=True)
    print(f"{rounds} kills in {took_s:.0f} s, {clients} clients, {edits} edits, {lost} saved edits missing")
    return lost


def read_documents(data: Path) -> dict[str, str]:
    """The text of every document, as a dead server left it."""
    with sqlite3.connect(f"file:{data / FILE_NAME}?mode=ro", uri=True) as db:
        ((answer,),) = db.execute("PRAGMA integrity_check")
        assert answer == "ok", answer
    db.close()
    store = SqliteStore(data)
    try:
        rows, _ = store.list(query="", limit=DOCUMENTS, offset=0)
        texts = {}
        for row in rows:
            loaded = store.load(row.name)
            assert loaded is not None
            document = Document(loaded.snapshot or EMPTY_UPDATE, [entry.update for entry in loaded.tail])
            texts[row.name] = str(document._doc.get("content", type=Text))
        return texts
    finally:
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="how many kills (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="replays the same delays (default: 1)")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    print(f"the data is in {folder}, and stays there if this fails", file=sys.stderr)
    lost = asyncio.run(run(arguments.rounds, arguments.seed, folder))
    if lost == 0:
        shutil.rmtree(folder)
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
