"""What is left of a client that is gone."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from collabdoc.server.app import Server
from collabdoc.server.connection import Connection
from collabdoc.server.socket import DialectSocket
from tests.server.hocuspocus_wire import HocuspocusWire
from tests.server.wire import Wire
from tests.server.yjs_wire import YjsWire

pytestmark = pytest.mark.gen_test(timeout=30)


async def native(server: Server) -> Wire:
    wire = await Wire.connect(server)
    await wire.opens("a")
    return wire


async def yjs(server: Server) -> Wire:
    return (await YjsWire.open(server)).wire


async def hocuspocus(server: Server) -> Wire:
    wire = await HocuspocusWire.dials(server)
    wire.shows()
    assert (await wire.gets()).kind == "authenticated"
    return wire


@pytest.mark.parametrize("comes", [native, yjs, hocuspocus])
async def test_a_client_that_is_gone_is_freed_at_once(
    server: Server, comes: Callable[[Server], Awaitable[Wire]]
) -> None:
    """Not with the next round over all there is, which comes seldom."""
    wire = await comes(server)
    gc.collect()  # what shook hands
    gc.disable()
    try:
        wire.socket.close()
        while server.context.sockets:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        assert [each for each in gc.get_objects() if isinstance(each, (Connection, DialectSocket))] == []
    finally:
        gc.enable()
