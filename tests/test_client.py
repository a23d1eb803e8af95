"""The asyncio client against a real server."""

import asyncio
from pathlib import Path

import pytest
from pycrdt import Text

from collabdoc.client import LiveDocument, Refused, connect
from collabdoc.errors import StoreError
from collabdoc.server.app import Server
from collabdoc.store.base import Append
from collabdoc.store.sqlite import SqliteStore
from tests.conftest import ServerFactory
from tests.process import ServerProcess

pytestmark = pytest.mark.gen_test(timeout=60)


def content(document: LiveDocument) -> Text:
    text: Text = document.doc.get("content", type=Text)
    return text


async def shows(document: LiveDocument, expected: str) -> None:
    while str(content(document)) != expected:
        await document.changed()


async def test_two_clients_see_each_other(server: Server) -> None:
    async with connect(server.url) as alice, connect(server.url) as bob:
        hers, his = await alice.open("notes/a"), await bob.open("notes/a")
        content(hers).insert(0, "hi")
        await shows(his, "hi")
        content(his).insert(2, " there")
        await his.saved()
        await shows(hers, "hi there")
        assert hers.unsaved == his.unsaved == 0


async def test_several_documents_share_one_socket(server: Server) -> None:
    async with connect(server.url) as alice:
        a, b = await alice.open("a"), await alice.open("b")
        content(a).insert(0, "in a")
        content(b).insert(0, "in b")
        await a.saved()
        await b.saved()
        assert len(server.context.sockets) == 1


async def test_a_refused_document_says_why(server: Server) -> None:
    async with connect(server.url) as alice:
        with pytest.raises(Refused, match="segment") as refused:
            await alice.open("a//b")
        assert refused.value.code == 4400


async def test_edits_survive_a_server_that_is_killed_and_started_again(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as process:
        async with connect(process.url) as alice, connect(process.url) as bob:
            hers, his = await alice.open("a"), await bob.open("a")
            content(hers).insert(0, "before ")
            await hers.saved()
            process.kill()
            content(hers).insert(7, "meanwhile ")
            del content(hers)[0:7]
            content(his).insert(0, "bob ")
            await asyncio.to_thread(process.start)
            await hers.saved()
            await his.saved()
            await shows(his, str(content(hers)))
            await shows(hers, str(content(his)))
            assert str(content(his)) == "bob meanwhile "


class _Disk(SqliteStore):
    is_full = False

    def append(self, appends: list[Append]) -> list[int]:  # type: ignore[override]
        if self.is_full:
            raise StoreError("the disk is full")
        return super().append(appends)


async def test_edits_made_while_the_disk_is_full_are_saved_when_it_is_not(
    start_server: ServerFactory, tmp_path: Path
) -> None:
    store = _Disk(tmp_path / "disk")
    server = await start_server(store=store)
    async with connect(server.url) as alice:
        document = await alice.open("a")
        content(document).insert(0, "a")
        await document.saved()
        store.is_full = True
        for letter in "bcd":
            content(document).insert(0, letter)
            await asyncio.sleep(0.2)
        assert document.unsaved > 0
        store.is_full = False
        await document.saved()
    assert store.load("a") is not None
    async with connect(server.url) as bob:
        assert str(content(await bob.open("a"))) == "dcba"
