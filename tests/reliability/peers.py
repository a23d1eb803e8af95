"""What servers lose in a kill -9 of what they had told a client they have.

    python -m tests.reliability.peers --rounds 12 --seed 1

One client writes a word at a time into a new document. A word counts as told once the server has said so: collabdoc by
SAVED, Hocuspocus by its SyncStatus; in y-websocket's dialect there is no word for it, so that there it is the answer to
a sync step 1 that was asked after the word. After 1 to 12 s the server is killed, started again on the same data, and
asked for the document. The peers are installed as for the benchmarks, with their defaults (`benchmarks/install.py`;
needs Node).
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from pycrdt import Doc, Text

from benchmarks.client import Client
from benchmarks.install import Cache
from benchmarks.run import DEFAULT_CACHE
from benchmarks.server import Failed, Server, running
from benchmarks.targets import PYCRDT_STORING, TARGETS, Launcher, Target

COMPARED = {
    target.name: target
    for target in (
        *(TARGETS[name] for name in ("collabdoc", "collabdoc-yjs", "hocuspocus-sqlite", "y-websocket-leveldb")),
        PYCRDT_STORING,
    )
}
_BETWEEN_WORDS_S = 0.02
_LOADED_WITHIN_S = 5.0
"""y-websocket answers before its LevelDB did."""


async def kill_once(launcher: Launcher, target: Target, folder: Path, number: int, lives_s: float) -> tuple[int, int]:
    """How many words were told, and how many of them are gone."""
    document = f"kill-{number}"
    told: list[str] = []
    with suppress(Failed), running(launcher, target, folder) as server:
        async with Client.connect(server, document) as client:
            await client.open()
            with suppress(TimeoutError):
                async with asyncio.timeout(lives_s):
                    await _write(client, told)
            os.killpg(server.pid, signal.SIGKILL)  # while the line is open: a line that closes makes some servers store
    with running(launcher, target, folder) as server:
        text = await _read(server, document, told)
    return len(told), sum(word not in text for word in told)


async def _write(client: Client, told: list[str]) -> None:
    doc: Doc[Text] = Doc()
    text = doc.get("content", type=Text)
    while True:
        before, word = doc.get_state(), f"<{len(told)}>"
        text += word
        await client.put(doc.get_update(before))
        told.append(word)
        await asyncio.sleep(_BETWEEN_WORDS_S)


async def _read(server: Server, document: str, told: list[str]) -> str:
    """The text, once all of it is there or it has had its time to load."""
    ends_s = asyncio.get_running_loop().time() + _LOADED_WITHIN_S
    doc: Doc[Text] = Doc()
    text = doc.get("content", type=Text)
    async with Client.connect(server, document) as client:
        doc.apply_update((await client.open()).update)
        # Asked again on the same line: without one the server would drop the document, and begin to load it anew.
        while server.target.dialect == "yjs" and asyncio.get_running_loop().time() < ends_s:
            if all(word in str(text) for word in told):
                break
            await asyncio.sleep(0.2)
            doc.apply_update((await client.open()).update)
    return str(text)


async def run(launcher: Launcher, target: Target, rounds: int, seed: int) -> tuple[int, int, int]:
    """Over all rounds: words told, words lost, and rounds in which some were."""
    chance = random.Random(seed)
    told = lost = losing = 0
    with tempfile.TemporaryDirectory(dir=launcher.cache.folder, prefix="kill-") as folder:
        for number in range(rounds):
            told_now, lost_now = await kill_once(launcher, target, Path(folder), number, chance.uniform(1, 12))
            told, lost, losing = told + told_now, lost + lost_now, losing + (lost_now > 0)
    return told, lost, losing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12, help="kills of each server (default: 12)")
    parser.add_argument("--seed", type=int, default=1, help="replays the same delays (default: 1)")
    parser.add_argument("--target", choices=COMPARED, help="one of them (default: all)")
    arguments = parser.parse_args()
    launcher = Launcher(Cache(DEFAULT_CACHE.expanduser()))
    ours_lost = 0
    for target in [COMPARED[arguments.target]] if arguments.target else COMPARED.values():
        told, lost, losing = asyncio.run(run(launcher, target, arguments.rounds, arguments.seed))
        kills = f"{arguments.rounds} kills"
        print(f"{target.name}: {kills}, {told} edits told, {lost} lost, in {losing} of the kills", flush=True)
        ours_lost += lost if target.is_ours else 0
    sys.exit(1 if ours_lost else 0)


if __name__ == "__main__":
    main()
