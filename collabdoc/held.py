"""Edits that wait until their document can take them, within a bound: each author's in their order, authors in turn.

Else who sends many edits that take long would have all of them taken before anybody else's first one.
"""

from collections import deque
from dataclasses import dataclass, field

from collabdoc.protocol.messages import Update
from collabdoc.session import Session


@dataclass(slots=True)
class _Queue:
    updates: deque[Update] = field(default_factory=deque)
    bytes_behind: int = 0
    """Of all but the first, which may have any size."""


class Held:
    """Of one document."""

    __slots__ = ("_bytes", "_max_bytes", "_max_bytes_behind", "_order", "_queues")

    def __init__(self, *, max_bytes: int, max_bytes_behind: int) -> None:
        """All together have at most `max_bytes`, those of one author at most `max_bytes_behind` after the first."""
        self._max_bytes = max_bytes
        self._max_bytes_behind = max_bytes_behind
        self._queues: dict[Session, _Queue] = {}
        self._order: deque[Session] = deque()
        self._bytes = 0

    def __contains__(self, session: Session) -> bool:
        """Whether anything of its author waits."""
        return session in self._queues

    def put(self, session: Session, update: Update) -> bool:
        """False where there is no place for it."""
        size = len(update.update)
        queue = self._queues.get(session)
        if self._bytes + size > self._max_bytes:
            return False
        if queue is None:
            queue = self._queues[session] = _Queue()
            self._order.append(session)
        elif queue.bytes_behind + size > self._max_bytes_behind:
            return False
        else:
            queue.bytes_behind += size
        queue.updates.append(update)
        self._bytes += size
        return True

    def is_much(self, session: Session) -> bool:
        """Whether so much of its author waits that no more should be heard of it before some is taken."""
        queue = self._queues.get(session)
        return queue is not None and len(queue.updates[0].update) + queue.bytes_behind > self._max_bytes_behind // 2

    def first(self) -> tuple[Session, Update] | None:
        """The one whose turn it is; it waits until it is dropped."""
        if not self._order:
            return None
        session = self._order[0]
        return session, self._queues[session].updates[0]

    def drop_first(self) -> None:
        session = self._order.popleft()
        queue = self._queues[session]
        self._bytes -= len(queue.updates.popleft().update)
        if queue.updates:
            queue.bytes_behind -= len(queue.updates[0].update)
            self._order.append(session)
        else:
            del self._queues[session]

    def take_all(self) -> list[tuple[Session, Update]]:
        taken = []
        while first := self.first():
            taken.append(first)
            self.drop_first()
        return taken
