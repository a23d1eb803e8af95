"""A document that is there and cannot be read: every dialect is told so for good, and other documents go on."""

import sqlite3
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from collabdoc.client import Refused, connect
from collabdoc.protocol.messages import Closed, Open
from collabdoc.server.app import Server
from collabdoc.store.base import Append
from collabdoc.store.sqlite import SqliteStore
from collabdoc.store.sqlite_folder import FILE_NAME
from tests.conftest import ServerFactory
from tests.server.hocuspocus_wire import HocuspocusWire
from tests.server.test_api import Http
from tests.server.wire import Wire, typed
from tests.server.yjs_wire import YjsWire

pytestmark = pytest.mark.gen_test(timeout=30)


@pytest.fixture
def server(io_loop: IOLoop, start_server: ServerFactory, tmp_path: Path) -> Server:
    """The log of `log` is damaged, and the row of `row`; `fine` is whole."""
    folder = tmp_path / "data"
    store = SqliteStore(folder)
    for name in ("log", "row", "fine"):
        store.create(name)
        store.append([Append(name, (typed("hi"),), None)])
    store.close()
    with sqlite3.connect(folder / FILE_NAME) as db:
        db.execute("UPDATE log SET crc = crc + 1 WHERE document_id = 1")
        db.execute("UPDATE document SET title = CAST(x'ff' AS TEXT) WHERE name = 'row'")
    db.close()
    started: Server = io_loop.run_sync(start_server)
    return started


@pytest.mark.parametrize("name", ["log", "row"])
async def test_a_native_channel_is_closed_for_good_and_the_next_one_opens(server: Server, name: str) -> None:
    wire = await Wire.connect(server)
    for channel in (1, 2):
        wire.says(Open(channel, name, b"\x00"))
        closed = await wire.hears(Closed)
        assert (closed.channel, closed.code) == (channel, 4423)
        assert "operator has to repair it" in closed.reason
    await wire.opens("fine", 3)


@pytest.mark.parametrize("name", ["log", "row"])
async def test_y_websocket_is_closed_so_that_it_gives_up(server: Server, name: str) -> None:
    heard = await (await YjsWire.connect(server, name)).hears("close")
    assert heard.startswith(b"4423 ")
    assert b"operator" in heard


@pytest.mark.parametrize("name", ["log", "row"])
async def test_a_hocuspocus_address_is_refused_and_the_others_go_on(server: Server, name: str) -> None:
    wire = await HocuspocusWire.dials(server)
    wire.shows(at=name)
    assert "operator" in await wire.gets_denied(at=name)
    await wire.joins(at="fine")


async def test_programs_are_told_and_do_not_wait_for_ever(server: Server) -> None:
    with pytest.raises(Refused, match="operator") as refused:
        async with server.document("log"):
            pass
    assert refused.value.code == 4423
    async with connect(server.url) as client:
        with pytest.raises(Refused, match="operator"):
            await client.open("log")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/documents/log/content", None),
        ("GET", "/api/documents/row/content", None),
        ("GET", "/api/documents/row", None),
        ("POST", "/api/documents", {"name": "row"}),
    ],
)
async def test_http_says_who_has_to_act(server: Server, method: str, path: str, body: object) -> None:
    assert "operator" in await Http(server).fails(method, path, body, status=423)


async def test_the_list_shows_the_others_and_says_which_is_damaged(server: Server) -> None:
    listed = await Http(server).json("GET", "/api/documents")
    assert {row["name"]: row["damaged"] for row in listed["documents"]} == {"log": False, "row": True, "fine": False}
    assert listed["total"] == 3
    assert [row["updated_at"] for row in listed["documents"] if row["damaged"]] == [None]


async def test_a_time_that_is_none_costs_nobody_the_list(server: Server) -> None:
    with sqlite3.connect(server.settings.data / FILE_NAME) as db:
        db.execute("UPDATE document SET created_ms = -5, changed_ms = 1 << 62 WHERE name = 'fine'")
    db.close()
    listed = await Http(server).json("GET", "/api/documents")
    assert listed["documents"][0]["name"] == "fine"
    assert listed["documents"][0]["updated_at"].startswith("9999-")


async def test_a_damaged_document_may_be_deleted(server: Server) -> None:
    http = Http(server)
    await http.fails("GET", "/api/documents/log/content", status=423)
    for name in ("log", "row"):
        assert (await http.fetch("DELETE", f"/api/documents/{name}")).code == 204
    assert (await (await Wire.connect(server)).opens("log")).mode == "write"
