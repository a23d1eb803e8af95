"""The line's socket: Tornado's WebSocket client, and nothing else of the client touches a network."""

import asyncio
import contextlib
import logging

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from collabdoc.client.codes import LOST
from collabdoc.client.line import SocketUser
from collabdoc.errors import NoSuchDocument, NotAllowed, NotAuthenticated
from collabdoc.protocol import native

log = logging.getLogger(__name__)

CONNECT_S = 10.0
CLOSE_S = 1.0
_RETRY_STATUS = {408, 429}
"""Below 500, the answers to a request for a socket after which the next may succeed."""
_CODES = {401: NotAuthenticated.code, 403: NotAllowed.code}


class Dialer:
    """Makes the sockets to one address; `close` ends what they still do."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._tasks: set[asyncio.Task[None]] = set()

    def dial(self, user: SocketUser) -> "TornadoSocket":
        socket = TornadoSocket()
        task = asyncio.create_task(socket.run(self._url, user))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return socket

    async def close(self) -> None:
        """Let sockets that were hung up say goodbye, and cut those that do not get to it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class TornadoSocket:
    def __init__(self) -> None:
        self._connection: WebSocketClientConnection | None = None
        self._is_hung_up = False

    async def run(self, url: str, user: SocketUser) -> None:
        """Connect within `CONNECT_S`, and listen until the end."""
        code, reason = LOST, "the server cannot be reached"
        try:
            request = HTTPRequest(url, connect_timeout=CONNECT_S, request_timeout=CONNECT_S)
            self._connection = await websocket_connect(
                request, subprotocols=[native.SUBPROTOCOL], max_message_size=2**30
            )
            if not self._is_hung_up:
                user.opened()
                code, reason = await self._listen(self._connection, user)
        except HTTPClientError as error:
            reason = f"{url} answered {error.code}: {error.message}"
            if 400 <= error.code < 500 and error.code not in _RETRY_STATUS:
                code = _CODES.get(error.code, NoSuchDocument.code)
        except (OSError, WebSocketClosedError) as error:
            log.debug("no connection to %s: %s", url, error)
        except Exception:
            log.exception("the connection to %s has ended", url)
        finally:
            self._cut()
        if not self._is_hung_up:
            user.closed(code, reason)

    def send(self, frame: bytes) -> None:
        assert self._connection is not None
        # A line that breaks now is noticed by its reader; what was not saved is sent again on the next one.
        with contextlib.suppress(WebSocketClosedError):
            sent = self._connection.write_message(frame, binary=True)
            sent.add_done_callback(lambda future: future.cancelled() or future.exception())

    def hang_up(self, code: int | None = None) -> None:
        self._is_hung_up = True
        if self._connection is not None:
            self._connection.close(code)

    def _cut(self) -> None:
        protocol = self._connection and self._connection.protocol
        if protocol and protocol.stream:
            protocol.stream.close()

    async def _listen(self, connection: WebSocketClientConnection, user: SocketUser) -> tuple[int, str]:
        while (frame := await connection.read_message()) is not None:
            if not self._is_hung_up:
                user.received(frame if isinstance(frame, bytes) else frame.encode())
        return connection.close_code or LOST, connection.close_reason or ""
