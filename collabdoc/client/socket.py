"""The line's socket: Tornado's WebSocket client, and nothing else of the client touches a network."""

import asyncio
import contextlib
import logging

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import IOStream
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
        self._sockets: dict[asyncio.Task[None], TornadoSocket] = {}

    def dial(self, user: SocketUser) -> "TornadoSocket":
        socket = TornadoSocket()
        task = asyncio.create_task(socket.run(self._url, user))
        self._sockets[task] = socket
        task.add_done_callback(self._sockets.pop)
        return socket

    async def close(self) -> None:
        """Let sockets that were hung up say goodbye, and cut those that do not get to it.

        Who is connecting goes on for at most `CONNECT_S`, to see to what comes of it: Tornado does so in any case.
        """
        if self._sockets:
            await asyncio.wait(self._sockets, timeout=CLOSE_S)
        await asyncio.gather(*[task for task, socket in self._sockets.items() if socket.cut()])


class TornadoSocket:
    def __init__(self) -> None:
        self._connection: WebSocketClientConnection | None = None
        self._stream: IOStream | None = None
        self._is_hung_up = False
        self._is_at_end = False
        """Whether Tornado said that nothing more comes."""

    async def run(self, url: str, user: SocketUser) -> None:
        """Connect within `CONNECT_S`, and listen until the end."""
        code, reason = LOST, "the server cannot be reached"
        try:
            request = HTTPRequest(url, connect_timeout=CONNECT_S, request_timeout=CONNECT_S)
            connection = await websocket_connect(request, subprotocols=[native.SUBPROTOCOL], max_message_size=2**30)
            assert connection.protocol is not None
            # Kept, for a connection that is closed forgets it.
            self._connection, self._stream = connection, connection.protocol.stream
            # Else an edit waits in the system until the server answers the one before it, which is at its commit.
            connection.protocol.set_nodelay(True)
            try:
                if not self._is_hung_up:
                    user.opened()
                    code, reason = await self._listen(connection, user)
            finally:
                self._end()
                await self._drain(connection)
        except HTTPClientError as error:
            reason = f"{url} answered {error.code}: {error.message}"
            if 400 <= error.code < 500 and error.code not in _RETRY_STATUS:
                code = _CODES.get(error.code, NoSuchDocument.code)
        except (OSError, WebSocketClosedError) as error:
            log.debug("no connection to %s: %s", url, error)
        except Exception:
            log.exception("the connection to %s has ended", url)
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

    def cut(self) -> bool:
        """End it at once; False where it is not connected yet, and will be ended as soon as it is."""
        self._is_hung_up = True
        return self._end()

    async def _listen(self, connection: WebSocketClientConnection, user: SocketUser) -> tuple[int, str]:
        while (frame := await self._read(connection)) is not None:
            if not self._is_hung_up:
                user.received(frame if isinstance(frame, bytes) else frame.encode())
        return connection.close_code or LOST, connection.close_reason or ""

    def _end(self) -> bool:
        if self._connection is None or self._stream is None:
            return False
        self._connection.close()
        self._stream.close()
        return True

    async def _drain(self, connection: WebSocketClientConnection) -> None:
        """Take what was read: Tornado's reader waits until each message is taken, also after it was closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while not self._is_at_end:
                    await self._read(connection)

    async def _read(self, connection: WebSocketClientConnection) -> str | bytes | None:
        frame = await connection.read_message()
        self._is_at_end = frame is None
        return frame
