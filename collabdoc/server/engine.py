"""Everything of a server but its listener: builds the graph, starts it, drains it, stops it.

A `Server` puts it behind a port of its own; another Tornado application takes it in with `routes`.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from collabdoc import __version__
from collabdoc.access import Access
from collabdoc.auth import Authenticator
from collabdoc.client.backoff import CAP_S
from collabdoc.client.clock import LoopClock
from collabdoc.client.document import LiveDocument
from collabdoc.config import Settings
from collabdoc.errors import CollabdocError
from collabdoc.helper import Helper
from collabdoc.lane import Lane
from collabdoc.links import Links
from collabdoc.quarantine import Quarantine
from collabdoc.reader import Reader
from collabdoc.revocations import Revocations
from collabdoc.rooms import Rooms
from collabdoc.server.access import make_authenticator
from collabdoc.server.connection import send_all
from collabdoc.server.context import Context
from collabdoc.server.inside import InsideLine
from collabdoc.store.base import Store
from collabdoc.store.sqlite import SqliteStore
from collabdoc.turn import Turn
from collabdoc.underway import Underway
from collabdoc.writer import Writer

log = logging.getLogger(__name__)

_ROUND_S = 1.0
_CLOSE_S = 2.0
_RESTARTING = "the server is restarting"


class Engine:
    """Documents, who has them open, and their store, on the running loop. `async with` starts, drains and stops it."""

    def __init__(
        self,
        settings: Settings,
        *,
        authenticator: Authenticator | None = None,
        store: Store | None = None,
        underway: Underway | None = None,
    ) -> None:
        """`store` and `authenticator` take the place of those that the settings name; a watchdog reads `underway`.

        Raises `UsageError` where the settings name no authenticator, or an open server that others can reach.
        """
        self.settings = settings
        self._authenticator = authenticator or make_authenticator(settings, self._is_revoked)
        self._store = store
        self._underway = underway or Underway(settings.limits.update_bytes)
        self._inside: set[InsideLine] = set()
        self._deadline_s: float | None = None  # for the shutdown, once it has begun

    async def __aenter__(self) -> "Engine":
        """Raises `UsageError` where the data folder cannot be used."""
        limits = self.settings.limits
        async with AsyncExitStack() as stack:
            store = self._store or SqliteStore(self.settings.data)
            stack.callback(store.close)
            reader = await stack.enter_async_context(Reader())
            writer = await stack.enter_async_context(Writer(store, limits))
            revocations = Revocations(store, reader, writer, limits, now_s=time.time)
            await revocations.load()
            quarantine = Quarantine(self.settings.data, limits.standstills_per_document)
            quarantine.load()
            links = Links(store, reader, writer, limits, now_ms=lambda: time.time_ns() // 1_000_000)
            helper = await stack.enter_async_context(
                Helper(memory_bytes=limits.helper_memory_bytes, timeout_s=limits.helper_s)
            )
            server = f"collabdoc/{__version__}"
            turn, lane = Turn(), Lane()
            turn.send.do = partial(send_all, turn)
            self.rooms = await stack.enter_async_context(
                Rooms(
                    *(store, reader, writer, helper, limits),
                    server=server,
                    turn=turn,
                    lane=lane,
                    underway=self._underway,
                    quarantine=quarantine,
                )
            )
            access = Access(self._authenticator, links, now_s=time.time)
            self.context = Context(self.settings, self.rooms, access, links, revocations, turn, lane, time.monotonic)
            self._round = asyncio.create_task(self._keep_sockets_alive())
            stack.push_async_callback(self._stop)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def document(self, name: str, *, origin: str = "server") -> AsyncIterator[LiveDocument]:
        """Open a document, which is made where there is none, for the program that this server runs in.

        `origin` is what others within the server are told of its edits; to readers elsewhere they are edits like any
        other. `saved()` waits for their commit. Raises `Refused` as for a client, also where the server stops.
        """
        line = InsideLine(self.rooms, self.settings.limits, origin)
        document = LiveDocument(
            name, line, LoopClock(), token=None, max_backoff_s=CAP_S, closed=lambda _: self._inside.discard(line)
        )
        self._inside.add(line)
        try:
            if self.context.draining:
                line.stop()
            document.connect()
            await document.synced()
            yield document
        finally:
            document.close()
            await line.close()

    async def say_goodbye(self) -> None:
        """Refuse what is new, commit what was taken, and end all sockets; done at the latest when it is stopped."""
        if self._deadline_s is not None:
            return
        self.context.draining = True
        self._deadline_s = asyncio.get_running_loop().time() + self.settings.limits.drain_s
        await self._within_time(self.rooms.drain(), "some edits are not committed; their authors keep them")
        for line in list(self._inside):
            line.stop()
        for socket in list(self.context.sockets):
            spread_ms = int(self.settings.limits.goaway_spread_s * 1000)
            socket.go_away(random.randint(0, spread_ms), _RESTARTING)  # noqa: S311  # spreads load, hides nothing
        self._round.cancel()
        await asyncio.gather(self._round, return_exceptions=True)
        await self._until_closed()

    def _is_revoked(self, user: str, token_id: str | None, issued_s: float) -> bool:
        return self.context.revocations.covers(user, token_id, issued_s)

    async def _stop(self) -> None:
        await self.say_goodbye()
        await self._within_time(self.rooms.snapshot_all(), "some snapshots are left for the next start")

    async def _within_time(self, work: Awaitable[None], otherwise: str) -> None:
        try:
            async with asyncio.timeout_at(self._deadline_s):
                await work
        except TimeoutError:
            log.warning("the time for a shutdown is over: %s", otherwise)
        except Exception as error:
            unforeseen = not isinstance(error, CollabdocError)
            log.error("the shutdown goes on, %s: %s", otherwise, error, exc_info=unforeseen)

    async def _until_closed(self) -> None:
        """Give peers time to read the last words; who does not is cut off."""
        await self._until_emptied()
        for socket in list(self.context.sockets):
            socket.connection.abort()
        await self._until_emptied()

    async def _until_emptied(self) -> None:
        if self.context.sockets:
            self.context.emptied.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.context.emptied.wait(), _CLOSE_S)

    async def _keep_sockets_alive(self) -> None:
        # One round for all: a timer for each socket costs memory and wake-ups.
        # Tokens and links tell by themselves when they end; an operator's own authenticator has to be asked.
        access = self.context.access
        asks_again = not (access.is_open or access.by_tokens)
        while True:
            await asyncio.sleep(_ROUND_S)
            self._look_after_sockets(asks_again=asks_again)

    def _look_after_sockets(self, *, asks_again: bool) -> None:
        """A method of its own: the last of them would else be kept until the next round that finds any."""
        now_s = time.monotonic()
        for socket in list(self.context.sockets):
            if now_s < socket.quiet_until_s and not asks_again:
                continue
            try:
                socket.keep_alive(now_s)
                socket.end_expired(time.time())
                if asks_again and now_s - socket.checked_s >= self.settings.recheck_s:
                    socket.recheck(lambda _: True)
            except Exception:
                log.exception("a socket could not be kept alive")
