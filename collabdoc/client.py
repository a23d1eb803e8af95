"""An asyncio client: live documents in a Python program, over the native protocol.

    async with connect("http://127.0.0.1:8080") as client:
        note = await client.open("notes/today")
        note.doc.get("content", type=pycrdt.Text).insert(0, "Good morning. ")
        await note.saved()

1. A lost line is taken up again by itself; what was edited meanwhile is sent then.
2. `saved()` returns only once the server has said that everything is committed.
"""

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from collabdoc.document import Replica, has_deletes, has_structs
from collabdoc.errors import ProtocolError
from collabdoc.protocol import native
from collabdoc.protocol.messages import (
    ClientMessage,
    Close,
    Closed,
    GoAway,
    Open,
    Opened,
    Rejected,
    Saved,
    Update,
    Updates,
)

log = logging.getLogger(__name__)

RETRY_CODES = {1012, 1013, 4408, 4429}
"""Close codes after which the same request may succeed."""
MAX_BACKOFF_S = 30.0
_FIRST_BACKOFF_S = 0.2
_PING_S = 20.0
_RETRY_STATUS = {408, 429}
"""Below 500, the answers to a request for a socket after which the next may succeed."""


class Refused(ProtocolError):
    """The server said no, with one of the codes after which a client stops."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class LiveDocument:
    """One document that is kept up to date; made by `Client.open`."""

    def __init__(self, name: str, channel: int, send: Callable[[ClientMessage], None], token: str | None) -> None:
        self.name = name
        self.channel = channel
        self._send = send
        self._token = token
        self._replica = Replica(self._edited)
        self._changed = asyncio.Condition()
        self._is_open = False
        self._synced = False
        self._holding = False
        self._heard_deletes = False
        self._retries = 0
        self._refused: Refused | None = None
        self._epoch: str | None = None
        self._seq: int | None = None
        self._sent_id = 0
        self._in_flight: deque[tuple[int, int]] = deque()  # (id of an UPDATE, how many edits it carries)
        self._unsent = 0

    @property
    def doc(self) -> Any:
        """The `pycrdt.Doc`. Edits made to it are sent at once, or when the line is back."""
        return self._replica.doc

    @property
    def is_open(self) -> bool:
        """Whether edits go to the server at once."""
        return self._is_open

    @property
    def unsaved(self) -> int:
        """Edits of this client that the server has not reported as committed."""
        return self._unsent + sum(edits for _, edits in self._in_flight)

    async def saved(self, *, within: int = 0) -> None:
        """Wait until at most `within` edits are unsaved. Raises `Refused`."""
        await self._until(lambda: self._synced and self.unsaved <= within)

    async def synced(self) -> None:
        """Wait until the server's content has come at least once. Raises `Refused`."""
        await self._until(lambda: self._synced)

    async def changed(self) -> None:
        """Wait for the next news from the server."""
        async with self._changed:
            await self._changed.wait()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._refused is not None or condition())
        if self._refused is not None:
            raise self._refused

    # Driven by the client

    def open(self) -> None:
        self._is_open = False
        self._send(Open(self.channel, self.name, self._replica.state_vector(), self._token, self._epoch, self._seq))

    def line_lost(self) -> None:
        self._is_open = False
        self._holding = False
        self._unsent = self.unsaved
        self._in_flight.clear()

    async def receive(self, message: Opened | Updates | Saved | Rejected | Closed) -> float | None:
        """Take a message; the seconds after which to open again, where the server asked for that."""
        retry_s: float | None = None
        match message:
            case Opened():
                self._receive_opened(message)
            case Updates(_, seq, updates):
                for update in updates:
                    self._replica.apply(update)
                    self._heard_deletes |= has_deletes(update)
                self._seq = max(self._seq or 0, seq)
            case Saved(_, id_) if self._is_open:  # else it is of edits that are counted as unsent again
                self._retries = 0
                while self._in_flight and self._in_flight[0][0] <= id_:
                    self._in_flight.popleft()
            case Rejected(_, id_, code, reason):
                log.warning("%s: edit %d was refused (%d): %s", self.name, id_, code, reason)
                if code in RETRY_CODES:
                    retry_s = self._hold()
                else:
                    self._refused = Refused(code, reason)
            case Closed(_, code, reason):
                self.line_lost()
                if code in RETRY_CODES:
                    retry_s = self._backoff_s()
                else:
                    self._refused = Refused(code, reason)
        await self._notify()
        return retry_s

    async def fail(self, refused: Refused) -> None:
        """End the document: nobody waits for it any longer."""
        self._refused = self._refused or refused
        self.line_lost()
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _receive_opened(self, message: Opened) -> None:
        self._replica.apply(message.update)
        self._epoch, self._seq = message.epoch, message.seq
        self._is_open = self._synced = True
        self._holding = False
        lacking = self._replica.diff(message.state_vector)
        owed, self._unsent, self._sent_id = self.unsaved, 0, 0
        self._in_flight.clear()
        # What others deleted does not show in state vectors. If the server crashed before it committed that, and the
        # author is gone too, only its readers are left to say so.
        if owed or (message.mode == "write" and (has_structs(lacking) or self._heard_deletes)):
            self._put(lacking, edits=max(1, owed))
        else:
            self._retries = 0
        self._heard_deletes = False

    def _hold(self) -> float | None:
        """Keep edits here until the server can store again; then all that it lacks is sent at once."""
        if self._holding:
            return None
        self.line_lost()
        self._holding = True
        return self._backoff_s()

    def _backoff_s(self) -> float:
        """Full jitter, longer each time until something is saved, or nothing is left to save."""
        self._retries += 1
        return random.uniform(0, min(MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2**self._retries))  # noqa: S311

    def _edited(self, update: bytes) -> None:
        if self._is_open:
            self._put(update, edits=1)
        else:
            self._unsent += 1

    def _put(self, update: bytes, *, edits: int) -> None:
        self._sent_id += 1
        self._in_flight.append((self._sent_id, edits))
        self._send(Update(self.channel, self._sent_id, update))


class Client:
    """One connection that comes back by itself; made by `connect`."""

    def __init__(self, url: str, token: str | None, max_backoff_s: float) -> None:
        self._max_backoff_s = max_backoff_s
        self._url = "ws" + url.removeprefix("http").removeprefix("ws").rstrip("/")
        if not self._url.endswith("/ws"):
            self._url += "/ws"
        self._token = token
        self._documents: dict[int, LiveDocument] = {}
        self._socket: WebSocketClientConnection | None = None
        self._failure: Refused | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Client":
        self._runner = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Hang up. What is not saved by then is lost with this process: await `saved()` first."""
        for task in (self._runner, *self._tasks):
            task.cancel()
        await asyncio.gather(self._runner, *self._tasks, return_exceptions=True)
        self._hang_up()
        await self._fail(Refused(1000, "the client was closed"))

    async def open(self, name: str) -> LiveDocument:
        """Open a document and wait until its content is here. Raises `Refused`."""
        if self._failure is not None:
            raise self._failure
        document = LiveDocument(name, len(self._documents) + 1, self._send, self._token)
        self._documents[document.channel] = document
        if self._socket is not None:
            document.open()
        await document.synced()
        return document

    def _send(self, message: ClientMessage) -> None:
        if self._socket is None:
            return
        # A line that breaks now is noticed by its reader; what was not saved is sent again on the next one.
        with contextlib.suppress(WebSocketClosedError):
            sent = self._socket.write_message(native.encode_client(message), binary=True)
            sent.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def _run(self) -> None:
        try:
            await self._fail(await self._keep_connected())
        except Exception as error:
            log.exception("the connection to %s has ended", self._url)
            await self._fail(Refused(1011, f"{type(error).__name__}: {error}"))

    async def _fail(self, refused: Refused) -> None:
        self._failure = self._failure or refused
        for document in self._documents.values():
            await document.fail(self._failure)

    async def _keep_connected(self) -> Refused:
        """Returns only when the server says that it will never serve this client."""
        backoff_s = _FIRST_BACKOFF_S
        while True:
            wait_s: float | None = None
            try:
                request = HTTPRequest(self._url, connect_timeout=10, request_timeout=10)
                self._socket = await websocket_connect(
                    request, subprotocols=[native.SUBPROTOCOL], ping_interval=_PING_S, max_message_size=2**30
                )
                for document in self._documents.values():
                    document.open()
                wait_s = await self._listen(self._socket)
                if any(document.is_open for document in self._documents.values()):
                    backoff_s = _FIRST_BACKOFF_S
                code = self._socket.close_code
                if code in (1003, 1009) or (code is not None and 4400 <= code < 4500 and code not in RETRY_CODES):
                    return Refused(code, self._socket.close_reason or "")
            except HTTPClientError as error:
                if 400 <= error.code < 500 and error.code not in _RETRY_STATUS:
                    return Refused(4403 if error.code == 403 else 4404, f"{self._url} answered {error.code}")
                log.debug("no connection to %s: %s", self._url, error)
            except (OSError, WebSocketClosedError) as error:
                log.debug("no connection to %s: %s", self._url, error)
            finally:
                self._hang_up()
                for document in self._documents.values():
                    document.line_lost()
            # Full jitter: clients that lost one server do not come back to it in step.
            await asyncio.sleep(wait_s if wait_s is not None else random.uniform(0, backoff_s))  # noqa: S311
            backoff_s = min(self._max_backoff_s, backoff_s * 2)

    async def _listen(self, socket: WebSocketClientConnection) -> float | None:
        """Handle what comes until the line is lost; the seconds to stay away, where the server named them."""
        wait_s = None
        while (frame := await socket.read_message()) is not None:
            message = native.decode_server(frame if isinstance(frame, bytes) else frame.encode())
            match message:
                case GoAway(retry_after_ms):
                    wait_s = retry_after_ms / 1000
                case Opened() | Updates() | Saved() | Rejected() | Closed():
                    document = self._documents.get(message.channel)
                    if document is None:
                        continue
                    retry_s = await document.receive(message)
                    if retry_s is not None:
                        self._start(self._open_again(socket, document, retry_s))
        return wait_s

    async def _open_again(self, socket: WebSocketClientConnection, document: LiveDocument, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if self._socket is socket and not document.is_open:
            self._send(Close(document.channel))
            document.open()

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def connect(url: str, *, token: str | None = None, max_backoff_s: float = MAX_BACKOFF_S) -> Client:
    """A client of the server at `url` (http://, https://, ws:// or wss://); use it with `async with`.

    A lost line is tried again after a random time, at most `max_backoff_s`.
    """
    return Client(url, token, max_backoff_s)
