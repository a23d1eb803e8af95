"""Edits that wait until their document can take them, in their order and within a bound."""

from collections import deque

from collabdoc.protocol.messages import Update
from collabdoc.session import Session


class Held:
    """Of one document."""

    __slots__ = ("_bytes", "_max_bytes", "_waiting")

    def __init__(self, max_bytes: int) -> None:
        """What is put where nothing waits may have more."""
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[Session, Update]] = deque()
        self._bytes = 0

    def put(self, session: Session, message: Update) -> bool:
        """False where there is no place for it."""
        size = self._bytes + len(message.update)
        if self._waiting and size > self._max_bytes:
            return False
        self._waiting.append((session, message))
        self._bytes = size
        return True

    def take(self) -> tuple[Session, Update] | None:
        """The next one; None where nothing waits."""
        if not self._waiting:
            return None
        session, message = self._waiting.popleft()
        self._bytes -= len(message.update)
        return session, message

    def take_all(self) -> list[tuple[Session, Update]]:
        taken, self._bytes = list(self._waiting), 0
        self._waiting.clear()
        return taken
