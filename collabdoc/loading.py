"""A document out of what the store has of it, over several turns of the loop where the log is long."""

import asyncio
import time
from collections.abc import Iterator

from collabdoc.document import EMPTY_UPDATE, Document
from collabdoc.guard import Guard
from collabdoc.store.base import Loaded

_STEP_S = 0.005
"""A turn of the loop that a document's loading takes at once."""


async def load_document(loaded: Loaded, guard: Guard) -> tuple[Document, int]:
    """The document and its size in bytes; a long log is loaded over several turns of the loop."""
    snapshot = loaded.snapshot or EMPTY_UPDATE
    updates = [entry.update for entry in loaded.tail]
    document = guard.read(lambda: Document(snapshot))
    steps = document.replay(updates)
    has_more = True
    while has_more:
        has_more = guard.read(lambda: _takes_more(steps))
        await asyncio.sleep(0)
    return document, len(snapshot) + sum(map(len, updates))


def _takes_more(steps: Iterator[None]) -> bool:
    """Take steps for a moment; whether any are left."""
    until_s = time.monotonic() + _STEP_S
    return any(time.monotonic() > until_s for _ in steps)
