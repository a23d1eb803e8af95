"""One careful client for what the generator does not do: bring a document, and look at the bytes of an answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgpack
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from benchmarks.lib0 import read_varbytes, read_varuint, varbytes, varuint
from benchmarks.server import Failed, Server
from benchmarks.targets import Target

ANSWERED_WITHIN_S = 30.0
CLOSED_WITHIN_S = 2.0
EMPTY_STATE_VECTOR = b"\x00"
_MOST_BYTES = 256 * 1024 * 1024
_SYNC, _STEP_1, _STEP_2, _UPDATE = 0, 0, 1, 2
_AUTH, _STATUS = 2, 8
_SUBPROTOCOLS = {"native": ["collabdoc.v1"]}


@dataclass(frozen=True, slots=True)
class Opened:
    """`update` is what the server sent, in an answer of `answer_bytes`; `epoch` and `seq` are collabdoc's watermark."""

    update: bytes
    answer_bytes: int
    took_s: float
    epoch: str | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What a client has that comes back."""

    state_vector: bytes = EMPTY_STATE_VECTOR
    epoch: str | None = None
    seq: int | None = None


class Client:
    """One document on one connection. `open` comes first."""

    def __init__(self, target: Target, document: str, connection: WebSocketClientConnection) -> None:
        self._target = target
        self._document = document
        self._connection = connection
        self._sent = 0

    @classmethod
    @asynccontextmanager
    async def connect(cls, server: Server, document: str) -> "AsyncIterator[Client]":
        path = server.target.path + (document if server.target.path.endswith("/") else "")
        connection = await websocket_connect(
            HTTPRequest(f"ws://127.0.0.1:{server.port}{path}", request_timeout=ANSWERED_WITHIN_S),
            subprotocols=_SUBPROTOCOLS.get(server.target.dialect),
            max_message_size=_MOST_BYTES,
        )
        try:
            yield cls(server.target, document, connection)
        finally:
            connection.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSED_WITHIN_S):
                    while await connection.read_message() is not None:
                        pass

    async def open(self, known: Known | None = None, *, least_bytes: int = 0) -> Opened:
        """`least_bytes` of content are waited for: y-websocket answers before its LevelDB did, and sends it later."""
        known = known or Known()
        began_s = time.perf_counter()
        if self._target.dialect == "native":
            return await self._open_native(known, began_s)
        if self._target.dialect == "hocuspocus":
            await self._send(varuint(_AUTH) + varuint(0) + varbytes(b"benchmark") + varbytes(b"4.7.0"))
            await self._until(lambda kind, _: kind == _AUTH)
        await self._send(varuint(_SYNC) + varuint(_STEP_1) + varbytes(known.state_vector))
        answers = {_STEP_2, _UPDATE} if least_bytes else {_STEP_2}
        size, body = await self._until(
            lambda kind, body: kind == _SYNC and body[0] in answers and len(body) >= least_bytes
        )
        return Opened(read_varbytes(body, 1)[0], size, time.perf_counter() - began_s)

    async def put(self, update: bytes) -> None:
        """Returns once the server has it: it said so, or answers a later question."""
        if self._target.dialect == "native":
            self._sent += 1
            await self._connection.write_message(msgpack.packb([3, 1, self._sent, update]), binary=True)
            while (answer := await self._receive_native())[0] != 7 or answer[2] < self._sent:
                if answer[0] in {2, 8, 9}:
                    raise Failed(f"{self._target.name} refused an edit: {answer}")
            return
        await self._send(varuint(_SYNC) + varuint(_UPDATE) + varbytes(update))
        # Both servers handle one connection's messages in their order.
        await self._send(varuint(_SYNC) + varuint(_STEP_1) + varbytes(EMPTY_STATE_VECTOR))
        await self._until(lambda kind, body: kind == _SYNC and body[0] == _STEP_2)

    async def _open_native(self, known: Known, began_s: float) -> Opened:
        message = [1, 1, self._document, known.state_vector, None, known.epoch, known.seq]
        await self._connection.write_message(msgpack.packb(message), binary=True)
        payload = await self._read()
        took_s = time.perf_counter() - began_s
        kind, _, info, *rest = msgpack.unpackb(payload)
        if kind != 1:
            raise Failed(f"{self._target.name} did not open the document: {info} {rest}")
        return Opened(rest[1], len(payload), took_s, info["epoch"], info["seq"])

    async def _receive_native(self) -> Any:
        return msgpack.unpackb(await self._read())

    async def _send(self, message: bytes) -> None:
        address = varbytes(self._document.encode()) if self._target.dialect == "hocuspocus" else b""
        await self._connection.write_message(address + message, binary=True)

    async def _until(self, is_wanted: Callable[[int, bytes], bool]) -> tuple[int, bytes]:
        """The size of the first wanted message, and what follows its type. Answers the server's own questions."""
        while True:
            message = await self._read()
            at = read_varbytes(message, 0)[1] if self._target.dialect == "hocuspocus" and len(message) > 1 else 0
            kind, at = read_varuint(message, at)
            body = message[at:]
            if kind == _SYNC and body[0] == _STEP_1:
                await self._send(varuint(_SYNC) + varuint(_STEP_2) + varbytes(b"\x00\x00"))
            elif is_wanted(kind, body):
                return len(message), body

    async def _read(self) -> bytes:
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                message = await self._connection.read_message()
        except TimeoutError:
            raise Failed(f"{self._target.name} said nothing for {ANSWERED_WITHIN_S:.0f} s") from None
        if not isinstance(message, bytes):
            closed = self._connection.close_code, self._connection.close_reason
            raise Failed(f"{self._target.name} closed the connection: {closed}")
        return message
