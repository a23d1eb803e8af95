"""Who can be handed an edit at once: the sessions of a room in which nothing waits, by the frame that serves them.

1. To hand out an edit costs each of them one call of the system, and nothing that could be done once for all. An outlet
   is once in a group.
2. Who does not take a frame keeps its place in the order: what is left of the frame is its outlet's, and where an
   earlier one is still to be taken, the batch is queued in the session.
3. An author is handed what is of others, in a frame of its own, and told of commits.
"""

import logging
import os
from array import array
from collections.abc import Collection, Hashable, Iterable

from collabdoc.errors import Overloaded
from collabdoc.fanout import send_to_each
from collabdoc.session import Batch, Outlet, Session

log = logging.getLogger(__name__)

_FEW = 6
"""To send to so many takes no longer one by one than to begin the one call that sends to all."""
_TOLD_TOGETHER = 64
"""Frames of authors that are made before any of them is sent: peers get them close together, and the system has less
waking to do. No more, for memory that is used again at once is in the processor's cache."""


class _Group:
    """Those that one frame serves, without an order."""

    __slots__ = ("_places", "seats", "sessions")

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.seats = array("i")
        """Of each session's outlet, which is not looked at before a frame was not taken."""
        self._places: dict[Session, int] = {}

    def add(self, session: Session, outlet: Outlet) -> None:
        self._places[session] = len(self.sessions)
        self.sessions.append(session)
        self.seats.append(outlet.seat.number)

    def remove(self, session: Session) -> None:
        place, last, seat = self._places.pop(session), self.sessions.pop(), self.seats.pop()
        if last is not session:
            self.sessions[place], self.seats[place], self._places[last] = last, seat, place


class Audience:
    """Of one room. A session enters and leaves by itself."""

    __slots__ = ("_groups", "absent")

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Group] = {}
        self.absent: set[Session] = set()
        """The others of the room: what they are to get waits in them."""

    def enter(self, session: Session) -> None:
        self.absent.discard(session)
        self._enter(session)

    def leave(self, session: Session) -> None:
        self.absent.add(session)
        self._leave(session)

    def hand_out(self, batch: Batch) -> None:
        authors = [session for session in batch.own if session.is_quiet]
        if sum([len(group.sessions) for group in self._groups.values()]) <= _FEW:
            self._hand_to_few(batch)
        else:
            self._hand_to_others(authors, batch)
        if len(batch.updates) > 1:  # else there is nothing in it for its author
            for start in range(0, len(authors), _TOLD_TOGETHER):
                made: list[tuple[Session, Outlet, bytes]] = []
                for session in authors[start : start + _TOLD_TOGETHER]:
                    if frame := _make_frame([session], batch):
                        made.append((session, _outlet(session), frame))
                _hand(made, batch)

    def _hand_to_few(self, batch: Batch) -> None:
        """To all but its authors, who are looked for: in a group of two, to leave it and enter again takes longer."""
        made: list[tuple[Session, Outlet, bytes]] = []
        for group in list(self._groups.values()):
            others = [session for session in group.sessions if session not in batch.own]
            if others and (frame := _make_frame(others, batch)):
                made += [(session, _outlet(session), frame) for session in others]
        _hand(made, batch)

    def _hand_to_others(self, authors: Iterable[Session], batch: Batch) -> None:
        for session in authors:
            self._leave(session)
        try:
            for group in list(self._groups.values()):
                if frame := _make_frame(group.sessions, batch):
                    if len(group.sessions) > _FEW:
                        _send_to_all(group, frame, batch)
                    else:
                        _hand([(session, _outlet(session), frame) for session in group.sessions], batch)
        finally:
            for session in authors:
                self._enter(session)

    def _enter(self, session: Session) -> None:
        delivery = session.delivery
        assert delivery is not None
        group = self._groups.get(delivery.shared_by)
        if group is None:
            group = self._groups[delivery.shared_by] = _Group()
        group.add(session, delivery.outlet)

    def _leave(self, session: Session) -> None:
        assert session.delivery is not None
        shared_by = session.delivery.shared_by
        group = self._groups[shared_by]
        group.remove(session)
        if not group.sessions:  # clients number their channels as they like
            del self._groups[shared_by]


def tell_saved(session: Session, update_id: int) -> bool:
    """Tell an author in whom nothing waits of a commit, at once; False where SAVED is to be put into the session.

    It is where edits are about to leave: it goes along with them.
    """
    delivery, room = session.delivery, session.room
    if not session.is_quiet or delivery is None or delivery.frame_saved is None or room is None or room.has_edits:
        return False
    return not _send([(session, delivery.outlet, delivery.frame_saved(session.channel, update_id))])


def _outlet(session: Session) -> Outlet:
    assert session.delivery is not None
    return session.delivery.outlet


def _make_frame(sessions: Collection[Session], batch: Batch) -> bytes:
    """The frame that serves all of these; empty where there is nothing in it for them. A fault closes them."""
    try:
        session = next(iter(sessions))
        assert session.delivery is not None
        return session.delivery.frame(session, batch)
    except Exception:  # is not to cost others an edit, nor these one unnoticed
        log.exception("an edit could not be made a frame")
        for session in list(sessions):
            session.close(Overloaded("the server made a mistake, open the document again"))
        return b""


def _send_to_all(group: _Group, frame: bytes, batch: Batch) -> None:
    untaken = send_to_each(group.seats, frame)
    if not untaken:
        return
    asks: list[tuple[Session, Outlet, bytes]] = []
    for session, took in [(group.sessions[place], took) for place, took in untaken]:
        outlet = _outlet(session)
        if outlet.seat.descriptor < 0:
            asks.append((session, outlet, frame))
        else:
            outlet.keep(frame, took if took >= 0 else OSError(-took, os.strerror(-took)))
    _hand(asks, batch)


def _hand(frames: Iterable[tuple[Session, Outlet, bytes]], batch: Batch) -> None:
    for session in _send(frames):
        session.put_batch(batch)


def _send(frames: Iterable[tuple[Session, Outlet, bytes]]) -> list[Session]:
    """Those whose peers have yet to take what was sent before."""
    behind: list[Session] = []
    # The system's work for one peer leaves nothing of ours in the processor's cache: between two of them there is no
    # more to be done than this.
    for session, outlet, frame in frames:
        try:
            sent = outlet.send(frame)
        except OSError as error:
            outlet.keep(frame, error)
            continue
        if sent < len(frame):
            if sent < 0:
                behind.append(session)
            else:
                outlet.keep(frame, sent)
    return behind
