"""A document out of what the store has of it, over several turns of the loop where that is much."""

from collabdoc.document import EMPTY_UPDATE, Document
from collabdoc.guard import Guard
from collabdoc.lane import Lane
from collabdoc.store.base import Loaded


async def load_document(loaded: Loaded, guard: Guard, lane: Lane) -> tuple[Document, int]:
    """The document and its size in bytes."""
    snapshot = loaded.snapshot or EMPTY_UPDATE
    updates = [entry.update for entry in loaded.tail]
    document = Document()
    await lane.run(guard.read_in_steps(document.load(snapshot, updates)))
    return document, len(snapshot) + sum(map(len, updates))
