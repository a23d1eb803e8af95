"""A document that is read only because the server stood still over its edits: every dialect is told when it opens."""

from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from collabdoc.config import Limits
from collabdoc.protocol import yjs
from collabdoc.protocol.messages import Rejected, Saved, Update
from collabdoc.quarantine import FOLDER, Quarantine
from collabdoc.server.app import Server
from collabdoc.store.base import Append
from collabdoc.store.sqlite import SqliteStore
from collabdoc.underway import Work
from tests.conftest import ServerFactory
from tests.limits import bounds
from tests.server.hocuspocus_wire import HocuspocusWire, Typist
from tests.server.wire import Wire, text_of, typed
from tests.server.yjs_wire import YjsWire

pytestmark = pytest.mark.gen_test(timeout=30)


@pytest.fixture
def server(io_loop: IOLoop, start_server: ServerFactory, tmp_path: Path) -> Server:
    store = SqliteStore(tmp_path / "data")
    store.create("d")
    store.append([Append("d", (typed("hi"),), None)])
    store.close()
    for client in (8, 9):
        Quarantine(tmp_path / "data", 2).put(Work("d", typed("bad", client_id=client)))
    started: Server = io_loop.run_sync(start_server)
    return started


async def test_a_native_client_opens_it_to_read_and_each_edit_is_refused(server: Server) -> None:
    alice, author = await Wire.connect(server), Typist(3)
    opened = await alice.opens("d")
    assert (opened.mode, text_of(opened.update)) == ("read", "hi")
    for number in (1, 2, 3):
        alice.says(Update(1, number, author.types("x")))
        rejected = await alice.hears(Rejected)
        assert (rejected.id, rejected.code) == (number, 4403)
        assert "operator" in rejected.reason
    alice.says(Update(1, 4, typed("hi")))
    assert (await alice.hears(Saved)).id == 4, "it is there already"


async def test_a_y_websocket_client_is_told_once_and_stays(server: Server) -> None:
    alice, author = await YjsWire.open(server, "d"), Typist(3)
    alice.says(yjs.encode_step_2(b"\x00\x00"))
    await alice.stays_open()
    alice.says(*(yjs.encode_update(author.types("x")) for _ in range(3)))
    assert b"operator" in await alice.hears("denied")
    await alice.stays_open()


async def test_a_hocuspocus_client_is_told_that_it_may_read(server: Server) -> None:
    alice, author = await HocuspocusWire.dials(server), Typist(3)
    alice.shows(at="d")
    assert await alice.gets_a("authenticated") == "readonly"
    await alice.gets_a("step 1")
    alice.brings()
    assert await alice.gets_a("status") is True, "nothing of it waits"
    for _ in range(3):
        alice.edits(author.types("x"))
        assert await alice.gets_a("status") is False
    await alice.nothing_comes()


async def test_the_server_s_own_program_may_read(server: Server) -> None:
    async with server.document("d") as document:
        assert not document.writable
        assert str(document.text()) == "hi"


@bounds("standstills_per_document")
@pytest.mark.parametrize(("limit", "mode"), [(4, "write"), (3, "read")])
async def test_a_document_may_have_stood_still_so_often_and_be_written(
    start_server: ServerFactory, tmp_path: Path, limit: int, mode: str
) -> None:
    (tmp_path / "data").mkdir()
    store = SqliteStore(tmp_path / "data")
    store.create("d")
    for client in (7, 8, 9):
        Quarantine(tmp_path / "data", limit).put(Work("d", typed("bad", client_id=client)))
    server = await start_server(limits=Limits(standstills_per_document=limit), store=store)
    assert (await (await Wire.connect(server)).opens("d")).mode == mode


async def test_a_deleted_document_takes_its_quarantine_along(server: Server) -> None:
    folder = server.settings.data / FOLDER
    Quarantine(server.settings.data, 2).put(Work("another", None))
    assert await server.rooms.delete("d")
    assert ["another" in kept.read_text() for kept in folder.iterdir()] == [True]
    assert await server.rooms.create("d", title="", kind="text")
    assert (await (await Wire.connect(server)).opens("d")).mode == "write"
