"""y-websocket's dialect over real sockets: what it promises, and its answer to everything that is wrong."""

import asyncio
import logging
from typing import Any

import pytest
from pycrdt import Doc, Text

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.awareness import Entry, decode, encode
from collabdoc.config import Limits
from collabdoc.protocol import yjs
from collabdoc.protocol.messages import Awareness, Ping, Pong, Saved, Update, Updates
from collabdoc.server.app import Server
from tests.conftest import ServerFactory
from tests.limits import bounds
from tests.server.hocuspocus_wire import Typist
from tests.server.people import ByName, link_to, token, with_tokens
from tests.server.test_api import Http
from tests.server.wire import Wire, text_of, typed
from tests.server.yjs_wire import YjsWire
from tests.vectors import read_vectors

pytestmark = pytest.mark.gen_test(timeout=30)

EMPTY = b"\x00\x00"
DELETES_A_CHARACTER = b"\x00\x01\x07\x01\x00\x01"


def says(client: int, clock: int, state: bytes = b"{}") -> bytes:
    return yjs.encode_awareness(encode([Entry(client, clock, state)]))


def entries(awareness: bytes) -> list[Entry]:
    return decode(awareness, max_bytes=99_999)


# What it promises


async def test_a_client_and_the_server_ask_each_other_for_what_they_lack(server: Server) -> None:
    native = await Wire.connect(server)
    await native.opens("notes/today")
    native.says(Update(1, 1, typed("hi", client_id=7)))
    await native.hears(Saved)
    alice = await YjsWire.connect(server, "notes/today")
    assert await alice.hears("step 1") == b"\x01\x07\x02", "once the document is open, whether or not the client asks"
    alice.says(yjs.encode_step_1(b"\x00"))
    assert text_of(await alice.hears("step 2")) == "hi"
    alice.says(yjs.encode_step_2(typed("more ")))
    assert text_of(*(await native.hears(Updates)).updates) == "more "


async def test_an_edit_reaches_every_dialect_and_not_its_author(server: Server) -> None:
    native = await Wire.connect(server)
    await native.opens("a")
    alice, bob = await YjsWire.open(server), await YjsWire.open(server)
    alice.says(yjs.encode_update(typed("from alice", client_id=2)))
    assert text_of(await bob.hears("update")) == "from alice"
    assert text_of(*(await native.hears(Updates)).updates) == "from alice"
    native.says(Update(1, 1, typed("from native", client_id=3)))
    assert text_of(await alice.hears("update")) == text_of(await bob.hears("update")) == "from native"


async def test_what_is_said_before_the_document_is_open_is_taken(server: Server) -> None:
    bob = await YjsWire.open(server)
    alice = await YjsWire.connect(server)
    alice.says(yjs.encode_update(typed("early")), yjs.encode_step_1(b"\x00"), says(5, 1))
    await alice.hears("step 1")
    assert text_of(await alice.hears("step 2")) == "early"
    assert {kind for kind, _ in [await bob.hears_any(), await bob.hears_any()]} == {"update", "awareness"}


async def test_a_client_may_ask_again_at_any_time(server: Server) -> None:
    """As y-websocket does with `resyncInterval`; of many questions at once only the last needs an answer."""
    alice = await YjsWire.open(server)
    alice.says(yjs.encode_update(typed("hi", client_id=7)))
    alice.says(*[yjs.encode_step_1(b"\x00")] * 1_000)
    assert text_of(await alice.hears("step 2")) == "hi"
    alice.says(yjs.encode_step_1(b"\x01\x07\x02"), says(5, 1))
    while (answer := await alice.hears("step 2")) != EMPTY:
        assert text_of(answer) == "hi"


async def test_presence_reaches_those_who_are_there_and_those_who_come(server: Server) -> None:
    native = await Wire.connect(server)
    await native.opens("a")
    native.says(Awareness(1, encode([Entry(3, 1, b'{"user":{"name":"n"}}')])))
    alice = await YjsWire.open(server)
    assert entries(await alice.presence()) == [Entry(3, 1, b'{"user":{"name":"n"}}')]
    alice.says(says(5, 1))
    assert entries((await native.hears(Awareness)).awareness) == [Entry(5, 1, b"{}")]
    bob = await YjsWire.open(server)
    assert {entry.client for entry in entries(await bob.presence())} == {3, 5}
    bob.says(b"\x03")
    assert {entry.client for entry in entries(await bob.hears("awareness"))} == {3, 5}
    alice.socket.close()
    assert entries(await bob.hears("awareness")) == [Entry(5, 2, b"null")]
    assert entries((await native.hears(Awareness)).awareness) == [Entry(5, 2, b"null")]


async def test_who_comes_back_with_an_old_clock_hears_that_it_was_removed(server: Server) -> None:
    bob = await YjsWire.open(server)
    alice = await YjsWire.open(server)
    alice.says(says(5, 7))
    await bob.hears("awareness")
    alice.socket.close()
    await bob.hears("awareness")
    alice = await YjsWire.open(server)
    alice.says(says(5, 7))
    assert entries(await alice.hears("awareness")) == [Entry(5, 8, b"null")]
    await bob.hears("awareness")
    alice.says(says(5, 9))
    assert entries(await bob.hears("awareness")) == [Entry(5, 9, b"{}")]


async def test_presence_for_anothers_client_is_dropped_and_counted_and_repeating_it_is_not(server: Server) -> None:
    alice, mallory = await YjsWire.open(server), await YjsWire.open(server)
    alice.says(says(5, 1))
    heard = await mallory.hears("awareness")
    mallory.says(yjs.encode_awareness(heard), says(5, 2, b'{"user":{}}'), says(5, 2, b"null"))
    await mallory.stays_open()
    await alice.stays_open()
    assert server.rooms.dropped_presence == 2


async def test_an_idle_client_is_told_something_before_it_takes_the_line_for_lost(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(keep_alive_s=0.1))
    alice = await YjsWire.open(server)
    for _ in range(2):
        assert await alice.hears("awareness") == b"\x00", "presence that changed for no one"


@bounds("keep_alive_s")
async def test_a_client_is_told_that_the_server_is_there_no_sooner_than_it_has_to_be(
    start_server: ServerFactory,
) -> None:
    server = await start_server(limits=Limits(keep_alive_s=100, ping_s=1_000, silence_s=1_000))
    alice = await YjsWire.open(server)
    (socket,) = server.context.sockets
    now_s = socket._kept_alive_s  # type: ignore[attr-defined]  # a YjsSocket's
    socket.keep_alive(now_s + 99.9)
    await alice.stays_open()
    socket.keep_alive(now_s + 100)
    assert await alice.hears("awareness") == b"\x00"


async def test_a_document_whose_store_takes_nothing_sends_its_writers_away_to_come_back(server: Server) -> None:
    alice = await YjsWire.open(server)
    server.rooms._slots["a"].room._refusal = lambda: "the disk is full"
    alice.says(yjs.encode_update(typed("kept by its author")))
    assert await alice.hears("close") == b"1013 the disk is full"


async def test_a_server_that_stops_lets_its_clients_come_back(start_server: ServerFactory) -> None:
    server = await start_server()
    alice = await YjsWire.open(server)
    stopping = asyncio.ensure_future(server.engine.say_goodbye())
    assert await alice.is_closed() == 1012
    await stopping


async def test_a_document_that_is_deleted_ends_its_clients(server: Server) -> None:
    alice = await YjsWire.open(server)
    assert await server.rooms.delete("a")
    assert await alice.is_closed() == 4404


async def test_a_reader_that_stops_is_told_what_it_missed_in_one(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(outbox_bytes=100_000))
    alice, bob = await YjsWire.open(server), await YjsWire.open(server)
    stream = bob.socket.protocol.stream  # type: ignore[union-attr]
    assert stream is not None
    stream.io_loop.remove_handler(stream.fileno())  # bob's program stands still
    updates = [typed(f"{number:06}" * 2_000, client_id=number + 1) for number in range(1_000)]
    for update in updates:
        alice.says(yjs.encode_update(update))
    await alice.stays_open()
    stream._state = None
    stream._add_io_state(stream.io_loop.READ)
    heard: list[bytes] = []
    kinds = []
    expected = text_of(*updates)
    while len(text_of(*heard)) < len(expected):
        kind, payload = await bob.hears_any()
        kinds.append(kind)
        heard.append(payload)
    assert text_of(*heard) == expected
    assert set(kinds) == {"update"}, "no answer, for nothing was asked"
    assert len(kinds) < len(updates)


# What is refused


MALFORMED: list[dict[str, str]] = read_vectors("yjs.json")["malformed"]


@pytest.mark.parametrize("vector", MALFORMED, ids=[vector["name"] for vector in MALFORMED])
async def test_a_bad_frame_closes_its_sender_and_nobody_else(server: Server, vector: dict[str, str]) -> None:
    alice, mallory = await YjsWire.open(server), await YjsWire.open(server)
    mallory.says(bytes.fromhex(vector["hex"]))
    assert await mallory.is_closed() == 4400
    assert server.context.refused[4400] == 1
    await alice.stays_open()


_BAD_PARTS: dict[str, tuple[bytes | str, int]] = {
    "a text frame": ("hello", 4400),
    "an update that is none": (yjs.encode_update(b"\xff\xff"), 4400),
    "an update over its limit": (yjs.encode_update(typed("x" * 1_000)), 4413),
    "a frame over its limit": (yjs.encode_update(b"x" * 2_000), 4413),
    "a state vector of 2^27 clients": (yjs.encode_step_1(b"\x80\x80\x80\x40\x01"), 4400),
    "presence that is no JSON": (says(5, 1, b"{"), 4400),
    "presence over its limit": (yjs.encode_awareness(encode([Entry(5, 1, b'{"a":"%s"}' % (b"x" * 500))])), 4400),
}


@pytest.mark.parametrize("what", _BAD_PARTS)
async def test_bad_content_closes_its_sender_and_nobody_else(start_server: ServerFactory, what: str) -> None:
    limits = Limits(update_bytes=1_000, frame_bytes=1_500, awareness_bytes=500)
    server = await start_server(limits=limits)
    frame, code = _BAD_PARTS[what]
    alice, mallory = await YjsWire.open(server), await YjsWire.open(server)
    mallory.says(frame)
    assert await mallory.is_closed() == code
    await alice.stays_open()


@pytest.mark.parametrize("name", ["", "a//b", "%2e%2e/a", "a%20b", "x" * 201, "%3Ci%3E"])
async def test_a_name_that_is_none_is_malformed(server: Server, name: str) -> None:
    assert await (await YjsWire.connect(server, name)).is_closed() == 4400


async def test_names_may_hold_slashes_and_letters_of_all_languages(server: Server) -> None:
    for path, name in (("team%2Fa/b", "team/a/b"), ("Z%C3%BCrich", "Zürich")):
        await YjsWire.open(server, path)
        assert await server.rooms.get(name) is not None


async def test_an_edit_that_builds_on_others_is_asked_for_with_them_once(server: Server) -> None:
    bob, alice = await YjsWire.open(server), await YjsWire.open(server)
    both, second = _two_edits()
    alice.says(yjs.encode_update(second))
    await alice.hears("step 1")
    alice.says(yjs.encode_step_2(both))
    assert text_of(await bob.hears("update")) == "one two "
    _, orphan = _two_edits(client_id=9)
    alice.says(yjs.encode_update(orphan))
    await alice.hears("step 1")
    alice.says(yjs.encode_step_2(orphan))
    assert await alice.is_closed() == 4400
    await bob.stays_open()


def _two_edits(client_id: int = 1) -> tuple[bytes, bytes]:
    """Both, and the second alone."""
    doc: Doc[Any] = Doc(client_id=client_id)
    text = doc.get("content", type=Text)
    text += "one "
    after_first = doc.get_state()
    text += "two "
    return doc.get_update(), doc.get_update(after_first)


async def test_too_much_before_the_document_is_open_is_refused(start_server: ServerFactory) -> None:
    may_open = asyncio.Event()

    class Slow:
        async def authenticate(self, credentials: Credentials, document: str) -> Grant:
            await may_open.wait()
            return Grant(User(), Permission.WRITE)

    server = await start_server(authenticator=Slow(), limits=Limits(held_bytes=1_000))
    modest, greedy = await YjsWire.connect(server), await YjsWire.connect(server)
    modest.says(yjs.encode_update(typed("x" * 500)))
    greedy.says(*[yjs.encode_update(typed("x" * 500))] * 2)
    assert await greedy.is_closed() == 1013
    may_open.set()
    await modest.hears("step 1")


async def test_what_native_clients_come_back_after_is_told_so_that_these_do(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(silence_s=100, ping_s=50))
    alice = await YjsWire.open(server)
    (socket,) = server.context.sockets
    socket.keep_alive(socket.connection.heard_s + 101)
    assert await alice.is_closed() == 1013
    assert server.context.refused == {4408: 1}


async def test_a_close_that_old_clients_come_back_after_is_told_late(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collabdoc.server.yjs._LATE_S", 0.01)
    bob, mallory = await YjsWire.open(server), await YjsWire.open(server)
    mallory.says(says(5, 1))
    await bob.hears("awareness")
    mallory.says(b"\x63", says(5, 2))
    assert entries(await bob.hears("awareness")) == [Entry(5, 2, b"null")], "it is out of the document at once"
    assert await mallory.is_closed() == 4400


# Who may do what


async def test_who_may_not_open_hears_why_and_is_closed_for_good(start_server: ServerFactory) -> None:
    server = await start_server(authenticator=ByName())
    stranger = await YjsWire.connect(server)
    assert await stranger.hears("denied") == b"sign in first"
    assert await stranger.hears("close") == b"4401 sign in first"
    nobody = await YjsWire.connect(server, query="?token=nobody")
    assert await nobody.hears("denied") == b"you may not open this document"
    assert await nobody.is_closed() == 4403
    reader = await YjsWire.connect(server, "unborn", query="?token=read")
    assert await reader.is_closed() == 4404


async def test_who_may_only_read_is_told_once_that_edits_are_not_taken(start_server: ServerFactory) -> None:
    server = await start_server(authenticator=ByName())
    writer = await YjsWire.open(server, query="?token=write")
    writer.says(yjs.encode_update(typed("hi", client_id=7)))
    reader = await YjsWire.open(server, query="?token=read")
    reader.says(yjs.encode_step_2(EMPTY), yjs.encode_step_2(DELETES_A_CHARACTER))  # a difference has all deletions
    await reader.stays_open()
    reader.says(*[yjs.encode_update(typed("no", client_id=8))] * 2)
    assert await reader.hears("denied") == b"this document is open for reading only"
    await reader.stays_open()
    await writer.stays_open()


async def test_who_reads_and_brings_edits_of_another_time_is_told(start_server: ServerFactory) -> None:
    server = await start_server(authenticator=ByName())
    await YjsWire.open(server, query="?token=write")
    reader = await YjsWire.open(server, query="?token=read")
    reader.says(yjs.encode_step_2(typed("from offline")))
    assert await reader.hears("denied") == b"this document is open for reading only"


async def test_a_token_is_taken_from_the_address_the_header_and_the_cookies(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    await server.rooms.create("a", title="", kind="text")
    link = await link_to(server, "a", Permission.WRITE)
    for query, headers in (
        (f"?token={token()}", {}),
        (f"?token=&token={token()}", {}),
        (f"?token={link}", {}),
        ("", {"Authorization": f"Bearer {token()}"}),
        ("", {"Cookie": f"collabdoc_session={token()}"}),
    ):
        wire = await YjsWire.connect(server, query=query, headers=headers)
        await wire.syncs()


async def test_who_was_taken_back_is_closed_and_told(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    alice = await YjsWire.open(server, query=f"?token={token('alice', 'write')}")
    headers = {"Authorization": f"Bearer {token('boss', 'admin')}"}
    assert (await Http(server).fetch("POST", "/api/revocations", {"user": "alice"}, **headers)).code == 200
    await alice.hears("denied")
    assert await alice.is_closed() == 4401


async def test_a_token_in_an_address_is_never_logged(
    start_server: ServerFactory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    server = await with_tokens(start_server)
    await YjsWire.open(server, query=f"?token={token('SECRET-SUBJECT')}&other=TOPSECRET")
    for path in ("/yjs/a?token=TOPSECRET", "/yjs/a?token=%ff%feTOPSECRET", "/yjs/%ff?token=TOPSECRET"):
        assert (await Http(server).fetch("GET", path)).code == 400, "no upgrade, or no name"
    with pytest.raises(Exception, match="403"):
        await YjsWire.connect(server, query="?token=TOPSECRET", headers={"Origin": "https://evil.example"})
    with pytest.raises(Exception, match="403"):
        await YjsWire.connect(server, query="?token=TOPSECRET", headers={"Host": "evil.example"})
    monkeypatch.setattr("collabdoc.server.yjs.credentials_of", None)
    await (await YjsWire.connect(server, query="?token=TOPSECRET")).hears("close")
    assert "TypeError" in caplog.text
    assert "TOPSECRET" not in caplog.text


async def test_a_page_of_another_origin_gets_no_socket(server: Server) -> None:
    with pytest.raises(Exception, match="403"):
        await YjsWire.connect(server, headers={"Origin": "https://evil.example"})


async def test_whatever_subprotocol_is_offered_is_spoken(server: Server) -> None:
    wire = await YjsWire.connect(server, subprotocols=["yjs", "other"])
    assert wire.socket.selected_subprotocol == "yjs"
    await wire.hears("step 1")


async def test_native_clients_notice_nothing_of_a_fault(server: Server) -> None:
    native = await Wire.connect(server)
    await native.opens("a")
    mallory = await YjsWire.open(server)
    mallory.says(yjs.encode_update(b"\xff" * 100))
    assert await mallory.is_closed() == 4400
    native.says(Ping(1))
    assert await native.hears(Pong) == Pong(1)


async def test_edits_that_build_on_what_the_server_lacks_come_again_with_it(server: Server) -> None:
    """A client that was offline types on before it has answered what the server has; it is synced all the same."""
    other = await YjsWire.open(server)
    other.says(yjs.encode_update(typed("the others'", client_id=2)))
    typist = Typist()
    typist.types("offline ")
    wire = await YjsWire.connect(server)
    wire.says(yjs.encode_step_1(typist.doc.get_state()))
    wire.says(yjs.encode_update(typist.types("b")), yjs.encode_update(typist.types("c")))
    state = await wire.hears("step 1")
    assert "others" in text_of(await wire.hears("step 2"))
    wire.says(yjs.encode_step_2(typist.doc.get_update(state)))
    assert "offline bc" in text_of(await other.hears("update"))
    assert server.context.refused == {}
