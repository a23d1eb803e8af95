"""One WebSocket after its handshake: Tornado's protocol object, with our own path for bytes in and out.

1. Whatever a peer sends, the connection ends in a close handshake or, where there is nobody to shake hands with, after
   `_CLOSE_S`; its handler's `on_close` is called once.
2. After a close was sent no message reaches the handler.

Source: RFC 6455, sections 5.5 and 7.1.
"""

import asyncio
import logging
import time
from enum import Enum
from typing import Protocol

from tornado.iostream import IOStream
from tornado.websocket import WebSocketHandler, WebSocketProtocol13, _WebSocketParams

from collabdoc.server.frames import (
    CLOSE,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    FrameError,
    FrameReader,
    encode_close,
    encode_control,
)
from collabdoc.server.line import Line, open_line

log = logging.getLogger(__name__)

_CLOSE_S = 5.0
"""How long a peer may take to answer a close."""


class State(Enum):
    OPEN = "open"
    CLOSING = "closing"
    """We have sent a close and wait for the peer's."""
    FAILED = "failed"
    """The peer broke the protocol: it was told, and what it still sends is thrown away."""
    CLOSED = "closed"


class Handler(Protocol):
    """What a handler has beside Tornado's own methods."""

    def on_message(self, message: str | bytes) -> None: ...

    def on_drained(self) -> None:
        """The peer, which did not take all that was written, has caught up."""


class Connection(WebSocketProtocol13):
    """Takes the place of Tornado's protocol object: `WebSocketHandler.get_websocket_protocol` returns one."""

    def __init__(self, handler: WebSocketHandler, max_bytes: int) -> None:
        super().__init__(handler, False, _WebSocketParams(max_message_size=max_bytes))
        self._reader = FrameReader(max_bytes)
        self._state = State.OPEN
        self._line: Line | None = None
        self._pong: bytes | None = None
        self._timeout: asyncio.TimerHandle | None = None
        self.heard_s = time.monotonic()

    # Tornado's side

    def start_pinging(self) -> None:
        """Called by Tornado as soon as the stream is ours."""
        stream: IOStream = self.stream
        stream.set_nodelay(True)
        stream.set_close_callback(None)
        self._line = open_line(stream, self)

    async def _receive_frame_loop(self) -> None:
        # No loop: from here on the line calls. The request's task, with all that it holds, ends.
        if self._line is not None and self._state is not State.CLOSED:
            self._line.start()

    def write_ping(self, data: bytes) -> None:
        if not self.is_congested:
            self.write(encode_control(PING, data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Send a close and wait for the peer's; nothing more is said."""
        if self._state is State.OPEN and self._line is not None:
            self._state = State.CLOSING
            self._line.write(encode_close(1000 if code is None and reason else code, reason or ""))
            self._give_up_later()

    def is_closing(self) -> bool:
        return self._state is not State.OPEN

    def on_connection_close(self) -> None:
        self._abort()

    def _abort(self) -> None:
        """Cut the line."""
        if self._state is State.CLOSED:
            return
        self._state = State.CLOSED
        if self._timeout is not None:
            self._timeout.cancel()
        if self._line is not None:
            self._line.close()
        asyncio.get_running_loop().call_soon(self._tell_handler)

    def _tell_handler(self) -> None:
        handler, self.handler = self.handler, None  # type: ignore[assignment]  # ends a circle of references
        if handler is not None:
            handler.on_ws_connection_close(self.close_code, self.close_reason)

    # The way out

    @property
    def is_congested(self) -> bool:
        """The peer has yet to take what was written: write nothing more before `on_drained`."""
        return self._line is None or self._line.is_congested

    def has_progressed(self) -> bool:
        return self._line is not None and self._line.has_progressed()

    def write(self, frames: bytes) -> None:
        """Send whole frames; not while congested."""
        if self._state is State.OPEN and self._line is not None:
            self._line.write(frames)

    # The line's side

    def on_bytes(self, data: bytes) -> None:
        self.heard_s = time.monotonic()
        if self._state is State.FAILED:
            return
        try:
            for opcode, payload in self._reader.feed(data):
                if opcode >= CLOSE:
                    self._on_control(opcode, payload)
                elif self._state is State.OPEN:
                    self.handler.on_message(payload.decode() if opcode == TEXT else payload)
        except FrameError as error:
            self._fail(error.code, error.reason)
        except Exception:
            log.exception("a message could not be handled")
            self._fail(1011, "the server made a mistake")
        if self._pong is not None:
            self._send_last_pong()

    def on_drained(self) -> None:
        if self._state is State.CLOSED:
            return
        if self._pong is not None:
            self._send_last_pong()
        if self._state is State.OPEN:
            self.handler.on_drained()  # type: ignore[attr-defined]  # a `Handler`

    def on_lost(self) -> None:
        self._abort()

    def _on_control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._pong = payload  # of several in one read the last is answered (section 5.5.3)
        elif opcode == CLOSE:
            self._on_close_frame(payload)
        elif self._state is State.OPEN:
            self.handler.on_pong(payload)

    def _on_close_frame(self, payload: bytes) -> None:
        self.close_code = int.from_bytes(payload[:2], "big") if payload else None
        self.close_reason = payload[2:].decode() if payload else None
        assert self._line is not None
        if self._state is State.OPEN:
            self._line.write(encode_close(self.close_code))
        if self._state is not State.CLOSED:
            self._say_last()

    def _send_last_pong(self) -> None:
        if self._pong is not None and not self.is_congested:
            pong, self._pong = self._pong, None
            self.write(encode_control(PONG, pong))

    def _fail(self, code: int, reason: str) -> None:
        """Section 7.1.7: say why, then hear nothing more."""
        if self._state is State.OPEN and self._line is not None:
            self._line.write(encode_close(code, reason))
        if self._state is not State.CLOSED:
            if code == PROTOCOL_ERROR:
                log.debug("a peer broke the protocol: %a", reason)
            self._say_last()

    def _say_last(self) -> None:
        # Closing at once would let the peer's system throw away our last words, if it has sent more than we have read.
        self._state = State.FAILED
        assert self._line is not None
        self._line.say_last()
        self._give_up_later()

    def _give_up_later(self) -> None:
        if self._timeout is None:
            self._timeout = asyncio.get_running_loop().call_later(_CLOSE_S, self._abort)
