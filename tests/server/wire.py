"""A client that speaks frames: says exactly what a test wants said, and hears exactly what came."""

import asyncio
from typing import Any, ClassVar

from pycrdt import Doc, Text
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from collabdoc.protocol import native
from collabdoc.protocol.messages import ClientMessage, Open, Opened, ServerMessage
from collabdoc.server.app import Server
from tests.process import ServerProcess

HEARD_WITHIN_S = 10


class Wire:
    """One socket. `hears` waits for the next message; a close is heard as `(code, reason)`."""

    connected: ClassVar[list["Wire"]] = []
    """Those of the running test, which hangs them up at its end."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self.socket = socket
        self.connected.append(self)

    @classmethod
    async def connect(
        cls,
        server: Server | ServerProcess,
        *,
        subprotocols: list[str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> "Wire":
        request = HTTPRequest(f"ws://127.0.0.1:{server.port}/ws", headers=headers or {})
        offered = [native.SUBPROTOCOL] if subprotocols is None else subprotocols
        socket = await websocket_connect(request, subprotocols=offered or None, max_message_size=2**27)
        assert socket.protocol is not None
        socket.protocol.set_nodelay(True)  # frames that are said together arrive together
        return cls(socket)

    def says(self, *messages: ClientMessage) -> None:
        for message in messages:
            self.says_bytes(native.encode_client(message))

    def says_bytes(self, frame: bytes | str) -> None:
        # The future only tells when the bytes have left; a closed socket is heard by `hears`.
        self.socket.write_message(frame, binary=isinstance(frame, bytes)).add_done_callback(lambda f: f.exception())

    async def hears_frame(self) -> bytes | None:
        frame = await asyncio.wait_for(self.socket.read_message(), HEARD_WITHIN_S)
        assert not isinstance(frame, str)
        return frame

    async def hears_any(self) -> ServerMessage | tuple[int | None, str | None]:
        frame = await self.hears_frame()
        if frame is None:
            return self.socket.close_code, self.socket.close_reason
        message = native.decode_server(frame)
        assert message is not None
        return message

    async def hears(self, kind: type[ServerMessage]) -> Any:
        message = await self.hears_any()
        assert isinstance(message, kind), f"heard {message}, expected {kind.__name__}"
        return message

    async def is_closed(self) -> int | None:
        """The code of the close that comes next."""
        message = await self.hears_any()
        assert isinstance(message, tuple), f"heard {message}, expected a close"
        return message[0]

    async def opens(self, name: str, channel: int = 1, **fields: Any) -> Opened:
        self.says(Open(channel, name, fields.pop("state_vector", b"\x00"), **fields))
        opened: Opened = await self.hears(Opened)
        return opened


def typed(text: str, client_id: int = 1) -> bytes:
    """The update of somebody who opened an empty document and typed."""
    doc: Doc[Any] = Doc(client_id=client_id)
    doc.get("content", type=Text).insert(0, text)
    return doc.get_update()


def text_of(*updates: bytes) -> str:
    doc: Doc[Any] = Doc()
    for update in updates:
        doc.apply_update(update)
    return str(doc.get("content", type=Text))
