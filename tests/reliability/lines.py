"""A TCP line in this process whose troubles follow from a seed.

1. Each connection has one trouble, which comes with a certain byte of one direction, be it within the handshake.
2. Bytes that a line swallowed never come, and its ends are not told: each has to find out by itself.
3. Once the line is healed new connections have no trouble, nor those that had none yet.
"""

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.reliability.repeats import Repeats, Way

Kind = Literal["calm", "reset", "cut", "half-open", "one way", "unanswered", "pause"]
"""`reset` and `cut`: both ends hear of it; `half-open`: neither does; `one way`: one direction swallows everything;
`unanswered`: the server gets all, the client nothing, and a reset after a while; `pause`: all comes, but late."""

_KINDS: tuple[Kind, ...] = ("reset", "reset", "cut", "half-open", "one way", "unanswered", "unanswered", "pause")
_CHUNK_BYTES = 64 * 1024
_CRUMBS_BYTES = 400
"""So much of one direction comes byte by byte, where it does."""
_HELD_S = 0.01
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to a connection, and with which byte of which direction; how slowly it goes until then."""

    kind: Kind
    way: Way = "up"
    after_bytes: int = 0
    lasts_s: float = 0.0
    delay_s: float = 0.0
    crumbs: bool = False

    def __str__(self) -> str:
        slow = f", up to {1000 * self.delay_s:.0f} ms late" if self.delay_s else ""
        lasts = f" for {1000 * self.lasts_s:.0f} ms" if self.kind in ("unanswered", "pause") else ""
        crumbs = ", in crumbs" if self.crumbs else ""
        return f"{self.kind}{lasts} after {self.after_bytes} bytes {self.way}{slow}{crumbs}"


CALM = Trouble("calm")


def draw(chance: Random) -> Trouble:
    """A trouble; two of three come within the handshake and the first messages."""
    return Trouble(
        chance.choice(_KINDS),
        chance.choice(("up", "down")),
        int(2 ** chance.uniform(0, 12.5)),
        chance.uniform(0, 0.8),
        chance.choice((0, 0, 0.003, 0.03)),
        chance.random() < 0.1,
    )


class Line:
    """One client's way to the server."""

    def __init__(
        self,
        target_port: int,
        troubles: Iterable[Trouble],
        note: Callable[[str], None],
        *,
        repeats: Callable[[Way], Repeats] | None = None,
    ) -> None:
        """Each connection has the next of `troubles`."""
        self.port = 0
        self.troubles = 0
        self.carried: Counter[Way] = Counter()
        """Bytes that were on it."""
        self._target_port = target_port
        self._to_come = iter(troubles)
        self.note = note
        self.repeats = repeats
        self.is_healed = False
        self._is_gone = False
        self._passages: dict[asyncio.Task[None], _Passage] = {}
        self._taken = 0

    async def __aenter__(self) -> "Line":
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for connection in self._passages:
            connection.cancel()
        await asyncio.gather(*self._passages, return_exceptions=True)

    def heal(self) -> None:
        self.is_healed = True

    def vanish(self) -> None:
        """From now on nothing gets anywhere, and nobody hears of it: as of a machine that lost its power."""
        self._is_gone = True
        for passage in self._passages.values():
            passage.swallow()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_gone:
            writer.transport.abort()
            return
        connection = asyncio.current_task()
        assert connection is not None
        self._taken += 1
        trouble = CALM if self.is_healed else next(self._to_come, CALM)
        passage = self._passages[connection] = _Passage(self, trouble, f"connection {self._taken}")
        try:
            far = await asyncio.open_connection("127.0.0.1", self._target_port)
            try:
                await passage.run((reader, writer), far)
            finally:
                far[1].transport.abort()
        except (OSError, asyncio.CancelledError):
            pass  # a task of the loop's own must not end cancelled
        finally:
            writer.transport.abort()
            del self._passages[connection]


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Passage:
    """One connection."""

    def __init__(self, line: Line, trouble: Trouble, name: str) -> None:
        self._line = line
        self._trouble = trouble
        self._name = name
        self._swallows: set[Way] = set()
        self._struck = False

    async def run(self, near: _Stream, far: _Stream) -> None:
        self._line.note(f"{self._name}: {self._trouble}")
        self._ends = (near[1], far[1])
        ways = [
            asyncio.create_task(self._carry("up", near[0], far[1])),
            asyncio.create_task(self._carry("down", far[0], near[1])),
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    def swallow(self) -> None:
        self._struck = True
        self._swallows = {"up", "down"}

    async def _carry(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward until the source ends; its end is forwarded too, behind its last byte."""
        repeats = self._line.repeats(way) if self._line.repeats else None
        passed = 0
        with contextlib.suppress(OSError):
            while data := await self._read(reader, repeats):
                left = self._left(way, passed)
                passed += len(data)
                self._line.carried[way] += len(data)
                await self._write(way, writer, data[:left], passed)
                if left < len(data):
                    await self._strike()
                    await self._write(way, writer, data[left:], passed)
        if way not in self._swallows and writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()

    async def _read(self, reader: asyncio.StreamReader, repeats: Repeats | None) -> bytes:
        """The next bytes; none at the end."""
        while True:
            try:
                async with asyncio.timeout(_HELD_S if repeats is not None and repeats.holds else None):
                    data = await reader.read(_CHUNK_BYTES)
            except TimeoutError:
                assert repeats is not None
                return repeats.release()
            if repeats is None:
                return data
            if passed := repeats.pass_on(data) if data else repeats.release():
                return passed
            if not data:
                return b""

    async def _write(self, way: Way, writer: asyncio.StreamWriter, data: bytes, passed: int) -> None:
        is_calm = self._line.is_healed
        if not data or way in self._swallows or writer.is_closing():
            return
        if self._trouble.delay_s and not is_calm:
            await asyncio.sleep(self._trouble.delay_s * (passed % 7) / 7)
        if self._trouble.crumbs and not is_calm and passed < _CRUMBS_BYTES:
            for byte in data:
                writer.write(bytes((byte,)))
                await asyncio.sleep(0)
        elif way not in self._swallows:
            writer.write(data)

    def _left(self, way: Way, passed: int) -> int:
        """How many bytes pass before the trouble comes."""
        if self._struck or self._line.is_healed or self._trouble.kind == "calm" or way != self._trouble.way:
            return 2**62
        return max(0, self._trouble.after_bytes - passed)

    async def _strike(self) -> None:
        self._struck = True
        self._line.troubles += 1
        self._line.note(f"{self._name}: {self._trouble.kind} now")
        match self._trouble.kind:
            case "reset":
                self._reset()
            case "cut":
                for end in self._ends:
                    end.close()
            case "half-open":
                self.swallow()
            case "one way":
                self._swallows = {self._trouble.way}
            case "unanswered":
                self._swallows = {"down"}
                asyncio.get_running_loop().call_later(self._trouble.lasts_s, self._reset)
            case "pause":
                await asyncio.sleep(self._trouble.lasts_s)

    def _reset(self) -> None:
        for end in self._ends:
            reset(end)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, and what was not read yet with it."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
