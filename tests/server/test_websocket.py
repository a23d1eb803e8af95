"""The native socket, over real sockets: the protocol's promises, and its answer to everything that is wrong."""

import asyncio
import time
from dataclasses import replace

import msgpack
import pytest

from collabdoc.awareness import Entry, decode, encode
from collabdoc.config import Limits
from collabdoc.protocol.messages import (
    Auth,
    Awareness,
    Close,
    Closed,
    GoAway,
    Open,
    Opened,
    Ping,
    Pong,
    Rejected,
    Saved,
    Update,
    Updates,
)
from collabdoc.server.app import Server
from collabdoc.server.connection import Connection
from collabdoc.server.socket import DialectSocket
from tests.conftest import ServerFactory
from tests.limits import bounds
from tests.server.people import ByName
from tests.server.wire import Wire, text_of, typed

pytestmark = pytest.mark.gen_test(timeout=30)


async def test_an_edit_reaches_peers_and_is_saved(server: Server) -> None:
    alice, bob = await Wire.connect(server), await Wire.connect(server)
    await alice.opens("notes/today")
    await bob.opens("notes/today", channel=7)
    alice.says(Update(1, 1, typed("hi")))
    assert await alice.hears(Saved) == Saved(1, 1)
    assert await bob.hears(Updates) == Updates(7, 0, (typed("hi"),))


async def test_a_newcomer_is_synced_in_one_round_trip(server: Server) -> None:
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Update(1, 1, typed("hi")))
    await alice.hears(Saved)
    opened = await (await Wire.connect(server)).opens("a")
    assert text_of(opened.update) == "hi"
    assert opened.seq == 1
    assert opened.mode == "write"


async def test_opens_may_be_pipelined_and_channels_keep_apart(server: Server) -> None:
    alice = await Wire.connect(server)
    alice.says(Open(1, "a", b"\x00"), Open(2, "b", b"\x00"))
    assert {(await alice.hears_any()).channel for _ in range(2)} == {1, 2}  # type: ignore[union-attr]
    bob = await Wire.connect(server)
    await bob.opens("b")
    alice.says(Update(1, 1, typed("in a")), Update(2, 1, typed("in b")))
    assert text_of(*(await bob.hears(Updates)).updates) == "in b"


async def test_one_with_many_channels_is_told_of_them_over_several_turns(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here each of them takes as long as one socket may in a turn."""
    monkeypatch.setattr("collabdoc.server.socket.SLICE_S", -1.0)
    take, taken = DialectSocket.take_frames, list[bytes]()

    def take_frames(self: DialectSocket) -> bytes:
        taken.append(take(self))
        return taken[-1]

    monkeypatch.setattr(DialectSocket, "take_frames", take_frames)
    alice = await Wire.connect(server)
    await alice.opens("a")
    taken.clear()
    alice.says(*(Open(channel, "a", b"\x00") for channel in range(2, 7)))
    assert [(await alice.hears(Opened)).channel for _ in range(5)] == [2, 3, 4, 5, 6]
    assert len([frames for frames in taken if frames]) == 5


async def test_edits_of_one_turn_are_saved_by_one_message(server: Server) -> None:
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(*(Update(1, number, typed("x", client_id=number)) for number in range(1, 51)))
    saved = [await alice.hears(Saved)]
    while saved[-1].id < 50:
        saved.append(await alice.hears(Saved))
    assert len(saved) < 25


async def test_ping_is_answered_at_once(server: Server) -> None:
    alice = await Wire.connect(server)
    alice.says(Ping(2**53 - 1))
    assert await alice.hears(Pong) == Pong(2**53 - 1)


async def test_presence_is_relayed_and_removed_when_the_socket_closes(server: Server) -> None:
    alice, bob = await Wire.connect(server), await Wire.connect(server)
    await alice.opens("a")
    await bob.opens("a")
    alice.says(Awareness(1, encode([Entry(5, 1, b'{"user":{"name":"alice"}}')])))
    heard = await bob.hears(Awareness)
    assert decode(heard.awareness, max_bytes=999) == [Entry(5, 1, b'{"user":{"name":"alice"}}')]
    alice.socket.close()
    heard = await bob.hears(Awareness)
    assert decode(heard.awareness, max_bytes=999) == [Entry(5, 2, b"null")]


async def test_a_client_without_subprotocol_is_served_and_one_with_another_is_not(server: Server) -> None:
    plain = await Wire.connect(server, subprotocols=[])
    await plain.opens("a")
    other = await Wire.connect(server, subprotocols=["graphql-ws"])
    assert other.socket.selected_subprotocol is None
    assert await other.is_closed() == 4400


async def test_a_page_of_another_origin_gets_no_socket(server: Server) -> None:
    with pytest.raises(Exception, match="403"):
        await Wire.connect(server, headers={"Origin": "https://evil.example"})
    own = f"http://127.0.0.1:{server.port}"
    await (await Wire.connect(server, headers={"Origin": own})).opens("a")


async def test_an_allowed_origin_gets_a_socket(start_server: ServerFactory) -> None:
    server = await start_server(allow_origin=("https://app.example",))
    await (await Wire.connect(server, headers={"Origin": "https://app.example"})).opens("a")


_BAD_FRAMES = {
    "a text frame": ("hello", 1003),
    "no msgpack": (b"\xc1", 4400),
    "no array": (msgpack.packb({"a": 1}), 4400),
    "an empty array": (msgpack.packb([]), 4400),
    "an empty frame": (b"", 4400),
    "a type that is text": (msgpack.packb(["open"]), 4400),
    "an arity too small": (msgpack.packb([1, 1]), 4400),
    "a channel 0": (msgpack.packb([2, 0]), 4400),
    "a channel past 2^31": (msgpack.packb([2, 2**31]), 4400),
    "an update that is text": (msgpack.packb([3, 1, 1, "x"]), 4400),
    "a map where bytes belong": (msgpack.packb([3, 1, 1, {"a": 1}]), 4400),
    "two messages": (msgpack.packb([6, 1]) * 2, 4400),
    "an extension type": (msgpack.packb([3, 1, 1, msgpack.ExtType(5, b"x")]), 4400),
}


@pytest.mark.parametrize("what", _BAD_FRAMES)
async def test_a_bad_frame_closes_its_sender_and_nobody_else(server: Server, what: str) -> None:
    frame, code = _BAD_FRAMES[what]
    alice, mallory = await Wire.connect(server), await Wire.connect(server)
    await alice.opens("a")
    await mallory.opens("a")
    mallory.says_bytes(frame)
    assert await mallory.is_closed() == code
    assert server.context.refused[code] == 1
    alice.says(Update(1, 1, typed("on")))
    await alice.hears(Saved)


async def test_an_oversized_frame_closes_with_1009(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(frame_bytes=1_000))
    alice = await Wire.connect(server)
    alice.says_bytes(msgpack.packb([99, b"x" * 900]))
    alice.says(Ping(1))
    await alice.hears(Pong)
    alice.says_bytes(msgpack.packb([99, b"x" * 1_000]))
    assert await alice.is_closed() == 1009


async def test_unknown_types_and_extra_fields_are_ignored(server: Server) -> None:
    alice = await Wire.connect(server)
    alice.says_bytes(msgpack.packb([77, {"later": "version"}]))
    alice.says_bytes(msgpack.packb([6, 5, "later", {"version": [1]}]))
    assert await alice.hears(Pong) == Pong(5)


async def test_an_unknown_channel_is_told_so(server: Server) -> None:
    alice = await Wire.connect(server)
    alice.says(Update(9, 1, typed("x")))
    assert (await alice.hears(Closed)).code == 4400


async def test_a_second_open_of_a_channel_closes_it(server: Server) -> None:
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Open(1, "b", b"\x00"))
    assert (await alice.hears(Closed)).code == 4400
    await alice.opens("b")


async def test_an_update_before_opened_closes_the_channel(server: Server) -> None:
    alice = await Wire.connect(server)
    alice.says(Open(1, "a", b"\x00"), Update(1, 1, typed("x")))
    assert (await alice.hears(Closed)).code == 4400
    alice.says(Ping(1))
    await alice.hears(Pong)


async def test_an_update_behind_a_close_by_the_server_is_ignored(server: Server) -> None:
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Update(1, 1, b"junk"), Update(1, 2, typed("on its way already")))
    assert (await alice.hears(Rejected)).code == 4400
    assert (await alice.hears(Closed)).code == 4400
    alice.says(Ping(1))
    await alice.hears(Pong)


@pytest.mark.parametrize("name", ["", "/", "a//b", "../a", "a/./b", "a b", "a\x00", "a‮b", "x" * 201, "a?b", "<i>"])
async def test_a_name_that_is_none_is_refused(server: Server, name: str) -> None:
    alice = await Wire.connect(server)
    alice.says(Open(1, name, b"\x00"))
    assert (await alice.hears(Closed)).code == 4400


@pytest.mark.parametrize("name", ["a", "notes/today", "Übergröße", "笔记/今天", "a.b_c~d-e", "x" * 200])
async def test_a_good_name_is_opened(server: Server, name: str) -> None:
    await (await Wire.connect(server)).opens(name)


async def test_a_closed_channel_gets_nothing_more_and_can_be_opened_again(server: Server) -> None:
    alice, bob = await Wire.connect(server), await Wire.connect(server)
    await alice.opens("a")
    await bob.opens("a")
    alice.says(Close(1))
    bob.says(Update(1, 1, typed("x")))
    await bob.hears(Saved)
    alice.says(Ping(1))
    await alice.hears(Pong)
    assert text_of((await alice.opens("a")).update) == "x"


async def test_a_client_of_another_epoch_is_told_so(server: Server) -> None:
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Open(2, "a", b"\x00", None, "another life", 3))
    assert (await alice.hears(Closed)).code == 4409


async def test_a_document_that_was_deleted_is_not_made_anew_by_who_knew_it(server: Server) -> None:
    alice = await Wire.connect(server)
    opened = await alice.opens("a")
    assert await server.rooms.delete("a")
    assert (await alice.hears(Closed)).code == 4404
    alice.says(Open(2, "a", b"\x00", None, opened.epoch, opened.seq))
    assert (await alice.hears(Closed)).code == 4404
    again = await alice.opens("a", channel=3)
    assert again.epoch != opened.epoch


@bounds("channels_per_socket")
async def test_more_channels_than_a_socket_may_have_are_refused(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(channels_per_socket=2))
    alice = await Wire.connect(server)
    await alice.opens("a", channel=1)
    await alice.opens("b", channel=2)
    alice.says(Open(3, "c", b"\x00"))
    assert (await alice.hears(Closed)).code == 4429


async def test_credentials_decide_what_a_channel_may_do(start_server: ServerFactory) -> None:
    server = await start_server(authenticator=ByName())
    alice = await Wire.connect(server, headers={"Authorization": "Bearer write"})
    await alice.opens("a")
    reader = await Wire.connect(server)
    reader.says(Open(1, "a", b"\x00"))
    assert (await reader.hears(Closed)).code == 4401
    reader.says(Open(2, "a", b"\x00", "nobody"))
    assert (await reader.hears(Closed)).code == 4403
    assert (await reader.opens("a", channel=3, token="read")).mode == "read"
    reader.says(Update(3, 1, typed("no")))
    assert (await reader.hears(Rejected)).code == 4403
    reader.says(Open(4, "unborn", b"\x00", "read"))
    assert (await reader.hears(Closed)).code == 4404
    reader.says(Auth(3, "write"))
    assert (await reader.hears(Closed)).code == 1012, "it was told that it may only read, and is to be told anew"
    assert (await reader.opens("a", channel=5, token="write")).mode == "write"
    reader.says(Update(5, 1, typed("yes")))
    assert await reader.hears(Saved) == Saved(5, 1)


@bounds("silence_s", "ping_s")
async def test_a_silent_socket_is_pinged_and_then_closed(
    start_server: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start_server(limits=Limits(silence_s=100, ping_s=50))
    alice = await Wire.connect(server)
    await alice.opens("a")
    (socket,) = server.context.sockets
    heard_s = socket.connection.heard_s
    pings: list[Connection] = []
    ping = Connection.ping

    def counted(connection: Connection) -> None:
        pings.append(connection)
        ping(connection)

    monkeypatch.setattr(Connection, "ping", counted)
    socket.keep_alive(heard_s + 49)
    assert pings == []
    socket.keep_alive(heard_s + 51)
    assert pings == [socket.connection]
    while socket.connection.heard_s == heard_s:  # the protocol's own pong
        await asyncio.sleep(0.01)
    socket.keep_alive(socket.connection.heard_s + 99)
    alice.says(Ping(1))
    assert await alice.hears(Pong) == Pong(1)
    socket.keep_alive(socket.connection.heard_s + 101)
    assert await alice.is_closed() == 4408


async def test_a_socket_is_left_alone_until_there_may_be_something_to_do(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(silence_s=100, ping_s=50))
    alice = await Wire.connect(server)
    await alice.opens("a")
    (socket,) = server.context.sockets
    heard_s = socket.connection.heard_s
    socket.keep_alive(heard_s + 10)
    assert socket.quiet_until_s == heard_s + 15
    socket.keep_alive(heard_s + 48)
    assert socket.quiet_until_s == heard_s + 50, "then it is pinged"
    await alice.opens("b", channel=2)
    assert socket.quiet_until_s == 0, "what it may do in another document may end"
    (session, _) = socket._sessions.values()
    session.grant = replace(session.grant, expires=time.time() + 60)
    socket.keep_alive(heard_s + 10)
    assert socket.quiet_until_s == 0


async def test_a_server_that_stops_says_goodbye_after_saving(start_server: ServerFactory) -> None:
    server = await start_server()
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Update(1, 1, typed("last words")))
    await asyncio.sleep(0)
    while not server.rooms._slots["a"].room.uncommitted:
        await asyncio.sleep(0)
    stopping = asyncio.ensure_future(server.engine.say_goodbye())
    assert await alice.hears(Saved) == Saved(1, 1)
    goaway = await alice.hears(GoAway)
    assert 0 <= goaway.retry_after_ms <= 3_000
    assert await alice.is_closed() == 1012
    await stopping


async def test_a_reader_that_stops_costs_bounded_memory_and_converges_later(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(outbox_bytes=100_000))
    alice, bob = await Wire.connect(server), await Wire.connect(server)
    await alice.opens("a")
    await bob.opens("a")
    bob_stream = bob.socket.protocol.stream  # type: ignore[union-attr]
    assert bob_stream is not None
    bob_stream.io_loop.remove_handler(bob_stream.fileno())  # bob's program stands still
    updates = [typed(f"{number:06}" * 2_000, client_id=number + 1) for number in range(1_500)]
    for id_, update in enumerate(updates, start=1):
        alice.says(Update(1, id_, update))
        if id_ % 50 == 0:
            while (await alice.hears(Saved)).id < id_:
                pass
    (bob_socket,) = (s for s in server.context.sockets if s.connection.is_congested)
    (session,) = bob_socket._sessions.values()
    assert session._queued_bytes <= 100_000
    assert session._behind is not None
    bob_stream._state = None
    bob_stream._add_io_state(bob_stream.io_loop.READ)
    heard: list[bytes] = []
    expected = text_of(*updates)
    while len(text_of(*heard)) < len(expected):
        heard += (await bob.hears(Updates)).updates
    assert text_of(*heard) == expected
    assert len(heard) < len(updates)
