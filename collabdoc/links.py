"""Share links: whoever has one may open one document, in one role, until it ends or is taken back.

1. The token of a link is shown once, to its maker; the store keeps a hash of its secret, which has 192 random bits.
2. A link lives no longer than its document: one that is made anew under the same name is not shared.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from collabdoc.auth import Permission
from collabdoc.config import Limits
from collabdoc.errors import Malformed, NoSuchDocument, NotAllowed, RateLimited
from collabdoc.reader import Reader
from collabdoc.store.base import LinkRow, Store
from collabdoc.writer import Writer

MAX_FOLLOWED = 20
"""Links that one client may show at a time: the last are looked at, and a browser keeps no more."""
MAX_LABEL_CHARACTERS = 100
MAX_DAYS = 10_000
_TOKEN = re.compile(r"cds_([0-9a-f]{16})_([A-Za-z0-9_-]{32})")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new link is to allow, to whom (a label for people), made by whom, and for how long."""

    permission: Permission
    label: str
    created_by: str
    lasts_s: float | None


class Links:
    """Makes, finds and takes back share links."""

    def __init__(
        self, store: Store, reader: Reader, writer: Writer, limits: Limits, *, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._now_ms = now_ms

    async def make(self, document: str, wish: Wish) -> tuple[LinkRow, str]:
        """A new link and its token. Raises `NoSuchDocument`, `NotAllowed`, `RateLimited`, `Malformed`, `StoreError`."""
        if wish.permission > Permission.WRITE:
            raise NotAllowed("a link may let people read, comment or write, not administer")
        if wish.lasts_s is not None and not 0 < wish.lasts_s <= MAX_DAYS * 86_400:
            raise Malformed(f"a link lasts {wish.lasts_s:g} s, expected more than 0 and at most {MAX_DAYS} days")
        if len(wish.label) > MAX_LABEL_CHARACTERS or not wish.label.isprintable():
            raise Malformed(f"the label of a link is not one line of at most {MAX_LABEL_CHARACTERS} characters")
        if len(await self.of(document)) >= self._limits.links_per_document:
            raise RateLimited(f"a document has at most {self._limits.links_per_document} links: take some back first")
        link_id, secret = secrets.token_hex(8), secrets.token_urlsafe(24)
        now_ms = self._now_ms()
        expires_ms = None if wish.lasts_s is None else now_ms + int(wish.lasts_s * 1000)
        row = LinkRow(
            *(link_id, document, _hash(secret), int(wish.permission), wish.label, wish.created_by, now_ms, expires_ms)
        )
        if not await self._writer.call(lambda: self._store.put_link(row)):
            raise NoSuchDocument(f"there is no document {document!r}")
        return row, join_token(link_id, secret)

    async def of(self, document: str) -> list[LinkRow]:
        """The links of a document that have not ended, newest first."""
        return [row for row in await self._reader.call(lambda: self._store.links(document)) if not self._is_over(row)]

    async def count(self, documents: Sequence[str]) -> dict[str, int]:
        """How many links that have not ended each document has, where it has any."""
        now_ms = self._now_ms()
        return await self._reader.call(lambda: self._store.count_links(documents, now_ms=now_ms))

    async def revoke(self, document: str, link_id: str) -> bool:
        """False where the document has no such link."""
        return await self._writer.call(lambda: self._store.delete_link(document, link_id))

    async def find(self, tokens: Sequence[str]) -> list[LinkRow]:
        """The links that these tokens open: genuine ones, not ended, not taken back."""
        secret_of = dict(parts for token in tokens[-MAX_FOLLOWED:] if (parts := split_token(token)))
        if not secret_of:
            return []
        rows = await self._reader.call(lambda: self._store.find_links(list(secret_of)))
        return [
            row
            for row in rows
            if hmac.compare_digest(row.secret_hash, _hash(secret_of[row.id])) and not self._is_over(row)
        ]

    def _is_over(self, row: LinkRow) -> bool:
        return row.expires_ms is not None and row.expires_ms <= self._now_ms()


def split_token(token: str) -> tuple[str, str] | None:
    """The id and the secret in the token of a link; None where it is no such token."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else (match[1], match[2])


def join_token(link_id: str, secret: str) -> str:
    return f"cds_{link_id}_{secret}"


def _hash(secret: str) -> bytes:
    # No salt and no stretching: the secret is random, not a person's choice.
    return hashlib.sha256(secret.encode()).digest()
