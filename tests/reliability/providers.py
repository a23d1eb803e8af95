"""Clients of y-websocket's and Hocuspocus' dialect that come back as those providers do, with pycrdt for Yjs.

Source: `y-websocket.js` of y-websocket 3.1, `HocuspocusProvider.ts` and `HocuspocusProviderWebsocket.ts` of Hocuspocus'
provider 4.8; their times are shorter here.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Literal

from pycrdt import Awareness, Doc, TransactionEvent

from collabdoc.errors import SilentTooLong
from collabdoc.protocol import hocuspocus
from collabdoc.protocol.lib0 import read_bytes, read_string, read_varuint, write_bytes
from collabdoc.server.frames import BINARY, CLOSE, PING, PONG
from tests.reliability.attackers import frame, handshake, read_frame

PATIENCE_S = 0.7
"""Without a message for so long a line is given up (30 s of theirs)."""
OUTDATED_S = 1.6
"""Presence that was not renewed for so long is removed, and renewed after half of it (30 s and 15 s of theirs)."""
_BACKOFF_S = (0.02, 0.2)

_SYNC, _AWARENESS, _AUTH, _QUERY_AWARENESS, _CLOSED, _SYNC_STATUS = 0, 1, 2, 3, 7, 8
_STEP_1, _STEP_2, _UPDATE = b"\x00\x00", b"\x00\x01", b"\x00\x02"


class _Awareness(Awareness):
    def _get_time(self) -> int:
        """By the loop's clock."""
        return int(time.monotonic() * 1000)


class Replica:
    """One document of a provider. What is sent of it begins with `head`, its address where the dialect has some."""

    def __init__(self, head: bytes, client_id: int, send: Callable[[bytes], bool]) -> None:
        """`send` tells whether there was a line to send on."""
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self.awareness = _Awareness(self.doc, outdated_timeout=int(OUTDATED_S * 1000))
        self.is_synced = False
        self.head = head
        self.owed: deque[int] = deque()
        """Of each sync message without a status yet: how many edits made here are saved with it."""
        self.made = self.saved = 0
        self.surplus = 0
        """Statuses that were not owed."""
        self._send = send
        self._queued: list[tuple[bytes, int]] = []
        self._asks = self._asks_again = False
        self._applying = False
        self._subscription = self.doc.observe(self._edited)
        self.awareness.observe(self._moved)

    @property
    def others(self) -> dict[int, Any]:
        return {client: state for client, state in self.awareness.states.items() if client != self.doc.client_id}

    def message(self, types: bytes, *fields: bytes) -> bytes:
        out = bytearray(self.head + types)
        for field in fields:
            write_bytes(out, field)
        return bytes(out)

    def opened(self) -> Iterable[bytes]:
        """What is said first on a new connection."""
        self.owed.clear()
        yield self.message(_STEP_1, self.doc.get_state())
        if self.awareness.get_local_state() is not None:
            yield self._presence([self.doc.client_id])

    def ask(self) -> None:
        """Be synced only once all that was sent is saved: a step 1 is answered after that, on the same line."""
        self._asks, self.is_synced = True, False
        self._asks_again = not self._send(self.message(_STEP_1, self.doc.get_state()))

    def flush(self) -> None:
        """Something was heard: what was edited without a line goes out, though a step 2 may have brought it."""
        queued, self._queued = self._queued, []
        for message, covered in queued:
            self._say(message, covered)

    def lost(self) -> None:
        """Everybody but oneself is gone with the line."""
        self.is_synced, self._asks_again = False, self._asks
        self.awareness.remove_awareness_states(list(self.others), self)

    def receive(self, type_: int, message: bytes, position: int) -> None:
        """Hear one message of the server; what is behind its type begins at `position`."""
        if type_ == _SYNC:
            step, position = read_varuint(message, position)
            self._sync(step, read_bytes(message, position)[0])
        elif type_ == _AWARENESS:
            self.awareness.apply_awareness_update(read_bytes(message, position)[0], self)
        elif type_ == _SYNC_STATUS:
            assert message[position:] == b"\x01", "an edit was refused"
            if self.owed:
                self.saved = max(self.saved, self.owed.popleft())
            else:
                self.surplus += 1

    def _sync(self, step: int, payload: bytes) -> None:
        if step == 0:
            self._say(self.message(_STEP_2, self.doc.get_update(payload)), self.made)
            return
        self._applying = True
        self.doc.apply_update(payload)
        self._applying = False
        if step == 1 and self._asks_again:
            self.ask()  # what is said to a server that asks for it on a new line is sent, not yet saved
        elif step == 1:
            self._asks, self.is_synced = False, True

    def _edited(self, event: TransactionEvent) -> None:
        if not self._applying:
            self.made += 1
            self._say(self.message(_UPDATE, event.update), self.made)

    def _say(self, message: bytes, covered: int) -> None:
        if not self.head:  # y-websocket hears of no status, and forgets what it cannot send
            self._send(message)
        elif self._send(message):
            self.owed.append(covered)
        else:
            self._queued.append((message, covered))

    def _moved(self, topic: str, event: tuple[dict[str, list[int]], Any]) -> None:
        changes, origin = event
        # y-websocket repeats all that it hears; Hocuspocus' provider does not.
        if topic == "update" and not (self.head and origin is self):
            self._send(self._presence([client for clients in changes.values() for client in clients]))

    def _presence(self, clients: list[int]) -> bytes:
        return self.message(bytes((_AWARENESS,)), self.awareness.encode_awareness_update(clients))


class Provider:
    """One connection that comes back by itself; `replicas` are by address, of which y-websocket has one."""

    def __init__(self, dialect: Literal["yjs", "hocuspocus"], port: int, names: Iterable[str], chance: Random) -> None:
        self.replicas: dict[str, Replica] = {}
        self.is_open = False
        self._port = port
        self._chance = chance
        self._writer: asyncio.StreamWriter | None = None
        self._is_yjs = dialect == "yjs"
        self._path = "/hocuspocus"
        for name in names:
            head = b"" if self._is_yjs else hocuspocus.head_of(name)
            self.replicas["" if self._is_yjs else name] = Replica(head, chance.getrandbits(31), self._send)
            if self._is_yjs:
                self._path = f"/yjs/{name}"

    async def run(self) -> None:
        """Until cancelled. Raises `AssertionError` over what no server should say."""
        async with asyncio.TaskGroup() as group:
            for replica in self.replicas.values():
                group.create_task(replica.awareness.start())
            group.create_task(self._come_back())

    async def _come_back(self) -> None:
        failures = 0
        while True:
            with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
                await self._connect()
            failures = 0 if all(replica.is_synced for replica in self.replicas.values()) else failures + 1
            self.is_open = False
            for replica in self.replicas.values():
                replica.lost()
            least_s, most_s = _BACKOFF_S
            await asyncio.sleep(min(most_s, least_s * 2**failures) * self._chance.random())

    async def _connect(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(handshake(self._path, None))
                answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101 "), answer
            self._writer, self.is_open = writer, True
            for replica in self.replicas.values():
                if not self._is_yjs:
                    self._send(replica.message(b"\x02\x00", b"", b"4.8.0"))
                for message in replica.opened():
                    self._send(message)
            await self._listen(reader)
        finally:
            self._writer = None
            writer.transport.abort()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            async with asyncio.timeout(PATIENCE_S):
                opcode, message = await read_frame(reader)
                while opcode not in (BINARY, CLOSE):
                    assert opcode == PING, opcode
                    self._write(frame(message, PONG))
                    opcode, message = await read_frame(reader)
            if opcode == CLOSE:
                code = int.from_bytes(message[:2], "big")
                assert not 4400 <= code <= 4499 or (code == SilentTooLong.code and not self._is_yjs), message
                return
            self._hear(message)
            for replica in self.replicas.values():
                replica.flush()

    def _hear(self, message: bytes) -> None:
        if message == hocuspocus.PING:
            self._send(hocuspocus.PONG)
            return
        address, position = ("", 0) if self._is_yjs else read_string(message, 0)
        type_, position = read_varuint(message, position)
        said = message[position : position + 1]
        assert type_ not in (_AUTH, _CLOSED) or (type_ == _AUTH and said == b"\x02"), f"the server said {message!r}"
        self.replicas[address].receive(type_, message, position)

    def _send(self, message: bytes) -> bool:
        return self._write(frame(message))

    def _write(self, data: bytes) -> bool:
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(data)
        return True
