"""Tokens that were taken back before their time: all of a user's up to now, or one by its id (claim `jti`)."""

from collections.abc import Callable
from typing import Literal

from collabdoc.config import Limits
from collabdoc.errors import RateLimited
from collabdoc.reader import Reader
from collabdoc.store.base import RevocationRow, Store
from collabdoc.writer import Writer

Kind = Literal["user", "token"]


class Revocations:
    """Kept in memory, since every use of a token asks, and in the store; `load` reads them at the start."""

    def __init__(
        self, store: Store, reader: Reader, writer: Writer, limits: Limits, *, now_s: Callable[[], float]
    ) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._now_s = now_s
        self._before_s: dict[tuple[str, str], float] = {}

    async def load(self) -> None:
        rows = await self._reader.call(self._store.revocations)
        self._before_s = {(row.kind, row.value): row.before_s for row in rows}

    async def add(self, kind: Kind, value: str) -> None:
        """Take back, from now on and for ever. Raises `RateLimited`, `StoreError`."""
        key = (kind, value)
        if key not in self._before_s and len(self._before_s) >= self._limits.revocations:
            raise RateLimited(f"there are {self._limits.revocations} revocations: change the key that signs instead")
        row = RevocationRow(kind, value, self._now_s())
        await self._writer.call(lambda: self._store.put_revocation(row))
        self._before_s[key] = max(row.before_s, self._before_s.get(key, 0.0))

    def covers(self, user: str, token_id: str | None, issued_s: float) -> bool:
        """Whether a token counts no longer; one that does not say when it was made (0) is older than any revocation."""
        if token_id is not None and ("token", token_id) in self._before_s:
            return True
        return issued_s <= self._before_s.get(("user", user), -1.0)
