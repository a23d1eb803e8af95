"""When rooms hand out what they gathered, and that it then gets to the writer.

1. A turn of the loop is at most one `flush` a room: what arrived together leaves, and is stored, together.
2. A document in which little happens is never waited for; one in which much does leaves time to others.
3. Edits get to the writer in the order in which the room handed them out.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from collabdoc.config import Limits
from collabdoc.lane import Lane
from collabdoc.life import BUSY, State
from collabdoc.room import Room
from collabdoc.steps import Steps
from collabdoc.store.base import Append, Loaded
from collabdoc.turn import Turn
from collabdoc.writer import Submission, Writer

log = logging.getLogger(__name__)

_QUIET = 1 / 12
"""For so much of the time for which a document stays that nobody has open, those that somebody has are left alone."""
_TELLING_S = 10e-6
"""What it takes, about, to tell one more session of an edit: most of it is the system's part of a write."""


@dataclass(slots=True, eq=False)
class Slot:
    """A room and what its driver has to know of it."""

    room: Room
    log_updates: int
    log_bytes: int
    loaded: Loaded | None = None
    """What the store has of it, until its document is made of that."""
    idle_since_s: float | None = None
    quiet_until_s: float = 0.0
    """Before that `is_left` need not be asked, unless somebody comes or leaves."""
    flushed_s: float = -math.inf
    due_s: float = math.inf
    """When the next flush is due, if one is."""
    takes_edits: bool = False
    """Whether that is as soon as an edit that comes now may be handed out."""
    task: "asyncio.Task[None] | None" = None
    """The snapshot or the loading that is under way."""
    taking: "asyncio.Task[None] | None" = None
    """What takes the edits that wait, while the room is TAKING."""

    def is_left(self, now_s: float, idle_s: float) -> bool:
        """Whether nobody has had the document open for `idle_s`; asked every second, it lets go of what they shared."""
        room = self.room
        room.openings.forget()
        if room.sessions:
            self.quiet_until_s = now_s + idle_s * _QUIET
        if room.sessions or room.uncommitted:
            self.idle_since_s = None
        elif not (self.task or self.taking):
            if self.idle_since_s is not None:
                return now_s - self.idle_since_s >= idle_s
            self.idle_since_s = now_s
        return False


class Flushes:
    """Drives the rooms of one loop."""

    def __init__(
        self,
        turn: Turn,
        lane: Lane,
        writer: Writer,
        limits: Limits,
        *,
        committed: Callable[[Slot, int, int, int | None], None],
        load: Callable[[Slot], None],
        monotonic: Callable[[], float],
    ) -> None:
        """`committed(slot, updates, size_bytes, last_seq)` hears of commits, `load(slot)` of rooms to load.

        `last_seq` is None where the store has no such document.
        """
        turn.flush.do, turn.store.do = self._flush_all, self._submit
        self._turn = turn
        self._lane = lane
        self._writer = writer
        self._limits = limits
        self._told_committed = committed
        self._load = load
        self._monotonic = monotonic
        self._to_store: list[Submission] = []

    def schedule(self, slot: Slot) -> None:
        """Flush the room at the end of this turn of the loop, if there is anything to flush.

        One that was flushed just now waits as long as telling everybody takes, at most `batch_ms`; with presence alone
        at most `presence_ms`, or until edits take it along.
        """
        room = slot.room
        if room.state is State.ACTIVE:
            if slot.takes_edits or not room.wants_flush:
                return
        elif not (room.wants_flush or room.state in (BUSY if slot.taking is None else (State.LOADING,))):
            return
        slot.takes_edits = has_edits = room.has_edits
        now_s = self._monotonic()
        due_s = max(now_s, slot.flushed_s + self._gathers_s(room, has_edits=has_edits))
        if due_s < slot.due_s:
            slot.due_s = due_s
            if due_s == now_s:
                self._turn.flush.add(slot)
            else:
                asyncio.get_running_loop().call_later(due_s - now_s, self._turn.flush.add, slot)

    def flush_now(self, slot: Slot) -> None:
        """Not at the end of the turn: what the caller does next must find it in the writer's queue."""
        self._flush(slot)
        self._submit()

    def _flush_all(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            try:
                self._flush(slot)
            except Exception:  # one document's trouble is not to cost others their edits
                log.exception("document %a could not hand out what it has", slot.room.name)

    def _flush(self, slot: Slot) -> None:
        slot.due_s, slot.takes_edits = math.inf, False
        room = slot.room
        if room.state is State.CLOSED:
            return
        if room.wants_flush:
            slot.flushed_s = self._monotonic()
        flushed = room.flush()
        meta, batch = flushed.meta, flushed.batch
        if batch.updates:
            try:
                room.audience.hand_out(batch)
            finally:  # it was taken, whatever comes of that
                append = Append(room.name, batch.updates, (meta.title, meta.kind or "") if meta else None)
                count, size = len(batch.updates), batch.size_bytes
                self._to_store.append((append, lambda last_seq: self._told_committed(slot, count, size, last_seq)))
                self._turn.store.add(self)
        if room.state is State.LOADING:
            self._load(slot)
        elif room.state is State.TAKING and slot.taking is None:
            slot.taking = asyncio.create_task(self._take_held(slot))

    async def _take_held(self, slot: Slot) -> None:
        try:
            await self._lane.start(self._steps(slot), is_slow=slot.room.was_slow)
        except Exception:  # its author was closed; the others go on with what is in the log
            log.exception("document %a: an edit could not be taken", slot.room.name)
        finally:
            slot.taking = None
            self.schedule(slot)

    def _steps(self, slot: Slot) -> Steps[None]:
        for _ in slot.room.take_held():
            self.schedule(slot)  # what was taken is not to wait for what comes after it
            yield

    def _submit(self, _: object = None) -> None:
        submissions, self._to_store = self._to_store, []
        self._writer.submit(submissions)

    def _gathers_s(self, room: Room, *, has_edits: bool) -> float:
        if room.state in BUSY:
            return 0.0
        limit_ms = self._limits.batch_ms if has_edits else self._limits.presence_ms
        return min(limit_ms / 1000, len(room.sessions) * _TELLING_S)
