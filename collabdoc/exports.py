"""Content as it is committed, in the formats that people read.

The document is loaded once its turn has come: those that wait for the helper are not in memory meanwhile.
"""

import asyncio
from collections.abc import Callable

from collabdoc.document import EMPTY_UPDATE
from collabdoc.errors import NoSuchDocument, Restarting
from collabdoc.helper import Helper
from collabdoc.reader import Reader
from collabdoc.store.base import Store


class Exports:
    """One at a time."""

    def __init__(self, store: Store, reader: Reader, helper: Helper, is_draining: Callable[[], bool]) -> None:
        self._store = store
        self._reader = reader
        self._helper = helper
        self._is_draining = is_draining
        self._one = asyncio.Lock()

    async def make(self, name: str, format_: str) -> bytes:
        """Raises `NoSuchDocument`, `HelperError`, `StoreError`, `Restarting`."""
        async with self._one:
            if self._is_draining():
                raise Restarting("the server is restarting")
            loaded = await self._reader.call(lambda: self._store.load(name))
            if loaded is None:
                raise NoSuchDocument("there is no such document")
            updates = [entry.update for entry in loaded.tail]
            return await self._helper.export(loaded.snapshot or EMPTY_UPDATE, updates, format_)
