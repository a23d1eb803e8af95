"""The line: one WebSocket to one server, shared by all documents of a client; what it decides, without a socket.

1. It comes back by itself, after a backoff that only a synced document resets.
2. A channel number is claimed once in the life of a socket, so a late frame for an old channel finds nobody.
3. What is not a message closes the socket with 4400: it is no server of ours, and trying again will not mend that.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from collabdoc.client.backoff import Backoff
from collabdoc.client.clock import Clock, Timer
from collabdoc.client.codes import action_of
from collabdoc.client.liveness import Liveness
from collabdoc.client.machine import LINE, LineEvent, LineState, move
from collabdoc.client.status import Trouble
from collabdoc.errors import Malformed, SilentTooLong
from collabdoc.protocol import native
from collabdoc.protocol.messages import (
    DEFLATE,
    Awareness,
    ClientMessage,
    Closed,
    GoAway,
    Open,
    Opened,
    Ping,
    Pong,
    Rejected,
    Saved,
    Updates,
)

log = logging.getLogger(__name__)

ChannelMessage = Opened | Closed | Updates | Awareness | Saved | Rejected


class Socket(Protocol):
    """One connection, or the attempt at one; it tells its `SocketUser` of one `closed`, unless it was hung up."""

    def send(self, frame: bytes) -> None: ...

    def hang_up(self, code: int | None = None) -> None:
        """Close it without waiting; its user hears nothing more."""


class SocketUser(Protocol):
    def opened(self) -> None: ...

    def received(self, frame: bytes) -> None: ...

    def closed(self, code: int, reason: str) -> None: ...


class LineUser(Protocol):
    """One document's end of the line."""

    def line_changed(self) -> None:
        """The line's state changed."""

    def receive(self, message: ChannelMessage) -> None: ...


class Line(Protocol):
    """What a channel needs of its line."""

    @property
    def state(self) -> LineState: ...

    @property
    def trouble(self) -> Trouble | None:
        """Why the line is not up."""

    @property
    def origin(self) -> str | None:
        """Who made the edits of the message that is being received, where the line can tell."""

    def attach(self, user: LineUser) -> None: ...

    def detach(self, user: LineUser) -> None: ...

    def claim_channel(self, user: LineUser) -> int:
        """A channel number that was not used before on what is up now."""

    def release_channel(self, channel: int) -> None: ...

    def send(self, message: ClientMessage) -> None: ...

    def start(self) -> None:
        """Connect now; nothing where that is under way or done."""

    def synced(self) -> None:
        """A document is synced: the line is worth its attempts."""


class SocketLine:
    """`dial` begins a connection, which is up or closed within its own time."""

    def __init__(self, dial: Callable[[SocketUser], Socket], clock: Clock, *, max_backoff_s: float) -> None:
        self._dial = dial
        self._clock = clock
        self._backoff = Backoff(clock.random, max_backoff_s)
        self._socket: Socket | None = None
        self._timer: Timer | None = None
        self._liveness: Liveness | None = None
        self._nonce = 0
        self._last_channel = 0
        self._users: dict[LineUser, None] = {}
        self._channels: dict[int, LineUser] = {}
        self.state: LineState = "idle"
        self.trouble: Trouble | None = None
        self.origin: str | None = None

    def attach(self, user: LineUser) -> None:
        self._users[user] = None

    def detach(self, user: LineUser) -> None:
        self._users.pop(user, None)

    def claim_channel(self, user: LineUser) -> int:
        self._last_channel += 1
        self._channels[self._last_channel] = user
        return self._last_channel

    def release_channel(self, channel: int) -> None:
        self._channels.pop(channel, None)

    def send(self, message: ClientMessage) -> None:
        if self.state == "up" and self._socket is not None:
            if isinstance(message, Open):
                message = replace(message, accepts=DEFLATE)
            self._socket.send(native.encode_client(message))

    def start(self) -> None:
        if not self._move("start"):
            return
        self._cancel_timer()
        self._socket = self._dial(self)
        self._announce()

    def stop(self) -> None:
        self._drop()
        self._move("stop")
        self._announce()

    def synced(self) -> None:
        self._backoff.reset()

    # The socket's side

    def opened(self) -> None:
        self._last_channel = 0
        self._liveness = Liveness(self._clock.now_s())
        self.trouble = None
        self._move("up")
        self._watch()
        self._announce()

    def received(self, frame: bytes) -> None:
        if self._liveness is not None:
            self._liveness.heard(self._clock.now_s())
        try:
            message = native.decode_server(frame)
        except Malformed as error:
            self._drop(error.code)
            self._refuse(error.code, error.reason)
            return
        match message:
            case GoAway(retry_after_ms):
                self._backoff.ask(retry_after_ms / 1000)
            case None | Pong():
                pass
            case _:
                if user := self._channels.get(message.channel):
                    user.receive(message)

    def closed(self, code: int, reason: str) -> None:
        if action_of(code) == "retry":
            self._lose(code, reason or "the connection to the server was lost")
        else:
            self._drop()
            self._refuse(code, reason or f"the server ended the connection ({code})")

    def _refuse(self, code: int, reason: str) -> None:
        self.trouble = Trouble(code, reason)
        self._move("refuse")
        self._announce()

    def _lose(self, code: int, reason: str) -> None:
        """The line is gone; come again after the backoff."""
        self._drop(code if code == SilentTooLong.code else None)
        delay_s = self._backoff.take_delay_s()
        log.debug("the line is lost (%d, %s), next attempt in %.1f s", code, reason, delay_s)
        self.trouble = Trouble(code, reason, self._clock.now_s() + delay_s)
        self._move("lose")
        self._timer = self._clock.call_later(delay_s, self.start)
        self._announce()

    def _drop(self, code: int | None = None) -> None:
        """Let go of the socket without waiting for its close, which on a dead line takes minutes to come."""
        self._cancel_timer()
        self._liveness = None
        self._channels.clear()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.hang_up(code)

    def _watch(self) -> None:
        """Ask whether somebody is there, when it is time; sets the timer for the next look."""
        self._cancel_timer()
        if self._liveness is None:
            return
        now_s = self._clock.now_s()
        match self._liveness.check(now_s):
            case "dead":
                self._lose(SilentTooLong.code, "the server does not answer")
                return
            case "ping":
                self._nonce += 1
                self.send(Ping(self._nonce))
        self._timer = self._clock.call_later(max(0.0, self._liveness.wake_at_s - now_s), self._watch)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _move(self, event: LineEvent) -> bool:
        """False where the event is stale in this state."""
        state = move(LINE, self.state, event)
        if state is not None:
            self.state = state
        return state is not None

    def _announce(self) -> None:
        for user in list(self._users):
            user.line_changed()
