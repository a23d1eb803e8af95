"""Edits that a room took: on their way to peers, to the log, and back to their authors as SAVED."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from collabdoc.audience import tell_saved
from collabdoc.document import Meta
from collabdoc.protocol.update import UpdateInfo
from collabdoc.session import Batch, Session


@dataclass(slots=True)
class Edit:
    """`updates` are of one author and came together; none where nothing in them was new and only SAVED is wanted."""

    updates: Sequence[bytes]
    info: UpdateInfo | None
    session: Session | None
    id: int = 0
    """Of the last of them."""
    done: Callable[[], None] | None = None

    def acknowledge(self) -> None:
        """It is committed, and so is all before it."""
        if self.session is not None:
            if not tell_saved(self.session, self.id):
                self.session.put_saved(self.id)
        elif self.done is not None:
            self.done()


class Uncommitted:
    """Edits on their way to the log, in their order."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[Edit] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def updates(self) -> list[bytes]:
        return [update for edit in self._waiting for update in edit.updates]

    def put(self, edit: Edit, *, is_new: bool) -> None:
        """One with nothing new is committed with those before it."""
        if is_new:
            self._waiting.append(edit)
        elif self._waiting:
            edit.updates = ()
            self._waiting.append(edit)
        else:
            edit.acknowledge()

    def commit(self, count: int) -> list[bytes]:
        """The next `count` updates are on the disk: acknowledge them, to each author the last of its own."""
        waiting = self._waiting
        updates: list[bytes] = []
        last: dict[Session, Edit] = {}
        while count or (waiting and not waiting[0].updates):
            edit = waiting.popleft()
            count -= len(edit.updates)
            updates += edit.updates
            if edit.session is None:
                edit.acknowledge()
            else:
                last[edit.session] = edit
        for edit in last.values():
            edit.acknowledge()
        return updates


class Flush(NamedTuple):
    """What a turn of the room leaves to do: for the store, and for its audience. A tuple, for each edit makes one."""

    meta: Meta | None
    batch: Batch


def make_batch(seq: int, edits: Iterable[Edit]) -> Batch:
    """One batch of edits that are new; `seq` is the last committed entry before them."""
    updates: list[bytes] = []
    infos: list[UpdateInfo] = []
    own: dict[Session, list[int]] = {}
    for edit in edits:
        assert edit.info is not None
        place = len(updates)
        updates += edit.updates
        infos.append(edit.info)
        if edit.session is not None:
            own.setdefault(edit.session, []).extend(range(place, len(updates)))
    return Batch(seq, tuple(updates), infos, own)
