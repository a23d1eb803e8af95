"""Whole frames of a dialect that come twice, or in another order, as over a proxy that misbehaves.

Only what a dialect has to stand. `collabdoc.v1` numbers its edits and opens a channel once: of that what says nothing
new is repeated, at once, and nothing changes places. Messages of y-protocols may come twice, and before others, but:

1. A client's step 2 brings all that it said before (docs/protocol.md), so nothing changes places with it.
2. Edits for a client keep their order: of updates that come too early pycrdt 0.14.13 takes a part and, in about 2 % of
   random cases, leaves the rest for ever. The server takes none such.
3. Hocuspocus' statuses are counted.
"""

from collections.abc import Iterator
from random import Random
from typing import Literal

from collabdoc.server.frames import CLOSE

Way = Literal["up", "down"]

_NATIVE_UP = (2, 4, 6)
"""CLOSE, AWARENESS, PING."""
_AWARENESS, _SYNC_STATUS = 1, 8
_STEP_2 = b"\x00\x01"


class Repeats:
    """Frames on their way in one direction, behind the handshake."""

    def __init__(self, dialect: str, way: Way, chance: Random) -> None:
        self._dialect = dialect
        self._way = way
        self._chance = chance
        self._unread = bytearray()
        self._is_open = False
        self._held = b""

    @property
    def holds(self) -> bool:
        """Whether a frame waits for the next one, or for `release`."""
        return bool(self._held)

    def pass_on(self, data: bytes) -> bytes:
        """What goes on its way now."""
        self._unread += data
        out = b""
        if not self._is_open:
            end = self._unread.find(b"\r\n\r\n")
            if end < 0:
                return b""
            self._is_open = True
            out = _take(self._unread, end + 4)
        for frame in _frames(self._unread):
            out += self._repeat(frame)
        return out

    def release(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def _repeat(self, frame: bytes) -> bytes:
        message = _message(frame, has_address=self._dialect == "hocuspocus")
        if self._may_repeat(message) and self._chance.random() < 0.2:
            frame += frame
        if not self._may_wait(message):
            return self.release() + frame
        if not self._held and self._chance.random() < 0.3:
            self._held = frame
            return b""
        return frame + self.release()

    def _may_repeat(self, message: bytes) -> bool:
        if self._dialect == "native":
            return message != b"" and (self._way == "down" or message[1] in _NATIVE_UP)
        return message != b"" and message[0] != _SYNC_STATUS

    def _may_wait(self, message: bytes) -> bool:
        if self._dialect == "native" or not message:
            return False
        return message[0] == _AWARENESS or (self._way == "up" and message[:2] != _STEP_2)


def _message(frame: bytes, *, has_address: bool) -> bytes:
    """How the message in a frame begins, behind its address; empty for control frames and pings."""
    start = _head_bytes(frame)
    message = frame[start:]
    if frame[1] & 0x80:
        mask = frame[start - 4 : start]
        message = bytes(byte ^ mask[place % 4] for place, byte in enumerate(message[:100]))
    if frame[0] & 0x0F >= CLOSE:
        return b""
    return message[1 + message[0] :][:2] if has_address else message[:2]


def _frames(data: bytearray) -> Iterator[bytes]:
    """Take whole frames off the front, masked or not."""
    while len(data) >= 2 and len(data) >= (start := _head_bytes(data)):
        length = data[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(data[2 : 4 if length == 126 else 10], "big")
        if len(data) < start + length:
            return
        yield _take(data, start + length)


def _head_bytes(data: bytes | bytearray) -> int:
    return 2 + {126: 2, 127: 8}.get(data[1] & 0x7F, 0) + (4 if data[1] & 0x80 else 0)


def _take(data: bytearray, length: int) -> bytes:
    taken = bytes(data[:length])
    del data[:length]
    return taken
