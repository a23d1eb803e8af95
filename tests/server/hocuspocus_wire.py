"""A provider that speaks frames: says exactly what a test wants said, and hears exactly what came."""

import asyncio
from dataclasses import dataclass
from typing import Any

from pycrdt import Doc, Text
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from collabdoc.protocol.hocuspocus import PING, PONG, head_of
from collabdoc.protocol.lib0 import read_bytes, read_string, read_varuint, write_bytes
from collabdoc.server.app import Server
from tests.process import ServerProcess
from tests.server.wire import HEARD_WITHIN_S, Wire

_SYNC = ("step 1", "step 2", "update")
_AUTH = ("token wanted", "denied", "authenticated")


@dataclass(frozen=True)
class Heard:
    """One message of the server; `value` is its bytes, its text, or for a status whether the edit was taken."""

    kind: str
    value: Any = None
    address: str = ""


class HocuspocusWire(Wire):
    """One socket. Where a message is said without an address it is for `d`."""

    @classmethod
    async def dials(cls, server: Server | ServerProcess, *, headers: dict[str, str] | None = None) -> "HocuspocusWire":
        request = HTTPRequest(f"ws://127.0.0.1:{server.port}/hocuspocus", headers=headers or {})
        socket = await websocket_connect(request, max_message_size=2**27)
        assert socket.protocol is not None
        socket.protocol.set_nodelay(True)
        return cls(socket)

    def sends(self, types: bytes, *fields: bytes, at: str = "d") -> None:
        out = bytearray()
        for field in fields:
            write_bytes(out, field)
        self.says_bytes(head_of(at) + types + bytes(out))

    def shows(self, token: str = "", *, version: str | None = "4.8.0", at: str = "d") -> None:
        self.sends(b"\x02\x00", token.encode(), *([] if version is None else [version.encode()]), at=at)

    def has(self, state_vector: bytes = b"\x00", *, at: str = "d") -> None:
        self.sends(b"\x00\x00", state_vector, at=at)

    def brings(self, update: bytes = b"\x00\x00", *, at: str = "d") -> None:
        """A sync step 2."""
        self.sends(b"\x00\x01", update, at=at)

    def edits(self, update: bytes, *, at: str = "d") -> None:
        self.sends(b"\x00\x02", update, at=at)

    def is_present(self, awareness: bytes, *, at: str = "d") -> None:
        self.sends(b"\x01", awareness, at=at)

    def tells(self, payload: str, *, at: str = "d") -> None:
        self.sends(b"\x05", payload.encode(), at=at)

    def leaves(self, *, at: str = "d") -> None:
        self.sends(b"\x07", at=at)

    async def gets(self) -> Heard:
        """The next message, or the close of the socket with its code and reason."""
        frame = await asyncio.wait_for(self.socket.read_message(), HEARD_WITHIN_S)
        if frame is None:
            return Heard("closed", (self.socket.close_code, self.socket.close_reason))
        assert isinstance(frame, bytes)
        if frame == PING:
            return Heard("ping")
        if frame == PONG:
            return Heard("pong")
        address, position = read_string(frame, 0)
        type_, position = read_varuint(frame, position)
        if type_ == 8:
            return Heard("status", {b"\x01": True, b"\x00": False}[frame[position:]], address)
        kind = {1: "awareness", 5: "stateless", 7: "close"}.get(type_)
        if kind is None:
            step, position = read_varuint(frame, position)
            kind = {0: _SYNC, 2: _AUTH}[type_][step]
        if kind == "token wanted":
            return Heard(kind, None, address)
        value, position = read_bytes(frame, position)
        assert position == len(frame)
        is_text = kind in ("denied", "authenticated", "stateless", "close")
        return Heard(kind, value.decode() if is_text else value, address)

    async def gets_a(self, kind: str, *, at: str = "d") -> Any:
        heard = await self.gets()
        assert (heard.kind, heard.address) == (kind, at), f"heard {heard}, expected {kind} at {at}"
        return heard.value

    async def gets_closed(self, code: int) -> str:
        heard = await self.gets()
        assert heard.kind == "closed", f"heard {heard}, expected a close"
        assert heard.value[0] == code
        return str(heard.value[1])

    async def gets_denied(self, *, at: str = "d") -> str:
        reason = str(await self.gets_a("denied", at=at))
        assert len(reason) > 10, "a reason that a person understands"
        return reason

    async def joins(self, token: str = "", *, version: str | None = "4.8.0", at: str = "d") -> bytes:
        """As a provider does; the update of the server's step 2."""
        self.shows(token, version=version, at=at)
        self.has(at=at)
        assert await self.gets_a("authenticated", at=at) in ("read-write", "readonly")
        heard = await self.gets()
        if heard.kind == "awareness":
            heard = await self.gets()
        assert (heard.kind, heard.address) == ("step 1", at), heard
        update = await self.gets_a("step 2", at=at)
        self.brings(at=at)
        assert await self.gets_a("status", at=at) is True
        return bytes(update)

    async def syncs(self, *, at: str = "d") -> bytes:
        """As by `forceSync`; all that the document holds."""
        self.has(at=at)
        update = await self.gets_a("step 2", at=at)
        await self.gets_a("step 1", at=at)
        return bytes(update)

    async def nothing_comes(self) -> None:
        """All that was said has been handled, and nothing but the pong was answered."""
        self.says_bytes(PING)
        heard = await self.gets()
        assert heard.kind == "pong", f"heard {heard}, expected nothing"


class Typist:
    """A replica whose edits come one by one."""

    def __init__(self, client_id: int = 1) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self._text = self.doc.get("content", type=Text)

    @property
    def text(self) -> str:
        return str(self._text)

    def types(self, text: str) -> bytes:
        before = self.doc.get_state()
        self._text.insert(len(str(self._text).encode()), text)
        return self.doc.get_update(before)

    def deletes(self, start: int, end: int) -> bytes:
        told: list[bytes] = []
        subscription = self.doc.observe(lambda event: told.append(event.update))
        del self._text[start:end]
        self.doc.unobserve(subscription)
        return told[0]
