"""One WebSocket: its handshake, then our own path for bytes in and out. What shook hands is let go.

1. Whatever a peer sends, the connection ends in a close handshake or, where there is nobody to shake hands with, after
   `_CLOSE_S`; its speaker's `on_close` is called once.
2. A peer that says more than it may is not read for a while: what it says waits in its own system, and none is lost.
3. After a close was sent no message reaches the speaker.

Source: RFC 6455, sections 4.2, 5.5 and 7.1.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from tornado.web import HTTPError
from tornado.websocket import WebSocketProtocol13

from collabdoc.lane import LONG_S, SHORTEST_SLICE_S, SLICE_S, Lane
from collabdoc.server.frames import (
    CLOSE,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    FrameError,
    FrameReader,
    encode_close,
    encode_control,
)
from collabdoc.server.line import Line, open_line
from collabdoc.steps import Steps
from collabdoc.turn import Turn

if TYPE_CHECKING:
    from collabdoc.server.handshake import Handshake

log = logging.getLogger(__name__)

_Frames = Iterator[tuple[int, list[bytes]]]
_CLOSE_S = 5.0
"""How long a peer may take to answer a close."""


class State(Enum):
    OPEN = "open"
    CLOSING = "closing"
    """We have sent a close and wait for the peer's."""
    FAILED = "failed"
    """All has been said, and what the peer still sends is thrown away."""
    CLOSED = "closed"


class Speaker(Protocol):
    """Who speaks a dialect on a connection."""

    connection: "Connection"

    def take_frames(self) -> bytes:
        """What is to be said now."""

    def on_message(self, message: str | bytes) -> None: ...

    def on_messages(self, messages: Sequence[bytes]) -> int:
        """Hear the first of several that came together, and those behind it that are one thing with it: how many."""

    def pause_s(self, messages: int) -> float:
        """How long the peer has to wait after so many messages that came together; mostly not at all."""

    def on_drained(self) -> None:
        """The peer, which did not take all that was written, has caught up."""

    def on_slow(self) -> None:
        """The message that was just heard took long."""

    def on_close(self) -> None: ...


class Connection:
    """One peer."""

    __slots__ = (
        "_is_put_off",
        "_lane",
        "_pauses",
        "_pongs",
        "_reader",
        "_speaker",
        "_state",
        "_timeout",
        "_too_big_code",
        "address",
        "close_code",
        "heard_s",
        "line",
    )

    def __init__(self, max_bytes: int, lane: Lane, *, too_big_code: int = TOO_BIG, address: str = "") -> None:
        """`address` is whose it is, where connections of one address are counted."""
        self.address = address
        self._lane = lane
        self._is_put_off = False
        self._pauses = 0
        self._too_big_code = too_big_code
        self._reader = FrameReader(max_bytes)
        self._state = State.OPEN
        self.line: Line  # from the handshake on
        self._speaker: Speaker | None = None
        self._pongs: bytearray | None = None
        self._timeout: asyncio.TimerHandle | None = None
        self.close_code: int | None = None
        """What the peer gave as its reason to close."""
        self.heard_s = time.monotonic()

    # What Tornado's handler calls

    async def accept_connection(self, handler: "Handshake") -> None:
        """Shake hands, let the speaker speak, and let go of the request."""
        headers = handler.request.headers
        if not headers.get("Host") or not (key := headers.get("Sec-WebSocket-Key")):
            raise HTTPError(400, reason="Not a WebSocket Handshake")
        offered = [each.strip() for each in headers.get("Sec-WebSocket-Protocol", "").split(",") if each.strip()]
        subprotocol = handler.select_subprotocol(offered)
        if subprotocol is not None:
            handler.set_header("Sec-WebSocket-Protocol", subprotocol)
        handler.clear_header("Content-Type")
        handler.set_status(101)
        handler.set_header("Upgrade", "websocket")
        handler.set_header("Connection", "Upgrade")
        handler.set_header("Sec-WebSocket-Accept", WebSocketProtocol13.compute_accept_value(key))
        handler.finish()
        stream = handler.detach()
        stream.set_nodelay(True)
        self.line = open_line(stream, self)
        try:
            self._speaker = handler.speak(self, subprotocol)
        except BaseException:
            self.line.close()  # which nobody else knows by now
            raise
        self.line.start()

    def on_connection_close(self) -> None:
        """The peer left during the handshake, before there was anything to end."""

    # The way out

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Send a close and wait for the peer's; nothing more is said."""
        if self._state is State.OPEN:
            self._state = State.CLOSING
            self.line.write(encode_close(code, reason))
            self._give_up_later()

    def abort(self) -> None:
        """Cut the line."""
        if self._state is State.CLOSED:
            return
        self._state = State.CLOSED
        if self._timeout is not None:
            self._timeout.cancel()
        self.line.close()
        asyncio.get_running_loop().call_soon(self._tell_speaker)

    def ping(self) -> None:
        if not self.is_congested:
            self.write(encode_control(PING, b""))

    def _tell_speaker(self) -> None:
        speaker, self._speaker = self._speaker, None
        if speaker is not None:
            speaker.on_close()

    @property
    def is_congested(self) -> bool:
        """The peer has yet to take what was written: write nothing more before `on_drained`."""
        return self.line.is_congested

    def write(self, frames: bytes) -> None:
        """Send whole frames; not while congested."""
        if self._state is State.OPEN:
            self.line.write(frames)

    # The line's side

    def on_bytes(self, data: bytes) -> None:
        self.heard_s = time.monotonic()
        frames = self._reader.feed(data)
        if self._take(frames, self.heard_s + SLICE_S):
            self._put_off(frames)

    def rest(self, took_s: float) -> None:
        """Hear nothing for a while of a peer for whose sake the processor was busy for so long, if that was long."""
        if self._lane.rest(took_s) and not self._is_put_off and self._state is State.OPEN:
            self._put_off(iter(()), is_slow=True)

    def _take(self, frames: _Frames, until_s: float) -> bool:
        """Hear what the peer says until then, one message at least; whether there may be more."""
        if self._state is State.FAILED:
            return False
        messages, has_more = 0, False
        try:
            for opcode, group in frames:
                heard = 1
                if opcode >= CLOSE:
                    self._on_control(opcode, group[0])
                elif self._state is State.OPEN:
                    assert self._speaker is not None
                    if self._pongs is not None:
                        self._send_pongs()
                    if len(group) > 1:
                        heard = self._speaker.on_messages(group)
                    else:
                        self._speaker.on_message(group[0].decode() if opcode == TEXT else group[0])
                messages += heard
                del group[:heard]
                if (now_s := time.monotonic()) > until_s:
                    if now_s > until_s + LONG_S and self._speaker is not None:
                        self._speaker.on_slow()
                    has_more = True
                    break
        except FrameError as error:
            self._fail(self._too_big_code if error.code == TOO_BIG else error.code, error.reason)
        except Exception:
            log.exception("a message could not be handled")
            self._fail(1011, "the server made a mistake")
        if messages and self._state is State.OPEN:
            assert self._speaker is not None
            if pause_s := self._speaker.pause_s(messages):
                self._pause()
                asyncio.get_running_loop().call_later(pause_s, self._resume)
        if self._pongs is not None:
            self._send_pongs()
        return has_more

    def _pause(self) -> None:
        self._pauses += 1
        self.line.pause()

    def _resume(self) -> None:
        self._pauses -= 1
        if not self._pauses:
            self.line.resume()

    def _put_off(self, frames: _Frames, *, is_slow: bool = False) -> None:
        """Leave the rest of a read to the lane, and read on behind it."""
        self._is_put_off = True
        self._pause()
        self._lane.start(self._take_in_steps(frames), is_slow=is_slow).add_done_callback(self._read_on)

    def _take_in_steps(self, frames: _Frames) -> Steps[None]:
        while self._take(frames, time.monotonic()):
            yield

    def _read_on(self, _: object) -> None:
        self._is_put_off = False
        self.heard_s = time.monotonic()
        self._resume()

    def on_drained(self) -> None:
        if self._state is State.CLOSED:
            return
        if self._pongs is not None:
            self._send_pongs()
        if self._state is State.OPEN and self._speaker is not None:
            self._speaker.on_drained()

    def on_lost(self) -> None:
        self.abort()

    def _on_control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            pong = encode_control(PONG, payload)
            if (
                self._pongs is None or self.is_congested
            ):  # where they cannot be sent, the last is enough (section 5.5.3)
                self._pongs = bytearray(pong)
            else:
                self._pongs += pong
        elif opcode == CLOSE:
            self._on_close_frame(payload)

    def _on_close_frame(self, payload: bytes) -> None:
        self.close_code = int.from_bytes(payload[:2], "big") if payload else None
        if self._state is State.OPEN:
            self._send_pongs()
            self.line.write(encode_close(self.close_code))
        if self._state is not State.CLOSED:
            self._say_last()

    def _send_pongs(self) -> None:
        if self._pongs is not None and not self.is_congested:
            pongs, self._pongs = bytes(self._pongs), None
            self.write(pongs)

    def _fail(self, code: int, reason: str) -> None:
        """Section 7.1.7: say why, then hear nothing more."""
        if self._state is State.OPEN:
            self.line.write(encode_close(code, reason))
        if self._state is not State.CLOSED:
            if code == PROTOCOL_ERROR:
                log.debug("a peer broke the protocol: %a", reason)
            self._say_last()

    def _say_last(self) -> None:
        # Closing at once would let the peer's system throw away our last words, if it has sent more than we have read.
        self._state = State.FAILED
        self.line.say_last()
        self._give_up_later()

    def _give_up_later(self) -> None:
        if self._timeout is None:
            self._timeout = asyncio.get_running_loop().call_later(_CLOSE_S, self.abort)


def send_all(turn: Turn, speakers: Iterable[Speaker]) -> None:
    """Let these say what they have to say: all of it is made first, so that peers get it close together.

    Once much was read out of documents in this turn, the others say it in the next.
    """
    said: list[tuple[Connection, bytes]] = []
    for speaker in speakers:
        if turn.read_s > SHORTEST_SLICE_S:
            turn.send.add(speaker)
            continue
        try:
            if frames := speaker.take_frames():
                said.append((speaker.connection, frames))
        except Exception:  # one peer's trouble is not to cost others what they are waiting for
            log.exception("what a peer is to hear could not be made")
            speaker.connection.abort()
    for connection, frames in said:
        connection.write(frames)
