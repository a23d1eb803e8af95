"""A document opened by the program that the server runs in."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from pycrdt import Text

from collabdoc.client import Edit, LiveDocument, Refused, connect
from collabdoc.config import Limits
from collabdoc.errors import StoreError
from collabdoc.protocol.messages import Update
from collabdoc.server import Server
from collabdoc.store.base import Append
from collabdoc.store.sqlite import SqliteStore
from tests.conftest import ServerFactory
from tests.server.wire import Wire, text_of, typed

pytestmark = pytest.mark.gen_test(timeout=30)


async def shows(document: LiveDocument, expected: str) -> None:
    while str(document.text()) != expected:
        await document.changed()


async def test_the_owner_and_a_client_edit_the_same_document(server: Server) -> None:
    async with server.document("a") as own, connect(server.url) as alice:
        hers = await alice.open("a")
        own.text().insert(0, "Grüße")
        await shows(hers, "Grüße")
        hers.text().append(" 😀")
        await shows(own, "Grüße 😀")
        await own.saved()
        await hers.saved()
        assert own.status.kind == "saved"


async def test_a_document_that_clients_get_deflated_is_the_same_here(server: Server) -> None:
    long = "so many words " * 2_000
    async with server.document("a") as own:
        own.text().append(long)
        await own.saved()
    async with server.document("a") as again, connect(server.url) as alice:
        assert str(again.text()) == long
        assert str((await alice.open("a")).text()) == long


async def test_what_is_saved_is_on_the_disk(start_server: ServerFactory, tmp_path: Path) -> None:
    server = await start_server(store=SqliteStore(tmp_path / "own"))
    async with server.document("a") as own:
        with own.doc.transaction():
            own.text().append("one ")
            own.text().append("transaction")
        await own.saved()
        loaded = server.engine._store.load("a")  # type: ignore[union-attr]  # it was given one
        assert loaded is not None
        assert text_of(*(entry.update for entry in loaded.tail)) == "one transaction"
        assert len(loaded.tail) == 1


async def test_subscribers_see_who_did_what_and_nothing_of_their_own(server: Server) -> None:
    heard: list[Edit] = []
    origins: list[object] = []
    async with server.document("a", origin="importer") as importer, server.document("a", origin="index") as index:
        index.observe_edits(heard.append)
        watched = index.doc.get("content", type=Text)
        watched.observe(lambda _, transaction: origins.append(transaction.origin))
        importer.text().append("imported")
        await shows(index, "imported")
        index.text().append("!")
        await index.saved()
        wire = await Wire.connect(server)
        await wire.opens("a")
        wire.says(Update(1, 1, typed("anon ")))
        while len(heard) < 2:
            await index.changed()
    assert origins == ["importer", None, ""]
    assert [edit.origin for edit in heard] == ["importer", ""]
    assert text_of(heard[0].update) == "imported"


async def test_a_subscriber_may_answer_with_an_edit(server: Server) -> None:
    async with server.document("a", origin="bot") as bot, connect(server.url) as alice:
        bot.observe_edits(lambda _: bot.text().append("pong") if str(bot.text()) == "ping " else None)
        hers = await alice.open("a")
        hers.text().append("ping ")
        await shows(hers, "ping pong")


async def test_an_edit_is_not_saved_before_it_is_committed(start_server: ServerFactory, tmp_path: Path) -> None:
    store = _Disk(tmp_path / "own")
    server = await start_server(store=store)
    async with server.document("a") as own:
        store.is_full = True
        own.text().append("held ")
        while own.status.kind != "unsaveable":
            own.text().append("x")
            await asyncio.wait([asyncio.ensure_future(own.changed())], timeout=0.1)
        assert own.unsaved > 0
        store.is_full = False
        await own.saved()
        assert own.unsaved == 0
    loaded = store.load("a")
    assert loaded is not None
    assert text_of(*(entry.update for entry in loaded.tail)).startswith("held x")


class _Disk(SqliteStore):
    is_full = False

    def append(self, appends: Sequence[Append]) -> list[int | None]:
        if self.is_full:
            raise StoreError("the disk is full")
        return super().append(appends)


async def test_what_an_update_may_not_be_is_refused_to_the_owner_too(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(update_bytes=1_000))
    async with server.document("a") as own:
        own.text().append("x" * 900)
        await own.saved()
        own.text().append("x" * 1_100)
        with pytest.raises(Refused, match="expected at most 1000") as refused:
            await own.saved()
        assert refused.value.code == 4413
    with pytest.raises(Refused, match="segment"):
        async with server.document("a//b"):
            pass


async def test_a_deleted_document_is_told_and_its_copy_stays(server: Server) -> None:
    async with server.document("a") as own:
        own.text().append("kept here")
        await own.saved()
        await server.rooms.delete("a")
        while own.status.kind != "replaced":
            await own.changed()
        assert str(own.text()) == "kept here"


async def test_a_document_that_is_closed_lets_its_room_leave_memory(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(room_idle_s=0.05))
    async with server.document("a") as own:
        own.text().append("x")
    while server.rooms.count:
        await asyncio.sleep(0.02)
    wire = await Wire.connect(server)
    opened = await wire.opens("a")
    assert text_of(opened.update) == "x"


async def test_a_server_that_stops_tells_who_waits_for_it(start_server: ServerFactory) -> None:
    server = await start_server()
    async with server.document("a") as own:
        own.text().append("last words")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await server.engine.say_goodbye()
        own.text().append("too late")
        with pytest.raises(Refused, match="stopping"):
            await own.saved()
    with pytest.raises(Refused, match="stopping"):
        async with server.document("a"):
            pass


async def test_what_was_saved_as_the_server_stopped_is_told_as_saved(start_server: ServerFactory) -> None:
    server = await start_server()
    async with server.document("a") as own:
        own.text().append("last words")
        saved = asyncio.ensure_future(own.saved())
        while not server.rooms._slots["a"].room.uncommitted:
            await asyncio.sleep(0)
        await server.engine.say_goodbye()
        await saved


async def test_the_owner_is_seen_where_it_says_that_it_is_there(server: Server) -> None:
    async with connect(server.url) as alice:
        hers = await alice.open("a")
        async with server.document("a", origin="bot") as bot:
            bot.awareness.say({"user": {"name": "Bot"}})
            while not hers.awareness.others:
                await hers.changed()
            [state] = hers.awareness.others.values()
            assert state["user"] == {"id": "bot", "name": "bot", "verified": True}
        while hers.awareness.others:
            await hers.changed()
