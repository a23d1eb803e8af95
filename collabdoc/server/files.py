"""As many connections as the system lets this process have files, and a few less: each of them is a file.

1. Without a rest for the database, the helper and the log, reading a document would fail where connections took all,
   and so would `accept`, in every turn of the loop.
2. Of a crowd few are let in in a turn. Tornado lets in up to 128 at once, and others wait for all of their requests.
"""

import contextlib
import logging
import socket
import time
from collections.abc import Iterable
from typing import Any

from tornado.httpserver import HTTPServer

log = logging.getLogger(__name__)

OUR_FILES = 64
"""What connections leave to the server itself, which has about 20."""
LET_IN_PER_TURN = 4
"""A request that comes with its connection takes 1 ms."""
_FEW = 4_000
_TOLD_EVERY_S = 10.0
_TURNED_AWAY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def raise_limit() -> None:
    """Let this process have all the files that it may have, and tell its operator where these are few."""
    try:
        import resource
    except ImportError:  # this system has no such limit
        return
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS has no number like that which it says there.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        files = most
    if 0 <= files < _FEW:
        log.warning("%d connections at most, for the system lets the server have %d files", files - OUR_FILES, files)


def _files() -> int:
    """How many this process may have; -1 where that is not limited."""
    try:
        import resource
    except ImportError:
        return -1
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class BoundedServer(HTTPServer):
    """Turns away who comes when there is no room, with 503; they may try again."""

    def initialize(self, *arguments: Any, **named: Any) -> None:
        super().initialize(*arguments, **named)
        files = _files()
        self._limit = float("inf") if files < 0 else files - OUR_FILES
        self._told_s = -_TOLD_EVERY_S

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        super().add_sockets(_Door(listening) for listening in sockets)  # type: ignore[misc]  # all of it that Tornado uses

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        if connection.fileno() < self._limit:  # the system gives the lowest number that is free
            super()._handle_connection(connection, address)
            return
        with connection, contextlib.suppress(OSError):
            connection.setblocking(False)
            connection.send(_TURNED_AWAY)
        now_s = time.monotonic()
        if now_s - self._told_s >= _TOLD_EVERY_S:
            self._told_s = now_s
            log.error("connections are turned away: the system allows no more files than %d", self._limit + OUR_FILES)


class _Door:
    """A listening socket at which nobody seems to wait any more once some were let in."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._came = 0
        for name in ("close", "fileno", "getsockname"):
            setattr(self, name, getattr(listening, name))

    def accept(self) -> tuple[socket.socket, Any]:
        """Raises `BlockingIOError` where there is nobody, or to end the turn."""
        if self._came == LET_IN_PER_TURN:
            self._came = 0
            raise BlockingIOError
        self._came += 1
        return self._listening.accept()
