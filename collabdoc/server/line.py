"""The bytes of one WebSocket: read as they come, written at once where the peer takes them.

1. What the peer does not take at once is kept, and from then on nothing more is read from it until it has caught up.
   Only the last words of a connection are added to what is kept: callers ask `is_congested` first.
2. Past the handshake a plain socket is the loop's and ours alone: a read is one callback and one system call, a write
   is one system call, where a stream takes a future, a task's turn and two copies. A stream's own code does TLS.
3. A line that waits holds a socket, a place in the loop and some numbers: the stream it was made of is let go.
"""

import asyncio
import fcntl
import socket
import sys
import termios
from collections.abc import Callable
from typing import Protocol

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from collabdoc.fanout import Seat
from collabdoc.server.loop import ServerLoop
from collabdoc.session import Outlet

READ_BYTES = 16 * 1024
"""At most so much is read and handled before others have their turn."""
_NOTHING = memoryview(b"")


class Listener(Protocol):
    """Who speaks on a line."""

    def on_bytes(self, data: bytes) -> None: ...

    def on_drained(self) -> None:
        """The peer has caught up."""

    def on_lost(self) -> None:
        """The peer has closed the line, or it broke. It may have been closed from here meanwhile."""


class _Nobody:
    """Who listens to a line that is closed."""

    def on_bytes(self, data: bytes) -> None: ...

    def on_drained(self) -> None: ...

    def on_lost(self) -> None: ...


_NOBODY = _Nobody()


class Line(Outlet, Protocol):
    is_congested: bool
    """The peer reads more slowly than we write, or has heard our last words: write nothing now."""

    def start(self) -> None: ...

    def pause(self) -> None:
        """Hand nothing more to the listener until `resume`: what the peer sends waits where it is."""

    def resume(self) -> None: ...

    def write(self, data: bytes) -> None: ...

    def has_progressed(self) -> bool:
        """Whether a peer that we wait for took anything since the last call: one on a slow line is not gone."""

    def say_last(self) -> None:
        """Nothing more will be written: let the peer know, behind what it has yet to take."""

    def close(self) -> None:
        """Cut the line at once."""


def open_line(stream: IOStream, listener: Listener) -> Line:
    """The line of a stream whose handshake is over, and that nothing else reads or writes."""
    if isinstance(stream, SSLIOStream) or stream.writing():
        return StreamLine(stream, listener)
    return SocketLine(stream, listener)


class SocketLine:
    """Without TLS: the socket itself, watched by the loop."""

    __slots__ = (
        "_early",
        "_is_paused",
        "_listener",
        "_loop",
        "_rest",
        "_says_last",
        "_socket",
        "_taken",
        "_written",
        "is_congested",
        "seat",
        "send",
    )

    def __init__(self, stream: IOStream, listener: Listener) -> None:
        self._socket, self._early = _take_socket(stream)
        self.send: Callable[[bytes], int] = len
        self.seat = Seat()
        if self._socket is not None:
            self._send_to(self._socket)
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._rest = _NOTHING
        self._written = 0  # counted while the peer is behind
        self._taken = 0
        self._says_last = False
        self._is_paused = False
        self.is_congested = False

    def start(self) -> None:
        if self._socket is None:  # lost before it began
            self._loop.call_soon(self._listener.on_lost)
            return
        self._start_reading(self._socket)
        early, self._early = self._early, b""
        if early:
            self._listener.on_bytes(early)

    def pause(self) -> None:
        self._is_paused = True
        if self._socket is not None:
            self._stop_reading(self._socket)

    def resume(self) -> None:
        self._is_paused = False
        self._read_on()

    def write(self, data: bytes) -> None:
        if self._rest:
            self._rest = memoryview(bytes(self._rest) + data)
            return
        try:
            sent = self.send(data)
        except OSError as error:
            self.keep(data, error)
            return
        if sent < len(data):
            self.keep(data, sent)

    def keep(self, data: bytes, sent: int | OSError) -> None:
        if isinstance(sent, OSError):
            if not isinstance(sent, BlockingIOError | InterruptedError):
                self._lose()
                return
            sent = 0
        assert self._socket is not None
        self._rest = memoryview(data)[sent:]
        self._written, self._taken = 0, -(2**63)
        self.is_congested = True
        self._send_no_more(_is_behind)
        self._stop_reading(self._socket)
        self._loop.add_writer(self._socket, self._write_rest)

    def has_progressed(self) -> bool:
        if self._socket is None or not self._rest:
            return False
        # What the system still holds counts as not taken: a slow peer may need minutes before it holds so little that
        # it lets us write again.
        held = int.from_bytes(fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        before, self._taken = self._taken, self._written - held
        return self._taken > before

    def say_last(self) -> None:
        self._says_last = True
        if self._socket is not None and not self._rest:
            self.is_congested = True
            self._send_no_more(len)
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                self._lose()

    def close(self) -> None:
        if self._socket is None:
            return
        self._stop_reading(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._socket = None
        self._send_no_more(len)  # which takes all and sends nothing
        self._rest = _NOTHING
        self._listener = _NOBODY  # it knows the line, and a circle would wait for the next round over all there is

    def _send_to(self, taken: socket.socket) -> None:
        self.send, self.seat.descriptor = taken.send, taken.fileno()

    def _send_no_more(self, answer: Callable[[bytes], int]) -> None:
        # Both at once: the number of a socket that was closed may be another's now.
        self.send, self.seat.descriptor = answer, -1

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._listener.on_bytes(data)
        else:
            self._lose()

    def _write_rest(self) -> None:
        assert self._socket is not None
        try:
            sent = self._socket.send(self._rest)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lose()
            return
        self._written += sent
        self._rest = self._rest[sent:]
        if self._rest:
            return
        self._rest = _NOTHING  # lets go of what was sent
        self.is_congested = False
        self._send_to(self._socket)
        self._loop.remove_writer(self._socket)
        self._read_on()
        if self._says_last:
            self.say_last()
        else:
            self._listener.on_drained()

    def _read_on(self) -> None:
        # Also behind our last words: that the peer has ended the line is found by reading.
        if self._socket is not None and not self._rest and not self._is_paused:
            self._start_reading(self._socket)

    def _start_reading(self, taken: socket.socket) -> None:
        loop = self._loop
        (loop.watch if isinstance(loop, ServerLoop) else loop.add_reader)(taken.fileno(), self._read)

    def _stop_reading(self, taken: socket.socket) -> None:
        loop = self._loop
        (loop.unwatch if isinstance(loop, ServerLoop) else loop.remove_reader)(taken.fileno())

    def _lose(self) -> None:
        if self._socket is not None:
            listener = self._listener
            self.close()
            # Not now: whoever is writing is in the middle of something.
            self._loop.call_soon(listener.on_lost)


def _is_behind(_: bytes) -> int:
    return -1


def _take_socket(stream: IOStream) -> tuple[socket.socket | None, bytes]:
    """The socket out of a stream that is of no more use then, and what the stream has read of it already."""
    if stream.closed():
        return None, b""
    if stream._state is not None:  # whatever Tornado still waits for
        stream.io_loop.remove_handler(stream.fileno())
        stream._state = None
    taken, stream.socket, stream._closed = stream.socket, None, True  # type: ignore[assignment]  # as its `close_fd` does
    return taken, bytes(stream._read_buffer)


class StreamLine:
    """With TLS: the stream reads, writes and keeps what the peer has yet to take."""

    __slots__ = (
        "_drained",
        "_listener",
        "_resumed",
        "_says_last",
        "_stream",
        "_taken",
        "_task",
        "is_congested",
        "seat",
    )

    def __init__(self, stream: IOStream, listener: Listener) -> None:
        self._stream = stream
        self.seat = Seat()
        self._listener = listener
        self._drained = asyncio.Event()
        self._drained.set()
        self._resumed = asyncio.Event()
        self._resumed.set()
        self._says_last = False
        self._taken = 0
        self._task: asyncio.Task[None] | None = None
        self.is_congested = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._read_forever())

    def pause(self) -> None:
        self._resumed.clear()

    def resume(self) -> None:
        self._resumed.set()

    def write(self, data: bytes) -> None:
        try:
            written = self._stream.write(data)
        except StreamClosedError:
            return  # the reading side hears of it
        written.add_done_callback(self._finish)
        if self._stream.writing() and not self.is_congested:
            self.is_congested = True
            self._drained.clear()

    def send(self, data: bytes) -> int:
        if self.is_congested:
            return -1
        self.write(data)
        return len(data)

    def keep(self, data: bytes, sent: int | OSError) -> None:
        raise AssertionError("a stream takes all")

    def has_progressed(self) -> bool:
        before, self._taken = self._taken, self._stream._total_write_done_index
        return self.is_congested and self._taken > before

    def say_last(self) -> None:
        self._says_last = True
        if not self.is_congested:
            self.is_congested = True
            self._stream.close()

    def close(self) -> None:
        self._stream.close()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    async def _read_forever(self) -> None:
        try:
            while True:
                data = await self._stream.read_bytes(READ_BYTES, partial=True)
                await self._drained.wait()
                await self._resumed.wait()
                self._listener.on_bytes(data)
        except StreamClosedError:
            self._listener.on_lost()

    def _finish(self, written: "asyncio.Future[None]") -> None:
        if written.cancelled() or written.exception() is not None:
            self._drained.set()  # the reading side hears of it, once it need not wait
            return
        if self.is_congested and not self._stream.writing():
            self.is_congested = False
            self._drained.set()
            if self._says_last:
                self._stream.close()
            else:
                self._listener.on_drained()
