"""What the sockets of all dialects share: sessions with their tasks, what they have to say, and how they end.

1. A frame is handled to its end without an await, but for opening a document, which has a task of its own.
2. What sessions have to say is gathered over a turn of the loop and leaves in one write. Past `outbox_bytes` or a slice
   of time the rest waits for the next turn: a client with many documents neither holds up others nor fills the memory.
3. A fault of one frame closes its sender, or its document, and nobody else.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar

from collabdoc.auth import Action, Credentials
from collabdoc.errors import (
    Overloaded,
    ProtocolError,
    RateLimited,
    SilentTooLong,
)
from collabdoc.lane import SLICE_S
from collabdoc.protocol.messages import Closed, GoAway, Open, Rejected, ServerMessage
from collabdoc.protocol.names import check_name
from collabdoc.server.budget import Budget
from collabdoc.server.connection import Connection
from collabdoc.server.context import Context, with_token
from collabdoc.server.frames import encode_frame
from collabdoc.server.regrant import ask_again
from collabdoc.session import Announcement, Batch, Delivery, Session

log = logging.getLogger(__name__)

_SHORTEST_PAUSE_S = 0.001
_HELD_BACK_S = 0.1
"""Whose edits wait for a document is heard again after so long: it will wait again, if they still do."""


class DialectSocket(ABC):
    """The documents that are open on one connection, by channel.

    A dialect says how frames become messages (`_receive`), how what leaves becomes frames (the two functions of
    `__init__` and `_frame`), and how the end of a channel is told (`_tell_closed`).
    """

    __slots__ = (
        "_asked_to_resync",
        "_budget",
        "_context",
        "_credentials",
        "_failed",
        "_frame_announcement",
        "_frame_batch",
        "_last_reply",
        "_line",
        "_ready",
        "_replies",
        "_sessions",
        "_tasks",
        "checked_s",
        "connection",
        "quiet_until_s",
    )

    resyncs: ClassVar[bool] = False
    """Whether clients send all that the server lacks when they are asked, without opening again."""

    def __init__(
        self,
        context: Context,
        connection: Connection,
        credentials: Credentials,
        *,
        frame_batch: Callable[[Session, Batch], bytes],
        frame_announcement: Callable[[Session, Announcement], bytes],
    ) -> None:
        """`credentials` are the connection's own, which count where a channel shows none.

        The functions give the frame of what leaves for many; empty where there is nothing in it for this session.
        """
        self._context = context
        self._credentials = credentials
        # Kept here, where they are found in less time than a method: each edit for each reader goes through them.
        self._frame_batch = frame_batch
        self._frame_announcement = frame_announcement
        self._sessions: dict[int, Session] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        # Lists and not what they are used as: empty, a deque takes 624 bytes and a set 216, for each that waits.
        self._asked_to_resync: list[str] = []
        self._ready: list[Session] = []
        self._replies: list[bytes] = []
        self._last_reply: bytes | None = None
        self._failed = False
        self._budget = Budget()
        self.connection = connection
        self._line = connection.line
        self.checked_s, self.quiet_until_s = context.monotonic(), 0.0  # the latter ends when any channel has work to do
        context.join(self)

    # The dialect's part

    @abstractmethod
    def _receive(self, frame: str | bytes) -> None:
        """Handle one frame. A `ProtocolError` ends the connection."""

    @abstractmethod
    def _frame(self, message: ServerMessage) -> bytes:
        """The frame of a message that is made for one peer alone; empty where the dialect has none."""

    @abstractmethod
    def _delivery_to(self, channel: int) -> Delivery:
        """How this channel is handed edits; `shared_by` is of a type that no other dialect takes."""

    @abstractmethod
    def _tell_closed(self, channel: int, error: ProtocolError) -> None:
        """A channel was ended from here, and is forgotten already."""

    # The connection's side

    def on_message(self, message: str | bytes) -> None:
        if self._failed:
            return
        try:
            self._receive(message)
        except ProtocolError as error:
            self.fail(error)

    def on_messages(self, messages: Sequence[bytes]) -> int:
        self.on_message(messages[0])
        return 1

    def pause_s(self, messages: int) -> float:
        context = self._context
        pause_s = self._budget.spend(messages / context.messages_per_s, context.monotonic())
        if pause_s < _SHORTEST_PAUSE_S:
            return 0.0
        context.paced += 1
        return pause_s

    def on_drained(self) -> None:
        self._schedule_flush()

    def on_slow(self) -> None:
        # Whichever it was: an edit that does not take long ends it.
        for session in self._sessions.values():
            session.is_paced = True

    def on_close(self) -> None:
        self._failed = True
        for task in self._tasks.values():
            task.cancel()
        for session in self._sessions.values():
            self._context.rooms.leave(session)
        # What has us in turn would be a ring, which is freed late.
        self._sessions.clear()
        self._ready.clear()
        del self._frame_batch, self._frame_announcement
        self._context.leave(self)

    # The sessions' side

    def wake(self, session: Session) -> None:
        if not self._failed:  # as when the commit of somebody's last edit is told
            self._ready.append(session)
            self._context.turn.send.add(self)

    def hold_back(self) -> None:
        self._budget.overdraw(_HELD_BACK_S, self._context.monotonic())

    # The server's side

    def keep_alive(self, now_s: float) -> None:
        """Ping a silent peer; close one that has been silent for too long."""
        connection = self.connection
        if self._failed:
            return
        if self._line.is_congested and self._line.has_progressed():
            connection.heard_s = now_s
        limits, silent_s = self._context.settings.limits, now_s - connection.heard_s
        if silent_s > limits.silence_s:
            self.fail(SilentTooLong(f"nothing was heard for {limits.silence_s:g} s"))
        elif silent_s > limits.ping_s:
            connection.ping()

    def end_expired(self, now: float) -> None:
        """Ask again about channels whose grant has come to its end; `now` is Unix time in seconds."""
        self._ask_again(lambda session: session.grant.expires is not None and session.grant.expires <= now)

    def recheck(self, concerns: Callable[[Session], bool]) -> None:
        """Ask again what these sessions may do; those that may do something else are closed, and told."""
        self.checked_s = self._context.monotonic()
        self._ask_again(concerns)

    def go_away(self, retry_after_ms: int, reason: str) -> None:
        """Say that the server ends, after everything that is still to be said."""
        while frames := self.take_frames():
            self.connection.write(frames)
        if farewell := self._frame(GoAway(retry_after_ms, reason)):
            self.connection.write(farewell)
        self._end(1012, reason)

    def fail(self, error: ProtocolError) -> None:
        """End the connection with a reason."""
        self._context.refused[error.code] += 1
        self._end(error.code, error.reason)

    def take_frames(self) -> bytes:
        """What the channels have to say now, in one write; nothing while the peer does not take it."""
        if self._failed or self._line.is_congested:
            return b""
        out: list[bytes] = []
        ready, self._ready = self._ready, []
        frame_batch, room_left = self._frame_batch, self._context.settings.limits.outbox_bytes
        until_s = time.monotonic() + SLICE_S if len(ready) > 1 else 0.0
        for place, session in enumerate(ready):
            if place and (room_left <= 0 or time.monotonic() >= until_s):
                self._ready = ready[place:] + self._ready
                self._context.turn.send.add(self)
                break
            if self._sessions.get(session.channel) is not session:
                continue
            for outgoing in session.take():
                if type(outgoing) is Batch:
                    frame = frame_batch(session, outgoing)
                elif type(outgoing) is Announcement:
                    frame = self._frame_announcement(session, outgoing)
                elif type(outgoing) is Closed:
                    self._end_closed(session)
                    continue
                else:
                    if type(outgoing) is Rejected:
                        self._context.refused[outgoing.code] += 1
                    frame = self._frame(outgoing)  # type: ignore[arg-type]  # none of the above
                out.append(frame)
                room_left -= len(frame)
            if session.took_s:
                self._context.turn.read_s += session.took_s
                self.connection.rest(session.took_s)
                session.took_s = 0.0
        if self._replies:
            out += map(encode_frame, self._replies)
            self._replies.clear()
        if self._last_reply is not None:
            out.append(encode_frame(self._last_reply))
            self._last_reply = None
        return out[0] if len(out) == 1 else b"".join(out)

    # What dialects do with it

    def _take_run(self, session: Session | None, first_id: int, updates: Sequence[bytes]) -> int:
        """Of edits that came together, how many were taken in one go; the next is to be taken by itself."""
        if self._failed or session is None or session.room is None or len(updates) < 2:
            return 0
        taken = session.room.receive_run(session, first_id, updates)
        if taken:
            self._context.rooms.schedule(session.room)
        return taken

    def _start_opening(self, opening: Open) -> None:
        """Open a document on a channel that is free. Raises where that is not even to be tried."""
        self._spend_opening()
        check_name(opening.document)
        limit = self._context.settings.limits.channels_per_socket
        if len(self._sessions.keys() | self._tasks.keys()) >= limit:
            raise RateLimited(f"one socket has at most {limit} channels")
        self._own(opening.channel, lambda: self._open(opening))

    def _start_asking(self, session: Session, token: str) -> None:
        """Ask what a session may do with another token."""
        self._spend_opening()
        if asking := self._tasks.pop(session.channel, None):
            asking.cancel()
        session.credentials = with_token(self._credentials, token)
        self._own(session.channel, partial(self._ask, session))

    def _end_channel(self, channel: int, error: ProtocolError) -> None:
        """End one channel with a reason."""
        self._context.refused[error.code] += 1
        self._forget(channel)
        self._tell_closed(channel, error)

    def _forget(self, channel: int) -> None:
        if task := self._tasks.pop(channel, None):
            task.cancel()
        if session := self._sessions.pop(channel, None):
            self._context.rooms.leave(session)

    def _reply(self, payload: bytes) -> None:
        """Say something behind what the channels have to say. Whoever may ask for it without end gets `_reply_last`."""
        self._replies.append(payload)
        self._schedule_flush()

    def _reply_last(self, payload: bytes) -> None:
        """Only the last is said when several wait: a peer that does not read cannot pile them up."""
        self._last_reply = payload
        self._schedule_flush()

    def _spend_opening(self) -> None:
        """Something was asked for that costs as much as opening a document."""
        context = self._context
        self._budget.spend(1 / context.settings.limits.opens_per_s, context.monotonic())

    def _own(self, channel: int, work: Callable[[], Awaitable[None]]) -> None:
        """Run a channel's work in a task that ends with the channel."""

        async def run() -> None:
            try:
                await work()
            except ProtocolError as error:
                self._tasks.pop(channel, None)
                self._end_channel(channel, error)
            except Exception:
                log.exception("a channel could not be served")
                self._tasks.pop(channel, None)
                self._end_channel(channel, Overloaded("the server made a mistake, try again"))
            finally:
                if self._tasks.get(channel) is asyncio.current_task():
                    del self._tasks[channel]

        self._tasks[channel], self.quiet_until_s = asyncio.create_task(run()), 0.0

    async def _open(self, opening: Open) -> None:
        context = self._context
        credentials = with_token(self._credentials, opening.token)
        rechecks = -1
        while rechecks != context.rechecks:  # else a revocation that came between would pass this session by
            rechecks = context.rechecks
            grant = await context.access.authorize(credentials, opening.document, Action.OPEN)
            # A client that has seen the document does not make it anew: it was deleted, and is to be told so.
            create = grant.allows(Action.CREATE) and opening.epoch is None
            room = await context.rooms.open(opening.document, create=create)
        session = Session(
            opening.channel,
            credentials,
            grant,
            self,
            max_bytes=context.settings.limits.outbox_bytes,
            delivery=self._delivery_to(opening.channel),
            asked_to_resync=opening.document in self._asked_to_resync,
            resyncs=self.resyncs,
        )
        self._sessions[opening.channel] = session
        room.join(session, opening)
        context.rooms.schedule(room)

    def _ask_again(self, concerns: Callable[[Session], bool]) -> None:
        for channel, session in self._sessions.items():
            if channel not in self._tasks and concerns(session):
                self._own(channel, partial(self._ask, session))

    async def _ask(self, session: Session) -> None:
        await ask_again(self._context, session)

    def _end_closed(self, session: Session) -> None:
        room, error = session.room, session.closed
        assert room is not None
        assert error is not None
        if session.asked_to_resync and room.name not in self._asked_to_resync:
            self._asked_to_resync.append(room.name)
        self._context.refused[error.code] += 1
        self._context.rooms.schedule(room)  # the reason may be that reading the document broke it
        self._forget(session.channel)
        self._tell_closed(session.channel, error)

    def _schedule_flush(self) -> None:
        if self._ready or self._replies or self._last_reply is not None:
            self._context.turn.send.add(self)

    def _end(self, code: int, reason: str) -> None:
        self._failed = True
        for session in self._sessions.values():
            session.withdraw()
        self.connection.close(code, reason)
