"""Second copies of documents in which pycrdt failed: the next failure does not wait for the store."""

import asyncio
from pathlib import Path

import pytest

from collabdoc import spares
from collabdoc.document import EMPTY_UPDATE, Document
from collabdoc.errors import DocumentBroken
from collabdoc.life import State
from collabdoc.protocol.messages import Update
from collabdoc.room import Room
from collabdoc.session import Session
from collabdoc.spares import KEPT_S, LAG, MOST
from collabdoc.steps import Steps
from tests.server.wire import text_of, typed
from tests.test_rooms import House, house

pytestmark = pytest.mark.gen_test(timeout=20)


class Author:
    """Types in document `name`, each letter by a client of its own."""

    def __init__(self, built: House, session: Session) -> None:
        assert session.room is not None
        self.built, self.session, self.room = built, session, session.room
        self.text = ""

    async def types(self, text: str) -> None:
        for letter in text:
            self.text += letter
            edit = typed(letter, client_id=len(self.text))
            self.built.rooms.receive(self.session, Update(1, len(self.text), edit))
        while self.room.has_edits or self.room.uncommitted:
            await asyncio.sleep(0.001)
        await self.built.settles(self.room.name)
        assert self.session.closed is None

    async def breaks(self) -> None:
        """pycrdt fails in the document; returns once that is there again."""
        before = self.room._document
        self.room._break()
        self.built.rooms.schedule(self.room)
        while self.room.state is State.LOADING:
            await asyncio.sleep(0)
        assert self.room._document is not before

    async def breaks_and_has_a_copy(self) -> None:
        await self.breaks()
        await self.built.settles(self.room.name)

    def sees_all(self) -> bool:
        return sorted(text_of(self.room._document.diff(b"\x00"))) == sorted(self.text)


async def joins(built: House, name: str = "a") -> Author:
    return Author(built, await built.join(name))


def copies(built: House) -> dict[Room, Document]:
    return {room: spare.document for room, spare in built.rooms._spares._spares.items()}


async def test_the_second_failure_does_not_wait_for_the_store(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        author = await joins(built)
        await author.types("ab")
        assert not copies(built), "nothing has failed yet"
        for typed_before, typed_since in (("", "cd"), ("e", "f")):
            await author.types(typed_before)
            await author.breaks_and_has_a_copy()
            copy = copies(built)[author.room]
            await author.types(typed_since)
            await author.breaks()
            assert author.room._document is copy
            assert author.sees_all()
            await built.settles("a")
        assert author.room in copies(built), "one is made anew each time"


async def test_what_is_not_committed_yet_is_there_after_the_second_failure(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        author = await joins(built)
        await author.types("a")
        await author.breaks_and_has_a_copy()
        built.store.gate.clear()
        author.text += "b"
        built.rooms.receive(author.session, Update(1, 2, typed("b", client_id=2)))
        await asyncio.sleep(0.01)
        assert author.room.uncommitted
        await author.breaks()
        assert author.sees_all()
        built.store.gate.set()
        await author.types("c")
        assert author.sees_all()
        assert sorted(text_of(*(entry.update for entry in built.loaded("a").tail))) == ["a", "b", "c"]


async def test_a_copy_is_few_edits_behind(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        author = await joins(built)
        await author.types("a")
        await author.breaks_and_has_a_copy()
        await author.types("b" * (LAG - 1))
        assert len(copies(built)[author.room].clocks) == 1
        await author.types("c")
        assert len(copies(built)[author.room].clocks) == LAG + 1
        await author.types("d")
        await author.breaks()
        assert author.sees_all()


async def test_a_copy_that_is_too_far_behind_is_not_used(tmp_path: Path) -> None:
    async with house(tmp_path, resume_entries=2) as built:
        author = await joins(built)
        await author.types("a")
        await author.breaks_and_has_a_copy()
        await author.types("bcd")
        loads = built.store.loads
        await author.breaks()
        assert author.sees_all()
        assert built.store.loads > loads
        await built.settles("a")
        await author.types("e" * LAG)
        assert not copies(built), "nor can it follow"


async def test_a_copy_that_breaks_too_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path) as built:
        author = await joins(built)
        await author.types("a")
        await author.breaks_and_has_a_copy()
        await author.types("b")
        copy, load, loads = copies(built)[author.room], Document.load, built.store.loads

        def fail(self: Document, snapshot: bytes, tail: list[bytes]) -> Steps[None]:
            if self is copy:
                raise DocumentBroken("a panic")
            yield from load(self, snapshot, tail)

        monkeypatch.setattr(Document, "load", fail)
        await author.breaks()
        assert author.sees_all()
        assert built.store.loads > loads


async def test_a_copy_is_let_go_of_after_a_while_and_with_its_room(tmp_path: Path) -> None:
    async with house(tmp_path) as built:
        first, second = await joins(built, "a"), await joins(built, "b")
        for author in (first, second):
            await author.types("a")
            await author.breaks_and_has_a_copy()
        assert await built.rooms.delete("b")
        assert built.rooms._spares.forget_one()
        assert list(copies(built)) == [first.room]
        built.now_s = KEPT_S - 0.001
        assert not built.rooms._spares.forget_one()
        built.now_s = KEPT_S
        assert built.rooms._spares.forget_one()
        assert not copies(built)


async def test_there_are_few_copies_and_none_of_a_large_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as built:
        for number in range(MOST + 1):
            author = await joins(built, f"a/{number}")
            await author.types("a")
            await author.breaks_and_has_a_copy()
        assert len(copies(built)) == MOST
        size = len(EMPTY_UPDATE) + len(typed("a", client_id=1))
        for most, has_copy in ((size - 1, False), (size, True)):
            monkeypatch.setattr(spares, "MOST_BYTES", most)
            built.rooms._spares._spares.clear()
            author = await joins(built, f"b/{most}")
            await author.types("a")
            await author.breaks_and_has_a_copy()
            assert bool(copies(built)) is has_copy
