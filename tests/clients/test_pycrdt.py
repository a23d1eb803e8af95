"""pycrdt's own Provider, over a WebSocket: a program in Python that edits with the others."""

import asyncio
from typing import Any

import pytest
from pycrdt import Doc, Provider, Text
from tornado.websocket import WebSocketClientConnection, websocket_connect

from collabdoc.config import Limits
from collabdoc.protocol.messages import Saved, Update, Updates
from collabdoc.server.app import Server
from tests.conftest import ServerFactory
from tests.server.wire import Wire, text_of, typed

pytestmark = pytest.mark.gen_test(timeout=30)


class Channel:
    """What a Provider talks through."""

    def __init__(self, socket: WebSocketClientConnection, path: str) -> None:
        self._socket = socket
        self.path = path
        self.heard: list[bytes] = []
        self.hears_more = asyncio.Event()

    @classmethod
    async def connect(cls, server: Server, path: str) -> "Channel":
        return cls(await websocket_connect(f"ws://127.0.0.1:{server.port}/yjs/{path}"), path)

    def __aiter__(self) -> "Channel":
        return self

    async def __anext__(self) -> bytes:
        return await self.recv()

    async def send(self, message: bytes) -> None:
        await self._socket.write_message(message, binary=True)

    async def recv(self) -> bytes:
        message = await self._socket.read_message()
        if message is None:
            raise StopAsyncIteration
        assert isinstance(message, bytes)
        self.heard.append(message)
        self.hears_more.set()
        return message

    def close(self) -> None:
        self._socket.close()


async def test_a_program_with_pycrdts_provider_edits_with_the_others(server: Server) -> None:
    native = await Wire.connect(server)
    await native.opens("notes/today")
    native.says(Update(1, 1, typed("there ", client_id=7)))
    await native.hears(Saved)
    doc: Doc[Any] = Doc()
    content = doc.get("content", type=Text)
    channel = await Channel.connect(server, "notes/today")
    async with Provider(doc, channel) as provider:
        await provider.synced.wait()
        assert str(content) == "there "
        content.insert(0, "hello ")
        heard = await native.hears(Updates)
        assert text_of(typed("there ", client_id=7), *heard.updates) == "hello there "
    channel.close()


async def test_what_keeps_other_clients_alive_does_not_disturb_it(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(keep_alive_s=0.1))
    doc: Doc[Any] = Doc()
    channel = await Channel.connect(server, "a")
    async with Provider(doc, channel) as provider:
        await provider.synced.wait()
        while channel.heard.count(b"\x01\x01\x00") < 2:
            await channel.hears_more.wait()
            channel.hears_more.clear()
        native = await Wire.connect(server)
        await native.opens("a")
        doc.get("content", type=Text).insert(0, "on")
        assert text_of(*(await native.hears(Updates)).updates) == "on"
    channel.close()
