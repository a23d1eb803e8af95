"""Kill the server with -9 at random moments under load, start it again, and look for saved edits that are not there.

    python -m tests.reliability.crash --rounds 200 --seed 1

Every client writes words that nobody else writes, and deletes some of its own. After each kill the database is opened
as the dead server left it: each word that was reported saved has to stand in its document, none whose deletion was
reported saved may, and SQLite's integrity check has to pass.
"""

import argparse
import asyncio
import random
import re
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from pycrdt import Text

from collabdoc.client import Client, LiveDocument, connect
from collabdoc.document import EMPTY_UPDATE, Document
from collabdoc.store.sqlite import SqliteStore
from collabdoc.store.sqlite_folder import FILE_NAME
from tests.process import ServerProcess

CLIENTS = 12
DOCUMENTS = 3
STANDING = 100
"""Words of one client about which it begins to delete more than it writes, so that the documents stay small."""


class Writer:
    """One client and what it did: `edits` in order, of which all but the last `document.unsaved` are saved."""

    def __init__(self, number: int, random_: random.Random) -> None:
        self.number = number
        self.name = f"crash/{number % DOCUMENTS}"
        self.edits: list[tuple[str, str]] = []
        self.standing: list[str] = []
        self.document: LiveDocument | None = None
        self._random = random_

    async def run(self, client: Client) -> None:
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
            await asyncio.sleep(self._random.expovariate(100))

    def missing(self, text: str, saved: int) -> list[str]:
        """What was reported saved and is not so in `text`."""
        words = set(re.findall("<[^>]*>", text))
        touched = {word for kind, word in self.edits if kind == "delete"}
        return [
            f"{kind} {word}"
            for kind, word in self.edits[:saved]
            if (word in words if kind == "delete" else word not in words and word not in touched)
        ]


async def run(rounds: int, seed: int, data: Path) -> int:
    """How many saved edits were missing."""
    random_ = random.Random(seed)
    writers = [Writer(number, random.Random(f"{seed} {number}")) for number in range(CLIENTS)]
    lost = 0
    server = ServerProcess(data)
    await asyncio.to_thread(server.start)
    clients = [connect(server.url, max_backoff_s=0.2) for _ in writers]
    for client in clients:
        await client.__aenter__()
    tasks = [asyncio.create_task(writer.run(client)) for writer, client in zip(writers, clients, strict=True)]
    started_s = time.monotonic()
    for number in range(1, rounds + 1):
        while not all(writer.document and writer.document.is_open for writer in writers):
            await asyncio.sleep(0.01)
        await asyncio.sleep(random_.uniform(0, 0.6))
        # Counted before the kill: what is reported later is not yet promised here.
        saved = [len(writer.edits) - (writer.document.unsaved if writer.document else 0) for writer in writers]
        server.kill()
        texts = await asyncio.to_thread(read_documents, data)
        for writer, count in zip(writers, saved, strict=True):
            for what in writer.missing(texts.get(writer.name, ""), count):
                lost += 1
                print(f"round {number}, {writer.name}: {what} was saved and is missing", flush=True)
        await asyncio.to_thread(server.start)
        if number % 20 == 0:
            print(f"round {number}: {sum(saved)} edits saved, {lost} missing", flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for writer in writers:
        assert writer.document is not None
        await writer.document.saved()
    server.kill()
    texts = await asyncio.to_thread(read_documents, data)
    for writer in writers:
        lost += len(writer.missing(texts[writer.name], len(writer.edits)))
    for client in clients:
        await client.__aexit__(None, None, None)
    edits = sum(len(writer.edits) for writer in writers)
    print(f"{rounds} kills in {time.monotonic() - started_s:.0f} s, {edits} edits, {lost} saved edits missing")
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
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(1 if asyncio.run(run(arguments.rounds, arguments.seed, Path(folder))) else 0)


if __name__ == "__main__":
    main()
