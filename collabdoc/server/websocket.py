"""The native dialect's socket: frames to rooms and back.

1. A frame is handled to its end without an await, but for OPEN, which has a task of its own per channel.
2. What sessions have to say is gathered over a turn of the loop and leaves in one write. Past `outbox_bytes` the rest
   waits for the next turn, so that one client with many documents neither holds up the others nor fills the memory.
3. While a peer does not read, nothing more is read from it.
4. A fault of one frame closes its sender, or its channel, and nobody else.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler

from collabdoc.auth import Action, Grant
from collabdoc.errors import (
    Malformed,
    NotAllowed,
    NotAuthenticated,
    Overloaded,
    PermissionChanged,
    ProtocolError,
    RateLimited,
    SilentTooLong,
)
from collabdoc.protocol import native
from collabdoc.protocol.messages import (
    Auth,
    Awareness,
    Close,
    Closed,
    GoAway,
    Open,
    Ping,
    Pong,
    Rejected,
    Update,
)
from collabdoc.server.context import Context, credentials_of, host_allowed, origin_allowed
from collabdoc.server.frames import FrameWriter, encode_frame, frame_head
from collabdoc.session import Batch, Outgoing, Session

log = logging.getLogger(__name__)

_REMEMBERED_CHANNELS = 64
_ASK_S = 3.0
_ASK_AGAIN_S = (1.0, 4.0)
"""After so long first, and at last: who cannot answer is not to be asked for every channel every second."""
_MAX_CLOSE_REASON_BYTES = 123


class NativeSocket(WebSocketHandler):
    """`GET /ws`: any number of documents on one socket."""

    def initialize(self, context: Context) -> None:
        self._context = context
        self._sessions: dict[int, Session] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._ended: deque[int] = deque(maxlen=_REMEMBERED_CHANNELS)
        self._asked_to_resync: set[str] = set()
        self._ready: deque[Session] = deque()
        self._replies: list[bytes] = []
        self._pong: Pong | None = None
        self._flush_due = False
        self._failed = False
        self._writer: FrameWriter | None = None
        self.heard_s = self.checked_s = context.monotonic()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # Tornado's side

    def prepare(self) -> None:
        if not host_allowed(self.request, self._context.settings):
            raise HTTPError(403)

    def check_origin(self, origin: str) -> bool:
        return origin_allowed(self.request, origin, self._context.settings.allow_origin)

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return native.SUBPROTOCOL if native.SUBPROTOCOL in subprotocols else None

    def open(self, *_: str, **__: str) -> None:
        assert self.ws_connection is not None
        stream = self.ws_connection.stream
        assert stream is not None
        stream.set_nodelay(True)
        self._stream = stream
        self._writer = FrameWriter(stream, self._schedule_flush)
        self._context.sockets.add(self)
        offered = self.request.headers.get("Sec-WebSocket-Protocol")
        if offered and self.selected_subprotocol is None:
            self._fail(Malformed(f"this server speaks {native.SUBPROTOCOL}"))

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        self.heard_s = self._context.monotonic()
        if self._failed:
            return None
        try:
            self._receive(message)
        except ProtocolError as error:
            self._fail(error)
        except Exception:
            log.exception("a frame could not be handled")
            self._end(1011, "the server made a mistake")
        assert self._writer is not None
        return self._writer.until_drained()

    def on_pong(self, data: bytes) -> None:
        self.heard_s = self._context.monotonic()

    def on_close(self) -> None:
        self._failed = True
        self._context.sockets.discard(self)
        for task in self._tasks.values():
            task.cancel()
        for session in self._sessions.values():
            self._context.rooms.leave(session)
        self._sessions.clear()
        if not self.closed.done():
            self.closed.set_result(None)

    # The server's side

    def keep_alive(self, now_s: float) -> None:
        """Ping a silent peer; close one that has been silent for too long."""
        if self._failed or self._writer is None:
            return
        if self._writer.has_progressed():
            self.heard_s = now_s
        limits = self._context.settings.limits
        silent_s = now_s - self.heard_s
        if silent_s > limits.silence_s:
            self._fail(SilentTooLong(f"nothing was heard for {limits.silence_s:g} s"))
        elif silent_s > limits.ping_s and self.ws_connection is not None and not self.ws_connection.is_closing():
            self.ping()

    def end_expired(self, now: float) -> None:
        """Ask again about channels whose grant has come to its end; `now` is Unix time in seconds."""
        self._ask_again(lambda session: session.grant.expires is not None and session.grant.expires <= now)

    def recheck(self, concerns: Callable[[Session], bool]) -> None:
        """Ask again what these sessions may do; those that may do something else are closed, and told."""
        self.checked_s = self._context.monotonic()
        self._ask_again(concerns)

    def go_away(self, retry_after_ms: int, reason: str) -> None:
        """Say that the server ends, after everything that is still to be said."""
        while self._can_send and self._ready:
            self._flush()
        self._reply(native.encode_server(GoAway(retry_after_ms, reason)))
        self._flush()
        self._end(1012, reason)

    def abort(self) -> None:
        """Cut the line. Tornado's `close` would wait for a peer that does not read."""
        self._stream.close()

    def _receive(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            self._context.refused[1003] += 1
            self._end(1003, "text frames are not part of the protocol")
            return
        message = native.decode_client(frame)
        match message:
            case Update(channel) | Awareness(channel):
                session = self._sessions.get(channel)
                if session is not None:
                    self._context.rooms.receive(session, message)
                elif channel not in self._ended:
                    self._close_channel(channel, Malformed(f"channel {channel} is not open"))
            case Ping():
                # Only the last is answered when several wait: a peer that does not read cannot pile them up.
                self._pong = Pong(message.nonce)
                self._schedule_flush()
            case Open():
                self._start_opening(message)
            case Close(channel):
                self._forget(channel)
            case Auth(channel, token):
                session = self._sessions.get(channel)
                if session is not None:
                    if asking := self._tasks.pop(channel, None):
                        asking.cancel()
                    session.credentials = credentials_of(self.request, token)
                    self._own(channel, partial(self._ask, session))
            case None:
                pass  # a later version's message

    def _start_opening(self, message: Open) -> None:
        channel = message.channel
        if channel in self._sessions or channel in self._tasks:
            self._close_channel(channel, Malformed(f"channel {channel} is open already"))
            return
        try:
            native.check_name(message.document)
            if len(self._sessions.keys() | self._tasks.keys()) >= self._context.settings.limits.channels_per_socket:
                raise RateLimited(
                    f"one socket has at most {self._context.settings.limits.channels_per_socket} channels"
                )
        except ProtocolError as error:
            self._close_channel(channel, error)
            return
        self._own(channel, lambda: self._open_channel(message))

    def _own(self, channel: int, work: Callable[[], Awaitable[None]]) -> None:
        """Run a channel's work in a task that ends with the channel."""

        async def run() -> None:
            try:
                await work()
            except ProtocolError as error:
                self._tasks.pop(channel, None)
                self._close_channel(channel, error)
            except Exception:
                log.exception("a channel could not be served")
                self._tasks.pop(channel, None)
                self._close_channel(channel, Overloaded("the server made a mistake, try again"))
            finally:
                if self._tasks.get(channel) is asyncio.current_task():
                    del self._tasks[channel]

        self._tasks[channel] = asyncio.create_task(run())

    async def _open_channel(self, message: Open) -> None:
        context = self._context
        credentials = credentials_of(self.request, message.token)
        rechecks = -1
        while rechecks != context.rechecks:  # else a revocation that came between would pass this session by
            rechecks = context.rechecks
            grant = await context.access.authorize(credentials, message.document, Action.OPEN)
            # A client that has seen the document does not make it anew: it was deleted, and is to be told so.
            create = grant.allows(Action.CREATE) and message.epoch is None
            room = await context.rooms.open(message.document, create=create)
        session = Session(
            message.channel,
            credentials,
            grant,
            self._wake,
            max_bytes=context.settings.limits.outbox_bytes,
            asked_to_resync=message.document in self._asked_to_resync,
        )
        self._sessions[message.channel] = session
        room.join(session, message)
        context.rooms.schedule(room)

    def _ask_again(self, concerns: Callable[[Session], bool]) -> None:
        for channel, session in list(self._sessions.items()):
            if channel not in self._tasks and concerns(session):
                self._own(channel, partial(self._ask, session))

    async def _ask(self, session: Session) -> None:
        """What a session may do now; where that is something else than it was told, it has to open again."""
        assert session.room is not None
        (wait_s, longest_s), rechecks = _ASK_AGAIN_S, -1
        while rechecks != self._context.rechecks:
            rechecks = self._context.rechecks
            try:
                async with asyncio.timeout(_ASK_S):
                    grant = await self._context.access.authorize(session.credentials, session.room.name, Action.OPEN)
            except (NotAllowed, NotAuthenticated):
                raise
            except Exception as error:  # could not look: no reason to end what was granted, and none to prolong it
                expires = session.grant.expires
                if expires is not None and expires <= time.time():
                    raise NotAuthenticated(
                        "your sign-in has expired and could not be renewed: sign in again"
                    ) from error
                if wait_s == _ASK_AGAIN_S[0]:
                    # Of an error that an operator's own authenticator raised only the kind: it may tell the token.
                    kind = type(error).__name__
                    log.warning("document %a: cannot ask whether a grant holds: %s", session.room.name, kind)
                await asyncio.sleep(wait_s)
                wait_s, rechecks = min(2 * wait_s, longest_s), -1
        if _role(grant) != _role(session.grant):
            raise PermissionChanged("what you may do in this document has changed: open it again")
        session.grant = grant

    def _close_channel(self, channel: int, error: ProtocolError) -> None:
        """End one channel with a reason."""
        self._context.refused[error.code] += 1
        self._forget(channel)
        self._ended.append(channel)
        self._reply(native.encode_server(Closed(channel, error.code, error.reason)))

    def _forget(self, channel: int) -> None:
        if task := self._tasks.pop(channel, None):
            task.cancel()
        if session := self._sessions.pop(channel, None):
            self._context.rooms.leave(session)

    def _wake(self, session: Session) -> None:
        self._ready.append(session)
        self._schedule_flush()

    def _reply(self, payload: bytes) -> None:
        self._replies.append(payload)
        self._schedule_flush()

    def _schedule_flush(self) -> None:
        if not self._flush_due and (self._ready or self._replies or self._pong):
            self._flush_due = True
            self.closed.get_loop().call_soon(self._flush)

    @property
    def _can_send(self) -> bool:
        return not self._failed and self._writer is not None and not self._writer.is_congested

    def _flush(self) -> None:
        """Send what the channels have to say, in one write."""
        self._flush_due = False
        if not self._can_send:
            return
        assert self._writer is not None
        out: list[bytes] = []
        room_left = self._context.settings.limits.outbox_bytes
        while self._ready and room_left > 0:
            session = self._ready.popleft()
            if self._sessions.get(session.channel) is not session:
                continue
            taken = session.take()
            for outgoing in taken:
                out.append(_frame(session.channel, outgoing))
                room_left -= len(out[-1])
            self._after_take(session, taken)
        out += map(encode_frame, self._replies)
        self._replies.clear()
        if self._pong is not None:
            out.append(encode_frame(native.encode_server(self._pong)))
            self._pong = None
        if out:
            self._writer.write(b"".join(out))
        if not self._writer.is_congested:
            self._schedule_flush()

    def _after_take(self, session: Session, taken: list[Outgoing]) -> None:
        room = session.room
        assert room is not None
        self._context.refused.update(message.code for message in taken if isinstance(message, Rejected))
        if session.closed is None:
            self._context.rooms.schedule(room)  # taking may have found the document broken
            return
        if session.asked_to_resync:
            self._asked_to_resync.add(room.name)
        self._context.refused[session.closed.code] += 1
        self._forget(session.channel)
        self._ended.append(session.channel)

    def _fail(self, error: ProtocolError) -> None:
        self._context.refused[error.code] += 1
        self._end(error.code, error.reason)

    def _end(self, code: int, reason: str) -> None:
        self._failed = True
        self.close(code, reason.encode()[:_MAX_CLOSE_REASON_BYTES].decode(errors="ignore"))


def _role(grant: Grant) -> tuple[str, bool]:
    """What a client was told of its grant: who it is, and whether it may write."""
    return grant.user.id, grant.allows(Action.WRITE)


def _frame(channel: int, outgoing: Outgoing) -> bytes:
    if not isinstance(outgoing, Batch):
        return encode_frame(native.encode_server(outgoing))
    # Most clients number their only document alike, so that one frame serves nearly all of them.
    key = f"native {channel}"
    frame = outgoing.frames.get(key)
    if frame is None:
        tail = outgoing.frames.get("native")
        if tail is None:
            tail = outgoing.frames["native"] = native.encode_updates_tail(outgoing.seq, outgoing.updates)
        head = native.encode_updates_head(channel)
        frame = outgoing.frames[key] = frame_head(len(head) + len(tail)) + head + tail
    return frame
