"""Snapshots: what a document became, in place of the log that made it.

They are made from what is committed, in the helper process; the live document is not touched by it.
"""

import logging

from collabdoc.config import Limits
from collabdoc.document import EMPTY_UPDATE
from collabdoc.helper import Helper
from collabdoc.reader import Reader
from collabdoc.store.base import Loaded, Snapshot, Store
from collabdoc.writer import Writer

log = logging.getLogger(__name__)

_ENTRY_AS_BYTES = 250
"""A letter in the log takes 8 us to load, twice as long as so many bytes of a snapshot."""
_LOG_SHARE = 4
"""The log is at most this part of what is stored, where `snapshot_bytes` are less."""


def is_due(limits: Limits, log_updates: int, log_bytes: int, size_bytes: int) -> bool:
    """Whether a document of `size_bytes`, log included, is to have a snapshot.

    The log of a large one may grow until it takes twice as long to load as the snapshot before it: to make another for
    every 2,000 letters in 10 MB of text cost three times as much as the letters.
    """
    return log_updates >= max(limits.snapshot_updates, size_bytes // _ENTRY_AS_BYTES) or log_bytes >= max(
        limits.snapshot_bytes, size_bytes // _LOG_SHARE
    )


class Snapshots:
    """Makes them, one document at a time."""

    def __init__(self, store: Store, reader: Reader, writer: Writer, helper: Helper, limits: Limits) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._helper = helper
        self._limits = limits

    async def find(self, document: str, epoch: str) -> Loaded | None:
        """What a snapshot would be made of; None where that life has ended or nothing was written since the last."""
        loaded = await self._reader.call(lambda: self._store.load(document))
        return None if loaded is None or loaded.row.epoch != epoch or not loaded.tail else loaded

    async def make(self, loaded: Loaded) -> int:
        """Put a snapshot in the place of the one before and of the log after it; its size in bytes.

        Raises `HelperError`, `StoreError`; the log is then as it was.
        """
        row = loaded.row
        payload = await self._helper.compact(loaded.snapshot or EMPTY_UPDATE, [entry.update for entry in loaded.tail])
        snapshot = Snapshot(row.name, row.epoch, row.seq, payload)
        keep_entries, keep_bytes = self._limits.resume_entries, self._limits.resume_bytes
        await self._writer.call(
            lambda: self._store.put_snapshot(snapshot, keep_entries=keep_entries, keep_bytes=keep_bytes)
        )
        log.debug("document %a: snapshot of %d bytes up to %d", row.name, len(payload), row.seq)
        return len(payload)
