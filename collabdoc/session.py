"""One client in one document, with a bounded outbox.

1. The room puts in, the driver takes out; nothing here knows a socket or the bytes of a dialect.
2. Each kind of message is bounded in its own way: edits by bytes, presence by keeping only who changed,
   acknowledgements by keeping only the last, and refusals because a driver that cannot send stops reading.
3. When the edits outgrow their bound they are dropped and the session is behind: it gets one difference, made when
   the driver takes again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from collabdoc.auth import Grant
from collabdoc.document import state_vector_before
from collabdoc.errors import ProtocolError
from collabdoc.protocol.messages import Awareness, Closed, Mode, Opened, Rejected, Saved, ServerMessage, Updates
from collabdoc.protocol.update import UpdateInfo

if TYPE_CHECKING:
    from collabdoc.room import Room


class Batch:
    """Edits that leave together, shared by all who get the same ones."""

    __slots__ = ("frames", "infos", "seq", "size_bytes", "updates")

    def __init__(self, seq: int, updates: tuple[bytes, ...], infos: Sequence[UpdateInfo]) -> None:
        self.seq = seq
        self.updates = updates
        self.infos = infos
        self.size_bytes = sum(map(len, updates))
        self.frames: dict[str, bytes] = {}
        """What a dialect made of it, kept by the dialect's name, so that it is encoded once for all readers."""


Outgoing = ServerMessage | Batch


class Session:
    """One client in one document. `wake(session)` is called when there is something to take."""

    __slots__ = (
        "_awake",
        "_batches",
        "_behind",
        "_control",
        "_max_bytes",
        "_presence",
        "_presence_bytes",
        "_queued_bytes",
        "_saved",
        "_wake",
        "asked_to_resync",
        "channel",
        "closed",
        "grant",
        "last_id",
        "must_reopen",
        "room",
    )

    def __init__(
        self,
        channel: int,
        grant: Grant,
        wake: Callable[["Session"], None],
        *,
        max_bytes: int,
        asked_to_resync: bool = False,
    ) -> None:
        self.channel = channel
        self.grant = grant
        self.room: Room | None = None
        self.last_id = 0
        self.closed: ProtocolError | None = None
        self.asked_to_resync = asked_to_resync
        self.must_reopen = False
        """An edit was turned away that may come again: a later SAVED must not seem to speak for it."""
        self._wake = wake
        self._awake = False
        self._max_bytes = max_bytes
        self._control: list[ServerMessage] = []
        self._batches: list[Batch] = []
        self._queued_bytes = 0
        self._behind: bytes | None = None
        self._saved = 0
        self._presence: set[int] = set()
        self._presence_bytes: bytes | None = None

    @property
    def mode(self) -> Mode:
        return "write" if self.grant.may_write else "read"

    def put_opened(self, opened: Opened) -> None:
        self._control.append(opened)
        self._rouse()

    def put_batch(self, batch: Batch) -> None:
        if self._behind is not None or self.closed:
            return
        self._batches.append(batch)
        self._queued_bytes += batch.size_bytes
        if self._queued_bytes > self._max_bytes and len(self._batches) > 1:
            assert self.room is not None
            infos = [info for queued in self._batches for info in queued.infos]
            self._behind = state_vector_before(self.room.clocks, infos)
            self._batches.clear()
            self._queued_bytes = 0
        self._rouse()

    def put_presence(self, clients: Iterable[int], encoded: bytes) -> None:
        """Presence changed; `encoded` says it for all of `clients` and is shared with the other readers."""
        if self.closed:
            return
        self._presence_bytes = None if self._presence else encoded
        self._presence.update(clients)
        self._rouse()

    def put_saved(self, update_id: int) -> None:
        if not self.closed:
            self._saved = update_id
            self._rouse()

    def reject(self, update_id: int, error: ProtocolError) -> None:
        if not self.closed:
            self._control.append(Rejected(self.channel, update_id, error.code, error.reason))
            self._rouse()

    def close(self, error: ProtocolError) -> None:
        """Say why and end; the driver sees `closed` and lets the session go."""
        if not self.closed:
            self.closed = error
            self._rouse()

    def retry_difference(self) -> None:
        """The document can be read again: a difference that could not be made can be taken."""
        if self._behind is not None:
            self._rouse()

    def take(self) -> list[Outgoing]:
        """What to send now, in order."""
        self._awake = False
        out: list[Outgoing] = list(self._control)
        self._control.clear()
        if self._behind is not None and self.room is not None and not self.closed:
            difference = self.room.difference(self._behind)
            if difference is not None:
                out.append(Updates(self.channel, difference[0], (difference[1],)))
                self._behind = None
        out += self._batches
        self._batches.clear()
        self._queued_bytes = 0
        if self._saved:
            out.append(Saved(self.channel, self._saved))
            self._saved = 0
        if self._presence and self.room is not None:
            out.append(Awareness(self.channel, self._presence_bytes or self.room.awareness.encode(self._presence)))
            self._presence.clear()
            self._presence_bytes = None
        if self.closed:
            out.append(Closed(self.channel, self.closed.code, self.closed.reason))
        return out

    def _rouse(self) -> None:
        if not self._awake:
            self._awake = True
            self._wake(self)
