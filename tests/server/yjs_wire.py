"""A client that speaks frames of y-websocket's dialect: says what a test wants said, and hears what came."""

import asyncio
from typing import Literal

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from collabdoc.protocol import yjs
from collabdoc.protocol.lib0 import read_bytes, read_varuint
from collabdoc.server.app import Server
from tests.process import ServerProcess
from tests.server.wire import HEARD_WITHIN_S, Wire

Kind = Literal["step 1", "step 2", "update", "awareness", "denied", "close"]

_KINDS: dict[tuple[int, ...], Kind] = {
    (0, 0): "step 1",
    (0, 1): "step 2",
    (0, 2): "update",
    (1,): "awareness",
    (2, 0): "denied",
}


class YjsWire:
    """One socket in one document."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self.wire = Wire(socket)
        self.socket = socket
        self.present: list[bytes] = []
        """Presence that was heard on the way to being synced."""

    @classmethod
    async def connect(
        cls,
        server: Server | ServerProcess,
        document: str = "a",
        *,
        query: str = "",
        headers: dict[str, str] | None = None,
        subprotocols: list[str] | None = None,
    ) -> "YjsWire":
        request = HTTPRequest(f"ws://127.0.0.1:{server.port}/yjs/{document}{query}", headers=headers or {})
        socket = await websocket_connect(request, subprotocols=subprotocols, max_message_size=2**27)
        assert socket.protocol is not None
        socket.protocol.set_nodelay(True)
        return cls(socket)

    @classmethod
    async def open(
        cls, server: Server | ServerProcess, document: str = "a", *, query: str = "", has: bytes = b"\x00"
    ) -> "YjsWire":
        """Connect as y-websocket does: ask for what the client lacks, and hear it."""
        wire = await cls.connect(server, document, query=query)
        await wire.syncs(has)
        return wire

    async def syncs(self, has: bytes = b"\x00") -> bytes:
        """What the client lacks, after the server has asked for its part."""
        self.says(yjs.encode_step_1(has))
        await self.hears("step 1")
        while True:
            kind, payload = await self.hears_any()
            if kind == "step 2":
                return payload
            assert kind == "awareness", f"heard {kind} {payload!r}, expected step 2"
            self.present.append(payload)

    async def presence(self) -> bytes:
        """What this client is told first of who is present."""
        return self.present[0] if self.present else await self.hears("awareness")

    def says(self, *frames: bytes | str) -> None:
        for frame in frames:
            self.wire.says_bytes(frame)

    async def hears_any(self) -> tuple[Kind, bytes]:
        """The kind of the next frame, and what it holds: of a close its code, in digits, and the reason."""
        frame = await asyncio.wait_for(self.socket.read_message(), HEARD_WITHIN_S)
        if frame is None:
            return "close", f"{self.socket.close_code} {self.socket.close_reason}".encode()
        assert isinstance(frame, bytes)
        type_, position = read_varuint(frame, 0)
        key: tuple[int, ...] = (type_,)
        if type_ != 1:
            step, position = read_varuint(frame, position)
            key = (type_, step)
        payload, position = read_bytes(frame, position)
        assert position == len(frame), "one message a frame"
        return _KINDS[key], payload

    async def hears(self, kind: Kind) -> bytes:
        heard, payload = await self.hears_any()
        assert heard == kind, f"heard {heard} {payload!r}, expected {kind}"
        return payload

    async def is_closed(self) -> int:
        return int((await self.hears("close"))[:4])

    async def stays_open(self) -> None:
        """Nothing is on its way, and the next question is answered."""
        self.says(yjs.encode_step_1(b"\x00"))
        await self.hears("step 2")
