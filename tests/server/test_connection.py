"""One WebSocket over a real socket, plain and with TLS: the same frames, the same ends, nothing kept without bound."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from collabdoc.lane import SHORTEST_SLICE_S, Lane
from collabdoc.server.connection import _CLOSE_S, Connection, send_all
from collabdoc.server.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, encode_frame
from collabdoc.server.handshake import Handshake
from collabdoc.turn import Turn
from tests.server.test_frames import close, frame

pytestmark = pytest.mark.gen_test(timeout=30)

LIMIT = 4_000_000
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Echo(Handshake):
    """Leads to who says what it hears."""

    def initialize(self, heard: "Heard") -> None:  # type: ignore[override]  # it needs no more of a server
        self._heard = heard

    def prepare(self) -> None: ...

    def check_origin(self, origin: str) -> bool:
        return True

    def get_websocket_protocol(self) -> Any:
        return Connection(LIMIT, Lane())

    def speak(self, connection: Connection, subprotocol: str | None) -> "Heard":
        self._heard.connection = connection
        return self._heard


Tls = tuple[ssl.SSLContext, ssl.SSLContext] | None
"""What server and client use; None for no TLS."""


class Heard:
    """Says what it hears, unless the peer does not read."""

    def __init__(self) -> None:
        self.connection: Connection
        self.messages: list[str | bytes] = []
        self.waits_s = 0.0
        """How long the peer has to wait after what comes next."""
        self.closes = 0
        self.closed = asyncio.Event()
        self.drained = asyncio.Event()

    def take_frames(self) -> bytes:
        return b""

    def on_message(self, message: str | bytes) -> None:
        self.messages.append(message)
        if message == b"fault":
            raise RuntimeError("a fault of the speaker")
        if isinstance(message, bytes) and not self.connection.is_congested:
            self.connection.write(encode_frame(message))

    def on_messages(self, messages: Sequence[bytes]) -> int:
        self.on_message(messages[0])
        return 1

    def pause_s(self, messages: int) -> float:
        pause_s, self.waits_s = self.waits_s, 0.0
        return pause_s

    def on_drained(self) -> None:
        self.drained.set()

    def on_slow(self) -> None: ...

    def on_close(self) -> None:
        self.closes += 1
        self.closed.set()


class Peer:
    """A client that sends any bytes it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Heard) -> None:
        self._reader = reader
        self.writer = writer
        self.heard = heard

    async def shakes_hands(self, *, and_says: bytes = b"") -> None:
        self.writer.write(HANDSHAKE + and_says)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")

    def says(self, data: bytes) -> None:
        self.writer.write(data)

    async def hears(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload."""
        first, length = await self._reader.readexactly(2)
        if length >= 126:
            length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
        return first & 0x0F, await self._reader.readexactly(length)

    async def hears_close(self) -> int | None:
        """The code of the close that comes next and is the last that comes."""
        opcode, payload = await self.hears()
        assert opcode == CLOSE
        assert await self._reader.read() == b"", "nothing follows a close"
        return int.from_bytes(payload[:2], "big") if payload else None


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and the certificate that it signed for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return path


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, certificate: Path) -> Tls:
    if request.param == "plain":
        return None
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client


async def at_once(event: asyncio.Event) -> None:
    """Not when the server has waited for as long as it does for a peer that does not end a line."""
    await asyncio.wait_for(event.wait(), _CLOSE_S / 2)


@asynccontextmanager
async def a_peer(tls: Tls) -> AsyncIterator[Peer]:
    heard = Heard()
    server = HTTPServer(Application([("/", Echo, {"heard": heard})]), ssl_options=tls and tls[0])
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    line = socket.create_connection(sockets[0].getsockname())
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)  # else it grows for as long as nobody reads
    reader, writer = await asyncio.open_connection(
        sock=line, ssl=tls and tls[1], server_hostname="test" if tls else None
    )
    try:
        yield Peer(reader, writer, heard)
    finally:
        writer.transport.abort()
        server.stop()
        await server.close_all_connections()


async def test_frames_come_and_go(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        big = bytes(3_000_000)
        peer.says(frame(BINARY, b"one") + frame(BINARY, b"two") + frame(BINARY, big))
        assert [await peer.hears() for _ in range(3)] == [(BINARY, b"one"), (BINARY, b"two"), (BINARY, big)]
        peer.says(frame(BINARY, b"a", final=False) + frame(PING, b"?") + frame(CONTINUATION, b"b"))
        assert [await peer.hears(), await peer.hears()] == [(PONG, b"?"), (BINARY, b"ab")]
        peer.says(b"".join(frame(PING, b"%d" % number) for number in range(10)))
        assert [await peer.hears() for _ in range(10)] == [(PONG, b"%d" % number) for number in range(10)]
        peer.says(frame(TEXT, "ä".encode()) + frame(PONG, b"!") + frame(BINARY, b"x"))
        assert await peer.hears() == (BINARY, b"x")
        assert peer.heard.messages[-2:] == ["ä", b"x"]


async def test_frames_that_come_with_the_handshake_are_read(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands(and_says=frame(BINARY, b"early"))
        assert await peer.hears() == (BINARY, b"early")


async def test_one_who_says_much_at_once_holds_up_nobody(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here each message takes as long as a turn of the loop gives to one line."""
    monkeypatch.setattr("collabdoc.server.connection.SLICE_S", -1.0)
    monkeypatch.setattr("collabdoc.lane.SLICE_S", -1.0)
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        turns = 0

        async def count() -> None:
            nonlocal turns
            while len(peer.heard.messages) < 100:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        peer.says(b"".join(frame(BINARY, b"%d" % number) for number in range(100)) + frame(PING, b"!"))
        heard = [await peer.hears() for _ in range(101)]
        assert heard == [*((BINARY, b"%d" % number) for number in range(100)), (PONG, b"!")]
        await counting
        assert turns > 90
        peer.says(frame(BINARY, b"and on"))
        assert await peer.hears() == (BINARY, b"and on")


async def test_a_line_that_ends_while_its_frames_wait_is_let_go(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collabdoc.server.connection.SLICE_S", -1.0)
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        peer.says(frame(BINARY, b"one") + frame(BINARY, b"fault") + frame(BINARY, b"never heard"))
        assert await peer.hears() == (BINARY, b"one")
        assert await peer.hears_close() == 1011
        peer.writer.transport.abort()
        await at_once(peer.heard.closed)
        assert peer.heard.messages == [b"one", b"fault"]


@pytest.mark.parametrize("before", [b"", frame(BINARY, b"one")])
async def test_who_closes_is_gone_at_once_also_where_that_was_heard_at_the_end_of_a_slice(
    tls: Tls, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    monkeypatch.setattr("collabdoc.server.connection.SLICE_S", -1.0)
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        peer.says(before + close(1001))
        if before:
            assert await peer.hears() == (BINARY, b"one")
        assert await peer.hears_close() == 1001
        peer.writer.close()
        await at_once(peer.heard.closed)
        assert peer.heard.closes == 1


async def test_who_had_much_read_for_it_rests_and_is_heard_again(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        peer.says(frame(BINARY, b"one"))
        assert await peer.hears() == (BINARY, b"one")
        peer.heard.connection.rest(0.021)
        peer.heard.connection.rest(0.021)
        peer.says(frame(BINARY, b"two"))
        assert await peer.hears() == (BINARY, b"two")


async def test_frames_come_byte_by_byte(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        for byte in frame(BINARY, b"slow") + frame(PING, b""):
            peer.says(bytes((byte,)))
            await asyncio.sleep(0)
        assert await peer.hears() == (BINARY, b"slow")
        assert await peer.hears() == (PONG, b"")


@pytest.mark.parametrize(("said", "answer"), [(close(1000, b"bye"), 1000), (close(4999), 4999), (frame(CLOSE), None)])
async def test_a_close_is_answered_with_its_code(tls: Tls, said: bytes, answer: int | None) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        peer.says(said + frame(BINARY, b"too late"))
        assert await peer.hears_close() == answer
        peer.writer.close()
        await peer.heard.closed.wait()
        assert peer.heard.messages == []
        assert peer.heard.connection.close_code == answer


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frame(BINARY, b"x", masked=False), 1002),
        (frame(3), 1002),
        (close(1005), 1002),
        (close(1000, b"\xff"), 1007),
        (frame(TEXT, b"\xff"), 1007),
        (b"\x82\xff" + (LIMIT + 1).to_bytes(8, "big"), 1009),
        (frame(BINARY, b"fault"), 1011),
    ],
)
async def test_who_breaks_the_protocol_is_told_and_heard_no_more(tls: Tls, said: bytes, code: int) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        peer.says(frame(BINARY, b"before") + said + frame(BINARY, b"behind"))
        assert await peer.hears() == (BINARY, b"before")
        assert await peer.hears_close() == code
        peer.writer.close()
        await peer.heard.closed.wait()
        assert b"behind" not in peer.heard.messages
        assert peer.heard.closes == 1


async def test_who_goes_without_a_word_is_noticed(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        peer.writer.transport.abort()
        await peer.heard.closed.wait()
        assert peer.heard.closes == 1
        peer.heard.connection.write(b"into the void")


async def test_the_server_closes_and_waits_for_the_answer(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        connection = peer.heard.connection
        connection.close(4400, "why")
        assert await peer.hears() == (CLOSE, (4400).to_bytes(2, "big") + b"why")
        peer.says(frame(BINARY, b"not heard") + close(4400))
        await asyncio.sleep(0)
        assert await peer._reader.read() == b""
        peer.writer.close()
        await peer.heard.closed.wait()
        assert peer.heard.messages == []
        assert connection.close_code == 4400


async def test_a_peer_that_does_not_answer_a_close_is_cut_off(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collabdoc.server.connection._CLOSE_S", 0.01)
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        peer.heard.connection.close(1000)
        await peer.heard.closed.wait()
        assert peer.heard.closes == 1


async def test_of_a_peer_that_does_not_read_nothing_more_is_read(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        connection = peer.heard.connection
        sent = 0
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that also reads
        for _ in range(5):  # until also the peer's own buffers are full
            while not connection.is_congested:
                connection.write(encode_frame(bytes(1_000_000)))
                sent += 1
            await asyncio.sleep(0.02)
        peer.says(frame(PING, b"1") + frame(BINARY, b"x"))
        await asyncio.sleep(0.05)  # long enough to read it, if it were read
        assert peer.heard.messages == []
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(sent):
            assert await peer.hears() == (BINARY, bytes(1_000_000))
        await peer.heard.drained.wait()
        assert {await peer.hears(), await peer.hears()} == {(BINARY, b"x"), (PONG, b"1")}


async def test_a_peer_that_does_not_read_is_sent_nothing_more_and_gets_what_was_taken_whole(tls: Tls) -> None:
    """As where one socket has a document open twice, and both are handed an edit at once."""
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        line = peer.heard.connection.line
        taken: list[bytes] = []
        for number in range(20):
            said = bytes([number]) * 1_000_000
            frame_ = encode_frame(said)
            try:
                sent = line.send(frame_)
            except OSError as error:
                line.keep(frame_, error)
            else:
                if sent < 0:
                    continue
                if sent < len(frame_):
                    line.keep(frame_, sent)
            taken.append(said)
        assert line.is_congested
        assert 0 < len(taken) < 20
        assert [await peer.hears() for _ in taken] == [(BINARY, each) for each in taken]
        peer.heard.connection.write(encode_frame(b"the next"))
        assert await peer.hears() == (BINARY, b"the next")


async def test_of_a_peer_that_has_to_wait_nothing_is_read_until_then_and_nothing_is_lost(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        peer.heard.waits_s = 3600.0
        peer.says(frame(BINARY, b"too much"))
        assert await peer.hears() == (BINARY, b"too much")
        peer.says(frame(PING, b"1") + frame(BINARY, b"x"))
        await asyncio.sleep(0.05)  # long enough to read it, if it were read
        assert peer.heard.messages == [b"too much"]
        peer.heard.connection._resume()
        assert {await peer.hears(), await peer.hears()} == {(BINARY, b"x"), (PONG, b"1")}
        peer.heard.waits_s = 0.01
        peer.says(frame(BINARY, b"too much again"))
        peer.says(frame(BINARY, b"y"))
        assert [await peer.hears(), await peer.hears()] == [(BINARY, b"too much again"), (BINARY, b"y")]
        peer.heard.connection.abort()


async def test_a_peer_that_has_to_wait_and_does_not_read_is_heard_after_both(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        connection = peer.heard.connection
        peer.heard.waits_s = 3600.0
        peer.says(frame(BINARY, b"too much"))
        assert await peer.hears() == (BINARY, b"too much")
        sent = 0
        while not connection.is_congested:
            connection.write(encode_frame(bytes(1_000_000)))
            sent += 1
        peer.says(frame(BINARY, b"x"))
        for _ in range(sent):
            assert await peer.hears() == (BINARY, bytes(1_000_000))
        await peer.heard.drained.wait()
        await asyncio.sleep(0.05)  # long enough to read it, if it were read
        assert peer.heard.messages == [b"too much"]
        connection._resume()
        assert await peer.hears() == (BINARY, b"x")


async def test_a_peer_that_goes_while_it_has_to_wait_is_noticed_then(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        peer.heard.waits_s = 3600.0
        peer.says(frame(BINARY, b"too much"))
        assert await peer.hears() == (BINARY, b"too much")
        peer.writer.transport.abort()
        peer.heard.connection._resume()
        await peer.heard.closed.wait()
        peer.heard.connection._resume()
        assert peer.heard.closes == 1


async def test_last_words_come_behind_what_a_slow_peer_has_yet_to_take(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        connection = peer.heard.connection
        sent = 0
        while not connection.is_congested:
            connection.write(encode_frame(bytes(1_000_000)))
            sent += 1
        connection.close(1012, "restarting")
        for _ in range(sent):
            assert await peer.hears() == (BINARY, bytes(1_000_000))
        assert await peer.hears() == (CLOSE, (1012).to_bytes(2, "big") + b"restarting")
        peer.says(close(1012))
        peer.writer.close()
        await peer.heard.closed.wait()


async def test_who_goes_while_frames_wait_that_it_did_not_read_is_noticed(tls: Tls) -> None:
    async with a_peer(tls) as peer:
        await peer.shakes_hands()
        connection = peer.heard.connection
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that also reads
        for _ in range(5):
            while not connection.is_congested:
                connection.write(encode_frame(bytes(1_000_000)))
            await asyncio.sleep(0.02)
        peer.says(frame(BINARY, b"x"))
        await asyncio.sleep(0.05)  # until it has arrived, and waits to be heard
        peer.writer.transport.abort()
        await asyncio.wait_for(peer.heard.closed.wait(), 10)
        assert peer.heard.closes == 1


async def test_once_much_was_read_for_one_the_others_speak_in_the_next_turn() -> None:
    turn, asked = Turn(), list[str]()

    class Asked(Heard):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def take_frames(self) -> bytes:
            asked.append(self.name)
            turn.read_s += SHORTEST_SLICE_S if self.name == "fast" else 2 * SHORTEST_SLICE_S
            return b""

    turn.send.do = partial(send_all, turn)
    for name in ("fast", "slow", "next", "last"):
        turn.send.add(Asked(name))
    await asyncio.sleep(0)
    assert asked == ["fast", "slow"]
    await asyncio.sleep(0)
    assert asked == ["fast", "slow", "next"]
    await asyncio.sleep(0)
    assert asked == ["fast", "slow", "next", "last"]


async def test_frames_for_many_go_to_a_socket_only_while_it_is_the_peers_and_takes_them() -> None:
    """The number of a socket that was closed may be another peer's a moment later."""
    async with a_peer(None) as peer:
        await peer.shakes_hands()
        peer.says(frame(BINARY, b"here"))
        await peer.hears()
        line = peer.heard.connection.line
        descriptors = [line.seat.descriptor]
        while not line.is_congested:
            line.write(bytes(1_000_000))
        descriptors.append(line.seat.descriptor)
        reading = asyncio.create_task(peer._reader.readexactly(2**30))  # all there is
        await peer.heard.drained.wait()
        descriptors.append(line.seat.descriptor)
        line.close()
        descriptors.append(line.seat.descriptor)
        number = descriptors[0]
        assert number >= 0
        assert descriptors == [number, -1, number, -1]
        with pytest.raises(asyncio.IncompleteReadError):
            await reading
    async with a_peer(None) as peer:
        await peer.shakes_hands()
        peer.says(frame(CLOSE, b""))
        await peer.hears_close()
        assert peer.heard.connection.line.seat.descriptor == -1, "nothing follows the last words"
