"""The client's socket leaves nothing behind, in whatever state of its handshake it is given up."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from socket import IPPROTO_TCP, TCP_NODELAY

import pytest
from tornado.websocket import WebSocketProtocol13

from collabdoc.client.socket import Dialer
from collabdoc.protocol import native
from collabdoc.server.frames import encode_frame

pytestmark = pytest.mark.gen_test(timeout=30)

FRAMES = encode_frame(b"\xc0") * 5


class User:
    """`opened` does what it is given."""

    def __init__(self, on_opened: Callable[[], None] = lambda: None) -> None:
        self.heard: list[str] = []
        self._on_opened = on_opened

    def opened(self) -> None:
        self.heard.append("opened")
        self._on_opened()

    def received(self, frame: bytes) -> None:
        self.heard.append("received")

    def closed(self, code: int, reason: str) -> None:
        self.heard.append("closed")


class Peer:
    """A server of one connection that shakes hands once it may, and says some frames in the same breath."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.ended = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await self.may_answer.wait()
        (key,) = re.findall(rb"(?i)sec-websocket-key: (\S+)", head)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {WebSocketProtocol13.compute_accept_value(key)}\r\n".encode()
            + f"Sec-WebSocket-Protocol: {native.SUBPROTOCOL}\r\n\r\n".encode()
            + FRAMES
        )
        while await reader.read(1000):  # and never says goodbye
            pass
        self.ended.set()
        writer.close()


@asynccontextmanager
async def serving() -> AsyncIterator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
    before = asyncio.all_tasks()
    try:
        yield peer
        await peer.ended.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() <= before
    finally:
        server.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collabdoc.client.socket.CLOSE_S", 0.05)


async def test_who_hangs_up_before_the_handshake_is_done_leaves_no_reader_of_what_comes_with_it() -> None:
    async with serving() as peer:
        dialer, user = Dialer(peer.url), User()
        socket = dialer.dial(user)
        await peer.asked.wait()
        socket.hang_up()
        peer.may_answer.set()
        await peer.ended.wait()
        await dialer.close()
    assert user.heard == []


async def test_who_is_closed_before_the_handshake_is_done_keeps_no_connection() -> None:
    async with serving() as peer:
        dialer, user = Dialer(peer.url), User()
        dialer.dial(user)
        await peer.asked.wait()
        await dialer.close()
        peer.may_answer.set()
    assert user.heard == []


async def test_who_is_closed_after_it_hung_up_waits_for_no_goodbye() -> None:
    async with serving() as peer:
        dialer = Dialer(peer.url)
        user = User(lambda: socket.hang_up())
        socket = dialer.dial(user)
        peer.may_answer.set()
        await dialer.close()
    assert user.heard == ["opened"]


async def test_an_edit_does_not_wait_in_the_system_for_an_answer_to_the_one_before_it() -> None:
    delays: list[int] = []

    def opened() -> None:
        assert socket._stream is not None
        delays.append(socket._stream.socket.getsockopt(IPPROTO_TCP, TCP_NODELAY))
        socket.hang_up()

    async with serving() as peer:
        dialer = Dialer(peer.url)
        socket = dialer.dial(User(opened))
        peer.may_answer.set()
        await peer.ended.wait()
        await dialer.close()
    assert delays == [1]


async def test_a_fault_of_the_user_ends_the_connection() -> None:
    def fail() -> None:
        raise ValueError("a fault of ours")

    async with serving() as peer:
        dialer, user = Dialer(peer.url), User(fail)
        dialer.dial(user)
        peer.may_answer.set()
        await peer.ended.wait()
        await dialer.close()
    assert user.heard == ["opened", "closed"]
