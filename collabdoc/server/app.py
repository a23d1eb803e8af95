"""The composition root: builds the graph of one server, starts it, drains it, stops it."""

import asyncio
import contextlib
import logging
import random
import socket
import time
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from collabdoc import __version__
from collabdoc.access import Access
from collabdoc.auth import Authenticator
from collabdoc.config import Settings
from collabdoc.errors import CollabdocError, UsageError
from collabdoc.helper import Helper
from collabdoc.links import Links
from collabdoc.quarantine import Quarantine
from collabdoc.reader import Reader
from collabdoc.revocations import Revocations
from collabdoc.rooms import Rooms
from collabdoc.server import account, api
from collabdoc.server.access import make_authenticator
from collabdoc.server.connection import send_all
from collabdoc.server.context import Context
from collabdoc.server.pages import PageHandler, StaticHandler, load_assets
from collabdoc.server.websocket import NativeHandshake
from collabdoc.server.yjs import YjsHandshake
from collabdoc.store.base import Store
from collabdoc.store.sqlite import SqliteStore
from collabdoc.turn import Turn
from collabdoc.underway import Underway
from collabdoc.writer import Writer

log = logging.getLogger(__name__)

_ROUND_S = 1.0
_CLOSE_S = 2.0
_RESTARTING = "the server is restarting"


def make_application(context: Context) -> Application:
    """The handlers of one server. A document's name may hold `/`, so that `/content` is looked for first."""
    assets = {"assets": load_assets()}
    shared = {"context": context}
    return Application(
        [
            (r"/ws", NativeHandshake, shared),
            (r"/yjs/(.*)", YjsHandshake, shared),
            (r"/healthz", api.Health, shared),
            (r"/readyz", api.Ready, shared),
            (r"/api/documents", api.Documents, shared),
            (r"/api/session", account.SignIn, shared),
            (r"/api/revocations", account.Revoked, shared),
            (r"/api/documents/(.+)/content", api.Content, shared),
            (r"/api/documents/(.+)/links", account.DocumentLinks, shared),
            (r"/api/documents/(.+)/links/([0-9a-f]+)", account.DocumentLink, shared),
            (r"/api/documents/(.+)", api.Document, shared),
            (r"/static/(.+)", StaticHandler, assets),
            (r"/(?:d/.+|sign-in|share)?", PageHandler, assets),
        ],
        default_handler_class=api.NotFound,
        default_handler_args=shared,
        log_function=_log_request,
    )


class Server:
    """One server process. `async with` starts it, and drains and stops it."""

    def __init__(
        self,
        settings: Settings,
        *,
        authenticator: Authenticator | None = None,
        store: Store | None = None,
        sockets: Sequence[socket.socket] | None = None,
        underway: Underway | None = None,
    ) -> None:
        """`store` and `authenticator` take the place of those that the settings name.

        `sockets` listen already; `underway` is read by the watchdog.
        """
        self.settings = settings
        self._sockets = sockets
        self._underway = underway or Underway(settings.limits.update_bytes)
        self._authenticator = authenticator or make_authenticator(settings, self._is_revoked)
        self._store = store

    async def __aenter__(self) -> "Server":
        """Raises `UsageError` where the port or the data folder cannot be used."""
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
            turn = Turn()
            turn.send.do = send_all
            self.rooms = await stack.enter_async_context(
                Rooms(
                    store,
                    reader,
                    writer,
                    helper,
                    limits,
                    server=server,
                    turn=turn,
                    underway=self._underway,
                    quarantine=quarantine,
                )
            )
            access = Access(self._authenticator, links, now_s=time.time)
            self.context = Context(self.settings, self.rooms, access, links, revocations, turn, time.monotonic)
            self._http = HTTPServer(
                make_application(self.context),
                max_body_size=limits.http_body_bytes,
                idle_connection_timeout=limits.silence_s,
                body_timeout=limits.silence_s,
            )
            self._http.add_sockets(self._sockets or bind(self.settings))
            self._round = asyncio.create_task(self._keep_sockets_alive())
            stack.push_async_callback(self._stop)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def port(self) -> int:
        sockets = self._http._sockets
        return int(next(iter(sockets.values())).getsockname()[1])

    @property
    def url(self) -> str:
        host = self.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def _is_revoked(self, user: str, token_id: str | None, issued_s: float) -> bool:
        return self.context.revocations.covers(user, token_id, issued_s)

    async def _stop(self) -> None:
        """Refuse what is new, commit what was taken, say goodbye, make the last snapshots."""
        self.context.draining = True
        self._http.stop()
        deadline_s = asyncio.get_running_loop().time() + self.settings.limits.drain_s
        await self._within(deadline_s, self.rooms.drain(), "some edits are not committed; their authors keep them")
        for peer in list(self.context.sockets):
            spread_ms = int(self.settings.limits.goaway_spread_s * 1000)
            peer.go_away(random.randint(0, spread_ms), _RESTARTING)  # noqa: S311  # spreads load, hides nothing
        self._round.cancel()
        await asyncio.gather(self._round, return_exceptions=True)
        await self._until_closed()
        await self._http.close_all_connections()
        await self._within(deadline_s, self.rooms.snapshot_all(), "some snapshots are left for the next start")

    async def _within(self, deadline_s: float, work: Awaitable[None], otherwise: str) -> None:
        try:
            async with asyncio.timeout_at(deadline_s):
                await work
        except TimeoutError:
            log.warning("the time for a shutdown is over: %s", otherwise)
        except Exception as error:
            unforeseen = not isinstance(error, CollabdocError)
            log.error("the shutdown goes on, %s: %s", otherwise, error, exc_info=unforeseen)

    async def _until_closed(self) -> None:
        """Give peers time to read the last words; who does not is cut off."""
        if self.context.sockets:
            self.context.emptied.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.context.emptied.wait(), _CLOSE_S)
        for peer in list(self.context.sockets):
            peer.abort()

    async def _keep_sockets_alive(self) -> None:
        # One round for all: a timer for each socket costs memory and wake-ups.
        # Tokens and links tell by themselves when they end; an operator's own authenticator has to be asked.
        access = self.context.access
        asks_again = not (access.is_open or access.by_tokens)
        while True:
            await asyncio.sleep(_ROUND_S)
            now_s = time.monotonic()
            for peer in list(self.context.sockets):
                try:
                    peer.keep_alive(now_s)
                    peer.end_expired(time.time())
                    if asks_again and now_s - peer.checked_s >= self.settings.recheck_s:
                        peer.recheck(lambda _: True)
                except Exception:
                    log.exception("a socket could not be kept alive")


def bind(settings: Settings) -> list[socket.socket]:
    """Listen where the settings say. Raises `UsageError`."""
    host, port = settings.host, settings.port
    try:
        # With port 0 and a name of two addresses, bind_sockets takes the same free port for both.
        return bind_sockets(port, host)
    except (OSError, UnicodeError) as error:  # the latter for a name that cannot be one
        raise UsageError(f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}") from None


def _log_request(handler: RequestHandler) -> None:
    status = handler.get_status()
    level = logging.DEBUG if status < 400 else logging.INFO if status < 500 else logging.ERROR
    request = handler.request
    took_ms = 1000 * request.request_time()
    log.log(level, "%d %s %a %.1f ms", status, request.method, request.path[:300], took_ms)
