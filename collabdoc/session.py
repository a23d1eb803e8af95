"""One client in one document, with a bounded outbox.

1. The room puts in, the driver takes out; nothing here knows a socket or the bytes of a dialect.
2. Each kind of message is bounded in its own way: edits by bytes, presence by keeping only who changed,
   acknowledgements by keeping only the last, and refusals because a driver that cannot send stops reading.
3. What makes a whole document's worth of bytes is made when the driver takes: OPENED, and the one difference for a
   session whose edits outgrew their bound. Until it is opened, a session gets nothing else.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Protocol

from collabdoc.auth import Action, Credentials, Grant
from collabdoc.awareness import join
from collabdoc.errors import MissingDependencies, NotAllowed, Overloaded, ProtocolError
from collabdoc.fanout import Seat
from collabdoc.protocol.messages import Awareness, Closed, Mode, Open, Rejected, Saved, ServerMessage
from collabdoc.protocol.update import UpdateInfo, state_vector_before

if TYPE_CHECKING:
    from collabdoc.room import Room

LARGE_BYTES = 64 * 1024
"""An edit that has more is copied as seldom as can be: each copy of 8 MiB holds the loop up for 3 to 5 ms."""


class Batch:
    """Edits that leave together: one object for all who have the document open, authors included."""

    __slots__ = ("encoded", "infos", "is_large", "own", "seq", "size_bytes", "updates")

    def __init__(
        self, seq: int, updates: tuple[bytes, ...], infos: Sequence[UpdateInfo], own: "Mapping[Session, Sequence[int]]"
    ) -> None:
        """`own` are the places of each author's updates, which it gets no echo of."""
        self.seq = seq
        self.updates = updates
        self.infos = infos
        self.own = own
        self.size_bytes = sum(map(len, updates))
        self.is_large = self.size_bytes > LARGE_BYTES and max(map(len, updates)) > LARGE_BYTES
        """Whether any of its edits is."""
        self.encoded: dict[str, Any] = {}
        """What a dialect made of it, kept by the dialect's name, so that it is encoded once for all readers."""

    def without(self, session: "Session") -> Sequence[bytes]:
        """What is not the session's own; for several sessions of a batch that is not large a `Row` takes less."""
        own = self.own.get(session)
        return self.updates if own is None else [each for place, each in enumerate(self.updates) if place not in own]

    def is_news_to(self, session: "Session") -> bool:
        """Whether any of it is not the session's own."""
        return session not in self.own or len(self.own[session]) < len(self.updates)


class Row:
    """What a dialect made of each update of a batch, one after the other; what an author gets of it costs one copy.

    Where 500 people type, each is an author of each batch, and to choose among 500 pieces for each takes ten times as
    long.
    """

    __slots__ = ("_bounds", "whole")

    def __init__(self, each: Iterable[bytes]) -> None:
        pieces = list(each)
        self.whole = memoryview(b"".join(pieces))
        self._bounds = [0, *accumulate(map(len, pieces))]

    def without(self, places: Sequence[int]) -> list[memoryview]:
        """All but the pieces at these places, which rise."""
        whole, bounds = self.whole, self._bounds
        edges = [-1, *places, len(bounds) - 1]
        return [whole[bounds[before + 1] : bounds[after]] for before, after in pairwise(edges)]


class Announcement:
    """Presence that changed: one object for all who have the document open, those who said it included."""

    __slots__ = ("clients", "encoded", "entries", "own")

    def __init__(self, entries: Mapping[int, bytes], own: "Mapping[Session, set[int]]") -> None:
        """`entries` are encoded, by client; `own` are the clients that sessions speak for, and hear nothing of."""
        self.entries = entries
        self.own = own
        self.clients = frozenset(entries)
        self.encoded: dict[str, Any] = {}
        """As with `Batch`."""

    def is_news_to(self, session: "Session") -> bool:
        return session not in self.own or len(self.own[session]) < len(self.entries)

    def update_for(self, session: "Session") -> bytes:
        """The awareness update without what is the session's own."""
        own = self.own.get(session, ())
        return join([entry for client, entry in self.entries.items() if client not in own])


Outgoing = ServerMessage | Batch | Announcement


class Reader(Protocol):
    """The driver of a session."""

    def wake(self, session: "Session") -> None:
        """There is something to take."""

    def hold_back(self) -> None:
        """More of it waits for a document than should: hear no more of it for a moment."""


class Outlet(Protocol):
    """Where the frames of a session leave."""

    @property
    def seat(self) -> Seat:
        """Of a plain socket that takes frames as `send` does; with -1 where `send` is to be asked, now at least."""

    @property
    def send(self) -> Callable[[bytes], int]:
        """Takes a frame, or as many bytes of it as it says, or raises `OSError`: then `keep` is to hear of it.

        It says -1 where the peer has yet to take what was sent before. Another function from one call to the next.
        """

    def keep(self, data: bytes, sent: int | OSError) -> None: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a session is handed edits while nothing waits in it."""

    outlet: Outlet
    frame: "Callable[[Session, Batch], bytes]"
    """Makes the frame of a batch; empty where all of it is the session's own."""
    shared_by: Hashable
    """Equal for sessions that are given the same frame of what is not their own."""
    frame_saved: "Callable[[int, int], bytes] | None" = None
    """Makes the frame of SAVED of a channel and an id, where a dialect tells it whatever it has told before."""


class Session:
    """One client in one document."""

    __slots__ = (
        "_announced",
        "_awake",
        "_batches",
        "_behind",
        "_max_bytes",
        "_more",
        "_opening",
        "_presence",
        "_queued_bytes",
        "_rejected",
        "_saved",
        "asked_to_resync",
        "awaits_step_2",
        "channel",
        "closed",
        "credentials",
        "delivery",
        "grant",
        "is_paced",
        "is_quiet",
        "last_id",
        "must_reopen",
        "must_resync",
        "reader",
        "resyncs",
        "room",
        "took_s",
    )

    def __init__(
        self,
        channel: int,
        credentials: Credentials,
        grant: Grant,
        reader: Reader,
        *,
        max_bytes: int,
        delivery: Delivery | None = None,
        asked_to_resync: bool = False,
        resyncs: bool = False,
    ) -> None:
        """`credentials` are what got it its `grant`, kept to be asked about again.

        Without a `delivery` every edit waits to be taken. A client that `resyncs` sends all that the server lacks when
        it is asked, without opening again.
        """
        self.channel = channel
        self.credentials = credentials
        self.grant = grant
        self.room: Room | None = None
        self.last_id = 0
        self.closed: ProtocolError | None = None
        self.asked_to_resync = asked_to_resync
        self.resyncs = resyncs
        self.awaits_step_2 = resyncs
        """Whether it was asked, as it is when it opens, and what the server lacks has not come yet."""
        self.must_resync = False
        """An edit was put off that builds on what the server lacks: all that comes before that will come again."""
        self.must_reopen = False
        """An edit was turned away that may come again: a later SAVED must not seem to speak for it."""
        self.reader = reader
        self.delivery = delivery
        self.is_quiet = False
        """Whether it is open and nothing waits in it, and it is in its room's audience."""
        self.is_paced = False
        """Whether its edits take so long that they are to be taken by `Room.take_held`, until one does not."""
        self.took_s = 0.0
        """What the processor spent on reading the document for it, since its driver looked last."""
        self._awake = False
        self._more = False  # whether there is anything to take but batches
        self._max_bytes = max_bytes
        self._opening: Open | None = None
        self._rejected: list[Rejected] = []
        self._batches: list[Batch] = []
        self._queued_bytes = 0
        self._behind: bytes | None = None
        self._saved = 0
        self._presence: frozenset[int] = frozenset()
        self._announced: Announcement | None = None  # what says all of `_presence`, where one does

    @property
    def mode(self) -> Mode:
        assert self.room is not None
        return "write" if self.grant.allows(Action.WRITE) and self.room.guard.read_only is None else "read"

    @property
    def is_in_step(self) -> bool:
        """Whether it has the document open, and its edits are simply taken as they come."""
        return not (self.closed or self._opening or self.is_paced or self.must_resync or self.must_reopen)

    @property
    def is_opening(self) -> bool:
        """Whether OPENED is still to be taken."""
        return self._opening is not None

    def put_opening(self, opening: Open) -> None:
        self._opening = opening
        self._put_more()

    def put_batch(self, batch: Batch) -> None:
        if self._opening is not None or self._behind is not None or self.closed:
            return
        if not batch.is_news_to(self):
            return
        self._batches.append(batch)
        self._queued_bytes += batch.size_bytes
        if self._queued_bytes > self._max_bytes and len(self._batches) > 1:
            assert self.room is not None
            infos = [info for queued in self._batches for info in queued.infos]
            self.put_difference(state_vector_before(self.room.clocks, infos))
        else:
            self._rouse()

    def put_difference(self, state_vector: bytes) -> None:
        """What the document has over this state vector is told in one, and what is queued goes with it."""
        if not self.closed:
            self._behind = state_vector
            self._batches = []
            self._queued_bytes = 0
            self._put_more()

    def put_announcement(self, announcement: Announcement) -> None:
        """Presence changed; of several announcements only what they say last is told, and all of it behind OPENED."""
        if self.closed or not announcement.is_news_to(self):
            return
        self._announced = None if self._presence else announcement
        self._presence = self._presence | announcement.clients if self._presence else announcement.clients
        if self._opening is None:
            self._put_more()

    def put_everyone(self) -> None:
        """Tell again who is present."""
        if self._opening is None and not self.closed:
            assert self.room is not None
            self._presence, self._announced = self._presence.union(self.room.awareness.everyone()), None
            self._put_more()

    def put_saved(self, update_id: int) -> None:
        if not self.closed:
            self._saved = update_id
            self._put_more()

    def reject(self, update_id: int, error: ProtocolError) -> None:
        if not self.closed:
            self._rejected.append(Rejected(self.channel, update_id, error.code, error.reason))
            self._put_more()

    def refuse(self, update_id: int, error: ProtocolError) -> None:
        """An edit was not taken: tell its author, and what is to be done about it."""
        match error:
            case NotAllowed():
                self.reject(update_id, error)
            case Overloaded():
                self.must_reopen = True
                self.reject(update_id, error)
            case MissingDependencies() if self.asked_to_resync:
                self.reject(update_id, error)
                self.close(error)
            case MissingDependencies() if self.resyncs:
                self.asked_to_resync = self.must_resync = True
            case MissingDependencies():
                self.asked_to_resync = True
                self.close(Overloaded(f"{error.reason}: open again, and send what the server lacks"))
            case _:
                self.reject(update_id, error)
                self.close(error)

    def close(self, error: ProtocolError) -> None:
        """Say why and end; the driver sees `closed` and lets the session go."""
        if not self.closed:
            # Where it was raised, it has the frames of that, and they this session and the update: up to 8 MiB that
            # would be freed late.
            error.__traceback__ = error.__cause__ = error.__context__ = None
            self.closed = error
            self._put_more()

    def retry(self) -> None:
        """The document can be read again: what could not be made of it can be taken."""
        if self._waits_for_document:
            self._put_more()

    def give_up(self, error: ProtocolError) -> None:
        """The document will not be read again: close, if something is still to be made of it."""
        if self._waits_for_document:
            self.close(error)

    def take(self) -> list[Outgoing]:
        """What to send now, in order."""
        self._awake = False
        batches, self._batches = self._batches, []
        self._queued_bytes = 0
        out: list[Outgoing] = batches  # type: ignore[assignment]  # the caller's own list from now on
        if self._more:
            self._more = False
            out = self._take_more(batches)
        if self.delivery and self.closed is None and not self._waits_for_document and not self.is_quiet:
            assert self.room is not None
            self.is_quiet = True
            self.room.audience.enter(self)
        return out

    def withdraw(self) -> None:
        """Be handed no edits, until something was taken again."""
        if self.is_quiet:
            assert self.room is not None
            self.is_quiet = False
            self.room.audience.leave(self)

    @property
    def _waits_for_document(self) -> bool:
        return self._opening is not None or self._behind is not None

    def _take_more(self, batches: list[Batch]) -> list[Outgoing]:
        assert self.room is not None
        out: list[Outgoing] = []
        if self._opening is not None and not self.closed and (opened := self.room.opened(self, self._opening)):
            out.append(opened)
            self._opening = None
            # Also who has left since it came: a client that is back is to hear that it was taken for gone.
            self._presence, self._announced = self._presence.union(self.room.awareness.everyone()), None
        out += self._rejected
        self._rejected.clear()
        if self._behind is not None and not self.closed and (lacking := self.room.difference(self, self._behind)):
            out.append(lacking)
            self._behind = None
        out += batches
        if self._saved:
            out.append(Saved(self.channel, self._saved))
            self._saved = 0
        if self._presence and self._opening is None:
            if self._announced is not None:
                out.append(self._announced)
            elif told := self._presence - self.room.awareness.owned(self):
                out.append(Awareness(self.channel, self.room.awareness.encode(told)))
            self._presence, self._announced = frozenset(), None
        if self.closed:
            out.append(Closed(self.channel, self.closed.code, self.closed.reason))
        return out

    def _put_more(self) -> None:
        self._more = True
        self._rouse()

    def _rouse(self) -> None:
        if not self._awake:
            self._awake = True
            self.withdraw()
            self.reader.wake(self)
