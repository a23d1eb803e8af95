"""Reset the line at every byte of the handshake and the first messages, or let it fall silent there, in each dialect.

    python -m tests.reliability.handshakes

A client for each byte of either direction: its first line ends there, it comes again over one that is well, writes a
word, and has to get it saved. Meanwhile somebody else writes in the same document and is served. In the end every word
is there once, nobody seems present who has gone, and the server holds what it held before: no connection, document,
file descriptor or task more.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

from pycrdt import Text

from collabdoc.client import LiveDocument, connect
from collabdoc.config import Settings
from collabdoc.server.app import Server
from tests.reliability.lines import Kind, Line, Trouble
from tests.reliability.people import DIALECTS, Dialect, content_of, settle, visiting
from tests.reliability.quick import LIMITS, let_go_of_all, run_quickly
from tests.reliability.repeats import Way

_KINDS: tuple[Kind, ...] = ("reset", "half-open")
_WAYS: tuple[Way, ...] = ("up", "down")
_TOGETHER = 12
_WITHIN_S = 30.0


async def run(data: Path, *, step: int = 1) -> Counter[str]:
    """How many lines ended, by dialect, at every `step`th byte. Raises `AssertionError` over what is wrong."""
    async with Server(Settings(port=0, data=data, limits=LIMITS)) as server:
        await _cut_everywhere(server, 0)  # makes what is made but once
        before = _held()
        ended = await _cut_everywhere(server, step)
        await _until(
            lambda: all(now <= then for now, then in zip(_held(), before, strict=True)),
            lambda: f"file descriptors and tasks: {_held()}, before {before}",
        )
    return ended


async def _cut_everywhere(server: Server, step: int) -> Counter[str]:
    """How many lines ended; with a step of 0 none does."""
    async with AsyncExitStack() as lines, connect(server.url) as client:
        places = [_Place(server, lines, dialect, await client.open(f"{dialect}/{step}")) for dialect in DIALECTS]
        await asyncio.gather(*(place.is_visited(step) for place in places))
        # The silent lines still stand, and tell nobody that they lead nowhere.
        http = server._http._connections
        await _until(
            lambda: len(server.context.sockets) == 1 and not http and not any(map(_Place.others, places)),
            lambda: f"{len(server.context.sockets)} sockets, {len(http)} requests, {[*map(_Place.others, places)]}",
        )
        for place in places:
            found = Counter(content_of(place.bystander.doc).tokens)
            assert found == place.words, f"missing: {place.words - found}, too many: {found - place.words}"
    await let_go_of_all(server)
    return Counter({place.dialect: place.ended for place in places})


class _Place:
    """A document whose visitors speak one dialect, and somebody who is there all the time."""

    def __init__(self, server: Server, lines: AsyncExitStack, dialect: Dialect, bystander: LiveDocument) -> None:
        self.dialect = dialect
        self.bystander = bystander
        self.words: Counter[str] = Counter()
        self.ended = 0
        self._server = server
        self._lines = lines
        self._turns = asyncio.Semaphore(_TOGETHER)

    def others(self) -> object:
        """Who seems to be there."""
        return self.bystander.awareness.others

    async def is_visited(self, step: int) -> None:
        """By somebody for each `step`th byte, whose line ends there."""
        writing = asyncio.create_task(self._write())
        carried = (await self._come()).carried
        places = [(way, byte) for way in _WAYS for byte in range(0, carried[way] if step else 0, step or 1)]
        troubles = [Trouble(kind, way, byte) for kind in _KINDS for way, byte in places]
        await asyncio.gather(*map(self._come, troubles))
        self.ended = len(troubles)
        writing.cancel()
        await asyncio.wait([writing])
        assert writing.cancelled(), writing.exception()

    async def _come(self, *troubles: Trouble) -> Line:
        word = f"<{', '.join(map(str, troubles))}>"
        self.words[word] += 1
        async with self._turns:
            line = await self._lines.enter_async_context(Line(self._server.port, troubles, lambda _: None))
            try:
                await _converse(line, self.dialect, self.bystander.name, word)
            except Exception as error:
                raise AssertionError(f"{self.dialect} {word}: {type(error).__name__} {error}") from error
            return line

    async def _write(self) -> None:
        """Write one word after the other; each has to be saved."""
        while True:
            word = f"<bystander {self.words.total()}>"
            self.words[word] += 1
            self.bystander.doc.get("content", type=Text).insert(0, word)
            async with asyncio.timeout(_WITHIN_S):
                await self.bystander.saved()
            await asyncio.sleep(0.05)


async def _converse(line: Line, dialect: Dialect, name: str, word: str) -> None:
    """Come over a line, be present, and get a word saved."""
    async with asyncio.timeout(_WITHIN_S), visiting(dialect, line.port, [name], Random(word)) as visitor:
        (peer,) = await visitor.open_all()
        peer.says({"name": word})
        await settle(visitor, [peer])
        peer.doc.get("content", type=Text).insert(0, word)
        peer.ask()
        await settle(visitor, [peer])


async def _until(condition: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    try:
        async with asyncio.timeout(_WITHIN_S):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(otherwise()) from None


def _held() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=1, help="only every so many bytes (default: 1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ended, errors = run_quickly(run(Path(folder), step=arguments.step))
    for error in errors:
        print(f"logged meanwhile: {error}", file=sys.stderr)
    print(f"{ended.total()} lines ended ({', '.join(f'{count} {dialect}' for dialect, count in ended.items())})")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
