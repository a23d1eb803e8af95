"""The way out to a socket: frames encoded once, written together, and never more than one write ahead.

1. At most one write is under way on a stream. While it is, nothing is taken from the outboxes, which are bounded.
2. Control frames that Tornado writes itself may come between two writes, never inside one.

Source: RFC 6455, section 5.2.
"""

import asyncio
from collections.abc import Callable

from tornado.iostream import IOStream, StreamClosedError

_BINARY_FINAL = 0x82


def frame_head(length: int) -> bytes:
    """The head of an unmasked, unfragmented binary frame with a payload of `length` bytes."""
    if length < 126:
        return bytes((_BINARY_FINAL, length))
    if length < 2**16:
        return bytes((_BINARY_FINAL, 126)) + length.to_bytes(2, "big")
    return bytes((_BINARY_FINAL, 127)) + length.to_bytes(8, "big")


def encode_frame(payload: bytes) -> bytes:
    """One binary message as a server sends it."""
    return frame_head(len(payload)) + payload


class FrameWriter:
    """Writes to one stream; calls `drained` when it can take more."""

    __slots__ = ("_drained", "_stream", "_taken", "_waiting")

    def __init__(self, stream: IOStream, drained: Callable[[], None]) -> None:
        self._stream = stream
        self._drained = drained
        self._waiting: asyncio.Future[None] | None = None
        self._taken = 0

    @property
    def is_congested(self) -> bool:
        """The peer reads more slowly than we write."""
        return self._waiting is not None

    def has_progressed(self) -> bool:
        """Whether a peer that we wait for took anything since the last call: one on a slow line is not gone."""
        before, self._taken = self._taken, self._stream._total_write_done_index
        return self.is_congested and self._taken > before

    def until_drained(self) -> "asyncio.Future[None] | None":
        """Done when the peer has caught up; None where it has."""
        return self._waiting

    def write(self, frames: bytes) -> None:
        """Send whole frames; not while congested."""
        assert self._waiting is None
        try:
            written = self._stream.write(frames)
        except StreamClosedError:
            return  # the handler hears of it by on_close
        if self._stream.writing():
            self._waiting = asyncio.get_running_loop().create_future()
            written.add_done_callback(self._finish)
        elif written.done():
            written.exception()  # retrieved, so that a socket which just closed is no warning

    def _finish(self, written: "asyncio.Future[None]") -> None:
        waiting, self._waiting = self._waiting, None
        failed = written.cancelled() or written.exception() is not None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        if not failed:
            self._drained()
