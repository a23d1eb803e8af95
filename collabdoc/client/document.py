"""One document that is kept in step with the server; it knows its channel, and no socket.

1. What the server sent is applied as an edit of others, and is never sent back.
2. The status is `saved` only where every edit made here has been SAVED.
3. Nothing ends it but `close`, a code that says so, or the document's new life: lost lines, a killed server, damaged
   updates and a failing store all lead back to an open document.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from collabdoc.characters import CharacterText
from collabdoc.client.channel import Channel
from collabdoc.client.clock import Clock
from collabdoc.client.lacks import what_server_lacks
from collabdoc.client.line import ChannelMessage, Line
from collabdoc.client.outbox import Outbox
from collabdoc.client.presence import Presence
from collabdoc.client.status import Facts, Status, derive_status
from collabdoc.document import EMPTY_UPDATE
from collabdoc.errors import DocumentBroken, Malformed, NotAllowed, ProtocolError
from collabdoc.listeners import Listeners
from collabdoc.protocol.messages import Auth, Awareness, Open, Opened, Rejected, Saved, Updates
from collabdoc.protocol.update import has_deletes
from collabdoc.replica import Replica

log = logging.getLogger(__name__)


class Refused(ProtocolError):
    """The server said no; `code` is one of those after which a client stops (docs/protocol.md), 1000 where the client
    or the document was closed here."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody else did: a Yjs update (v1), and by whom where that is known.

    Within the server `origin` is the id of who is signed in, "" for nobody, or what a document was opened with there;
    a client over the network knows it of nobody: None.
    """

    update: bytes
    origin: str | None


class LiveDocument:
    """One document; made by `Client.open`, and within the server by `Engine.document`.

    It belongs to the thread of the loop that it was opened in.
    """

    def __init__(
        self,
        name: str,
        line: Line,
        clock: Clock,
        *,
        token: str | None,
        max_backoff_s: float,
        closed: "Callable[[LiveDocument], None]",
    ) -> None:
        self.name = name
        self._token = token
        self._clock = clock
        self._told_closed = closed
        self._replica = Replica(self._edited)
        self._outbox = Outbox()
        self._line = line
        self._channel = Channel(line, clock, self, max_backoff_s=max_backoff_s)
        self._flush_due = False
        self._is_synced = False
        self._is_closed = False
        self._heard_deletes = False
        self._epoch: str | None = None
        self._seq: int | None = None  # None where the content that it stands for is in doubt
        self._news = asyncio.Event()
        self._listeners: Listeners[Status] = Listeners()
        self._edit_listeners: Listeners[Edit] = Listeners()
        self.awareness = Presence(self.doc.client_id, clock, self._send_presence)
        """Who is here; `awareness.say({...})` tells the others of oneself."""
        self.status = self._derive()
        """How the document stands: `status.kind` is `saved` where all is well."""

    @property
    def doc(self) -> Any:
        """The `pycrdt.Doc`. Edits made to it are sent at the end of the loop's turn, or when the line is back."""
        return self._replica.doc

    def text(self, name: str = "content") -> CharacterText:
        """A `Y.Text` of the document, edited in characters; `content` is what the editor shows of plain text."""
        return self._replica.text(name)

    @property
    def is_open(self) -> bool:
        """Whether edits go to the server at once."""
        return self._channel.takes_edits

    @property
    def writable(self) -> bool:
        """False where the server granted reading only."""
        return self._channel.mode == "write"

    @property
    def unsaved(self) -> int:
        """Edits of this client that the server has not reported as committed."""
        return self._outbox.unsaved

    def observe_status(self, callback: Callable[[Status], object]) -> Callable[[], None]:
        """Hear each new status, in the loop's thread; calling what is given back ends that."""
        return self._listeners.add(callback)

    def observe_edits(self, callback: Callable[[Edit], object]) -> Callable[[], None]:
        """Hear what others do, once `doc` has it; calling what is given back ends that. The callback may edit.

        pycrdt's own observers find the same `origin` in their transaction.
        """
        return self._edit_listeners.add(callback)

    async def saved(self, *, within: int = 0) -> None:
        """Wait until at most `within` edits are unsaved, as long as it takes.

        Raises `Refused` where they will not be: the document was refused, replaced or closed, or is open for reading
        only.
        """
        await self._until(lambda: self._is_synced and self.unsaved <= within, saving=True)

    async def synced(self) -> None:
        """Wait until the server's content has come at least once. Raises `Refused`."""
        await self._until(lambda: self._is_synced, saving=False)

    async def changed(self) -> None:
        """Wait for the next news from the server."""
        await self._news.wait()

    def authenticate(self, token: str) -> None:
        """Show this token from now on: before the old one ends, or to try once more after the document was refused."""
        self._token = token
        if self._channel.state == "open":
            self._channel.send(Auth(self._channel.number, token))
        elif not self._is_closed:
            self._channel.connect()

    def close(self) -> None:
        """Leave the document. What is not saved by then is lost with this object: await `saved()` first."""
        if self._is_closed:
            return
        self._flush()
        self._is_closed = True
        self._channel.disconnect()
        self.awareness.closed()
        self._told_closed(self)

    def connect(self) -> None:
        """Called once, by the client."""
        self._channel.connect()

    async def _until(self, condition: Callable[[], bool], *, saving: bool) -> None:
        while True:
            if condition():
                return
            if refused := self._refusal(saving=saving):
                raise refused
            await self._news.wait()

    def _refusal(self, *, saving: bool) -> Refused | None:
        status = self.status
        if self._is_closed:
            return Refused(1000, "the client was closed" if self._line.state == "idle" else "the document was closed")
        if status.kind in ("refused", "replaced"):
            assert status.trouble is not None
            return Refused(status.trouble.code, status.trouble.reason)
        if saving and status.kind == "readonly" and status.unsaved:
            trouble = self._channel.trouble
            return Refused(NotAllowed.code, trouble.reason if trouble else "this document is open for reading only")
        return None

    # The channel's side

    def introduce(self, channel: int) -> Open:
        return Open(channel, self.name, self._replica.state_vector(), self._token, self._epoch, self._seq)

    def receive_opened(self, opened: Opened) -> bool:
        if not self._apply(opened.update):
            return False
        self._epoch = opened.epoch
        self._raise_seq(opened.seq)
        self._outbox.restart()
        if self._channel.takes_edits:
            unsaved = self._outbox.unsaved_update()
            lacks = what_server_lacks(self._replica, opened.state_vector, unsaved, heard_deletes=self._heard_deletes)
            self._heard_deletes = False
            if lacks is not None:
                self._channel.send(self._outbox.take_all(self._channel.number, lacks))
        self._settle()
        self._is_synced = True
        self.awareness.opened()
        return True

    def receive(self, message: ChannelMessage) -> None:
        match message:
            case Updates(_, seq, updates):
                if all(self._apply(update) for update in updates):
                    self._heard_deletes |= any(map(has_deletes, updates))
                    self._raise_seq(seq)
            case Awareness(_, awareness):
                self.awareness.receive(awareness)
            case Saved(_, id_):
                self._outbox.saved(id_)
                self._settle()
            case Rejected(_, id_, code, reason):
                log.warning("%s: edit %d was refused (%d): %s", self.name, id_, code, reason)
                self._outbox.rejected(id_)

    def channel_lost(self) -> None:
        self.awareness.closed()

    def has_copy(self) -> bool:
        return bool(self._replica.clocks())

    def moved(self) -> None:
        self._refresh()
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _settle(self) -> None:
        if not self.unsaved:
            self._channel.settled()

    def _apply(self, update: bytes) -> bool:
        """Take what the server sent; False where it could not be applied."""
        try:
            self._replica.apply(update, origin=self._line.origin)
        except DocumentBroken as error:
            log.error("%s: a change from the server could not be applied: %s", self.name, error)
            # Half of it may be in the document. No watermark stands for that, so the next OPEN asks for a diff.
            self._seq = None
            self._channel.fail(Malformed.code, "a change from the server could not be applied")
            return False
        if update != EMPTY_UPDATE:
            self._edit_listeners.tell(Edit(update, self._line.origin))
        return True

    def _raise_seq(self, seq: int) -> None:
        self._seq = max(seq, self._seq or 0)

    def _edited(self, update: bytes) -> None:
        self._outbox.add(update)
        if not self._flush_due:
            self._flush_due = True
            self._clock.call_later(0, self._flush)  # what is made in one turn goes as one UPDATE
        self._refresh()

    def _flush(self) -> None:
        self._flush_due = False
        if self._outbox.is_unsent and self._channel.takes_edits:
            self._channel.send(self._outbox.take(self._channel.number))

    def _send_presence(self, awareness: bytes) -> None:
        self._channel.send(Awareness(self._channel.number, awareness))

    def _refresh(self) -> None:
        status = self._derive()
        if status != self.status:
            self.status = status
            self._listeners.tell(status)

    def _derive(self) -> Status:
        channel = self._channel
        return derive_status(
            Facts(
                "idle" if self._is_closed else self._line.state,
                self._line.trouble,
                channel.state,
                channel.trouble,
                channel.mode,
                self.unsaved > 0,
                channel.holding,
            )
        )
