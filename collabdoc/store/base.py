"""The Store interface.

1. A Store's methods block. Those that write are called from one thread, one at a time; those that read from another.
2. What `append` took is committed to durable storage when it returns, all of it or nothing.
3. Not found is an answer (`None`); could not look is a `StoreError`; damage is `StoreDamaged`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Append(NamedTuple):
    """Updates of one document, in order; title and kind where they changed. A tuple, for each edit makes one."""

    document: str
    updates: Sequence[bytes]
    meta: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """What is known of a document without loading it. Times are Unix milliseconds; `kind` may be empty.

    A damaged one is in lists alone, with its name as far as it can be read.
    """

    name: str
    epoch: str
    title: str
    kind: str
    seq: int
    created_ms: int
    changed_ms: int
    is_damaged: bool = False


class Entry(NamedTuple):
    """One update of the log. A tuple, for there may be many."""

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


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A share link. `secret_hash` is what the store keeps of its secret; `expires_ms` is None where it does not end."""

    id: str
    document: str
    secret_hash: bytes
    permission: int
    label: str
    created_by: str
    created_ms: int
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class RevocationRow:
    """Tokens that count no longer: of a user (`kind` "user") or with an id ("token"), made up to a time."""

    kind: str
    value: str
    before_s: float


class Store(Protocol):
    """What a room's writer, the lists of documents and their share links need."""

    # Writing

    def append(self, appends: Sequence[Append]) -> list[int | None]:
        """Commit these updates; the sequence number of the last update of each append.

        None where there is no such document, or what is stored of it is damaged: nothing of that append was taken, and
        the others were.
        """

    def create(self, document: str, *, title: str = "", kind: str = "") -> tuple[DocumentRow, bool]:
        """The document's row, and whether this call made it."""

    def delete(self, document: str) -> bool:
        """End this life of the document; False where there was none."""

    def put_snapshot(self, snapshot: Snapshot, *, keep_entries: int, keep_bytes: int) -> bool:
        """Replace the snapshot and trim the log in one transaction; False where that life of the document has ended.

        Of the entries that it stands for the newest stay, at most `keep_entries` and `keep_bytes`, for clients that
        come back.
        """

    def put_link(self, link: LinkRow) -> bool:
        """Keep a share link as long as its document lives; False where there is no such document.

        The document's links that have ended when this one is made go, so that they do not pile up.
        """

    def delete_link(self, document: str, link_id: str) -> bool:
        """False where the document has no such link."""

    def put_revocation(self, revocation: RevocationRow) -> None:
        """Keep a revocation; a later one of the same user or token takes the place of an earlier."""

    def check_writable(self) -> None:
        """Raise the `StoreError` that a commit would meet."""

    # Reading

    def load(self, document: str) -> Loaded | None: ...

    def get(self, document: str) -> DocumentRow | None: ...

    def list(self, *, query: str, limit: int, offset: int) -> tuple[list[DocumentRow], int]:
        """Documents whose title or name holds `query`, most recently changed first, and how many there are."""

    def links(self, document: str) -> Sequence[LinkRow]:
        """A document's share links, newest first, those that have ended included."""

    def find_links(self, link_ids: Sequence[str]) -> Sequence[LinkRow]:
        """The share links with these ids, in any order; unknown ids are left out."""

    def count_links(self, documents: Sequence[str], *, now_ms: int) -> dict[str, int]:
        """How many share links each document has that have not ended; documents without one are left out."""

    def revocations(self) -> Sequence[RevocationRow]: ...

    def close(self) -> None: ...
