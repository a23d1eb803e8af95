"""When rooms hand out: at once where little happens, gathered where much does, and to the writer whatever peers do."""

import asyncio
from collections.abc import Iterable
from typing import cast

import pytest

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.awareness import Entry, encode
from collabdoc.config import Limits
from collabdoc.document import Document
from collabdoc.fanout import Seat
from collabdoc.flushes import Flushes, Slot
from collabdoc.guard import Guard
from collabdoc.lane import Lane
from collabdoc.protocol.messages import Awareness, Open, Update
from collabdoc.room import Room
from collabdoc.session import Announcement, Batch, Delivery, Session
from collabdoc.turn import Turn
from collabdoc.underway import Underway
from collabdoc.writer import Submission, Writer
from tests.limits import bounds
from tests.server.wire import typed

pytestmark = pytest.mark.gen_test(timeout=10)


class Stand:
    """A room that is driven, a clock that stands still, and what was told to whom."""

    def __init__(self, limits: Limits | None = None, *, sessions: int = 2, delivery: Delivery | None = None) -> None:
        limits = limits or Limits()
        self.now_s = 0.0
        self.stored: list[bytes] = []
        self.flushes = Flushes(
            Turn(),
            Lane(monotonic=lambda: self.now_s),
            cast(Writer, self),
            limits,
            committed=lambda *_: None,
            load=lambda _: None,
            monotonic=lambda: self.now_s,
        )
        room = Room(
            "a",
            "e",
            Document(),
            seq=0,
            recent=[],
            size_bytes=0,
            limits=limits,
            guard=Guard("a", limits, Underway(limits.update_bytes), None),
            server="s",
            refusal=lambda: None,
        )
        self.slot = Slot(room, 0, 0)
        self.sessions = [self._join(delivery) for _ in range(sessions)]

    def _join(self, delivery: Delivery | None) -> Session:
        session = Session(1, Credentials(), Grant(User(), Permission.WRITE), self, max_bytes=10_000, delivery=delivery)
        self.slot.room.join(session, Open(1, "a", b"\x00"))
        session.take()
        return session

    def says(self, author: Session, message: Update | Awareness) -> None:
        self.slot.room.receive(author, message)
        self.flushes.schedule(self.slot)

    def types(self, text: str) -> bytes:
        author = self.sessions[0]
        update = typed(text, client_id=author.last_id + 1)
        self.says(author, Update(1, author.last_id + 1, update))
        return update

    def is_present(self, clock: int) -> None:
        self.says(self.sessions[0], Awareness(1, encode([Entry(7, clock, b"{}")])))

    def has_heard(self, kind: type[Batch] | type[Announcement]) -> bool:
        return any(isinstance(said, kind) for said in self.sessions[1].take())

    # What the flushes take it for

    def submit(self, submissions: Iterable[Submission]) -> None:
        self.stored += [update for append, _ in submissions for update in append.updates]

    def wake(self, session: Session) -> None: ...

    def hold_back(self) -> None: ...


class _Broken:
    seat = Seat()

    def send(self, data: bytes) -> int:
        raise RuntimeError("a fault of a socket")

    def keep(self, data: bytes, sent: int | OSError) -> None: ...


async def test_an_edit_gets_to_the_writer_even_where_handing_it_out_fails() -> None:
    stand = Stand(delivery=Delivery(_Broken(), lambda session, batch: b"a frame", "all"))
    update = stand.types("a")
    await asyncio.sleep(0)
    assert stand.stored == [update]


@bounds("batch_ms", "presence_ms")
@pytest.mark.parametrize(("limit_ms", "expected_ms"), [(0.4, 0.4), (0.6, 0.5)])
async def test_a_document_gathers_for_as_long_as_telling_all_takes_within_its_limits(
    limit_ms: float, expected_ms: float
) -> None:
    """50 sessions take 0.5 ms."""
    stand = Stand(Limits(batch_ms=limit_ms, presence_ms=1_000), sessions=50)
    stand.types("a")
    await asyncio.sleep(0)
    stand.types("b")
    assert stand.slot.due_s == pytest.approx(expected_ms / 1000)
    stand = Stand(Limits(batch_ms=1_000, presence_ms=limit_ms), sessions=50)
    stand.is_present(1)
    await asyncio.sleep(0)
    stand.is_present(2)
    assert stand.slot.due_s == pytest.approx(expected_ms / 1000)


async def test_edits_of_a_busy_document_gather_for_batch_ms() -> None:
    stand = Stand(Limits(batch_ms=0.05, presence_ms=1_000), sessions=50)
    first = stand.types("a")
    await asyncio.sleep(0)
    assert stand.stored == [first], "where nothing happened before, it is not waited"
    second, third = stand.types("b"), stand.types("c")
    assert stand.slot.due_s == pytest.approx(0.05 / 1000), "50 sessions would take ten times as long"
    while len(stand.stored) < 3:
        await asyncio.sleep(0.001)
    assert stand.stored == [first, second, third]


async def test_presence_gathers_for_presence_ms_and_edits_take_it_along() -> None:
    stand = Stand(Limits(batch_ms=0.01, presence_ms=0.3), sessions=50)
    stand.is_present(1)
    await asyncio.sleep(0)
    assert stand.has_heard(Announcement)
    stand.is_present(2)
    assert stand.slot.due_s == pytest.approx(0.3 / 1000)
    stand.types("a")
    assert stand.slot.due_s == pytest.approx(0.01 / 1000)
    while not stand.stored:
        await asyncio.sleep(0.001)
    assert stand.has_heard(Announcement)


async def test_a_document_of_few_is_gathered_no_longer_than_telling_them_takes() -> None:
    stand = Stand(sessions=2)
    stand.types("a")
    await asyncio.sleep(0)
    stand.types("b")
    assert stand.slot.due_s == pytest.approx(20e-6)


async def test_what_is_flushed_now_is_with_the_writer_at_once() -> None:
    stand = Stand()
    first = stand.types("a")
    stand.flushes.flush_now(stand.slot)
    assert stand.stored == [first]
    await asyncio.sleep(0)
    assert stand.stored == [first]
