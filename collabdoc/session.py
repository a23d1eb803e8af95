"""One client in one document, with a bounded outbox.

1. The room puts in, the driver takes out; nothing here knows a socket or the bytes of a dialect.
2. Each kind of message is bounded in its own way: edits by bytes, presence by keeping only who changed,
   acknowledgements by keeping only the last, and refusals because a driver that cannot send stops reading.
3. What makes a whole document's worth of bytes is made when the driver takes: OPENED, and the one difference for a
   session whose edits outgrew their bound. Until it is opened, a session gets nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from collabdoc.auth import Action, Credentials, Grant
from collabdoc.document import state_vector_before
from collabdoc.errors import ProtocolError
from collabdoc.protocol.messages import Awareness, Closed, Mode, Open, Rejected, Saved, ServerMessage
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
        "_max_bytes",
        "_opening",
        "_presence",
        "_presence_bytes",
        "_queued_bytes",
        "_rejected",
        "_saved",
        "_wake",
        "asked_to_resync",
        "channel",
        "closed",
        "credentials",
        "grant",
        "last_id",
        "must_reopen",
        "room",
    )

    def __init__(
        self,
        channel: int,
        credentials: Credentials,
        grant: Grant,
        wake: Callable[["Session"], None],
        *,
        max_bytes: int,
        asked_to_resync: bool = False,
    ) -> None:
        """`credentials` are what got it its `grant`, kept to be asked about again."""
        self.channel = channel
        self.credentials = credentials
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
        self._opening: Open | None = None
        self._rejected: list[Rejected] = []
        self._batches: list[Batch] = []
        self._queued_bytes = 0
        self._behind: bytes | None = None
        self._saved = 0
        self._presence: set[int] = set()
        self._presence_bytes: bytes | None = None

    @property
    def mode(self) -> Mode:
        return "write" if self.grant.allows(Action.WRITE) else "read"

    @property
    def is_opening(self) -> bool:
        """Whether OPENED is still to be taken."""
        return self._opening is not None

    def put_opening(self, opening: Open) -> None:
        self._opening = opening
        self._rouse()

    def put_batch(self, batch: Batch) -> None:
        if self.is_opening or self._behind is not None or self.closed:
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
        if self.is_opening or self.closed:
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
            self._rejected.append(Rejected(self.channel, update_id, error.code, error.reason))
            self._rouse()

    def close(self, error: ProtocolError) -> None:
        """Say why and end; the driver sees `closed` and lets the session go."""
        if not self.closed:
            self.closed = error
            self._rouse()

    def retry(self) -> None:
        """The document can be read again: what could not be made of it can be taken."""
        if self.is_opening or self._behind is not None:
            self._rouse()

    def take(self) -> list[Outgoing]:
        """What to send now, in order."""
        assert self.room is not None
        self._awake = False
        out: list[Outgoing] = []
        if self._opening is not None and not self.closed and (opened := self.room.opened(self, self._opening)):
            out.append(opened)
            self._opening = None
            self._presence.update(self.room.awareness.everyone())
        out += self._rejected
        self._rejected.clear()
        if self._behind is not None and not self.closed and (lacking := self.room.difference(self, self._behind)):
            out.append(lacking)
            self._behind = None
        out += self._batches
        self._batches.clear()
        self._queued_bytes = 0
        if self._saved:
            out.append(Saved(self.channel, self._saved))
            self._saved = 0
        if self._presence:
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
