"""Documents that are opened while they lie in the store: who can be told at once, who waits, and what a load that fails
costs.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from collabdoc import document, openings
from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.document import EMPTY_UPDATE, Document, compact
from collabdoc.errors import DocumentBroken, Restarting, Unreadable
from collabdoc.life import State
from collabdoc.openings import NOTHING
from collabdoc.protocol.messages import DEFLATE, Awareness, Closed, Open, Opened, Saved, Update, Updates
from collabdoc.protocol.native import decode_server, encode_server
from collabdoc.room import Room
from collabdoc.session import Outgoing, Session
from collabdoc.steps import Steps
from collabdoc.store.base import Append, Snapshot
from tests.server.wire import text_of, typed
from tests.test_rooms import House, house

pytestmark = pytest.mark.gen_test(timeout=20)

LOG = (typed("one ", 1), typed("two ", 2))
SNAPSHOT = compact(EMPTY_UPDATE, LOG)


def store(built: House, snapshot: bytes | None = SNAPSHOT, tail: Sequence[bytes] = ()) -> str:
    """Document `a`; its epoch."""
    row, _ = built.store.create("a")
    built.store.append([Append("a", LOG)])
    if snapshot is not None:
        built.store.put_snapshot(Snapshot("a", row.epoch, len(LOG), snapshot), keep_entries=9, keep_bytes=999)
    if tail:
        built.store.append([Append("a", tail)])
    return row.epoch


async def opens(built: House, opening: Open | None = None) -> Session:
    """As a socket does. What the session can be told at the end of this turn is what `take` gives now."""
    opening = opening or Open(1, "a", NOTHING)
    room = await built.rooms.open(opening.document, create=True)
    session = Session(1, Credentials(), Grant(User(), Permission.WRITE), built, max_bytes=10_000)
    room.join(session, opening)
    built.rooms.schedule(room)
    return session


async def hears(session: Session) -> list[Outgoing]:
    """What it is told next."""
    while not (said := session.take()):
        await asyncio.sleep(0)
    return said


async def loads(session: Session) -> Room:
    assert session.room is not None
    while session.room.state is State.LOADING:
        await asyncio.sleep(0)
    return session.room


def fail_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: Document, snapshot: bytes, tail: Sequence[bytes]) -> Steps[None]:
        if snapshot != EMPTY_UPDATE:
            raise DocumentBroken("a panic")
        yield

    monkeypatch.setattr(Document, "load", load)


def opened(said: Sequence[Outgoing]) -> Opened:
    assert len(said) == 1
    assert isinstance(said[0], Opened)
    return said[0]


async def test_who_has_nothing_is_told_a_snapshot_before_it_is_loaded(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        epoch = store(built)
        session = await opens(built)
        told = opened(session.take())
        assert session.room is not None
        assert session.room.state is State.LOADING
        whole = Document(SNAPSHOT)
        assert (told.update, told.state_vector) == (SNAPSHOT, whole.state_vector())
        assert (told.epoch, told.seq, told.resumed, told.mode) == (epoch, 2, False, "write")
        room = await loads(session)
        assert room.state is State.ACTIVE
        assert room.clocks == whole.clocks
        later = opened((await opens(built)).take())
        assert (later.update, later.state_vector) == (told.update, told.state_vector)


async def test_what_it_is_told_then_is_what_it_would_be_told_of_the_document(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        store(built)
        at_rest = opened((session := await opens(built)).take())
        room = await loads(session)
        room.openings.forget()
        assert opened((await opens(built)).take()) == at_rest


async def test_what_it_is_told_then_is_deflated_where_it_takes_that(tmp_path: Path) -> None:
    async with house(tmp_path, deflate_least_bytes=1) as built:
        store(built)
        told = opened((await opens(built, Open(1, "a", NOTHING, accepts=DEFLATE))).take())
        assert told.encoding == DEFLATE
        decoded = decode_server(encode_server(told))
        assert isinstance(decoded, Opened)
        assert decoded.update == SNAPSHOT


@pytest.mark.parametrize("snapshot", [SNAPSHOT, None])
async def test_where_something_was_written_since_the_snapshot_one_waits(tmp_path: Path, snapshot: bytes | None) -> None:
    async with house(tmp_path) as built:
        store(built, snapshot, [typed("three ", 3)])
        session = await opens(built)
        assert session.take() == []
        told = opened(await hears(session))
        assert sorted(text_of(told.update).split()) == ["one", "three", "two"]
        assert told.seq == 3


async def test_a_large_snapshot_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for most, waits in ((len(SNAPSHOT), False), (len(SNAPSHOT) - 1, True)):
        monkeypatch.setattr("collabdoc.loading.AT_ONCE_BYTES", most)
        async with house(tmp_path / str(most)) as built:
            store(built)
            session = await opens(built)
            said = session.take()
            assert (said == []) is waits
            assert opened(said or await hears(session)).update == SNAPSHOT


async def test_a_document_that_was_made_just_now_is_empty_at_once(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        told = opened((await opens(built)).take())
        assert (told.update, told.state_vector, told.seq) == (EMPTY_UPDATE, NOTHING, 0)


async def test_who_has_something_waits_for_the_difference(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        store(built)
        session = await opens(built, Open(1, "a", Document(LOG[0]).state_vector()))
        assert session.take() == []
        told = opened(await hears(session))
        assert text_of(LOG[0], told.update) == text_of(SNAPSHOT)
        assert len(told.update) < len(SNAPSHOT)


async def test_who_comes_back_with_a_watermark_waits_for_the_log_after_it(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        epoch = store(built)
        session = await opens(built, Open(1, "a", Document(LOG[0]).state_vector(), None, epoch, 1))
        assert session.take() == []
        told = opened(await hears(session))
        assert (told.resumed, told.seq, told.update) == (True, 2, LOG[1])


async def test_who_has_a_copy_of_another_life_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        store(built)
        (closed,) = (await opens(built, Open(1, "a", NOTHING, None, "another life", 1))).take()
        assert isinstance(closed, Closed)
        assert closed.code == 4409


async def test_those_who_come_together_are_told_what_was_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[bytes] = []

    def read_state(snapshot: bytes) -> bytes:
        reads.append(snapshot)
        return document.read_state(snapshot)

    monkeypatch.setattr(openings, "read_state", read_state)
    async with house(tmp_path) as built:
        store(built)

        async def is_told() -> bytes:
            return opened((await opens(built)).take()).update

        told = await asyncio.gather(is_told(), is_told(), is_told())
        assert len(set(map(id, told))) == 1
        assert (told[0], len(reads), built.store.loads) == (SNAPSHOT, 1, 1)


async def test_who_says_later_what_it_has_is_asked_at_once_and_gets_it_at_once_if_that_is_nothing(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as built:
        store(built)
        session = await opens(built, Open(1, "a", None))
        told = opened(session.take())
        assert (told.update, told.state_vector) == (EMPTY_UPDATE, Document(SNAPSHOT).state_vector())
        session.put_difference(NOTHING)
        assert session.take() == [Updates(1, 2, (SNAPSHOT,))]
        other = await opens(built, Open(1, "a", None))
        opened(other.take())
        other.put_difference(Document(LOG[0]).state_vector())
        assert other.take() == []
        (difference,) = await hears(other)
        assert isinstance(difference, Updates)
        assert text_of(LOG[0], *difference.updates) == text_of(SNAPSHOT)


async def test_an_edit_that_comes_before_the_document_is_loaded_is_taken_then(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        store(built)
        author, reader = await opens(built), await opens(built)
        edit = typed("three ", 3)
        built.rooms.receive(author, Update(1, 1, edit))
        opened(author.take())
        assert await hears(author) == [Saved(1, 1)]
        reader_heard = reader.take()
        assert [type(each) for each in reader_heard] == [Opened], "the edit came while it was not open yet"
        assert "three " in text_of(reader_heard[0].update)  # type: ignore[union-attr]  # an Opened
        assert [entry.update for entry in built.loaded("a").tail] == [edit]


async def test_who_was_told_what_is_at_rest_gets_the_edits_after_it(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        store(built)
        author, reader = await opens(built), await opens(built)
        told = [opened(author.take()).update, opened(reader.take()).update]
        built.rooms.receive(author, Update(1, 1, typed("three ", 3)))
        (batch,) = await hears(reader)
        assert sorted(text_of(told[1], *batch.updates).split()) == ["one", "three", "two"]  # type: ignore[union-attr]


async def test_presence_is_told_before_the_document_is_loaded(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        store(built)
        first, second = await opens(built), await opens(built)
        opened(first.take())
        opened(second.take())
        built.rooms.receive(first, Awareness(1, b"\x01\x07\x01\x02{}"))
        assert first.room is not None
        first.room.flush()
        assert first.room.state is State.LOADING
        assert len(second.take()) == 1


async def test_a_load_that_fails_is_told_to_who_was_told_what_is_at_rest_and_to_who_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as built:
        store(built)
        has = Document(LOG[0]).state_vector()
        fail_to_load(monkeypatch)
        newcomer, waiting = await opens(built), await opens(built, Open(1, "a", has))
        built.rooms.receive(newcomer, Update(1, 1, typed("three ", 3)))
        opened(newcomer.take())
        for session in (newcomer, waiting):
            (closed,) = await hears(session)
            assert isinstance(closed, Closed)
            assert closed.code == 4423
        assert built.rooms.count == 0
        with pytest.raises(Unreadable):
            await built.rooms.open("a", create=False)
        assert len(built.loaded("a").tail) == 0


async def test_a_snapshot_that_cannot_be_read_is_told_to_nobody(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        store(built, b"\x01\x01")
        session = await opens(built)
        assert session.take() == []
        (closed,) = await hears(session)
        assert isinstance(closed, Closed)
        assert closed.code == 4423


async def test_an_edit_of_the_servers_own_waits_until_the_document_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as built:
        store(built)
        await built.rooms.edit("a", typed("three ", 3))
        assert len(built.loaded("a").tail) == 1
    async with house(tmp_path / "other") as built:
        store(built)
        fail_to_load(monkeypatch)
        with pytest.raises(Unreadable):
            await built.rooms.edit("a", typed("three ", 3))


async def test_who_leaves_at_once_leaves_a_document_that_leaves_memory(tmp_path: Path) -> None:
    async with house(tmp_path, room_idle_s=30) as built:
        store(built)
        session = await opens(built)
        opened(session.take())
        built.rooms.leave(session)
        while not built.rooms._slots["a"].task:
            await asyncio.sleep(0)
        built.rooms._tick()
        built.now_s = 31
        built.rooms._tick()
        assert built.rooms.count == 1, "it is being loaded"
        await loads(session)
        await built.settles("a")
        for built.now_s in (100, 200):
            built.rooms._tick()
        assert built.rooms.count == 0
        assert opened((await opens(built)).take()).update == SNAPSHOT


async def test_what_nobody_joined_is_not_loaded_and_leaves_memory(tmp_path: Path) -> None:
    async with house(tmp_path, room_idle_s=30) as built:
        store(built)
        room = await built.rooms.open("a", create=False)
        built.now_s = 31
        built.rooms._tick()
        assert (room.state, built.rooms.count) == (State.CLOSED, 0)


async def test_a_document_that_is_deleted_as_it_is_loaded_is_gone_for_all(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        store(built)
        session = await opens(built)
        opened(session.take())
        assert await built.rooms.delete("a")
        (closed,) = session.take()
        assert isinstance(closed, Closed)
        assert closed.code == 4404
        assert built.store.get("a") is None


async def test_a_server_that_ends_first_closes_who_waits_and_takes_no_edit(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        store(built)
        told, waiting = await opens(built), await opens(built, Open(1, "a", Document(LOG[0]).state_vector()))
        opened(told.take())
        await built.rooms.drain()
        (closed,) = waiting.take()
        assert isinstance(closed, Closed)
        assert closed.code == 1013
        told.put_difference(Document(LOG[0]).state_vector())
        built.rooms.receive(told, Update(1, 1, typed("three ", 3)))
        assert told.take() == [], "the document is not there to be read"
        with pytest.raises(Restarting):
            await built.rooms.open("a", create=False)
        await built.rooms.snapshot_all()
        assert (len(built.loaded("a").tail), built.loaded("a").snapshot) == (0, SNAPSHOT)
