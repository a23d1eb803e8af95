"""The Store interface.

1. A Store's methods block. Those that write are called from one thread, one at a time; those that read from another.
2. What `append` took is committed to durable storage when it returns, all of it or nothing.
3. Not found is an answer (`None`); could not look is a `StoreError`; damage is `StoreDamaged`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Append:
    """Updates of one document, in order; title and kind where they changed."""

    document: str
    updates: Sequence[bytes]
    meta: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """What is known of a document without loading it. Times are Unix milliseconds; `kind` may be empty."""

    name: str
    epoch: str
    title: str
    kind: str
    seq: int
    created_ms: int
    changed_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One update of the log."""

    seq: int
    update: bytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document as it rests: the snapshot, the entries after it, and entries before it that are still there."""

    row: DocumentRow
    snapshot: bytes | None
    snapshot_seq: int
    tail: Sequence[Entry]
    covered: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One update that stands for all log entries up to `seq`, in this life of the document."""

    document: str
    epoch: str
    seq: int
    payload: bytes


class Store(Protocol):
    """What a room's writer and the lists of documents need."""

    # Writing

    def append(self, appends: Sequence[Append]) -> list[int]:
        """Commit these updates; the sequence number of the last update of each append."""

    def create(self, document: str, *, title: str = "", kind: str = "") -> tuple[DocumentRow, bool]:
        """The document's row, and whether this call made it."""

    def delete(self, document: str) -> bool:
        """End this life of the document; False where there was none."""

    def put_snapshot(self, snapshot: Snapshot, *, keep_entries: int, keep_bytes: int) -> bool:
        """Replace the snapshot and trim the log in one transaction; False where that life of the document has ended.

        Of the entries that it stands for the newest stay, at most `keep_entries` and `keep_bytes`, for clients that
        come back.
        """

    def check_writable(self) -> None:
        """Raise the `StoreError` that a commit would meet."""

    # Reading

    def load(self, document: str) -> Loaded | None: ...

    def get(self, document: str) -> DocumentRow | None: ...

    def list(self, *, query: str, limit: int, offset: int) -> tuple[list[DocumentRow], int]:
        """Documents whose title or name holds `query`, most recently changed first, and how many there are."""

    def close(self) -> None: ...
