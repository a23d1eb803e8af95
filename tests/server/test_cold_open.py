"""What is told of a document that lies in the store, in every dialect, before the server has loaded it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from collabdoc import spares
from collabdoc.document import EMPTY_UPDATE, Document, compact
from collabdoc.errors import DocumentBroken
from collabdoc.guard import Guard
from collabdoc.loading import load_document
from collabdoc.protocol.messages import Closed, Saved, Update
from collabdoc.server.app import Server
from collabdoc.steps import Steps
from collabdoc.store.base import Append, Loaded, Snapshot
from collabdoc.store.sqlite import SqliteStore
from tests.conftest import ServerFactory
from tests.server.hocuspocus_wire import HocuspocusWire
from tests.server.wire import Wire, text_of, typed
from tests.server.yjs_wire import YjsWire

pytestmark = pytest.mark.gen_test(timeout=30)


class _Loading:
    """Waits for a test, and may fail."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.fails = False

    async def load_document(
        self, loaded: Loaded, on_its_way: Sequence[bytes], guard: Guard, run: Callable[[Steps[None]], Awaitable[None]]
    ) -> tuple[Document, int]:
        await self.may_end.wait()
        if self.fails:
            raise DocumentBroken("a panic")
        return await load_document(loaded, on_its_way, guard, run)


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> _Loading:
    loading = _Loading()
    monkeypatch.setattr(spares, "load_document", loading.load_document)
    return loading


@pytest.fixture
def server(io_loop: IOLoop, start_server: ServerFactory, tmp_path: Path, loading: _Loading) -> Server:
    """Document `d` is all in its snapshot."""
    store = SqliteStore(tmp_path / "data")
    row, _ = store.create("d")
    store.append([Append("d", [typed("hi")])])
    snapshot = compact(EMPTY_UPDATE, [typed("hi")])
    store.put_snapshot(Snapshot("d", row.epoch, 1, snapshot), keep_entries=0, keep_bytes=0)
    store.close()
    started: Server = io_loop.run_sync(start_server)
    return started


async def test_a_native_client_has_it_and_its_edit_is_saved_once_that_can_be(server: Server, loading: _Loading) -> None:
    wire = await Wire.connect(server)
    opened = await wire.opens("d")
    assert text_of(opened.update) == "hi"
    wire.says(Update(1, 1, typed("ho", 2)))
    loading.may_end.set()
    assert (await wire.hears(Saved)).id == 1


async def test_a_client_of_y_websocket_is_synced(server: Server, loading: _Loading) -> None:
    wire = await YjsWire.connect(server, "d")
    assert text_of(await wire.syncs()) == "hi"
    loading.may_end.set()


async def test_a_hocuspocus_provider_is_synced_and_its_own_part_is_taken_once_that_can_be(
    server: Server, loading: _Loading
) -> None:
    wire = await HocuspocusWire.dials(server)
    joining = asyncio.ensure_future(wire.joins())
    while not server.rooms.count:
        await asyncio.sleep(0)
    loading.may_end.set()
    assert text_of(await joining) == "hi"


async def test_who_has_it_is_told_when_it_cannot_be_loaded(server: Server, loading: _Loading) -> None:
    loading.fails = True
    wire = await Wire.connect(server)
    await wire.opens("d")
    wire.says(Update(1, 1, typed("ho", 2)))
    loading.may_end.set()
    closed = await wire.hears(Closed)
    assert (closed.channel, closed.code) == (1, 4423)
    assert "operator" in closed.reason
