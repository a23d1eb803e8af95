"""Who attacks a live server, with bytes that follow from a seed: in turns, or one task each, for ever."""

import asyncio
import contextlib
import gzip
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from random import Random

from collabdoc.server.frames import BINARY, CLOSE
from tests.reliability.dialects import DIALECTS, Dialect
from tests.reliability.hostile import Grammar, damage

DOCUMENTS = ("fuzz/0", "fuzz/0", "fuzz/1")
"""The bystanders write in the first."""
_ANSWERED_S = 5.0
_BOMB = gzip.compress(bytes(50_000_000))
_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/documents?q=%00%0a&limit=99999999999999999999 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/documents/..%2f..%2fetc%2fpasswd/content HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /static/..%2f..%2fconfig.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /d/\xff\xfe%e2%80%ae HTTP/1.1\r\nHost: localhost\r\nCookie: collabdoc_session=\x01;;=;a\r\n\r\n",
    b'POST /api/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 22\r\n\r\n{"name":"fuzz/made!"}\n',
    b"POST /api/documents HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    b"POST /api/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST /api/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
    b"POST /api/documents HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(_BOMB), _BOMB),
    b"GET /api/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + b"a" * 60_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(2_000)) + b"\r\n",
    b"DELETE /api/documents/fuzz/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.0\r\n\r\n",
]


class Attackers:
    """`sent` counts inputs by kind, `answered` what came of them."""

    def __init__(self, port: int, seed: int, token: str = "") -> None:
        """`token` is shown where the server wants one."""
        self.sent: Counter[str] = Counter()
        self._port = port
        self._seed = seed
        self._token = token

    async def run(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for name, dialect in DIALECTS.items():
                    for number in range(2):
                        group.create_task(self._for_ever(f"{name} {number}", partial(self.speak, dialect)))
                group.create_task(self._for_ever("http", self.request))
                group.create_task(self._for_ever("slow", self._is_slow))

    async def _for_ever(self, name: str, attack: Callable[[Random], Awaitable[None]]) -> None:
        random = Random(f"{self._seed} {name}")
        while True:
            with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
                await attack(random)
            await asyncio.sleep(0)

    async def speak(self, dialect: Dialect, random: Random) -> None:
        """One connection, until the server ends it."""
        document = random.choice(DOCUMENTS)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(handshake(dialect.path(document), dialect.subprotocol, self._token))
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"".join(map(frame, dialect.opening(document))))
            clocks: dict[int, int] = {}
            async with asyncio.timeout(_ANSWERED_S):
                while not clocks:
                    opcode, message = await read_frame(reader)
                    if opcode == CLOSE:
                        return
                    if opcode < CLOSE and (found := dialect.clocks(message)) is not None:
                        clocks = dict(found)
                        break
            listening = asyncio.create_task(_listen(reader))
            grammar = Grammar(random)
            try:
                for number in range(1, 50):
                    roll = random.random()
                    if roll < 0.6:
                        said = frame(dialect.edit(document, number, grammar.update(clocks)))
                        self.sent["updates"] += 1
                    elif roll < 0.9:
                        said = frame(damage(random, random.choice(dialect.traffic), dialect.traffic))
                        self.sent["messages"] += 1
                    else:
                        said = damage(random, frame(random.choice(dialect.traffic)), dialect.traffic)
                        self.sent["frames"] += 1
                    writer.write(said)
                    await writer.drain()
                    await asyncio.sleep(random.choice((0, 0, 0.002)))
                    if listening.done():
                        break
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
        finally:
            writer.transport.abort()

    async def request(self, random: Random) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            request = random.choice(REQUESTS)
            if random.random() < 0.8:
                request = damage(random, request[:200], REQUESTS) + request[200:]
            writer.write(request)
            self.sent["requests"] += 1
            async with asyncio.timeout(0.2):
                await reader.read(4096)
        finally:
            writer.transport.abort()

    async def _is_slow(self, random: Random) -> None:
        """Fifty connections that have not said all, and never will."""
        writers = []
        try:
            for _ in range(50):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writers.append(writer)
                request = random.choice(REQUESTS)
                writer.write(request[: random.randint(1, 60)])
                self.sent["slow"] += 1
            for _ in range(20):
                for writer in writers:
                    if writer.is_closing():
                        continue
                    writer.write(random.choice((b"X", b"\r\n", b": ")))
                await asyncio.sleep(0.05)
        finally:
            for writer in writers:
                writer.transport.abort()


def frame(message: bytes, opcode: int = BINARY) -> bytes:
    """A frame of a client."""
    return masked(0x80 | opcode, message)


def masked(head: int, payload: bytes) -> bytes:
    """A frame of a client, masked with zeros; `head` is its first byte."""
    if len(payload) < 126:
        return bytes((head, 0x80 | len(payload))) + bytes(4) + payload
    if len(payload) < 2**16:
        return bytes((head, 0xFE)) + len(payload).to_bytes(2, "big") + bytes(4) + payload
    return bytes((head, 0xFF)) + len(payload).to_bytes(8, "big") + bytes(4) + payload


def handshake(path: str, subprotocol: str | None, token: str | None = None, *, offers_deflate: bool = True) -> bytes:
    """What a client says first on a connection that is to be a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1".encode(),
        b"Host: localhost",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + _KEY,
    ]
    if offers_deflate:
        lines.append(b"Sec-WebSocket-Extensions: permessage-deflate")
    if token:
        lines.append(f"Authorization: Bearer {token}".encode())
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}".encode())
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The opcode and payload of a frame of a server."""
    first, length = await reader.readexactly(2)
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    return first & 0x0F, await reader.readexactly(length)


async def _listen(reader: asyncio.StreamReader) -> None:
    """Until the server closes: some of what it says, so that it never waits."""
    while await reader.read(2**16):
        pass


@contextlib.contextmanager
def apart_from(server: int) -> Iterator[None]:
    """Where there are two cores, a server's process has one of them, and this one and all that it starts the others.

    Else a bystander that is woken takes the core from the server that woke it, but only while attackers have the other.
    """
    cores = os.sched_getaffinity(0)
    own = {min(cores)}
    if others := cores - own:
        os.sched_setaffinity(server, own)
        os.sched_setaffinity(0, others)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def stand_back() -> None:
    """This process has what bystanders leave of the core: elsewhere attackers have one of their own."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def attack(port: int, seed: int, seconds: float) -> Counter[str]:
    attackers = Attackers(port, seed)
    asyncio.run(attackers.run(seconds))
    return attackers.sent
