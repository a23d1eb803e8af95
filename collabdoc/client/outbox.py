"""The own edits of one document that the server has not SAVED yet.

1. An edit is numbered when it is made, 1, 2, 3 ... for the life of the outbox; an UPDATE when it is taken, for the life
   of a channel.
2. Nothing leaves but by `saved`: a new channel sends everything again that the last one did not confirm. What was
   rejected is not saved by a later SAVED of the same channel, cumulative as that is.
3. What is held is merged, step by step, so that a day offline costs what its edits cost, not what their count does.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from collabdoc.document import merge
from collabdoc.protocol.messages import Update

MERGE_AT = 64


@dataclass(frozen=True, slots=True)
class _Entry:
    update: bytes
    up_to: int
    """The number of the last edit in `update`."""
    level: int = 0
    """How often it was merged."""
    id: int = 0
    """Of the UPDATE that it was sent as, if it was."""


class Outbox:
    def __init__(self) -> None:
        self._made = 0
        self._saved = 0
        self._last_id = 0
        self._rejected_id: int | None = None
        self._unsent: list[_Entry] = []
        self._sent: deque[_Entry] = deque()

    @property
    def unsaved(self) -> int:
        """How many edits are not SAVED, sent or not; what was sent beside them counts as one."""
        return max(self._made - self._saved, min(1, len(self._sent)))

    @property
    def is_unsent(self) -> bool:
        return bool(self._unsent)

    def add(self, update: bytes) -> None:
        """Receive an edit."""
        self._made += 1
        self._unsent.append(_Entry(update, self._made))
        while len(self._unsent) >= MERGE_AT and self._unsent[-MERGE_AT].level == self._unsent[-1].level:
            self._unsent[-MERGE_AT:] = [_merge(self._unsent[-MERGE_AT:])]

    def restart(self) -> None:
        """A new channel is open: its ids begin at 1, and nothing counts as sent."""
        self._unsent = [*(replace(entry, id=0) for entry in self._sent), *self._unsent]
        self._sent.clear()
        self._last_id = 0
        self._rejected_id = None

    def unsaved_update(self) -> bytes | None:
        """Everything that is not SAVED as one update; None where there is nothing."""
        entries = [*self._sent, *self._unsent]
        return _merge(entries).update if entries else None

    def take_all(self, channel: int, update: bytes) -> Update:
        """Send `update`, which holds every edit made so far."""
        self._unsent.clear()
        return self._send(channel, _Entry(update, self._made))

    def take(self, channel: int) -> Update:
        """What was made since the last time, as one UPDATE; not where nothing is unsent."""
        unsent, self._unsent = self._unsent, []
        return self._send(channel, _merge(unsent))

    def rejected(self, id_: int) -> None:
        """The server did not take this UPDATE; it stays here, for a channel that may."""
        self._rejected_id = min(id_, self._rejected_id or id_)

    def saved(self, id_: int) -> None:
        """The server committed every UPDATE up to this one."""
        end = id_ if self._rejected_id is None else min(id_, self._rejected_id - 1)
        while self._sent and self._sent[0].id <= end:
            self._saved = self._sent.popleft().up_to

    def _send(self, channel: int, entry: _Entry) -> Update:
        self._last_id += 1
        self._sent.append(replace(entry, id=self._last_id))
        return Update(channel, self._last_id, entry.update)


def _merge(entries: Sequence[_Entry]) -> _Entry:
    """Merge neighbours; there is at least one."""
    if len(entries) == 1:
        return entries[0]
    return _Entry(merge([entry.update for entry in entries]), entries[-1].up_to, entries[-1].level + 1)
