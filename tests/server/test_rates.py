"""How much one socket and one address may ask for: just under it nobody waits, just over it none of it is lost."""

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import websocket_connect

from collabdoc.awareness import Entry, encode
from collabdoc.client import connect
from collabdoc.config import Limits
from collabdoc.protocol import yjs
from collabdoc.protocol.messages import Auth, Awareness, Open, Ping, Pong, Saved, Update, Updates
from collabdoc.server.app import Server
from collabdoc.server.socket import DialectSocket
from tests.conftest import ServerFactory
from tests.limits import bounds
from tests.server.hocuspocus_wire import HocuspocusWire
from tests.server.test_api import Http
from tests.server.wire import Wire, typed
from tests.server.yjs_wire import YjsWire

pytestmark = pytest.mark.gen_test(timeout=60)

PER_S = 50
PLENTY = 1_000_000


class Clock:
    def __init__(self, server: Server) -> None:
        self.now_s = 1_000.0
        server.context.monotonic = lambda: self.now_s


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.001)


def presence(clock: int) -> bytes:
    return encode([Entry(7, clock, b"{}")])


class Peer(ABC):
    """Somebody in document `d`, in one dialect."""

    server_side: DialectSocket

    async def comes(self, server: Server) -> None:
        await self.opens(server)
        (self.server_side,) = server.context.sockets

    @abstractmethod
    async def opens(self, server: Server) -> None: ...

    @abstractmethod
    def edits(self, number: int) -> None: ...

    @abstractmethod
    def is_present(self, number: int) -> None: ...

    @abstractmethod
    def asks(self, number: int) -> None:
        """For what costs as much as opening a document."""

    @property
    def _session(self) -> Any:
        (session,) = (each for each in self.server_side._sessions.values() if each.room and each.room.name == "d")
        return session

    def edits_heard(self) -> int:
        return int(self._session.last_id)

    def presence_heard(self) -> int:
        known = self._session.room.awareness._known.get(7)
        return known.clock if known else 0


class NativePeer(Peer):
    async def opens(self, server: Server) -> None:
        self.wire = await Wire.connect(server)
        await self.wire.opens("d")

    def edits(self, number: int) -> None:
        self.wire.says(Update(1, number, typed("x", client_id=number)))

    def is_present(self, number: int) -> None:
        self.wire.says(Awareness(1, presence(number)))

    def asks(self, number: int) -> None:
        self.wire.says(Open(1 + number, f"d{number}", b"\x00") if number % 2 else Auth(1, "token"))


class YjsPeer(Peer):
    async def opens(self, server: Server) -> None:
        self.wire = await YjsWire.open(server, "d")

    def edits(self, number: int) -> None:
        self.wire.says(yjs.encode_update(typed("x", client_id=number)))

    def is_present(self, number: int) -> None:
        self.wire.says(yjs.encode_awareness(presence(number)))

    def asks(self, number: int) -> None:
        self.wire.says(yjs.encode_step_1(b"\x00"))


class HocuspocusPeer(Peer):
    async def opens(self, server: Server) -> None:
        self.wire = await HocuspocusWire.dials(server)
        self.wire.shows()
        self.wire.has()
        while (await self.wire.gets()).kind != "step 2":
            pass

    def edits(self, number: int) -> None:
        self.wire.edits(typed("x", client_id=number))

    def is_present(self, number: int) -> None:
        self.wire.is_present(presence(number))

    def asks(self, number: int) -> None:
        if number % 2:
            self.wire.shows(at=f"d{number}")
        else:
            self.wire.has()


PEERS = pytest.mark.parametrize("peer_type", [NativePeer, YjsPeer, HocuspocusPeer])


@bounds("messages_per_s")
@PEERS
@pytest.mark.parametrize("what", ["edits", "presence"])
async def test_who_says_more_than_it_may_is_read_later_and_nothing_is_lost(
    start_server: ServerFactory, peer_type: type[Peer], what: str
) -> None:
    server = await start_server(limits=Limits(messages_per_s=PER_S, opens_per_s=PLENTY))
    clock, peer = Clock(server), peer_type()
    await peer.comes(server)
    says, heard = (peer.edits, peer.edits_heard) if what == "edits" else (peer.is_present, peer.presence_heard)
    server.context.paced = 0
    clock.now_s += 10
    for number in range(1, PER_S + 1):
        says(number)
    await until(lambda: heard() == PER_S)
    assert server.context.paced == 0
    says(PER_S + 1)
    await until(lambda: heard() == PER_S + 1)
    assert server.context.paced == 1
    for number in range(PER_S + 2, PER_S + 20):
        says(number)
    await until(lambda: heard() == PER_S + 19)
    assert server.context.refused == {}
    assert (await Http(server).json("GET", "/healthz"))["paced"] == server.context.paced
    peer.server_side.connection.abort()  # it has heard nothing of all that, and would not hear a goodbye


@bounds("opens_per_s")
@PEERS
async def test_who_opens_more_than_it_may_is_read_later(start_server: ServerFactory, peer_type: type[Peer]) -> None:
    server = await start_server(limits=Limits(messages_per_s=PLENTY, opens_per_s=PER_S))
    clock, peer = Clock(server), peer_type()
    await peer.comes(server)
    server.context.paced = 0
    clock.now_s += 10
    for number in range(1, PER_S):
        peer.asks(number)
    peer.edits(1)
    await until(lambda: peer.edits_heard() == 1)
    peer.asks(PER_S)
    peer.edits(2)
    await until(lambda: peer.edits_heard() == 2)
    assert server.context.paced == 0
    peer.asks(PER_S + 1)
    peer.edits(3)
    await until(lambda: peer.edits_heard() == 3)
    assert server.context.paced == 1
    assert server.context.refused == {}
    peer.server_side.connection.abort()


async def test_what_a_socket_may_say_comes_back_with_time_and_no_pause_is_long(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(messages_per_s=PER_S))
    clock, peer = Clock(server), NativePeer()
    await peer.comes(server)
    clock.now_s += 100
    assert peer.server_side.pause_s(PER_S) == 0, "a second's worth at once, however long nothing was said"
    assert peer.server_side.pause_s(1) == pytest.approx(1 / PER_S)
    clock.now_s += 1 / PER_S
    assert peer.server_side.pause_s(1) == pytest.approx(1 / PER_S)
    clock.now_s += 1
    assert peer.server_side.pause_s(PER_S - 2) == 0
    assert peer.server_side.pause_s(1_000_000) == 2.0


async def test_who_is_not_read_for_a_while_is_not_silent(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(messages_per_s=PER_S, opens_per_s=PLENTY))
    peer = NativePeer()
    await peer.comes(server)
    for number in range(1, 2 * PER_S):
        peer.is_present(number)
    peer.wire.says(Ping(1))
    await until(lambda: server.context.paced > 0)
    peer.server_side.keep_alive(peer.server_side.connection.heard_s + 2)
    assert await peer.wire.hears(Pong) == Pong(1)
    assert server.context.refused == {}


async def test_whose_edits_wait_for_a_document_is_read_later_and_none_is_lost(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(held_bytes=200_000))
    alice = await Wire.connect(server)
    await alice.opens("d")
    lane = server.context.lane
    lane._let_pass = lambda: None  # type: ignore[method-assign]  # the machine is busy with others
    edits = [typed("x" * 12_000, client_id=number) for number in range(1, 101)]
    alice.says(*(Update(1, number, edit) for number, edit in enumerate(edits, 1)))
    await until(lambda: server.context.paced > 3)
    del lane._let_pass
    lane._schedule()
    saved = Saved(1, 0)
    while saved.id < len(edits):
        saved = await alice.hears(Saved)


async def test_a_socket_that_closes_while_it_is_not_read_is_let_go(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(messages_per_s=PER_S))
    peer = NativePeer()
    await peer.comes(server)
    for number in range(1, 2 * PER_S):
        peer.edits(number)
    await until(lambda: server.context.paced > 0)
    assert peer.wire.socket.protocol is not None
    peer.wire.socket.protocol._abort()
    await until(lambda: not server.context.sockets)
    assert not server.rooms._slots["d"].room.sessions


async def test_the_server_stops_in_order_while_somebody_is_not_read(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(messages_per_s=PER_S))
    peer = NativePeer()
    await peer.comes(server)
    for number in range(1, 2 * PER_S):
        peer.edits(number)
    await until(lambda: server.context.paced > 0)
    stopping = asyncio.ensure_future(server.engine.say_goodbye())
    while not isinstance(heard := await peer.wire.hears_any(), tuple):
        pass
    assert heard[0] == 1012
    await stopping


# Addresses


class Door:
    """Sockets to a server that stands behind a proxy on this machine."""

    paths: ClassVar = ["/ws", "/yjs/d", "/hocuspocus"]

    def __init__(self, server: Server) -> None:
        self._server = server

    async def opens(self, path: str, address: str) -> Wire:
        request = HTTPRequest(f"ws://127.0.0.1:{self._server.port}{path}", headers={"X-Forwarded-For": address})
        return Wire(await websocket_connect(request))

    async def refuses(self, path: str, address: str) -> None:
        with pytest.raises(HTTPClientError) as refused:
            await self.opens(path, address)
        assert refused.value.code == 429


@bounds("sockets_per_address")
@pytest.mark.parametrize("path", Door.paths)
async def test_one_address_has_so_many_sockets_in_all_dialects_and_others_are_not_touched(
    start_server: ServerFactory, path: str
) -> None:
    limits = Limits(sockets_per_address=3)
    server = await start_server(limits=limits, trusted_proxies="127.0.0.1")
    door = Door(server)
    wires = [await door.opens(each, "203.0.113.7") for each in Door.paths]
    await door.refuses(path, "203.0.113.7")
    assert (await Http(server).json("GET", "/healthz"))["refused"] == {"429": 1}
    await door.opens(path, "203.0.113.8")
    wires[0].socket.close()
    await until(lambda: len(server.context.sockets) == 3)
    await door.opens(path, "203.0.113.7")
    await door.refuses(path, "203.0.113.7")
    for socket_ in list(server.context.sockets):
        socket_.connection.abort()
    await until(lambda: not server.context.sockets)
    assert server.context.from_address == {}


async def test_a_client_whose_address_has_too_many_comes_back_by_itself(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(sockets_per_address=1))
    server.context.from_address[""] = 1  # as if this machine were counted
    async with connect(server.url, max_backoff_s=0.05) as bob:
        opening = asyncio.ensure_future(bob.open("d"))
        await until(lambda: server.context.refused[429] > 1)
        server.context.from_address.clear()
        await opening


async def test_who_says_where_it_comes_from_without_being_asked_is_not_believed(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(sockets_per_address=1))
    for _ in range(3):
        await Door(server).opens("/ws", "203.0.113.7")
    assert server.context.from_address == {}


# Exports


@bounds("exports")
async def test_so_many_contents_are_read_at_once_and_the_next_may_come_later(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(exports=2))
    http, may_go_on = Http(server), asyncio.Event()
    await server.rooms.create("a", title="", kind="text")
    export = server.rooms.export

    async def held(name: str, format_: str) -> bytes:
        await may_go_on.wait()
        return await export(name, format_)

    server.rooms.export = held  # type: ignore[method-assign]
    waiting = [asyncio.ensure_future(http.fetch("GET", "/api/documents/a/content")) for _ in range(2)]
    await until(lambda: server.context.exports == 2)
    await http.fails("GET", "/api/documents/a/content", status=429)
    may_go_on.set()
    assert [(await each).code for each in waiting] == [200, 200]
    assert (await http.fetch("GET", "/api/documents/a/content")).code == 200
    await http.fails("GET", "/api/documents/a/content?format=pdf", status=400)
    assert server.context.exports == 0


async def test_two_hundred_exports_at_once_hold_no_editor_up(server: Server) -> None:
    alice, bob = await Wire.connect(server), await Wire.connect(server)
    for wire in (alice, bob):
        await wire.opens("a")
    alice.says(Update(1, 1, typed("x" * 100_000)))
    await alice.hears(Saved)
    await bob.hears(Updates)
    client = SimpleAsyncHTTPClient(force_instance=True, max_clients=200)
    url = f"{server.url}/api/documents/a/content"
    exports = [asyncio.ensure_future(client.fetch(url, raise_error=False)) for _ in range(200)]
    await until(lambda: server.context.exports == server.settings.limits.exports)
    alice.says(Update(1, 2, typed("y", client_id=2)))
    await alice.hears(Saved)
    await bob.hears(Updates)
    assert not all(export.done() for export in exports), "both heard of it before the exports were done"
    codes = [(await export).code for export in exports]
    assert set(codes) == {200, 429}
    assert codes.count(200) >= server.settings.limits.exports
    client.close()


async def test_a_content_that_nobody_takes_is_not_kept_for_ever(
    start_server: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collabdoc.server.api._LOOK_S", 0.01)
    server = await start_server(limits=Limits(exports=1))
    clock = Clock(server)
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Update(1, 1, typed("x" * 8_000_000)))
    await alice.hears(Saved)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.send(b"GET /api/documents/a/content HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        slow.setblocking(False)
        await asyncio.get_running_loop().sock_recv(slow, 1)  # it is on its way
        await Http(server).fails("GET", "/api/documents/a/content", status=429)
        clock.now_s += server.settings.limits.silence_s - 1
        await asyncio.sleep(0.05)  # long enough to cut it off, if it were
        assert server.context.exports == 1
        clock.now_s += server.settings.limits.silence_s + 1
        await until(lambda: server.context.exports == 0)
    assert (await Http(server).fetch("GET", "/api/documents/a/content")).code == 200
