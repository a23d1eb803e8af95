"""The registry: loading once, snapshots, leaving memory, deleting, loading anew, and a store that fails."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.config import Limits
from collabdoc.document import EMPTY_UPDATE, Document, compact
from collabdoc.errors import (
    DocumentBroken,
    HelperError,
    NoSuchDocument,
    NotAllowed,
    Overloaded,
    Restarting,
    StoreDamaged,
    StoreError,
    StoreStopped,
    Unreadable,
)
from collabdoc.helper import Helper
from collabdoc.lane import Lane
from collabdoc.life import State
from collabdoc.loading import find_again
from collabdoc.protocol.messages import Closed, Open, Saved, Update
from collabdoc.quarantine import Quarantine
from collabdoc.reader import Reader
from collabdoc.rooms import Rooms
from collabdoc.session import Session
from collabdoc.store.base import Append, Loaded
from collabdoc.store.sqlite import SqliteStore
from collabdoc.turn import Turn
from collabdoc.underway import Underway, Work
from collabdoc.writer import Writer
from tests.limits import bounds
from tests.server.wire import text_of, typed

pytestmark = pytest.mark.gen_test(timeout=20)


class _Helper(Helper):
    """Does the work here, and counts it."""

    def __init__(self) -> None:
        super().__init__(memory_bytes=2**31, timeout_s=5)
        self.compactions = 0
        self.fails = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def compact(self, snapshot: bytes, updates: Sequence[bytes]) -> bytes:
        self.compactions += 1
        await self.gate.wait()
        if self.fails:
            raise HelperError("too much memory")
        return compact(snapshot, updates)

    async def export(self, snapshot: bytes, updates: Sequence[bytes], format_: str) -> bytes:
        await self.gate.wait()
        return text_of(snapshot, *updates).encode()


class _Store(SqliteStore):
    """Counts loads; may be damaged, or full."""

    loads = 0
    is_damaged = False
    stops = False
    refuses_to_append = False
    refuses_to_delete = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gate = threading.Event()
        self.gate.set()

    def append(self, appends: Sequence[Append]) -> list[int | None]:
        self.gate.wait()
        if self.stops:
            raise StoreStopped("the disk did not confirm a write")
        if self.refuses_to_append:
            raise StoreError("the disk is full")
        return super().append(appends)

    def delete(self, document: str) -> bool:
        if self.refuses_to_delete:
            raise StoreError("the disk is full")
        return super().delete(document)

    def load(self, document: str) -> Loaded | None:
        self.loads += 1
        if self.is_damaged:
            raise StoreDamaged("a checksum differs")
        return super().load(document)


class House:
    """Rooms with their surroundings, and a clock that a test turns."""

    rooms: Rooms

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.now_s = 0.0
        self.limits = limits
        self.store = _Store(folder)
        self.helper = _Helper()
        self.quarantine = Quarantine(folder, limits.standstills_per_document)
        self.woken: list[Session] = []

    def wake(self, session: Session) -> None:
        self.woken.append(session)

    def hold_back(self) -> None: ...

    async def join(self, name: str) -> Session:
        room = await self.rooms.open(name, create=True)
        session = Session(1, Credentials(), Grant(User(), Permission.WRITE), self, max_bytes=10_000)
        room.join(session, Open(1, name, b"\x00"))
        self.rooms.schedule(room)
        while room.state is State.LOADING:
            await asyncio.sleep(0)
        session.take()
        return session

    async def types(self, session: Session, text: str) -> None:
        """Type, and wait until it is saved."""
        id_ = session.last_id + 1
        self.rooms.receive(session, Update(1, id_, typed(text, client_id=id_)))
        while Saved(1, id_) not in session.take():
            await asyncio.sleep(0.001)

    async def settles(self, name: str) -> None:
        """Wait for the document's background work."""
        while (slot := self.rooms._slots.get(name)) and slot.task:
            await asyncio.wait([slot.task])

    def loaded(self, name: str) -> Loaded:
        loaded = SqliteStore.load(self.store, name)
        assert loaded is not None
        return loaded


@asynccontextmanager
async def house(folder: Path, **limits: float) -> AsyncIterator[House]:
    built = House(folder / "data", Limits.model_validate(limits))
    async with (
        Reader() as reader,
        Writer(built.store, built.limits) as writer,
        Rooms(
            built.store,
            reader,
            writer,
            built.helper,
            built.limits,
            server="test",
            turn=Turn(),
            lane=Lane(),
            underway=Underway(built.limits.update_bytes),
            quarantine=built.quarantine,
            monotonic=lambda: built.now_s,
        ) as built.rooms,
    ):
        try:
            yield built
        finally:
            built.store.gate.set()  # for its thread, which is waited for
    built.store.close()


async def test_a_document_is_loaded_once_however_many_ask(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        rooms = await asyncio.gather(*(built.rooms.open("a", create=True) for _ in range(20)))
        assert len(set(map(id, rooms))) == 1
        assert built.store.loads == 2, "one that finds nothing, one after it was made"


async def test_who_may_create_is_not_held_up_by_who_may_not(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        answers = await asyncio.gather(
            built.rooms.open("a", create=False), built.rooms.open("a", create=True), return_exceptions=True
        )
        assert isinstance(answers[0], NoSuchDocument)
        assert not isinstance(answers[1], BaseException)


async def test_a_store_that_cannot_be_read_is_an_error_and_no_empty_document(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        built.store.is_damaged = True
        with pytest.raises(Unreadable, match="operator"):
            await built.rooms.open("a", create=True)
        assert built.store.get("a") is None


async def test_a_damaged_document_is_looked_at_again_after_a_minute(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        built.store.create("a")
        built.store.is_damaged = True
        for _ in range(3):
            with pytest.raises(Unreadable):
                await built.rooms.open("a", create=False)
        assert built.store.loads == 1
        built.store.is_damaged = False
        built.now_s = 60
        assert (await built.rooms.open("a", create=False)).name == "a"


async def test_a_damaged_document_may_be_deleted_and_made_anew(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        built.store.create("a")
        built.store.is_damaged = True
        with pytest.raises(Unreadable):
            await built.rooms.open("a", create=False)
        assert await built.rooms.delete("a")
        built.store.is_damaged = False
        assert await built.rooms.create("a", title="", kind="text")


@pytest.mark.parametrize(("updates", "error"), [((None, None), Unreadable), ((b"1", b"2"), NotAllowed)])
async def test_nothing_is_made_under_a_name_that_is_in_quarantine(
    tmp_path: Path, updates: Sequence[bytes | None], error: type[Exception]
) -> None:
    async with house(tmp_path) as built:
        for number, update in enumerate(updates):
            built.quarantine.put(Work("a", update and typed("bad", client_id=8 + number)))
        built.quarantine.load()
        with pytest.raises(error, match="operator"):
            await built.rooms.create("a", title="", kind="text")
        with pytest.raises(error, match="operator"):
            await built.rooms.open("a", create=True)
        assert built.store.get("a") is None


async def test_a_snapshot_is_made_after_so_many_updates(tmp_path: Path) -> None:
    async with house(tmp_path, snapshot_updates=3, resume_entries=1) as built:
        session = await built.join("a")
        for text in ("a", "b"):
            await built.types(session, text)
        assert built.helper.compactions == 0
        await built.types(session, "c")
        await built.settles("a")
        loaded = built.loaded("a")
        assert (loaded.snapshot_seq, len(loaded.tail), len(loaded.covered)) == (3, 0, 1)
        assert loaded.snapshot is not None
        assert len(text_of(loaded.snapshot)) == 3


async def test_a_snapshot_is_made_after_so_many_bytes(tmp_path: Path) -> None:
    async with house(tmp_path, snapshot_bytes=1_000) as built:
        session = await built.join("a")
        await built.types(session, "x" * 1_001)
        await built.settles("a")
        assert built.loaded("a").snapshot_seq == 1


async def test_the_memory_of_a_log_that_became_a_snapshot_or_was_read_for_an_export_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()
    monkeypatch.setattr("collabdoc.rooms.give_back", lambda: loop.call_soon_threadsafe(given.release))
    async with house(tmp_path, snapshot_updates=1, room_idle_s=0.02) as built:
        session = await built.join("a")
        await given.acquire()  # for the document, which came
        await built.types(session, "a")
        await built.settles("a")
        await given.acquire()
        await built.rooms.export("a", "text")
        await given.acquire()


async def test_a_snapshot_that_fails_leaves_the_log_as_it_is(tmp_path: Path) -> None:
    async with house(tmp_path, snapshot_updates=1) as built:
        built.helper.fails = True
        session = await built.join("a")
        await built.types(session, "a")
        await built.settles("a")
        loaded = built.loaded("a")
        assert (loaded.snapshot, len(loaded.tail)) == (None, 1)
        built.helper.fails = False
        await built.types(session, "b")
        await built.settles("a")
        assert built.loaded("a").snapshot_seq == 2


@bounds("room_idle_s")
async def test_an_idle_document_leaves_memory_with_a_fresh_snapshot(tmp_path: Path) -> None:
    async with house(tmp_path, room_idle_s=30) as built:
        session = await built.join("a")
        await built.types(session, "a")
        built.now_s = 1_000
        built.rooms._tick()
        assert built.rooms.count == 1, "somebody has it open"
        built.rooms.leave(session)
        built.rooms._tick()
        built.now_s += 29
        built.rooms._tick()
        await built.settles("a")
        assert built.helper.compactions == 0
        built.now_s += 2
        built.rooms._tick()
        await built.settles("a")
        built.rooms._tick()
        assert built.rooms.count == 0
        assert built.loaded("a").snapshot_seq == 1
        again = await built.rooms.open("a", create=False)
        assert again.committed_seq == 1


async def test_a_document_that_somebody_has_open_is_looked_at_seldom_until_somebody_comes_or_leaves(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, room_idle_s=60) as built:
        session = await built.join("a")
        slot = built.rooms._slots["a"]
        built.now_s = 10
        built.rooms._tick()
        assert slot.quiet_until_s == 15
        another = await built.join("a")
        assert slot.quiet_until_s == 0, "what they share is let go of by the next second"
        built.rooms._tick()
        for each in (session, another):
            built.rooms.leave(each)
        built.rooms._tick()
        built.now_s = 70
        built.rooms._tick()
        assert built.rooms.count == 0


async def test_a_document_that_was_only_read_leaves_memory_without_a_snapshot(tmp_path: Path) -> None:
    async with house(tmp_path, room_idle_s=60) as built:
        built.rooms.leave(await built.join("a"))
        built.rooms._tick()
        built.now_s = 61
        built.rooms._tick()
        assert built.rooms.count == 0
        assert built.helper.compactions == 0


async def test_a_deleted_document_closes_its_sessions_and_begins_a_new_life(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        session = await built.join("a")
        await built.types(session, "a")
        epoch = built.loaded("a").row.epoch
        assert await built.rooms.delete("a")
        assert isinstance(session.take()[-1], Closed)
        assert not await built.rooms.delete("a")
        room = await built.rooms.open("a", create=True)
        assert room.epoch != epoch
        assert room.committed_seq == 0


async def test_opening_deleting_and_opening_at_once_ends_with_one_room(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        await built.join("a")
        await asyncio.gather(
            *(built.rooms.delete("a") if n % 3 == 0 else built.rooms.open("a", create=True) for n in range(12)),
            return_exceptions=True,
        )
        room = await built.rooms.open("a", create=True)
        assert room.epoch == built.loaded("a").row.epoch


async def test_a_snapshot_of_a_life_that_ended_is_not_put_into_the_next(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        session = await built.join("a")
        await built.types(session, "old")
        slot = built.rooms._slots["a"]
        await built.rooms.delete("a")
        await built.join("a")
        await built.rooms._snapshot(slot)
        assert built.loaded("a").snapshot is None


async def test_an_edit_in_the_same_turn_as_a_deletion_does_not_end_all_writing(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        session = await built.join("a")
        deleting = asyncio.ensure_future(built.rooms.delete("a"))
        await asyncio.sleep(0)
        built.rooms.receive(session, Update(1, 1, typed("too late")))
        assert await deleting
        await built.types(await built.join("b"), "b")


async def test_a_document_whose_row_is_gone_is_refused_and_others_are_saved(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        lost, fine = await built.join("lost"), await built.join("fine")
        await built.types(lost, "a")
        built.store._writer.execute("PRAGMA foreign_keys = OFF")
        built.store._writer.execute("DELETE FROM document WHERE name = 'lost'")
        built.rooms.receive(lost, Update(1, 2, typed("b", client_id=2)))
        await built.types(fine, "c")
        assert isinstance(lost.closed, Unreadable)
        built.now_s = 1_000_000
        for _ in range(2):
            with pytest.raises(Unreadable):
                await built.rooms.open("lost", create=True)
            with pytest.raises(Unreadable):
                await built.rooms.create("lost", title="", kind="text")
        assert built.store.get("lost") is None
        await built.types(fine, "d")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("UPDATE document SET seq = 0 WHERE name = 'bad'", id="a row that says less than the log holds"),
        pytest.param("UPDATE document SET epoch = CAST(x'ff' AS TEXT) WHERE name = 'bad'", id="text that is none"),
    ],
)
async def test_a_document_that_cannot_be_written_holds_up_no_other(tmp_path: Path, damage: str) -> None:
    async with house(tmp_path) as built:
        bad, fine = await built.join("bad"), await built.join("fine")
        await built.types(bad, "a")
        await built.types(fine, "a")
        built.store._writer.execute(damage)
        built.rooms.receive(bad, Update(1, 2, typed("b", client_id=2)))
        await built.types(fine, "b")
        assert isinstance(bad.closed, Unreadable)
        assert len(built.loaded("fine").tail) == 2
        assert built.rooms._writer.refusal() is None


async def test_who_waits_for_a_commit_that_never_comes_is_told_once(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        waits, reads = await built.join("a"), await built.join("b")
        built.store.stops = True
        built.rooms.receive(waits, Update(1, 1, typed("x")))
        while not built.rooms._writer.has_ended:
            await asyncio.sleep(0.001)
        built.rooms._tick()
        assert isinstance(waits.closed, Overloaded)
        assert "did not confirm" in waits.closed.reason
        assert reads.closed is None
        again = await built.join("a")
        built.rooms._tick()
        assert again.closed is None


async def test_a_deletion_that_fails_closes_the_sessions_so_that_they_open_again(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        session = await built.join("a")
        await built.types(session, "a")
        built.store.refuses_to_delete = True
        with pytest.raises(StoreError):
            await built.rooms.delete("a")
        assert session.closed is not None
        assert session.closed.code == 1013
        again = await built.rooms.open("a", create=False)
        assert (again.epoch, again.committed_seq) == (built.loaded("a").row.epoch, 1)


async def test_after_pycrdt_failed_the_room_goes_on_with_what_is_committed(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        session = await built.join("a")
        await built.types(session, "a")
        room = built.rooms._slots["a"].room
        room._break()
        built.rooms.receive(session, Update(1, 2, typed("b", client_id=2)))
        await built.types(session, "c")
        assert built.rooms._slots["a"].room is room
        loaded = built.loaded("a")
        assert sorted(text_of(*(entry.update for entry in loaded.tail))) == ["a", "b", "c"]


async def test_a_room_is_loaded_anew_without_waiting_for_the_disk(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        session = await built.join("a")
        await built.types(session, "a")
        room = built.rooms._slots["a"].room
        built.store.gate.clear()
        for number, text in enumerate("bc", 2):
            built.rooms.receive(session, Update(1, number, typed(text, client_id=number)))
        await asyncio.sleep(0.01)
        room._break()
        built.rooms.schedule(room)
        while room.state is State.LOADING:
            await asyncio.sleep(0)
        assert sorted(text_of(room._document.diff(b"\x00"))) == ["a", "b", "c"]
        assert room.uncommitted
        assert room.size_bytes == len(EMPTY_UPDATE) + 3 * len(typed("a", client_id=1))
        built.store.gate.set()
        await built.types(session, "d")
        assert sorted(text_of(*(entry.update for entry in built.loaded("a").tail))) == ["a", "b", "c", "d"]


async def test_what_came_to_the_store_but_is_not_reported_yet_is_not_loaded_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as built, Reader() as reader:
        session = await built.join("a")
        await built.types(session, "a")
        room, loaded = built.rooms._slots["a"].room, built.loaded("a")
        edits = [typed(text, client_id=number) for number, text in enumerate("bc", 2)]
        for number, edit in enumerate(edits, 2):
            room.receive(session, Update(1, number, edit))
        for came in (0, 1, 2):
            ahead = replace(loaded, row=replace(loaded.row, seq=loaded.row.seq + came))
            monkeypatch.setattr(built.store, "load", lambda _, ahead=ahead: ahead)
            assert await find_again(room, built.store, reader) == (ahead, edits[came:])


async def test_a_room_that_fails_during_a_snapshot_is_loaded_anew_after_it(tmp_path: Path) -> None:
    async with house(tmp_path, snapshot_updates=1) as built:
        built.helper.gate.clear()
        session = await built.join("a")
        await built.types(session, "a")
        room = built.rooms._slots["a"].room
        room._break()
        built.rooms.receive(session, Update(1, 2, typed("b", client_id=2)))
        await asyncio.sleep(0)
        built.helper.gate.set()
        while not any(isinstance(message, Saved) for message in session.take()):
            await asyncio.sleep(0.001)


async def test_a_document_that_fails_whenever_it_is_read_is_not_loaded_over_and_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as built:
        await built.types(await built.join("a"), "a")
        loads = built.store.loads

        def fail(*_: object) -> bytes:
            raise DocumentBroken("a panic")

        monkeypatch.setattr(Document, "diff", fail)
        late = await built.join("a")
        assert late.closed is not None
        assert late.closed.code == 1013
        built.rooms.leave(late)
        await asyncio.sleep(0)
        await built.settles("a")
        for _ in range(10):
            await asyncio.sleep(0)
        assert built.store.loads == loads + 2, "once, and once for a copy"


async def test_a_room_that_cannot_be_loaded_anew_closes_its_sessions(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        session = await built.join("a")
        built.store.is_damaged = True
        room = built.rooms._slots["a"].room
        room._break()
        built.rooms.schedule(room)
        while session.closed is None:
            await asyncio.sleep(0.001)
        assert session.closed.code == 4423
        assert built.rooms.count == 0


async def test_draining_commits_what_was_taken_and_refuses_what_is_new(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        session = await built.join("a")
        session.take()
        built.rooms.receive(session, Update(1, 1, typed("a")))
        await built.rooms.drain()
        assert session.take() == [Saved(1, 1)]
        with pytest.raises(Restarting):
            await built.rooms.open("b", create=True)
        await built.rooms.snapshot_all()
        assert built.loaded("a").snapshot_seq == 1


async def test_a_document_made_by_the_server_has_its_kind_and_title(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        assert await built.rooms.create("a", title="T", kind="text")
        assert await built.rooms.create("a", title="U", kind="text") is None
        row = built.store.get("a")
        assert row is not None
        assert (row.title, row.kind, row.seq) == ("T", "text", 1)


async def test_what_waits_for_a_disk_that_is_full_does_not_wait_without_end(tmp_path: Path) -> None:
    async with house(tmp_path, max_commit_lag_s=0.1) as built:
        session = await built.join("a")
        await built.types(session, "saved")
        built.store.refuses_to_append = True
        built.rooms.receive(session, Update(1, 2, typed("not saved", client_id=2)))
        assert await built.rooms.export("a", "text") == b"saved"
    async with house(tmp_path / "again", max_commit_lag_s=0.1) as built:
        built.store.refuses_to_append = True
        with pytest.raises(Overloaded, match="not saved yet"):
            await built.rooms.create("b", title="", kind="text")


async def test_of_the_contents_that_wait_for_the_helper_one_is_in_memory(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        await built.types(await built.join("a"), "saved")
        loads = built.store.loads
        built.helper.gate.clear()
        exports = [asyncio.ensure_future(built.rooms.export("a", "text")) for _ in range(5)]
        while built.store.loads == loads:
            await asyncio.sleep(0.001)
        for _ in range(20):
            await asyncio.sleep(0.001)  # long enough to load the others, if they were loaded
        assert built.store.loads == loads + 1
        built.helper.gate.set()
        assert await asyncio.gather(*exports) == [b"saved"] * 5


async def test_contents_that_still_wait_when_the_server_stops_are_not_read(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        await built.types(await built.join("a"), "saved")
        built.helper.gate.clear()
        exports = [asyncio.ensure_future(built.rooms.export("a", "text")) for _ in range(2)]
        while not built.rooms._exports._one.locked():
            await asyncio.sleep(0.001)
        await built.rooms.drain()
        built.helper.gate.set()
        assert await exports[0] == b"saved"
        with pytest.raises(Restarting):
            await exports[1]


async def test_a_document_that_broke_in_the_same_turn_as_its_deletion_is_deleted_and_not_loaded(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        session = await built.join("a")
        await built.types(session, "a")
        room = built.rooms._slots["a"].room
        deleting = asyncio.ensure_future(built.rooms.delete("a"))
        await asyncio.sleep(0)
        room._break()
        loads = built.store.loads
        assert await deleting
        assert session.closed is not None
        assert session.closed.code == 4404
        again = await built.rooms.open("a", create=True)
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert built.store.loads == loads + 2, "of the document that was made anew"
        assert built.rooms._slots["a"].room is again


async def test_nothing_is_logged_where_whoever_asked_for_a_document_that_is_not_there_has_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(tmp_path) as built:
        asking = asyncio.ensure_future(built.rooms.open("a", create=False))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        del asking  # and with it all that knew of the loading
        while built.rooms._loading:
            await asyncio.sleep(0.001)
        gc.collect()
        assert caplog.records == []
