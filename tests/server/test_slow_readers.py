"""Clients that do not read, or slowly: what they cost, and how long they are waited for."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from collabdoc.config import Limits
from collabdoc.protocol.messages import Open, Opened, Saved, Update
from collabdoc.server.app import Server
from collabdoc.server.socket import DialectSocket
from tests.conftest import ServerFactory
from tests.server.wire import Wire, typed

pytestmark = pytest.mark.gen_test(timeout=60)

BIG = "x" * 4_000_000


class Slow:
    """A client whose program stands still, and what the server has for it."""

    def __init__(self, wire: Wire, server_side: DialectSocket) -> None:
        self.wire = wire
        self.server_side = server_side
        assert wire.socket.protocol is not None
        stream = wire.socket.protocol.stream
        assert stream is not None
        self.stream = stream
        stream.io_loop.remove_handler(stream.fileno())

    async def is_congested(self) -> None:
        while not self.server_side.connection.is_congested:
            await asyncio.sleep(0.001)

    def reads(self, size: int) -> None:
        """Take some bytes from the line, and look at none of them."""
        assert isinstance(self.stream.socket, socket.socket)
        while size > 0:
            size -= len(self.stream.socket.recv(size))

    def goes_on(self) -> None:
        self.stream._state = None
        self.stream._add_io_state(self.stream.io_loop.READ)


async def a_big_document(server: Server) -> None:
    alice = await Wire.connect(server)
    await alice.opens("big")
    alice.says(Update(1, 1, typed(BIG)))
    await alice.hears(Saved)


@asynccontextmanager
async def a_slow_client(server: Server) -> AsyncIterator[Slow]:
    before = set(server.context.sockets)
    wire = await Wire.connect(server)
    while not (new := server.context.sockets - before):
        await asyncio.sleep(0)
    yield Slow(wire, new.pop())


async def test_many_big_documents_are_made_ready_one_after_the_other(server: Server) -> None:
    await a_big_document(server)
    async with a_slow_client(server) as slow:
        slow.wire.says(*(Open(channel, "big", b"\x00") for channel in range(1, 21)))
        await slow.is_congested()
        while len(slow.server_side._sessions) < 20:
            await asyncio.sleep(0.001)
        opening = [session for session in slow.server_side._sessions.values() if session.is_opening]
        assert len(opening) >= 18, "what is not made yet takes no memory"
        slow.goes_on()
        for _ in range(20):
            await slow.wire.hears(Opened)


async def test_who_reads_slowly_is_not_silent(server: Server) -> None:
    await a_big_document(server)
    async with a_slow_client(server) as slow:
        slow.wire.says(Open(1, "big", b"\x00"))
        await slow.is_congested()
        heard_s = slow.server_side.connection.heard_s
        slow.server_side.keep_alive(heard_s + 30)
        slow.reads(1_000_000)
        await asyncio.sleep(0.05)  # the server's own turn at the stream
        slow.server_side.keep_alive(heard_s + 61)
        assert server.context.refused == {}
        slow.server_side.keep_alive(heard_s + 61 + 61)
        slow.server_side.keep_alive(heard_s + 61 + 62)
        assert server.context.refused == {4408: 1}, "one that is being closed is counted once"


async def test_a_shutdown_does_not_wait_for_who_does_not_read(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(drain_s=1))
    await a_big_document(server)
    async with a_slow_client(server) as slow:
        slow.wire.says(Open(1, "big", b"\x00"))
        await slow.is_congested()
        await server._stop()
        assert server.context.sockets == set()
