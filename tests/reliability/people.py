"""Who takes part in a run of `network.py`, whatever their dialect, and what each did."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Literal, NamedTuple, Protocol

from pycrdt import Doc, Map, Text

from collabdoc.client import Client, LiveDocument, connect
from collabdoc.protocol.lib0 import read_state_vector
from tests.reliability.providers import Provider, Replica

Dialect = Literal["native", "yjs", "hocuspocus"]
DIALECTS: tuple[Dialect, ...] = ("native", "yjs", "hocuspocus")

_MAX_BACKOFF_S = 0.2
_TOKEN = re.compile("<[^>]*>")
_MARKS = 3


class Content(NamedTuple):
    """What a replica has: text, map and state vector."""

    text: str
    marks: Mapping[str, str]
    clocks: Mapping[int, int]

    @property
    def tokens(self) -> list[str]:
        return _TOKEN.findall(self.text)


def content_of(doc: "Doc[Any]") -> Content:
    text, marks = doc.get("content", type=Text), doc.get("marks", type=Map)
    return Content(str(text), marks.to_py() or {}, read_state_vector(doc.get_state(), max_clients=10_000))


class Peer(Protocol):
    """One document in one client."""

    doc: "Doc[Any]"

    def is_settled(self) -> bool:
        """Whether it is open, in step, and has nothing unsaved, as far as its dialect tells."""

    def ask(self) -> None:
        """Be settled only once all edits are saved, where the dialect tells that to who asks, and to nobody else."""

    def count_saved(self, made: int) -> int:
        """How many of the edits made here are saved for sure."""

    def says(self, state: dict[str, Any]) -> None:
        """Be present with this."""

    def others(self) -> Mapping[int, Any]:
        """Who else is present, by client id."""


class Visitor(Protocol):
    """One client, whatever its dialect."""

    async def open_all(self) -> Sequence[Peer]:
        """Its documents, in the order in which they were named."""

    def check(self) -> None:
        """Raise what went wrong, if anything."""

    def count_surplus(self) -> int:
        """How many edits were said to be saved that never were made."""


@asynccontextmanager
async def visiting(dialect: Dialect, port: int, names: Sequence[str], chance: Random) -> AsyncIterator[Visitor]:
    """A client of these documents, of which y-websocket's has one."""
    if dialect == "native":
        async with connect(f"http://127.0.0.1:{port}", max_backoff_s=_MAX_BACKOFF_S) as client:
            yield _PythonVisitor(client, names)
        return
    provider = Provider(dialect, port, names, chance)
    task = asyncio.create_task(provider.run())
    try:
        yield _ProviderVisitor(provider, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settle(visitor: Visitor, peers: Iterable[Peer]) -> None:
    """Wait until they are in step and nothing is unsaved."""
    while not all(peer.is_settled() for peer in peers):
        visitor.check()
        await asyncio.sleep(0.01)


class _PythonVisitor:
    def __init__(self, client: Client, names: Sequence[str]) -> None:
        self._client = client
        self._names = names

    async def open_all(self) -> Sequence[Peer]:
        return [_PythonPeer(await self._client.open(name)) for name in self._names]

    def check(self) -> None:
        """What is refused raises by itself."""

    def count_surplus(self) -> int:
        return 0


class _ProviderVisitor:
    def __init__(self, provider: Provider, task: "asyncio.Task[None]") -> None:
        self._provider = provider
        self._task = task

    async def open_all(self) -> Sequence[Peer]:
        return [_ProviderPeer(self._provider, replica) for replica in self._provider.replicas.values()]

    def check(self) -> None:
        if self._task.done():
            self._task.result()

    def count_surplus(self) -> int:
        return sum(replica.surplus for replica in self._provider.replicas.values())


class _PythonPeer:
    def __init__(self, document: LiveDocument) -> None:
        self.doc = document.doc
        self._document = document

    def is_settled(self) -> bool:
        return self._document.status.kind == "saved"

    def ask(self) -> None:
        """It is told."""

    def count_saved(self, made: int) -> int:
        return max(0, made - self._document.unsaved)

    def says(self, state: dict[str, Any]) -> None:
        self._document.awareness.say(state)

    def others(self) -> Mapping[int, Any]:
        return self._document.awareness.others


class _ProviderPeer:
    def __init__(self, provider: Provider, replica: Replica) -> None:
        self.doc = replica.doc
        self._provider = provider
        self._replica = replica

    def is_settled(self) -> bool:
        return self._provider.is_open and self._replica.is_synced and not self._replica.owed

    def ask(self) -> None:
        if not self._replica.head:
            self._replica.ask()

    def count_saved(self, made: int) -> int:
        return self._replica.saved

    def says(self, state: dict[str, Any]) -> None:
        self._replica.awareness.set_local_state(state)

    def others(self) -> Mapping[int, Any]:
        return self._replica.others


class Author:
    """Somebody in one document."""

    def __init__(self, name: str, peer: Peer, chance: Random, note: Callable[[str], None]) -> None:
        self.name = name
        self.peer = peer
        self.edits: list[tuple[str, str]] = []
        """Each with `insert`, `delete` or `mark`, and the token."""
        self.saved: int | None = None
        """How many of them were saved when it left for good."""
        self.state: dict[str, Any] = {}
        self._chance = chance
        self._note = note

    def acts(self) -> None:
        """Do something."""
        kind = self._chance.choice(("insert", "insert", "insert", "delete", "delete", "mark", "burst", "presence"))
        match kind:
            case "presence":
                self.moves()
            case "mark":
                marks = self.peer.doc.get("marks", type=Map)
                token = self._made("mark")
                marks[f"m{self._chance.randrange(_MARKS)}"] = token
            case "delete" if tokens := content_of(self.peer.doc).tokens:
                self._delete(self._chance.choice(tokens))
            case _:
                for _ in range(8 if kind == "burst" else 1):
                    self._insert()

    def moves(self) -> None:
        self.state = {"name": self.name, "at": self._chance.randrange(10**6)}
        self.peer.says(self.state)

    def leaves(self) -> None:
        self.saved = self.peer.count_saved(len(self.edits))
        self._note(f"{self.name} leaves for good with {self.saved} of {len(self.edits)} edits saved")

    def surely(self) -> Iterable[tuple[str, str]]:
        """The edits that have to be there in the end."""
        return self.edits[: self.saved]

    def _insert(self) -> None:
        text = self.peer.doc.get("content", type=Text)
        ends = [0, *(match.end() for match in _TOKEN.finditer(str(text)))]
        place = self._chance.choice(ends)
        text.insert(place, self._made("insert"))

    def _delete(self, token: str) -> None:
        text = self.peer.doc.get("content", type=Text)
        start = str(text).index(token)
        self.edits.append(("delete", token))
        self._note(f"{self.name} deletes {token}")
        del text[start : start + len(token)]

    def _made(self, kind: str) -> str:
        token = f"<{self.name}.{len(self.edits)}>"
        self.edits.append((kind, token))
        self._note(f"{self.name}: {kind} {token}")
        return token


def find_faults(authors: Iterable[Author], content: Content) -> list[str]:
    """What is missing, double or back again in a document that all who are there agree on."""
    authors = list(authors)
    surely = [edit for author in authors for edit in author.surely()]
    inserted = {token for kind, token in surely if kind == "insert"}
    deleted = {token for kind, token in surely if kind == "delete"}
    maybe_deleted = {token for author in authors for kind, token in author.edits if kind == "delete"}
    tokens = content.tokens
    faults = [f"{token} is there {tokens.count(token)} times" for token in set(tokens) if tokens.count(token) > 1]
    faults += [f"{token} was saved and is missing" for token in inserted - maybe_deleted - set(tokens)]
    faults += [f"{token} was deleted and is back" for token in deleted & set(tokens)]
    if (rest := _TOKEN.sub("", content.text)) != "":
        faults.append(f"{rest!r} is left of something")
    return faults
