"""A TCP line between a browser and a server that a test can cut, stall and heal.

1. One line has one port for its whole life, so that a page keeps its origin, and with it what it stored.
2. Nothing is dropped on a line that stands: what a stall holds back flows once it is healed, in order. Only a cut loses
   what was on its way, as a real one does.
3. The lines run on one event loop in a thread of its own: the test's thread belongs to the browser.
"""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import TypeVar

_T = TypeVar("_T")
_CHUNK_BYTES = 64 * 1024
_PATIENCE_S = 10


class Line:
    """One person's way to the server; made by `Network.line`."""

    def __init__(self, network: "Network", target_port: int) -> None:
        self.port = 0
        self.taken = 0
        """How many connections it has taken so far."""
        self._network = network
        self._target_port = target_port
        self._is_cut = False
        self._upward, self._downward = asyncio.Event(), asyncio.Event()
        self._upward.set()
        self._downward.set()
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """End every connection at once, and refuse new ones until `heal`."""
        self._network.run(self._cut())

    def drop(self) -> None:
        """End every connection at once; new ones are taken."""
        self._network.run(self._drop())

    def stall(self) -> None:
        """Take bytes and connections, and forward nothing, as a router does that has lost its uplink."""
        self._network.run(self._let(upward=False, downward=False))

    def stall_answers(self) -> None:
        """Forward what the browser sends, and hold back what the server says."""
        self._network.run(self._let(upward=True, downward=False))

    def heal(self) -> None:
        """Forward everything again, also what a stall has held back."""
        self._network.run(self._heal())

    async def open(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._drop()

    async def _cut(self) -> None:
        self._is_cut = True
        await self._drop()

    async def _drop(self) -> None:
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _let(self, *, upward: bool, downward: bool) -> None:
        for gate, is_open in ((self._upward, upward), (self._downward, downward)):
            if is_open:
                gate.set()
            else:
                gate.clear()

    async def _heal(self) -> None:
        self._is_cut = False
        await self._let(upward=True, downward=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The listener stays: a port that is let go may be somebody else's when it is wanted back.
        if self._is_cut:
            writer.transport.abort()
            return
        self.taken += 1
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            await self._carry(reader, writer)
        except asyncio.CancelledError:
            # By `drop`, which wants the connection gone; a task of the loop's own must not end cancelled.
            pass
        finally:
            writer.transport.abort()
            self._connections.discard(connection)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, far_writer, self._upward))
                both.create_task(_pump(far_reader, writer, self._downward))
        finally:
            far_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
    """Forward until the source ends; its end is forwarded too, behind its last byte."""
    try:
        while data := await reader.read(_CHUNK_BYTES):
            await gate.wait()
            writer.write(data)
            await writer.drain()
        await gate.wait()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


class Network:
    """The loop on which lines run; `with` is its life."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._lines: list[Line] = []

    def __enter__(self) -> "Network":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for line in self._lines:
            self.run(line.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        self._loop.close()

    def line(self, target_port: int) -> Line:
        line = Line(self, target_port)
        self.run(line.open())
        self._lines.append(line)
        return line

    def run(self, work: Coroutine[None, None, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)
