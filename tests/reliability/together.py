"""Clients of every dialect type into one document at once, over lines that are cut: do all read the same in the end?

    python -m tests.reliability.together --seconds 30 --seed 1

y-websocket, Hocuspocus' provider and our own run unmodified under Node, the Python client here; each has a line of its
own, which breaks, stays away or falls silent at random. In the end all have to have the same text, the server too, and
the same positions of all cursors. Then each in turn is cut off: how long until the others see that it is gone?
Needs Node and npm.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pycrdt import Assoc, StickyIndex, Text
from tornado.httpclient import AsyncHTTPClient

from collabdoc.client import LiveDocument, connect
from tests.browser.proxy import Line, Network
from tests.clients.program import Program
from tests.clients.project import CLIENTS, Project
from tests.process import ServerProcess

PACKAGES = ("y-websocket", "@hocuspocus/provider", "@collabdoc/provider")
PYTHON = "collabdoc.client"
GONE_WITHIN_S = 2.0
_DOCUMENT = "together"
_SETTLED_WITHIN_S = 60.0
_EDITS_A_SECOND = 8.0
_LONG = 400
"""Characters about which more is deleted than written."""
# ASCII: pycrdt's sticky indices go wrong, or panic, behind other characters.
_WORDS = ("a", "of ", "tree ", "together ", "?", "\n")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one client has before it: cursors by the name of whose they are, its own among them."""

    text: str
    cursors: Mapping[str, int | None]


class Writer(Protocol):
    """One client, of whatever make."""

    name: str

    def replaces(self, place: float, length: int, text: str) -> None:
        """Type over some characters at a place from 0 (the start) to 1, and leave the cursor behind them."""

    async def looks(self) -> Seen: ...

    async def misses(self, name: str) -> None:
        """Wait for the news that somebody is gone who was present when this one looked last."""


class NodeWriter:
    """A client of npm's, in a process of its own."""

    def __init__(self, name: str, program: Program) -> None:
        self.name = name
        self._program = program

    def replaces(self, place: float, length: int, text: str) -> None:
        self._program.does("replace", place=place, length=length, text=text)

    async def looks(self) -> Seen:
        self._program.does("look")
        told = await self._program.tells("seen")
        return Seen(told["text"], told["cursors"])

    async def misses(self, name: str) -> None:
        await self._program.tells("present", lambda told: name not in told["names"])


class PythonWriter:
    """A live document in this process."""

    def __init__(self, name: str, document: LiveDocument) -> None:
        self.name = name
        self._document = document
        self._text = document.text()
        self._sequence = document.doc.get("content", type=Text)
        self._state: dict[str, Any] = {}

    def replaces(self, place: float, length: int, text: str) -> None:
        start = int(place * len(self._text))
        self._text.replace(start, min(start + length, len(self._text)), text)
        head = self._sequence.sticky_index(start + len(text), Assoc.BEFORE).to_json()
        self._state = {"user": {"name": self.name}, "cursor": {"anchor": head, "head": head}}
        self._document.awareness.say(self._state)

    async def looks(self) -> Seen:
        states = [*self._document.awareness.others.values(), self._state]
        pointing = [state for state in states if "cursor" in state]
        return Seen(
            str(self._text), {state["user"]["name"]: self._index(state["cursor"]["head"]) for state in pointing}
        )

    async def misses(self, name: str) -> None:
        gone = asyncio.Event()

        def look(_: object) -> None:
            if name not in [state["user"]["name"] for state in self._document.awareness.others.values()]:
                gone.set()

        forget = self._document.awareness.observe(look)
        await gone.wait()
        forget()

    def _index(self, position: Any) -> int:
        return StickyIndex.from_json(position, self._sequence).get_index()


@dataclass(frozen=True, slots=True)
class Result:
    edits: int
    troubles: int
    characters: int
    gone_after_s: Mapping[str, float]
    """By the name of who was cut off: when the last of the others knew."""


async def run(project: Project, data: Path, *, seconds: float, seed: int) -> Result:
    """Type, and see all agree; fails where they do not."""
    script = str(shutil.copy(CLIENTS / "together.mjs", project.folder))
    async with AsyncExitStack() as stack:
        server = stack.enter_context(ServerProcess(data))
        network = stack.enter_context(Network())
        lines = {name: network.line(server.port) for name in (*PACKAGES, PYTHON)}
        urls = {name: f"http://127.0.0.1:{line.port}" for name, line in lines.items()}
        client = await stack.enter_async_context(connect(urls[PYTHON]))
        writers: list[Writer] = [PythonWriter(PYTHON, await client.open(_DOCUMENT))]
        for name in PACKAGES:
            program = await Program.start("node", script, name, urls[name], _DOCUMENT, name)
            stack.push_async_callback(program.stop)
            writers.append(NodeWriter(name, program))
        ends_s = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            edits = [
                group.create_task(_write(writer, random.Random(f"{seed} {writer.name}"), ends_s)) for writer in writers
            ]
            troubles = [
                group.create_task(_trouble(line, random.Random(f"{seed} line of {name}"), ends_s))
                for name, line in lines.items()
            ]
        seen = await _agree(writers)
        content = f"{server.url}/api/documents/{_DOCUMENT}/content?format=text"
        assert (await AsyncHTTPClient().fetch(content)).body.decode() == seen.text
        gone_after_s = {writer.name: await _cut_off(writer, writers, lines[writer.name]) for writer in writers}
        return Result(_total(edits), _total(troubles), len(seen.text), gone_after_s)


def _total(tasks: Sequence[asyncio.Task[int]]) -> int:
    return sum(task.result() for task in tasks)


async def _write(writer: Writer, chance: random.Random, ends_s: float) -> int:
    """How many edits were made."""
    edits = 0
    length = 0
    while time.monotonic() < ends_s:
        if edits % 20 == 0:
            length = len((await writer.looks()).text)
        deletes = chance.random() < (0.3 if length < _LONG else 0.9)
        writer.replaces(chance.random(), chance.randint(1, 8) if deletes else 0, chance.choice(_WORDS))
        edits += 1
        await asyncio.sleep(chance.expovariate(_EDITS_A_SECOND))
    return edits


async def _trouble(line: Line, chance: random.Random, ends_s: float) -> int:
    """How often the line broke, stayed away or fell silent; in the end it is well."""
    troubles = 0
    while time.monotonic() + (calm_s := chance.uniform(0.5, 5)) < ends_s:
        await asyncio.sleep(calm_s)
        chance.choice([line.drop, line.cut, line.stall])()
        await asyncio.sleep(chance.uniform(0, 2))
        line.heal()
        troubles += 1
    return troubles


async def _agree(writers: Sequence[Writer]) -> Seen:
    """What all see, once they do."""
    gives_up_s = time.monotonic() + _SETTLED_WITHIN_S
    while True:
        seen = [await writer.looks() for writer in writers]
        if all(each == seen[0] for each in seen) and len(seen[0].cursors) == len(writers):
            return seen[0]
        assert time.monotonic() < gives_up_s, f"they see: {seen}"
        await asyncio.sleep(0.02)


async def _cut_off(gone: Writer, writers: Sequence[Writer], line: Line) -> float:
    """How long until all the others knew, in seconds; then it comes back and all type on, and they know that too."""
    since_s = time.monotonic()
    line.cut()
    async with asyncio.timeout(_SETTLED_WITHIN_S):
        await asyncio.gather(*(writer.misses(gone.name) for writer in writers if writer is not gone))
    took_s = time.monotonic() - since_s
    line.heal()
    for writer in writers:
        writer.replaces(0.5, 0, "and on")
    await _agree(writers)
    return took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="how long they type (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="repeats what is typed and cut (default: 1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, packages = Path(folder, "data"), Path(folder, "packages")
        result = asyncio.run(run(Project(packages), data, seconds=arguments.seconds, seed=arguments.seed))
    print(f"{result.edits} edits, {result.troubles} troubles of the lines")
    print(f"all agree on {result.characters} characters and {len(result.gone_after_s)} cursors")
    print("gone after " + ", ".join(f"{took_s:.3f} s ({name})" for name, took_s in result.gone_after_s.items()))
    sys.exit(0 if max(result.gone_after_s.values()) < GONE_WITHIN_S else 1)


if __name__ == "__main__":
    main()
