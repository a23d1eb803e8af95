"""A document out of what the store has of it: first its room, and behind what that can tell already the rest."""

from collections.abc import Awaitable, Callable, Sequence

from collabdoc.config import Limits
from collabdoc.document import AT_ONCE_BYTES, EMPTY_UPDATE, Document
from collabdoc.errors import NoSuchDocument
from collabdoc.guard import Guard
from collabdoc.openings import AtRest
from collabdoc.reader import Reader
from collabdoc.room import Room
from collabdoc.steps import Steps
from collabdoc.store.base import Loaded, Store


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


async def find_again(room: Room, store: Store, reader: Reader) -> tuple[Loaded, Sequence[bytes]]:
    """What the store has of a room's document, and what is on its way there: to wait for that took up to 60 ms.

    Meanwhile the room takes nothing. Raises `NoSuchDocument`, and what the store raises.
    """
    seq, on_its_way = room.committed_seq, room.uncommitted.updates
    loaded = await reader.call(lambda: store.load(room.name))
    if loaded is None:
        raise NoSuchDocument("there is no such document")
    return loaded, on_its_way[loaded.row.seq - seq :]  # some may have come there, and were not reported yet


async def load_document(
    loaded: Loaded, on_its_way: Sequence[bytes], guard: Guard, run: Callable[[Steps[None]], Awaitable[None]]
) -> tuple[Document, int]:
    """The document and its size in bytes, over several turns of the loop: `Lane.run`, or `start` if nobody waits."""
    snapshot = loaded.snapshot or EMPTY_UPDATE
    updates = [*(entry.update for entry in loaded.tail), *on_its_way]
    document = Document()
    await run(guard.read_in_steps(document.load(snapshot, updates)))
    return document, len(snapshot) + sum(map(len, updates))


def _at_rest(loaded: Loaded) -> AtRest | None:
    """None where something was written since the snapshot.

    Also where that is large: to find the state vector of 4 million pieces would hold everybody up for 0.5 s.
    """
    snapshot = loaded.snapshot or EMPTY_UPDATE
    return None if loaded.tail or len(snapshot) > AT_ONCE_BYTES else AtRest(snapshot)
