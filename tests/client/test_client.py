"""The asyncio client against a real server."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pycrdt import Text
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from collabdoc.client import LiveDocument, Refused, Status, connect
from collabdoc.config import Limits, load_settings
from collabdoc.errors import StoreError
from collabdoc.server.app import Server
from collabdoc.store.base import Append, Loaded
from collabdoc.store.sqlite import SqliteStore
from tests.browser.proxy import Network
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


async def test_a_server_that_is_none_is_an_answer_and_not_a_wait_without_end() -> None:
    http = HTTPServer(Application([("/ws", RequestHandler)]))  # 405
    (listening,) = bind_sockets(0, "127.0.0.1")
    http.add_socket(listening)
    async with connect(f"http://127.0.0.1:{listening.getsockname()[1]}") as alice:
        with pytest.raises(Refused, match="405"):
            await alice.open("a")
    http.stop()


class _Nonsense(WebSocketHandler):
    """Says what no server says."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[0]

    async def open(self, *_: str, **__: str) -> None:
        await self.write_message(b"\xc1", binary=True)


async def test_a_server_that_speaks_nonsense_is_an_answer_too() -> None:
    http = HTTPServer(Application([("/ws", _Nonsense)]))
    (listening,) = bind_sockets(0, "127.0.0.1")
    http.add_socket(listening)
    async with connect(f"http://127.0.0.1:{listening.getsockname()[1]}") as alice:
        with pytest.raises(Refused, match="not a message"):
            await alice.open("a")
    http.stop()


async def test_an_edit_that_no_frame_can_carry_is_refused(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(frame_bytes=100_000))
    async with connect(server.url) as alice:
        document = await alice.open("a")
        content(document).insert(0, "x" * 8_000_000)
        with pytest.raises(Refused) as refused:
            await document.saved()
        assert refused.value.code == 1009


async def test_who_waits_when_the_client_is_closed_is_told(server: Server) -> None:
    async with connect(server.url) as alice:
        document = await alice.open("a")
        waiting = asyncio.ensure_future(document.saved(within=-1))
        await asyncio.sleep(0)
    with pytest.raises(Refused, match="closed"):
        await waiting


async def test_a_server_that_cannot_open_a_document_is_asked_less_and_less_often(
    start_server: ServerFactory, tmp_path: Path
) -> None:
    store = _Disk(tmp_path / "disk")
    server = await start_server(store=store)
    store.is_unreadable = True
    async with connect(server.url) as alice:
        opening = asyncio.ensure_future(alice.open("a"))
        await asyncio.sleep(3)
        assert 1 < store.loads < 15
        store.is_unreadable = False
        await opening


class _Disk(SqliteStore):
    is_full = False
    is_unreadable = False
    loads = 0

    def load(self, document: str) -> Loaded | None:
        self.loads += 1
        if self.is_unreadable:
            raise StoreError("the disk does not answer")
        return super().load(document)

    def append(self, appends: Sequence[Append]) -> list[int | None]:
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


async def test_what_others_deleted_before_the_server_crashed_is_deleted_for_everyone(tmp_path: Path) -> None:
    store = _Disk(tmp_path)
    async with AsyncExitStack() as line:
        async with Server(load_settings({"port": 0, "limits": {"drain_s": 0.1}}), store=store) as server:
            port = server.port
            alice = await line.enter_async_context(connect(server.url))
            hers = await alice.open("a")
            content(hers).insert(0, "keep this, not this")
            await hers.saved()
            async with connect(server.url) as bob:
                his = await bob.open("a")
                store.is_full = True
                del content(his)[9:19]
                await shows(hers, "keep this")
        # Nothing more was committed, as in a crash; and bob is gone.
        async with Server(load_settings({"port": port, "data": tmp_path})) as server, connect(server.url) as carol:
            await shows(await carol.open("a"), "keep this")


async def test_clients_see_who_else_is_here_and_who_leaves(server: Server) -> None:
    async with connect(server.url) as alice:
        hers = await alice.open("a")
        hers.awareness.say({"user": {"name": "Alice"}})
        async with connect(server.url) as bob:
            his = await bob.open("a")
            his.awareness.say({"user": {"name": "Bob"}})
            for document in (hers, his):
                while not document.awareness.others:
                    await document.changed()
            assert his.awareness.others == {hers.doc.client_id: {"user": {"name": "Alice"}}}
            assert hers.awareness.others == {his.doc.client_id: {"user": {"name": "Bob"}}}
        while hers.awareness.others:
            await hers.changed()


async def test_one_document_of_several_is_closed_and_the_others_go_on(server: Server) -> None:
    async with connect(server.url) as alice, connect(server.url) as bob:
        a, b = await alice.open("a"), await alice.open("b")
        content(a).insert(0, "said at last")
        a.close()
        content(b).insert(0, "on")
        await b.saved()
        assert str(content(await bob.open("a"))) == "said at last"
        assert str(content(await alice.open("a"))) == "said at last"


async def test_a_document_that_was_made_anew_meanwhile_leaves_the_old_copy_alone(tmp_path: Path) -> None:
    settings = {"port": 0, "data": tmp_path, "limits": {"goaway_spread_s": 0.1}}
    async with AsyncExitStack() as line:
        async with Server(load_settings(settings)) as server:
            port = server.port
            alice = await line.enter_async_context(connect(server.url, max_backoff_s=0.2))
            old = await alice.open("a")
            content(old).insert(0, "first life")
            await old.saved()
        content(old).insert(0, "unsaved ")
        store = SqliteStore(tmp_path)
        store.delete("a")
        store.create("a")
        store.close()
        async with Server(load_settings({**settings, "port": port})):
            with pytest.raises(Refused, match="another life") as refused:
                await old.saved()
            assert (refused.value.code, old.status.kind, old.unsaved) == (4409, "replaced", 1)
            assert str(content(old)) == "unsaved first life"
            fresh = await alice.open("a")
            assert str(content(fresh)) == ""


async def test_a_line_that_carries_nothing_any_more_is_found_and_left(server: Server) -> None:
    with Network() as network:
        line = network.line(server.port)
        async with connect(f"http://127.0.0.1:{line.port}", max_backoff_s=0.1) as alice:
            document = await alice.open("a")
            told: list[Status] = []
            document.observe_status(told.append)
            line.stall()
            content(document).insert(0, "into the void")
            while len(told) < 2:
                await document.changed()
            line.heal()
            await document.saved()
            assert [status.kind for status in told[:2]] == ["saving", "reconnecting"]
            assert told[1].trouble is not None
            assert told[1].trouble.code == 4408


async def test_people_who_type_in_any_script_over_lines_that_break_agree_in_the_end(server: Server) -> None:
    chance = random.Random(5)
    with Network() as network:
        lines = [network.line(server.port) for _ in range(3)]
        async with AsyncExitStack() as stack:
            urls = [f"http://127.0.0.1:{line.port}" for line in lines]
            clients = [await stack.enter_async_context(connect(url, max_backoff_s=0.1)) for url in urls]
            documents = [await client.open("a") for client in clients]
            for turn in range(150):
                document = chance.choice(documents)
                start = chance.randint(0, len(document.text()))
                stop = min(len(document.text()), start + chance.randint(0, 3))
                document.text().replace(start, stop, chance.choice(["a", "ü", "漢字", "😀", "👨‍👩‍👧", ""]))
                await asyncio.sleep(0)
                if turn % 40 == 20:
                    await asyncio.to_thread(chance.choice(lines).drop)
            for document in documents:
                await document.saved()
            async with connect(server.url) as late:
                expected = str((await late.open("a")).text())
            for document in documents:
                await shows(document, expected)
            assert "\ufffd" not in expected
