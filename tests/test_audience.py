"""Who is handed an edit at once, who finds it queued, and what becomes of a frame that was not taken."""

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from collabdoc.audience import _FEW
from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.errors import Overloaded
from collabdoc.fanout import Seat
from collabdoc.protocol.messages import Closed, Open, Opened, Saved, Update
from collabdoc.session import Batch, Delivery, Session
from tests.server.wire import typed
from tests.world import World


@dataclass(eq=False)
class Reader:
    """One client, and its outlet."""

    name: str
    seat: Seat = field(default_factory=Seat)
    sent: list[bytes] = field(default_factory=list)
    kept: list[int | OSError] = field(default_factory=list)
    answer: int | OSError | None = None
    """What the system says to a frame; None where it takes all."""

    def send(self, data: bytes) -> int:
        if isinstance(self.answer, OSError):
            raise self.answer
        if self.answer == -1:
            return -1
        self.sent.append(data)
        return len(data) if self.answer is None else self.answer

    def keep(self, data: bytes, sent: int | OSError) -> None:
        self.kept.append(sent)

    def wake(self, session: Session) -> None: ...

    def hold_back(self) -> None: ...


class Hall:
    """A room with its audience. A frame tells which of a batch's edits are in it; `made` counts frames."""

    def __init__(self) -> None:
        self.room = World().room
        self.readers: dict[Session, Reader] = {}
        self.made = 0

    def join(
        self,
        name: str,
        *,
        shared_by: str = "all",
        frame: Callable[[Session, Batch], bytes] | None = None,
        frame_saved: Callable[[int, int], bytes] | None = None,
    ) -> Session:
        reader = Reader(name)
        delivery = Delivery(reader, frame or self._frame, shared_by, frame_saved)
        session = Session(
            1, Credentials(), Grant(User(), Permission.WRITE), reader, max_bytes=10_000, delivery=delivery
        )
        self.readers[session] = reader
        self.room.join(session, Open(1, "a", b"\x00"))
        assert isinstance(session.take()[0], Opened)
        return session

    def types(self, *authors: Session) -> None:
        for author in authors:
            client_id = 1 + list(self.readers).index(author) + 1000 * author.last_id
            self.room.receive(author, Update(1, author.last_id + 1, typed("a", client_id=client_id)))
        self.room.audience.hand_out(self.room.flush().batch)

    def sent_to(self, session: Session) -> list[bytes]:
        sent, self.readers[session].sent = self.readers[session].sent, []
        return sent

    def _frame(self, session: Session, batch: Batch) -> bytes:
        self.made += 1
        own = batch.own.get(session, [])
        return b"".join(b"%d" % place for place in range(len(batch.updates)) if place not in own)


def test_readers_share_one_frame_and_an_author_gets_no_echo() -> None:
    hall = Hall()
    author, *others = (hall.join(name) for name in ("ana", "ben", "eva", "joe"))
    hall.types(author)
    assert [hall.sent_to(session) for session in (author, *others)] == [[], [b"0"], [b"0"], [b"0"]]
    assert hall.made == 1


def test_each_of_several_authors_gets_what_is_of_the_others() -> None:
    hall = Hall()
    ana, ben, eva = (hall.join(name) for name in ("ana", "ben", "eva"))
    hall.types(ana, ben)
    assert [hall.sent_to(session) for session in (ana, ben, eva)] == [[b"1"], [b"0"], [b"01"]]
    hall.types(eva)
    assert [hall.sent_to(session) for session in (ana, ben, eva)] == [[b"0"], [b"0"], []]


def test_a_frame_is_made_for_each_group_that_shares_one() -> None:
    hall = Hall()
    author = hall.join("ana")
    others = [hall.join("ben"), hall.join("eva", shared_by="another"), hall.join("joe", shared_by="another")]
    hall.types(author)
    assert [hall.sent_to(session) for session in others] == [[b"0"]] * 3
    assert hall.made == 2


@pytest.mark.parametrize("answer", [0, BlockingIOError(), BrokenPipeError()])
def test_an_outlet_hears_of_what_was_not_taken_and_nobody_waits_for_it(answer: int | OSError) -> None:
    hall = Hall()
    ana, ben, eva = (hall.join(name) for name in ("ana", "ben", "eva"))
    hall.readers[ana].answer = hall.readers[ben].answer = answer
    hall.types(ana, ben)
    assert hall.readers[ana].kept == hall.readers[ben].kept == [answer]
    assert hall.sent_to(eva) == [b"01"]


def test_plain_sockets_are_sent_to_in_one_go_and_who_does_not_take_it_keeps_its_frame() -> None:
    hall = Hall()
    author, asked, takes, full, gone, *others = (hall.join(str(number)) for number in range(2 * _FEW))
    pairs = {session: socket.socketpair() for session in (takes, full, gone)}
    try:
        for session, (ours, _) in pairs.items():
            ours.setblocking(False)
            hall.readers[session].seat.descriptor = ours.fileno()
        with contextlib.suppress(BlockingIOError):
            while True:
                pairs[full][0].send(bytes(65_536))
        pairs[gone][1].close()
        hall.types(author)
        assert pairs[takes][1].recv(100) == b"0"
        assert [hall.sent_to(session) for session in (asked, *others)] == [[b"0"]] * (1 + len(others))
        assert isinstance(hall.readers[full].kept[0], BlockingIOError)
        assert isinstance(hall.readers[gone].kept[0], BrokenPipeError)
        assert not any(hall.sent_to(session) for session in pairs), "nobody is sent it twice"
    finally:
        for ours, theirs in pairs.values():
            ours.close()
            theirs.close()


def test_who_is_behind_finds_the_edit_queued_and_later_ones_do_not_overtake_it() -> None:
    hall = Hall()
    ana, ben, eva = (hall.join(name) for name in ("ana", "ben", "eva"))
    hall.readers[ana].answer = hall.readers[ben].answer = -1
    hall.types(ana, ben)
    hall.readers[ana].answer = hall.readers[ben].answer = None
    hall.types(eva)
    assert hall.sent_to(ana) == hall.sent_to(ben) == []
    for session in (ana, ben):
        assert [type(said) for said in session.take()] == [Batch, Batch]
    hall.types(eva)
    assert hall.sent_to(ana) == hall.sent_to(ben) == [b"0"], "what waited was taken"


def test_who_has_left_or_withdrawn_is_handed_nothing() -> None:
    hall = Hall()
    author, gone, ending = (hall.join(name) for name in ("ana", "ben", "eva"))
    hall.room.leave(gone)
    ending.withdraw()
    hall.types(author)
    assert hall.sent_to(gone) == hall.sent_to(ending) == []


def test_who_waits_for_the_document_or_is_closed_is_handed_nothing() -> None:
    hall = Hall()
    author, behind, closed = (hall.join(name) for name in ("ana", "ben", "eva"))
    behind.put_difference(b"\x00")
    closed.close(Overloaded("enough"))
    hall.types(author)
    assert hall.sent_to(behind) == hall.sent_to(closed) == []
    assert [type(said) for said in closed.take()] == [Closed]
    hall.types(author)
    assert hall.sent_to(closed) == []


def _saved(channel: int, update_id: int) -> bytes:
    return b"saved %d" % update_id


def test_an_author_in_whom_nothing_waits_is_told_of_a_commit_at_once() -> None:
    hall = Hall()
    author, other = hall.join("ana", frame_saved=_saved), hall.join("ben", frame_saved=_saved)
    hall.types(author, author)
    assert hall.sent_to(author) == []
    hall.room.committed(2, last_seq=2)
    assert hall.sent_to(author) == [b"saved 2"]
    assert (author.take(), author.is_quiet) == ([], True)
    assert hall.sent_to(other) == [b"01"]


def test_where_edits_are_about_to_leave_or_something_waits_a_commit_is_told_along_with_it() -> None:
    hall = Hall()
    ana, ben = hall.join("ana", frame_saved=_saved), hall.join("ben", frame_saved=_saved)
    hall.types(ana)
    hall.room.receive(ben, Update(1, 1, typed("b", client_id=77)))
    hall.room.committed(1, last_seq=1)
    assert hall.sent_to(ana) == []
    assert Saved(1, 1) in ana.take()
    hall.room.audience.hand_out(hall.room.flush().batch)
    ben.put_everyone()
    hall.room.committed(1, last_seq=2)
    assert hall.sent_to(ben) == [b"0"]
    assert Saved(1, 1) in ben.take()


@pytest.mark.parametrize("answer", [3, 0, BlockingIOError(), BrokenPipeError()])
def test_what_a_peer_does_not_take_of_a_commit_is_its_outlets(answer: int | OSError) -> None:
    hall = Hall()
    author = hall.join("ana", frame_saved=_saved)
    hall.types(author)
    reader = hall.readers[author]
    reader.answer = answer
    hall.room.committed(1, last_seq=1)
    assert reader.kept == [answer]
    assert author.take() == []


def test_an_author_that_is_behind_finds_its_commit_in_its_session() -> None:
    hall = Hall()
    author = hall.join("ana", frame_saved=_saved)
    hall.types(author)
    hall.readers[author].answer = -1
    hall.room.committed(1, last_seq=1)
    assert hall.readers[author].kept == []
    assert author.take() == [Saved(1, 1)]


def test_a_fault_in_a_frame_closes_those_it_was_for_and_nobody_else() -> None:
    def fails(session: Session, batch: Batch) -> bytes:
        raise ValueError("a fault of ours")

    hall = Hall()
    author, ben = hall.join("ana", shared_by="faulty", frame=fails), hall.join("ben")
    eva, joe = (hall.join(name, shared_by="faulty", frame=fails) for name in ("eva", "joe"))
    hall.types(author, ben)
    assert hall.sent_to(ben) == [b"0"]
    assert all(session.closed is not None for session in (author, eva, joe))
    assert ben.closed is None
