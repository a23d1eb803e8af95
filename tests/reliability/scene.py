"""One run of `network.py`: some people, the lines that they have, and whether they agree in the end."""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

from collabdoc.server.app import Server
from tests.reliability.lines import Line, draw
from tests.reliability.people import (
    DIALECTS,
    Author,
    Content,
    Visitor,
    content_of,
    find_faults,
    settle,
    visiting,
)
from tests.reliability.repeats import Repeats

_NAMES = ("ann", "bob", "cat", "dan", "eve")
_REPEATS_IN = 0.2
"""The share of runs in which lines repeat frames and change their order."""
_LEAVES_IN = 0.4
"""The share of runs of three or more in which somebody leaves for good."""
_ACTS = (3, 10)
_PAUSE_S = 0.07
_TROUBLES = 5
"""So many connections of each line have one; where the machine is slow, they are not many more than elsewhere."""
_SETTLED_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    edits: int
    troubles: int
    documents: Mapping[str, Content]


async def play(server: Server, seed: int, notes: list[str]) -> Result:
    """A run; raises `AssertionError` where something is lost or nobody gets anywhere."""
    async with _Scene(server, seed, notes) as scene:
        await scene.acts()
        contents = await scene.settles()
        for name, content in contents.items():
            faults = find_faults(scene.authors[name], content)
            assert not faults, f"{name}: {', '.join(faults)}"
        edits = sum(len(author.edits) for authors in scene.authors.values() for author in authors)
        return Result(edits, sum(line.troubles for line in scene.lines), contents)


async def visit(server: Server, name: str, chance: Random) -> Content:
    """What somebody gets who comes now, over a line that is well."""
    async with (
        asyncio.timeout(_SETTLED_WITHIN_S),
        visiting(chance.choice(DIALECTS), server.port, [name], chance) as visitor,
    ):
        (peer,) = await visitor.open_all()
        await settle(visitor, [peer])
        return content_of(peer.doc)


class _Scene:
    """`authors` by document."""

    def __init__(self, server: Server, seed: int, notes: list[str]) -> None:
        self._server = server
        self._seed = seed
        self._chance = Random(seed)
        self._notes = notes
        self._began_s = time.monotonic()
        self.lines: list[Line] = []
        self._parts: list[Coroutine[None, None, None]] = []
        self._visitors: list[Visitor] = []
        self.authors: dict[str, list[Author]] = {}

    async def __aenter__(self) -> "_Scene":
        chance = self._chance
        self._repeats = chance.random() < _REPEATS_IN
        if self._repeats:
            self._note("lines repeat frames, and change their order")
        people = chance.randint(2, 5)
        leaves = people > 2 and not self._repeats and chance.random() < _LEAVES_IN
        leaver = chance.randrange(people) if leaves else None
        documents = [f"network/{self._seed}/{number}" for number in range(chance.choice((1, 1, 2)))]
        self.authors = {name: [] for name in documents}
        async with AsyncExitStack() as stack:
            for number in range(people):
                await self._brings(stack, _NAMES[number], documents, leaves=number == leaver)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def acts(self) -> None:
        """Everybody does what they do; then all lines are well."""
        async with asyncio.timeout(_SETTLED_WITHIN_S):
            await asyncio.gather(*self._parts)
        self._note("all lines are well")
        for line in self.lines:
            line.heal()
        for author in self._present():
            author.moves()

    async def settles(self) -> Mapping[str, Content]:
        """What all have of each document, and a late joiner, once they agree and nothing is unsaved."""
        gives_up_s = time.monotonic() + _SETTLED_WITHIN_S
        while True:
            await asyncio.sleep(0.02)
            for visitor in self._visitors:
                visitor.check()
            if not (trouble := self._disagrees() or await self._misses()):
                assert self._repeats or not any(visitor.count_surplus() for visitor in self._visitors)
                self._note("all agree")
                return self._contents()
            assert time.monotonic() < gives_up_s, trouble

    def _disagrees(self) -> str:
        """Why it is not over yet; empty where it is."""
        for author in self._present():
            if not author.peer.is_settled():
                return f"{author.name} is not in step, or has something unsaved"
        for name in self.authors:
            there = self._there(name)
            contents = [content_of(author.peer.doc) for author in there]
            if any(content != contents[0] for content in contents):
                return (
                    "they have of " + name + "".join(f"\n  {a.name} {c}" for a, c in zip(there, contents, strict=True))
                )
            states = {author.peer.doc.client_id: author.state for author in there}
            for author in there:
                others = dict(author.peer.others())
                expected = {client: state for client, state in states.items() if client != author.peer.doc.client_id}
                if others != expected:
                    return f"{author.name} sees in {name} {others}, expected {expected}"
        return ""

    async def _misses(self) -> str:
        """What a late joiner misses, whose server knows what those of y-websocket cannot ask: whether all has come."""
        for name, content in self._contents().items():
            late = await visit(self._server, name, Random(f"{self._seed} late"))
            if late != content:
                return f"a late joiner has of {name} {late}, expected {content}"
        return ""

    def _contents(self) -> Mapping[str, Content]:
        return {name: content_of(self._there(name)[0].peer.doc) for name in self.authors if self._there(name)}

    def _there(self, name: str) -> Sequence[Author]:
        return [author for author in self.authors[name] if author.saved is None]

    def _present(self) -> Sequence[Author]:
        return [author for name in self.authors for author in self._there(name)]

    async def _brings(self, stack: AsyncExitStack, name: str, documents: Sequence[str], *, leaves: bool) -> None:
        """Somebody with a line and one or all of the documents."""
        dialect = self._chance.choice(DIALECTS)
        if dialect == "yjs" or self._chance.random() < 0.3:
            documents = [self._chance.choice(documents)]
        self._note(f"{name} speaks {dialect} in {', '.join(documents)}")
        troubles = Random(f"{self._seed} line of {name}")
        line = Line(
            self._server.port,
            [draw(troubles) for _ in range(_TROUBLES)],
            lambda what: self._note(f"line of {name}, {what}"),
            repeats=(lambda way: Repeats(dialect, way, troubles)) if self._repeats else None,
        )
        await stack.enter_async_context(line)
        self.lines.append(line)
        provider = Random(f"{self._seed} provider of {name}")
        visitor = await stack.enter_async_context(visiting(dialect, line.port, documents, provider))
        self._visitors.append(visitor)
        self._parts.append(self._plays(name, documents, visitor, line, leaves=leaves))

    async def _plays(self, name: str, documents: Sequence[str], visitor: Visitor, line: Line, *, leaves: bool) -> None:
        chance = Random(f"{self._seed} {name}")
        authors = []
        for document, peer in zip(documents, await visitor.open_all(), strict=True):
            authors.append(Author(f"{name}/{document[-1]}", peer, chance, self._note))
            self.authors[document].append(authors[-1])
        for _ in range(chance.randint(*_ACTS)):
            await asyncio.sleep(chance.expovariate(1 / _PAUSE_S))
            chance.choice(authors).acts()
        if leaves:
            for author in authors:
                author.leaves()
            line.vanish()

    def _note(self, what: str) -> None:
        self._notes.append(f"{1000 * (time.monotonic() - self._began_s):6.0f} ms  {what}")
