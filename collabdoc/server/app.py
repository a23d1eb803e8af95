"""The composition root: one engine behind a port of its own, or within another Tornado application."""

import logging
import re
import socket
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from collabdoc.auth import Authenticator
from collabdoc.client import LiveDocument
from collabdoc.config import Settings
from collabdoc.errors import UsageError
from collabdoc.rooms import Rooms
from collabdoc.server import account, api
from collabdoc.server.context import Context
from collabdoc.server.engine import Engine
from collabdoc.server.files import BoundedServer
from collabdoc.server.hocuspocus import HocuspocusHandshake
from collabdoc.server.pages import PageHandler, StaticHandler, load_assets
from collabdoc.server.websocket import NativeHandshake
from collabdoc.server.yjs import YjsHandshake
from collabdoc.store.base import Store
from collabdoc.underway import Underway

log = logging.getLogger(__name__)

_BACKLOG = 4096
"""Connections that wait to be accepted, as far as the system lets: all who come back after a restart do so at once, and
whoever finds no place tries again after a second, then after three, then seven."""

Route = tuple[str, type[RequestHandler], dict[str, Any]]


def routes(engine: Engine, prefix: str = "") -> list[Route]:
    """The endpoints of a started engine under a prefix such as `/collab`, for `Application.add_handlers`.

    All but the editor's pages. A document's name may hold `/`, so that `/content` is looked for first. Raises
    `UsageError` for a prefix that is none.
    """
    if prefix and not re.fullmatch(r"(/[\w.~-]+)+", prefix):
        raise UsageError(f"the prefix is {prefix!r:.60}: expected one such as /collab, without a / at its end")
    shared = {"context": engine.context}
    endpoints: list[tuple[str, type[RequestHandler]]] = [
        (r"/ws", NativeHandshake),
        (r"/yjs/(.*)", YjsHandshake),
        (r"/hocuspocus", HocuspocusHandshake),
        (r"/healthz", api.Health),
        (r"/readyz", api.Ready),
        (r"/api/documents", api.Documents),
        (r"/api/session", account.SignIn),
        (r"/api/revocations", account.Revoked),
        (r"/api/documents/(.+)/content", api.Content),
        (r"/api/documents/(.+)/links", account.DocumentLinks),
        (r"/api/documents/(.+)/links/([0-9a-f]+)", account.DocumentLink),
        (r"/api/documents/(.+)", api.Document),
    ]
    return [(re.escape(prefix) + path, handler, shared) for path, handler in endpoints]


def make_application(engine: Engine) -> Application:
    """All that a server of its own serves."""
    assets = {"assets": load_assets()}
    return Application(
        [
            *routes(engine),
            (r"/static/(.+)", StaticHandler, assets),
            (r"/(?:d/.+|sign-in|share)?", PageHandler, assets),
        ],
        default_handler_class=api.NotFound,
        default_handler_args={"context": engine.context},
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
        """`store` and `authenticator` take the place of those that the settings name. Raises as `Engine` does.

        `sockets` listen already; `underway` is read by the watchdog.
        """
        self.settings = settings
        self._sockets = sockets
        self.engine = Engine(settings, authenticator=authenticator, store=store, underway=underway)

    async def __aenter__(self) -> "Server":
        """Raises `UsageError` where the port or the data folder cannot be used."""
        limits = self.settings.limits
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.engine)
            self._http = BoundedServer(
                make_application(self.engine),
                max_header_size=limits.http_header_bytes,
                max_body_size=limits.http_body_bytes,
                idle_connection_timeout=limits.silence_s,
                body_timeout=limits.silence_s,
            )
            self._http.add_sockets(self._sockets or bind(self.settings))
            stack.push_async_callback(self._stop_listening)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def context(self) -> Context:
        return self.engine.context

    @property
    def rooms(self) -> Rooms:
        return self.engine.rooms

    @property
    def port(self) -> int:
        sockets = self._http._sockets
        return int(next(iter(sockets.values())).getsockname()[1])

    @property
    def url(self) -> str:
        host = self.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def document(self, name: str, *, origin: str = "server") -> AbstractAsyncContextManager[LiveDocument]:
        """Open a document for the program that this server runs in: `Engine.document`."""
        return self.engine.document(name, origin=origin)

    async def _stop_listening(self) -> None:
        self._http.stop()
        await self.engine.say_goodbye()
        await self._http.close_all_connections()


def bind(settings: Settings) -> list[socket.socket]:
    """Listen where the settings say. Raises `UsageError`."""
    host, port = settings.host, settings.port
    try:
        # With port 0 and a name of two addresses, bind_sockets takes the same free port for both.
        return bind_sockets(port, host, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:  # the latter for a name that cannot be one
        raise UsageError(f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}") from None


def _log_request(handler: RequestHandler) -> None:
    status = handler.get_status()
    level = logging.DEBUG if status < 400 else logging.INFO if status < 500 else logging.ERROR
    request = handler.request
    took_ms = 1000 * request.request_time()
    log.log(level, "%d %s %a %.1f ms", status, request.method, request.path[:300], took_ms)
