"""The newest committed entries of a document's log, for clients that come back."""

from collections import deque
from collections.abc import Collection, Iterable


class Recent:
    """The updates of log entries without a gap, up to the last committed one; the oldest give way to the newest."""

    __slots__ = ("_bytes", "_max_bytes", "_max_entries", "_updates", "first")

    def __init__(self, updates: Iterable[bytes], last_seq: int, *, max_entries: int, max_bytes: int) -> None:
        self._updates: deque[bytes] = deque()
        self._bytes = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        kept = list(updates)
        self.first = last_seq - len(kept) + 1
        self.extend(kept)

    def extend(self, updates: Collection[bytes]) -> None:
        self._updates.extend(updates)
        self._bytes += sum(map(len, updates))
        while self._bytes > self._max_bytes or len(self._updates) > self._max_entries:
            self._bytes -= len(self._updates.popleft())
            self.first += 1

    def since(self, seq: int) -> list[bytes] | None:
        """The entries after `seq`; None where they are no longer, or not yet, here."""
        skip = seq + 1 - self.first
        if not 0 <= skip <= len(self._updates):
            return None
        return list(self._updates)[skip:]
