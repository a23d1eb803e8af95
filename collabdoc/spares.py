"""Second copies of documents in which the CRDT library failed lately, so that nobody waits when it fails again.

Who makes it fail once does so again, and to load the document anew takes everybody who is in it 30 ms and more. A copy
is some edits behind: it takes none before that was committed, and so none over which the library failed.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from collabdoc.document import AT_ONCE_BYTES, EMPTY_UPDATE, Document
from collabdoc.errors import DocumentBroken
from collabdoc.flushes import Slot
from collabdoc.lane import Lane
from collabdoc.life import State
from collabdoc.loading import find_again, load_document
from collabdoc.reader import Reader
from collabdoc.room import Room
from collabdoc.steps import Steps
from collabdoc.store.base import Store

log = logging.getLogger(__name__)

MOST, MOST_BYTES = 4, AT_ONCE_BYTES
"""So many copies at most, of documents of so many bytes at most: together they take some tens of MiB."""
KEPT_S = 60.0
"""A copy that was not needed for so long is let go of."""
LAG = 50
"""Edits that a copy is behind before it takes them: 50 take 1 to 2 ms."""


@dataclass(slots=True)
class _Spare:
    document: Document
    seq: int
    until_s: float


class Spares:
    """Of all documents of a loop. Of one document only one of these is done at a time."""

    def __init__(self, store: Store, reader: Reader, lane: Lane, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._reader = reader
        self._lane = lane
        self._monotonic = monotonic
        self._spares: dict[Room, _Spare] = {}

    async def load(self, slot: Slot) -> tuple[Document, int]:
        """The document of a room that is LOADING, with all that it took, and its size in bytes.

        Raises `DocumentBroken`, and where it broke also as `find_again`.
        """
        room = slot.room
        on_its_way: Sequence[bytes] = ()
        loaded, slot.loaded = slot.loaded, None
        if loaded is None:
            if (document := await self._take_spare(room)) is not None:
                return document, room.size_bytes
            log.warning("document %a is loaded anew: pycrdt failed in it", room.name)
            loaded, on_its_way = await find_again(room, self._store, self._reader)
        return await load_document(loaded, on_its_way, room.guard, self._lane.run)

    async def make(self, slot: Slot) -> None:
        """Have a copy at hand from now on, if there is room for one."""
        room = slot.room
        if len(self._spares) >= MOST or room.size_bytes > MOST_BYTES:
            return
        loaded, _ = await find_again(room, self._store, self._reader)
        document, _ = await load_document(loaded, (), room.guard, self._lane.start)
        if room.state is not State.CLOSED:
            self._spares[room] = _Spare(document, loaded.row.seq, self._monotonic() + KEPT_S)

    def lags(self, room: Room) -> bool:
        """Whether there is a copy that is to `follow`."""
        spare = self._spares.get(room)
        return spare is not None and room.committed_seq - spare.seq >= LAG

    async def follow(self, slot: Slot) -> None:
        """Let the copy take what was committed since."""
        room = slot.room
        spare = self._spares.pop(room)
        missed = room.recent.since(spare.seq)
        if missed is not None:
            spare.seq = room.committed_seq
            await self._lane.start(_take(spare, room, missed))
            self._spares[room] = spare

    def forget_one(self) -> bool:
        """Let go of a copy that nobody needs any more; whether there was one."""
        now_s = self._monotonic()
        for room, spare in self._spares.items():
            if now_s >= spare.until_s or room.state is State.CLOSED:
                del self._spares[room]
                return True
        return False

    async def _take_spare(self, room: Room) -> Document | None:
        spare = self._spares.pop(room, None)
        missed = None if spare is None else room.recent.since(spare.seq)
        if spare is None or missed is None:
            return None
        try:
            await self._lane.run(_take(spare, room, [*missed, *room.uncommitted.updates]))
        except DocumentBroken as error:
            log.warning("document %a: its copy broke, too: %s", room.name, error)
            return None
        log.warning("document %a goes on with another copy: pycrdt failed in it", room.name)
        return spare.document


def _take(spare: _Spare, room: Room, updates: Sequence[bytes]) -> Steps[None]:
    return room.guard.read_in_steps(spare.document.load(EMPTY_UPDATE, updates))
