"""What a connection takes is given back when it ends, and not when Python next looks for rings of objects."""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from collabdoc.protocol import yjs
from collabdoc.protocol.messages import Rejected, Update
from collabdoc.server import engine
from collabdoc.server.app import Server
from collabdoc.server.connection import Connection
from collabdoc.server.frames import FrameReader
from collabdoc.server.handshake import Handshake
from collabdoc.server.line import SocketLine
from collabdoc.server.socket import DialectSocket
from collabdoc.session import Session
from tests.conftest import ServerFactory
from tests.server.hocuspocus_wire import HocuspocusWire
from tests.server.wire import Wire, typed
from tests.server.yjs_wire import YjsWire

pytestmark = pytest.mark.gen_test(timeout=30)


async def _native(server: Server) -> Wire:
    wire = await Wire.connect(server)
    await wire.opens("d")
    wire.says(Update(1, 1, typed("last words")))
    return wire


async def _yjs(server: Server) -> Wire:
    wire = await YjsWire.open(server, "d")
    wire.says(yjs.encode_update(typed("last words")))
    return wire.wire


async def _hocuspocus(server: Server) -> Wire:
    wire = await HocuspocusWire.dials(server)
    await wire.joins()
    wire.edits(typed("last words"))
    return wire


async def _refused(server: Server) -> Wire:
    wire = await Wire.connect(server)
    await wire.opens("d")
    wire.says(Update(1, 1, b"no update"))
    await wire.hears(Rejected)
    return wire


@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "closed"])
@pytest.mark.parametrize("opens", [_native, _yjs, _hocuspocus, _refused])
async def test_a_connection_that_has_ended_leaves_nothing(
    server: Server, opens: Callable[[Server], Awaitable[Wire]], *, is_cut: bool
) -> None:
    gc.collect()
    gc.disable()
    try:
        socket = (await opens(server)).socket
        if is_cut:
            assert socket.protocol is not None
            socket.protocol._abort()
        else:
            socket.close()
            while await socket.read_message() is not None:
                pass
        while server.context.sockets:
            await asyncio.sleep(0.001)
        while left := [each for each in gc.get_objects() if isinstance(each, _OF_A_CONNECTION)]:
            del left
            await asyncio.sleep(0.001)
    finally:
        gc.enable()


async def test_the_round_over_all_sockets_keeps_none_of_them(
    start_server: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = asyncio.Event()
    monkeypatch.setattr(DialectSocket, "keep_alive", lambda *_: seen.set())
    monkeypatch.setattr(engine, "_ROUND_S", 0.001)
    server = await start_server()
    socket = (await _native(server)).socket
    await seen.wait()
    gc.disable()
    try:
        socket.close()
        while any(isinstance(each, _OF_A_CONNECTION) for each in gc.get_objects()):
            await asyncio.sleep(0.001)
    finally:
        gc.enable()


async def test_of_a_crowd_that_has_left_no_table_is_kept(server: Server) -> None:
    class Socket:
        connection = SimpleNamespace(address="")

    crowd: list[Any] = [Socket() for _ in range(1_000)]
    for each in crowd:
        server.context.join(each)
    for each in crowd:
        server.context.leave(each)
    assert sys.getsizeof(server.context.sockets) == sys.getsizeof(set())


_OF_A_CONNECTION = (Connection, FrameReader, Handshake, SocketLine, DialectSocket, Session)
