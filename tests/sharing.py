"""Links, revocations and access on a real store, with a clock that passes only when told to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from collabdoc.access import Access
from collabdoc.auth import Authenticator, OpenAuthenticator, Permission
from collabdoc.config import Limits
from collabdoc.links import Links, Wish
from collabdoc.reader import Reader
from collabdoc.revocations import Revocations
from collabdoc.store.sqlite import SqliteStore
from collabdoc.writer import Writer

START_S = 1_800_000_000.0


@dataclass
class Sharing:
    store: SqliteStore
    links: Links
    revocations: Revocations
    clock: "Clock"

    def access(self, authenticator: Authenticator | None = None) -> Access:
        return Access(authenticator or OpenAuthenticator(), self.links, now_s=self.clock)

    async def link(
        self, document: str = "a", permission: Permission = Permission.READ, *, lasts_s: float | None = None
    ) -> str:
        """The token of a new link."""
        self.store.create(document)
        _, token = await self.links.make(document, Wish(permission, "", "ana", lasts_s))
        return token


@dataclass
class Clock:
    now_s: float = field(default=START_S)

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def sharing(folder: Path, limits: Limits | None = None) -> AsyncIterator[Sharing]:
    limits, clock = limits or Limits(), Clock()
    store = SqliteStore(folder)
    try:
        async with Reader() as reader, Writer(store, limits) as writer:
            links = Links(store, reader, writer, limits, now_ms=lambda: int(clock.now_s * 1000))
            revocations = Revocations(store, reader, writer, limits, now_s=clock)
            await revocations.load()
            yield Sharing(store, links, revocations, clock)
    finally:
        store.close()
