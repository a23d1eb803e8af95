"""Clients of y-websocket's and Hocuspocus' dialects, as small as can be, so that dozens of them fit into one process.

1. A replica keeps its document, and all that it wrote, while its line is gone; it comes back by itself.
2. When it is back, both sides send what the other lacks; until then its edits wait for that.
3. What it was told is saved is what the dialect says: a sync status of Hocuspocus', and in y-websocket's the answer to
   a step 1 that was asked after the edit.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Any

from pycrdt import Doc, TransactionEvent
from tornado.httpclient import HTTPClientError
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from collabdoc.protocol import hocuspocus, yjs
from collabdoc.protocol.lib0 import read_bytes, read_varuint, write_bytes

_BACKOFF_S = 0.2
_ASKS_AFTER_S = 0.05
"""y-websocket's client asks again so long after an answer, if it wrote meanwhile."""
_GONE = (OSError, HTTPClientError, StreamClosedError, WebSocketClosedError)
_SYNC, _STEP_1 = 0, 0


class Replica(ABC):
    """One document of one client. `unsaved` edits are those that it was not told are saved."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.doc: Doc[Any] = Doc()
        self.is_open = False
        self._url = url.replace("http", "ws", 1)
        self._made = self._saved = 0
        self._socket: WebSocketClientConnection | None = None
        self._receives = False
        self._opened = asyncio.Event()
        self._observed = self.doc.observe(self._changed)

    @property
    def unsaved(self) -> int:
        return self._made - self._saved

    async def synced(self) -> None:
        await self._opened.wait()

    async def run(self) -> None:
        """Talk, and come back, until cancelled."""
        while True:
            with suppress(*_GONE):
                await self._talk()
            await asyncio.sleep(random.uniform(0, _BACKOFF_S))

    # The dialect's part

    @property
    @abstractmethod
    def _path(self) -> str: ...

    @abstractmethod
    def _greet(self) -> None:
        """The line is up."""

    @abstractmethod
    def _receive(self, frame: bytes) -> None: ...

    @abstractmethod
    def _send_edit(self, update: bytes) -> None: ...

    @abstractmethod
    def _send_rest(self, update: bytes) -> None:
        """All that the server lacks, as step 2."""

    # What dialects do with it

    def _send(self, frame: bytes) -> None:
        if self._socket is not None:
            with suppress(WebSocketClosedError):
                self._socket.write_message(frame, binary=True).add_done_callback(lambda sent: sent.exception())

    def _receive_sync(self, frame: bytes, position: int) -> int:
        """Take a sync message from its step on; which step it was."""
        step, position = read_varuint(frame, position)
        payload, _ = read_bytes(frame, position)
        if step == _STEP_1:
            self._send_rest(self.doc.get_update(payload))
            self.is_open = True
            self._opened.set()
        else:
            self._receives = True
            self.doc.apply_update(payload)
            self._receives = False
        return step

    def _told_saved(self, edits: int) -> None:
        self._saved = max(self._saved, edits)

    def _changed(self, event: TransactionEvent) -> None:
        if not self._receives:
            self._made += 1
            if self.is_open:
                self._send_edit(event.update)

    async def _talk(self) -> None:
        socket = await websocket_connect(f"{self._url}{self._path}")
        try:
            self._socket = socket
            self._greet()
            while isinstance(frame := await socket.read_message(), bytes):
                self._receive(frame)
            assert (socket.close_code or 1006) < 4400, f"closed with {socket.close_code}: {socket.close_reason}"
        finally:
            self._socket, self.is_open = None, False
            socket.close()


class YjsReplica(Replica):
    _asked: int | None = None
    """How many edits the question that is out was asked after."""

    @property
    def _path(self) -> str:
        return f"/yjs/{self.name}"

    def _greet(self) -> None:
        self._ask(after=0)

    def _ask(self, after: int) -> None:
        self._asked = after
        self._send(yjs.encode_step_1(self.doc.get_state()))

    def _ask_again(self) -> None:
        if self.is_open and self._asked is None and self.unsaved:
            self._ask(after=self._made)

    def _send_edit(self, update: bytes) -> None:
        self._send(yjs.encode_update(update))
        asyncio.get_running_loop().call_soon(self._ask_again)  # pycrdt cannot be asked while it tells of an edit

    def _send_rest(self, update: bytes) -> None:
        self._send(yjs.encode_step_2(update))

    def _receive(self, frame: bytes) -> None:
        type_, position = read_varuint(frame, 0)
        if type_ == _SYNC and self._receive_sync(frame, position) == 1 and self._asked is not None:
            self._told_saved(self._asked)
            self._asked = None
            asyncio.get_running_loop().call_later(_ASKS_AFTER_S, self._ask_again)


class HocuspocusReplica(Replica):
    def __init__(self, url: str, name: str) -> None:
        super().__init__(url, name)
        self._head = hocuspocus.head_of(name)
        self._owed: deque[int] = deque()
        """For each status that is to come, after how many edits it was earned."""

    @property
    def _path(self) -> str:
        return "/hocuspocus"

    def _greet(self) -> None:
        self._owed.clear()
        token = bytearray(b"\x02\x00")
        write_bytes(token, b"")
        write_bytes(token, b"4.8.0")
        self._send(self._head + bytes(token))
        self._send(hocuspocus.encode_step_1(self._head, self.doc.get_state()))

    def _send_edit(self, update: bytes) -> None:
        self._owed.append(self._made)
        self._send(hocuspocus.encode_update(self._head, update))

    def _send_rest(self, update: bytes) -> None:
        self._owed.append(self._made)
        self._send(hocuspocus.encode_step_2(self._head, update))

    def _receive(self, frame: bytes) -> None:
        if frame == hocuspocus.PING:
            self._send(hocuspocus.PONG)
            return
        said = frame[len(self._head) :]
        if said[0] == _SYNC:
            self._receive_sync(said, 1)
        elif said == b"\x08\x01":
            self._told_saved(self._owed.popleft())
        else:
            assert said[:2] == b"\x02\x02" or said[0] == 1, f"refused: {said!r}"


class Replicas:
    """A client with `open`, as that of `collabdoc.client`; leaving `async with` raises what broke a replica."""

    def __init__(self, kind: type[Replica], url: str) -> None:
        self._kind = kind
        self._url = url
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Replicas":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        broken = [end for end in ended if end is not None and not isinstance(end, asyncio.CancelledError)]
        if broken:
            raise broken[0]

    async def open(self, name: str) -> Replica:
        replica = self._kind(self._url, name)
        self._tasks.append(asyncio.create_task(replica.run()))
        await replica.synced()
        return replica
