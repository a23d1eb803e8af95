"""A document out of what the store has of it: first its room, and behind what that can tell already the rest."""

from collections.abc import Callable

from collabdoc.config import Limits
from collabdoc.document import AT_ONCE_BYTES, EMPTY_UPDATE, Document
from collabdoc.guard import Guard
from collabdoc.lane import Lane
from collabdoc.openings import AtRest
from collabdoc.room import Room
from collabdoc.store.base import Loaded


def make_room(loaded: Loaded, guard: Guard, limits: Limits, *, server: str, refusal: Callable[[], str | None]) -> Room:
    """The document's room, which is to `reload` it."""
    return Room(
        loaded.row.name,
        loaded.row.epoch,
        None,
        _at_rest(loaded),
        seq=loaded.row.seq,
        recent=[entry.update for entry in (*loaded.covered, *loaded.tail)],
        size_bytes=0,
        limits=limits,
        guard=guard,
        server=server,
        refusal=refusal,
    )


async def load_document(loaded: Loaded, guard: Guard, lane: Lane) -> tuple[Document, int]:
    """The document and its size in bytes, over several turns of the loop where that is much."""
    snapshot = loaded.snapshot or EMPTY_UPDATE
    updates = [entry.update for entry in loaded.tail]
    document = Document()
    await lane.run(guard.read_in_steps(document.load(snapshot, updates)))
    return document, len(snapshot) + sum(map(len, updates))


def _at_rest(loaded: Loaded) -> AtRest | None:
    """None where something was written since the snapshot.

    Also where that is large: to find the state vector of 4 million pieces would hold everybody up for 0.5 s.
    """
    snapshot = loaded.snapshot or EMPTY_UPDATE
    return None if loaded.tail or len(snapshot) > AT_ONCE_BYTES else AtRest(snapshot)
