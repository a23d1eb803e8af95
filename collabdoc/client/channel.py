"""One document's channel on the line: it opens when the line is up, and opens again whenever that can help.

1. Each OPEN takes a fresh channel number, so a late frame of an old channel finds nobody.
2. A channel that the server closed for a while comes back after its own backoff; the line and its other documents are
   left alone.
3. When the server cannot store an edit, the channel stays open for reading and holds edits back until it is opened
   again, which sends what the server lacks.
4. A document that the server's operator has to see to first is tried again with the next line, and no sooner: that
   takes a restart of the server.
"""

from typing import Protocol

from collabdoc.client.backoff import Backoff
from collabdoc.client.clock import Clock, Timer
from collabdoc.client.codes import action_of
from collabdoc.client.line import ChannelMessage, Line
from collabdoc.client.machine import CHANNEL, ChannelEvent, ChannelState, move
from collabdoc.client.status import Trouble
from collabdoc.errors import NoSuchDocument, NotAllowed, Unreadable
from collabdoc.protocol.messages import ClientMessage, Close, Closed, Mode, Open, Opened, Rejected


class ChannelUser(Protocol):
    """The document's side of its channel."""

    def introduce(self, channel: int) -> Open: ...

    def receive_opened(self, opened: Opened) -> bool:
        """The channel is open if this can take what the server sent; otherwise it backs off."""

    def receive(self, message: ChannelMessage) -> None: ...

    def channel_lost(self) -> None:
        """An open channel is no longer."""

    def has_copy(self) -> bool:
        """Whether there is anything that could be lost by opening the document afresh."""

    def moved(self) -> None:
        """Something changed that a program may be told."""


class Channel:
    def __init__(self, line: Line, clock: Clock, user: ChannelUser, *, max_backoff_s: float) -> None:
        self._line = line
        self._clock = clock
        self._user = user
        self._backoff = Backoff(clock.random, max_backoff_s)
        self._timer: Timer | None = None
        self.number = 0
        self.state: ChannelState = "away"
        self.trouble: Trouble | None = None
        self.mode: Mode = "write"
        self.holding = False
        """The server could not store an edit; further ones wait until the channel is opened again."""

    @property
    def takes_edits(self) -> bool:
        """Whether an UPDATE would be taken now."""
        return self.state == "open" and self.mode == "write" and not self.holding

    def connect(self) -> None:
        """Attach to the line; after a refusal, try once more."""
        if self.state == "replaced":
            return
        self._move("restart")
        self._line.attach(self)
        self._line.start()
        self.line_changed()

    def disconnect(self) -> None:
        self._say_close()
        self._end("leave")
        self._line.detach(self)
        self._user.moved()

    def send(self, message: ClientMessage) -> None:
        self._line.send(message)

    def settled(self) -> None:
        """Everything is SAVED: whatever went wrong before is over."""
        self._backoff.reset()

    def fail(self, code: int, reason: str) -> None:
        """What the server sent could not be used: leave, and open again later."""
        self._say_close()
        self._back_off(code, reason)

    # The line's side

    def line_changed(self) -> None:
        if self._line.state != "up":
            self._move("restart")  # which only one that waits for the next line hears of
            self._end("leave")
        elif self.state == "away":
            self._open()
        self._user.moved()

    def receive(self, message: ChannelMessage) -> None:
        if isinstance(message, Opened):
            self._receive_opened(message)
        elif isinstance(message, Closed):
            self._receive_closed(message)
        elif self.state == "open":
            self._user.receive(message)
            if isinstance(message, Rejected):
                self._receive_rejected(message)
        self._user.moved()

    def _open(self) -> None:
        if self._line.state == "up" and self._move("open"):
            self.number = self._line.claim_channel(self)
            self.send(self._user.introduce(self.number))

    def _receive_opened(self, opened: Opened) -> None:
        if not self._move("opened"):
            return
        self.mode = opened.mode
        self.holding = False
        self.trouble = None
        if self._user.receive_opened(opened):
            self._line.synced()

    def _receive_rejected(self, rejected: Rejected) -> None:
        if rejected.code == NotAllowed.code:
            self.mode = "read"
            self.trouble = Trouble(rejected.code, rejected.reason)
        elif action_of(rejected.code) != "retry":
            self._say_close()
            self._refuse(rejected.code, rejected.reason)
        elif not self.holding:  # each UPDATE that was under way gets one of these
            self.holding = True
            self._wait_to_reopen(rejected.code, rejected.reason)

    def _receive_closed(self, closed: Closed) -> None:
        action = action_of(closed.code)
        if action == "retry":
            self._back_off(closed.code, closed.reason)
        elif action == "replaced" or (closed.code == NoSuchDocument.code and self._user.has_copy()):
            self._stop("replace", closed.code, closed.reason)
        else:
            self._refuse(closed.code, closed.reason)

    def _back_off(self, code: int, reason: str) -> None:
        self._end("back-off")
        self._wait_to_reopen(code, reason)

    def _wait_to_reopen(self, code: int, reason: str) -> None:
        self._cancel_timer()
        delay_s = self._backoff.take_delay_s()
        self.trouble = Trouble(code, reason, self._clock.now_s() + delay_s)
        self._timer = self._clock.call_later(delay_s, self._reopen)

    def _reopen(self) -> None:
        self._say_close()
        self._end("back-off")
        self._open()
        self._user.moved()

    def _refuse(self, code: int, reason: str) -> None:
        self._stop("refuse", code, reason)

    def _stop(self, event: ChannelEvent, code: int, reason: str) -> None:
        self.trouble = Trouble(code, reason)
        self._end(event)
        if code != Unreadable.code:
            self._line.detach(self)

    def _say_close(self) -> None:
        """Tell the server that we leave, where it does not know."""
        if self.state in ("open", "opening"):
            self.send(Close(self.number))

    def _end(self, event: ChannelEvent) -> None:
        """The channel is no longer: forget its number and its timer."""
        self._cancel_timer()
        was_open = self.state == "open"
        if self._move(event):
            self._line.release_channel(self.number)
            if was_open:
                self._user.channel_lost()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _move(self, event: ChannelEvent) -> bool:
        """False where the event is stale in this state."""
        state = move(CHANNEL, self.state, event)
        if state is not None:
            self.state = state
        return state is not None
