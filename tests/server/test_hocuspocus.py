"""Hocuspocus' dialect over real sockets: who is let in, what comes of edits, and what bad input costs whom."""

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from collabdoc.auth import Credentials
from collabdoc.awareness import Entry, decode, encode
from collabdoc.config import Limits
from collabdoc.errors import StoreError
from collabdoc.protocol.messages import Ping, Pong, Saved, Update, Updates
from collabdoc.server.app import Server
from collabdoc.store.base import Append
from collabdoc.store.sqlite import SqliteStore
from tests.conftest import ServerFactory
from tests.limits import bounds
from tests.server.hocuspocus_wire import Heard, HocuspocusWire, Typist
from tests.server.people import link_to, token, with_tokens
from tests.server.test_api import Http
from tests.server.test_slow_readers import Slow
from tests.server.wire import Wire, text_of, typed

pytestmark = pytest.mark.gen_test(timeout=60)


def present(client: int, clock: int = 1, state: object = None) -> bytes:
    return encode([Entry(client, clock, json.dumps(state if state is not None else {}).encode())])


async def join(server: Server, **how: Any) -> HocuspocusWire:
    wire = await HocuspocusWire.dials(server)
    await wire.joins(**how)
    return wire


class HeldStore(SqliteStore):
    """A disk that can be held up, or full."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.is_full = False

    def append(self, appends: Sequence[Append]) -> list[int | None]:
        self.goes_on.wait()
        if self.is_full:
            raise StoreError("the disk is full")
        return super().append(appends)


# Opening


async def test_a_provider_opens_as_with_a_hocuspocus_server(server: Server) -> None:
    """Authenticated, who is present, step 1, step 2: in this order, and once its own step 2 is in, one status."""
    ana = await join(server)
    ana.edits(typed("hello"))
    ana.is_present(present(7))
    assert await ana.gets_a("status") is True
    bob = await HocuspocusWire.dials(server)
    bob.shows()
    bob.has()
    assert await bob.gets_a("authenticated") == "read-write"
    assert [entry.client for entry in decode(await bob.gets_a("awareness"), max_bytes=999)] == [7]
    assert await bob.gets_a("step 1") == b"\x01\x01\x05"
    assert text_of(await bob.gets_a("step 2")) == "hello"
    bob.brings()
    assert await bob.gets_a("status") is True
    await bob.nothing_comes()


async def test_who_waits_for_an_answer_to_the_token_gets_one(server: Server) -> None:
    wire = await HocuspocusWire.dials(server)
    wire.shows()
    assert await wire.gets_a("authenticated") == "read-write"
    assert await wire.gets_a("step 1") == b"\x00"
    wire.has()
    assert await wire.gets_a("step 2") == b"\x00\x00"
    await wire.nothing_comes()


async def test_a_provider_before_version_3_without_a_token_shows_none(server: Server) -> None:
    wire = await HocuspocusWire.dials(server)
    wire.has()
    assert await wire.gets_a("authenticated") == "read-write"
    assert await wire.gets_a("step 1") == b"\x00"
    assert await wire.gets_a("step 2") == b"\x00\x00"


async def test_what_comes_before_the_token_waits_for_it(server: Server) -> None:
    """A provider whose token is being fetched sends what its user types meanwhile."""
    watcher = await join(server)
    wire = await HocuspocusWire.dials(server)
    typist = Typist()
    wire.edits(typist.types("a"))
    wire.is_present(present(7))
    wire.edits(typist.types("b"))
    await wire.nothing_comes()
    wire.shows()
    wire.has(typist.doc.get_state())
    assert await wire.gets_a("authenticated") == "read-write"
    assert await wire.gets_a("step 1") == b"\x01\x01\x02"
    assert await wire.gets_a("step 2") == b"\x00\x00"
    assert [await wire.gets_a("status"), await wire.gets_a("status")] == [True, True]
    heard = [await watcher.gets(), await watcher.gets()]
    assert {each.kind for each in heard} == {"update", "awareness"}
    assert text_of(next(each.value for each in heard if each.kind == "update")) == "ab"


@bounds("held_bytes")
async def test_what_waits_for_a_token_is_bounded(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(held_bytes=10_000))
    wire = await HocuspocusWire.dials(server)
    frame = typed("x" * 1000)
    wire.edits(b"x" * (4_900 - 5 - 2), at="a")  # 5 for the address and the types, 2 for the length
    wire.edits(b"x" * (4_900 - 5 - 2), at="b")
    await wire.nothing_comes()
    wire.edits(frame, at="c")
    assert "10000 bytes" in await wire.gets_closed(1013)


@bounds("channels_per_socket")
async def test_addresses_of_one_socket_are_bounded(start_server: ServerFactory) -> None:
    """One too many is denied, and the others go on; one that does not even show a token ends the connection."""
    server = await start_server(limits=Limits(channels_per_socket=2))
    wire = await HocuspocusWire.dials(server)
    await wire.joins(at="a")
    await wire.joins(at="b")
    wire.shows(at="c")
    wire.has(at="c")
    assert "at most 2" in await wire.gets_denied(at="c")
    await wire.nothing_comes()
    wire.leaves(at="a")
    await wire.joins(at="c")
    wire.is_present(present(1), at="d")
    await wire.gets_closed(4429)


async def test_many_documents_share_a_socket(server: Server) -> None:
    ana, bob = await HocuspocusWire.dials(server), await HocuspocusWire.dials(server)
    for name in ("a", "team/b", "ü"):
        await ana.joins(at=name)
        await bob.joins(at=name)
    for name in ("ü", "a", "team/b"):
        ana.edits(typed(name), at=name)
        assert await ana.gets_a("status", at=name) is True
        assert text_of(await bob.gets_a("update", at=name)) == name


async def test_two_providers_of_one_document_have_a_session_each_on_one_socket(server: Server) -> None:
    wire = await HocuspocusWire.dials(server)
    await wire.joins(at="d\0one")
    await wire.joins(at="d\0two")
    other = await join(server)
    wire.edits(typed("hi"), at="d\0one")
    heard = {(each.address, each.kind) for each in [await wire.gets(), await wire.gets()]}
    assert heard == {("d\0one", "status"), ("d\0two", "update")}
    assert text_of(await other.gets_a("update")) == "hi"
    wire.leaves(at="d\0one")
    other.edits(typed("you", client_id=2))
    assert await wire.gets_a("update", at="d\0two")
    await wire.nothing_comes()


async def test_an_address_that_was_left_can_be_opened_again(server: Server) -> None:
    wire = await join(server)
    wire.edits(typed("hi"))
    wire.leaves()
    assert text_of(await wire.joins()) == "hi"


async def test_what_comes_for_an_address_that_was_left_is_not_kept(server: Server) -> None:
    """Version 2's providers tell their presence once more after their goodbye."""
    wire = await join(server, version=None)
    wire.leaves()
    wire.is_present(present(7))
    wire.edits(typed("hi"))
    await wire.nothing_comes()
    [socket] = server.context.sockets
    assert socket._held_bytes == 0  # type: ignore[attr-defined]  # a HocuspocusSocket's
    wire.has()
    assert await wire.gets_a("authenticated") == "read-write"


async def test_a_second_token_on_an_open_address_is_answered(server: Server) -> None:
    """As where a provider is destroyed and made anew faster than its goodbye."""
    wire = await join(server)
    wire.shows()
    assert await wire.gets_a("authenticated") == "read-write"
    await wire.nothing_comes()


@pytest.mark.parametrize("name", ["", "a b", "/a", "x" * 201, "a/../b"])
async def test_an_address_that_names_no_document_is_denied(server: Server, name: str) -> None:
    wire = await join(server)
    wire.shows(at=name)
    assert "name" in await wire.gets_denied(at=name)
    wire.edits(typed("hi"), at=name)
    await wire.nothing_comes()


async def test_a_document_that_cannot_be_loaded_yet_is_waited_for(start_server: ServerFactory, tmp_path: Path) -> None:
    class Store(SqliteStore):
        is_down = True

        def load(self, document: str) -> Any:
            if self.is_down and document == "broken":
                raise StoreError("the disk hangs")
            return super().load(document)

    store = Store(tmp_path / "store")
    wire = await HocuspocusWire.dials(await start_server(store=store))
    wire.shows(at="broken")
    wire.has(at="broken")
    await wire.joins(at="whole")
    store.is_down = False
    assert await wire.gets_a("authenticated", at="broken") == "read-write"


# Who


async def test_an_empty_token_means_what_the_connection_shows(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    headers = {"Authorization": f"Bearer {token('ana', 'read')}"}
    wire = await HocuspocusWire.dials(server, headers=headers)
    wire.shows("", at="a")
    assert await wire.gets_a("authenticated", at="a") == "readonly"
    await wire.gets_a("step 1", at="a")
    wire.shows(token("ana", "write"), at="b")
    assert await wire.gets_a("authenticated", at="b") == "read-write"


async def test_a_link_counts_as_a_token(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    wire = await HocuspocusWire.dials(server)
    wire.shows(await link_to(server, "a"), at="a")
    assert await wire.gets_a("authenticated", at="a") == "readonly"


async def test_who_is_refused_may_try_again_on_the_same_socket(start_server: ServerFactory) -> None:
    """What it sent meanwhile is ignored: a provider goes on as if it had not been told."""
    server = await with_tokens(start_server)
    wire = await HocuspocusWire.dials(server)
    wire.shows("forged", at="a")
    wire.has(at="a")
    wire.is_present(present(7), at="a")
    await wire.gets_denied(at="a")
    wire.edits(typed("hi"), at="a")
    wire.has(at="a")
    await wire.nothing_comes()
    assert await wire.joins(token("ana", "write"), at="a")
    assert server.context.refused == {4401: 1}


async def test_a_reader_gets_a_status_of_00_and_changes_nothing(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    reader, writer = await HocuspocusWire.dials(server), await HocuspocusWire.dials(server)
    await writer.joins(token("ana", "write"), at="a")
    writer.edits(typed("hello"), at="a")
    assert await writer.gets_a("status", at="a") is True
    whole = await reader.joins(token("ben", "read"), at="a")
    reader.edits(typed("mine", client_id=9), at="a")
    reader.brings(typed("mine", client_id=9), at="a")
    assert [await reader.gets_a("status", at="a") for _ in range(2)] == [False, False]
    reader.brings(whole, at="a")
    assert await reader.gets_a("status", at="a") is True, "it holds nothing new, and its provider waits for that"
    await writer.nothing_comes()
    assert text_of(await reader.syncs(at="a")) == "hello"


async def test_a_readers_step_2_tells_deletions_that_are_known_and_no_others(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    writer, reader = await HocuspocusWire.dials(server), await HocuspocusWire.dials(server)
    await writer.joins(token("ana", "write"), at="a")
    typist = Typist()
    for update in (typist.types("hello"), typist.deletes(1, 2)):
        writer.edits(update, at="a")
        assert await writer.gets_a("status", at="a") is True
    await reader.joins(token("ben", "read"), at="a")
    reader.brings(typist.doc.get_update(typist.doc.get_state()), at="a")
    assert await reader.gets_a("status", at="a") is True
    typist.deletes(0, 1)
    reader.brings(typist.doc.get_update(typist.doc.get_state()), at="a")
    assert await reader.gets_a("status", at="a") is False


# Edits and their statuses


async def test_a_status_comes_after_the_commit(start_server: ServerFactory, tmp_path: Path) -> None:
    """One for each message, whether it held anything new or not; peers do not wait for it."""
    store = HeldStore(tmp_path / "store")
    server = await start_server(store=store)
    ana, bob = await join(server), await join(server)
    store.goes_on.clear()
    typist = Typist()
    ana.edits(typist.types("a"))
    ana.edits(typist.types("b"))
    ana.brings(typist.doc.get_update())
    assert text_of(await bob.gets_a("update")) == "ab"
    await ana.nothing_comes()
    store.goes_on.set()
    assert [await ana.gets_a("status") for _ in range(3)] == [True] * 3
    await ana.nothing_comes()
    assert text_of(*[entry.update for entry in store.load("d").tail]) == "ab"  # type: ignore[union-attr]  # it exists


async def test_who_says_what_it_has_gets_what_it_lacks_and_is_asked_for_the_rest(server: Server) -> None:
    """As by a provider's `forceSync`, which then waits for one status."""
    ana, bob = await join(server), await join(server)
    ana.edits(typed("hello"))
    assert await ana.gets_a("status") is True
    await bob.gets_a("update")
    assert text_of(await bob.syncs()) == "hello"
    bob.brings()
    assert await bob.gets_a("status") is True
    bob.has(b"\x01\x01\x03")
    assert (await bob.gets_a("step 2"))[:4] == b"\x01\x01\x01\x03", "from the fourth letter on"
    assert await bob.gets_a("step 1") == b"\x01\x01\x05"


async def test_an_edit_that_builds_on_what_the_server_lacks_waits_for_step_2(server: Server) -> None:
    """A provider that was offline types on before it has told what it has. Nothing is refused, and nothing is lost."""
    wire = await HocuspocusWire.dials(server)
    wire.shows()
    wire.has()
    for kind in ("authenticated", "step 1", "step 2"):
        await wire.gets_a(kind)
    typist = Typist()
    typist.types("offline ")
    wire.edits(typist.types("b"))
    wire.edits(typist.types("c"))
    await wire.nothing_comes()
    wire.brings(typist.doc.get_update())
    assert [await wire.gets_a("status") for _ in range(3)] == [True] * 3
    assert text_of(await wire.syncs()) == "offline bc"
    wire.brings()
    assert await wire.gets_a("status") is True


async def test_an_edit_out_of_the_blue_is_asked_about_once(server: Server) -> None:
    """Whoever then brings something as incomplete is refused; the others on the socket go on."""
    wire = await join(server)
    await wire.joins(at="other")
    typist = Typist()
    typist.types("never said ")
    wire.edits(typist.types("b"))
    assert await wire.gets_a("step 1") == b"\x00"
    wire.edits(typist.types("c"))
    wire.brings(typist.types("d"))
    assert await wire.gets_a("status") is False
    assert "server has 0" in await wire.gets_a("close")
    await wire.nothing_comes()
    wire.edits(typed("hi"), at="other")
    assert await wire.gets_a("status", at="other") is True


async def test_edits_while_nothing_can_be_stored_are_asked_for_when_it_can(
    start_server: ServerFactory, tmp_path: Path
) -> None:
    store = HeldStore(tmp_path / "store")
    server = await start_server(store=store)
    wire, watcher = await join(server), await join(server)
    store.is_full = True
    typist = Typist()
    wire.edits(typist.types("a"))
    assert await watcher.gets_a("update")
    while server.rooms._writer.refusal() is None:
        await asyncio.sleep(0.01)
    wire.edits(typist.types("b"))
    wire.edits(typist.types("c"))
    await wire.nothing_comes()
    store.is_full = False
    assert await wire.gets_a("status") is True, "of the first"
    assert await wire.gets_a("step 1") == b"\x01\x01\x01"
    wire.brings(typist.doc.get_update(b"\x01\x01\x01"))
    assert [await wire.gets_a("status") for _ in range(3)] == [True] * 3
    assert text_of(await wire.syncs()) == "abc"


async def test_edits_of_a_turn_are_handed_on_as_one(server: Server) -> None:
    """Merged for readers; an author gets those of the others, and none of its own."""
    wires = [await join(server) for _ in range(3)]
    ana, bob, carol = wires
    typists = [Typist(client) for client in (1, 2)]
    for letter in "abc":
        ana.edits(typists[0].types(letter))
        bob.edits(typists[1].types(letter.upper()))
    everything = Typist(3)
    while len(everything.text) < 6:
        everything.doc.apply_update(await carol.gets_a("update"))
    for wire, typist in ((ana, typists[0]), (bob, typists[1])):
        statuses = 0
        while len(typist.text) < 6 or statuses < 3:
            heard = await wire.gets()
            if heard.kind == "status":
                statuses += 1
            else:
                typist.doc.apply_update(heard.value)
    assert typists[0].text == typists[1].text == everything.text


async def test_dialects_meet_in_one_document(server: Server) -> None:
    provider, native = await join(server), await Wire.connect(server)
    await native.opens("d")
    provider.edits(typed("hello"))
    assert text_of(*(await native.hears(Updates)).updates) == "hello"
    native.says(Update(1, 1, typed("you", client_id=2)))
    await native.hears(Saved)
    heard = {each.kind: each.value for each in [await provider.gets(), await provider.gets()]}
    assert heard["status"] is True
    assert text_of(heard["update"]) == "you"


# Presence and stateless messages


async def test_presence_is_told_and_asked_for(server: Server) -> None:
    ana, bob = await join(server), await join(server)
    ana.is_present(present(7, state={"user": {"name": "Ana"}}))
    assert await bob.gets_a("awareness") == present(7, state={"user": {"name": "Ana"}})
    bob.sends(b"\x03")
    assert await bob.gets_a("awareness") == present(7, state={"user": {"name": "Ana"}})
    ana.socket.close()
    [gone] = decode(await bob.gets_a("awareness"), max_bytes=999)
    assert (gone.client, gone.state) == (7, b"null")


async def test_presence_for_anothers_client_id_is_dropped_and_counted(server: Server) -> None:
    ana, mallory = await join(server), await join(server)
    ana.is_present(present(7))
    await mallory.gets_a("awareness")
    mallory.is_present(present(7, 2, {"user": {"name": "Boss"}}))
    mallory.is_present(encode([Entry(7, 3, b"null")]))
    await mallory.nothing_comes()
    await ana.nothing_comes()
    assert (await Http(server).json("GET", "/healthz"))["dropped_presence"] == 2


async def test_a_stateless_message_reaches_the_others_of_its_document(server: Server) -> None:
    ana, bob, elsewhere = await join(server), await join(server), await join(server, at="other")
    native = await Wire.connect(server)
    await native.opens("d")
    ana.tells("hello")
    ana.sends(b"\x06", b"everybody")
    assert [await bob.gets_a("stateless") for _ in range(2)] == ["hello", "everybody"]
    for wire in (ana, elsewhere):
        await wire.nothing_comes()
    native.says(Ping(1))
    assert await native.hears(Pong) == Pong(1)


@bounds("stateless_per_s")
async def test_a_flood_of_stateless_messages_ends_its_sender(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(stateless_per_s=5))
    server.context.monotonic = lambda: 1000.5
    ana, bob = await join(server), await join(server)
    for _ in range(5):
        ana.tells("x")
    assert [await bob.gets_a("stateless") for _ in range(5)] == ["x"] * 5
    server.context.monotonic = lambda: 1001.5
    for _ in range(6):
        ana.tells("y")
    assert "5 stateless" in await ana.gets_closed(4429)
    assert [await bob.gets_a("stateless") for _ in range(5)] == ["y"] * 5
    await bob.nothing_comes()


@bounds("stateless_bytes")
async def test_a_stateless_message_is_of_a_bounded_size(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(stateless_bytes=10))
    ana, bob = await join(server), await join(server)
    ana.tells("x" * 10)
    assert await bob.gets_a("stateless") == "x" * 10
    ana.tells("ü" * 5 + "x")
    await ana.gets_closed(4413)
    await bob.nothing_comes()


# Ends


async def test_a_grant_that_ends_is_asked_about_and_then_over(start_server: ServerFactory) -> None:
    """Before its end a token is asked for; without one both its events tell the provider."""
    server = await with_tokens(start_server)
    wire = await HocuspocusWire.dials(server)
    await wire.joins(token("ana", "write"), at="b")
    [lasting] = server.context.sockets
    await wire.joins(token("ana", "write", exp=time.time() + 15), at="a")
    assert await wire.gets_a("token wanted", at="a") is None
    wire.shows(token("ana", "write", exp=time.time() + 600), at="a")
    assert await wire.gets_a("authenticated", at="a") == "read-write"
    session = lasting._sessions[2]
    assert session.grant.expires is not None
    lasting.end_expired(session.grant.expires - 29)
    assert await wire.gets_a("token wanted", at="a") is None
    session.credentials = Credentials(token("ana", "write", exp=time.time() - 60))
    lasting.end_expired(session.grant.expires)
    assert "expired" in await wire.gets_denied(at="a")
    assert "expired" in await wire.gets_a("close", at="a")
    wire.edits(typed("hi"), at="b")
    assert await wire.gets_a("status", at="b") is True


async def test_what_is_taken_back_ends_the_address(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    new, old = await HocuspocusWire.dials(server), await HocuspocusWire.dials(server)
    await new.joins(token("ana", "write"), at="a")
    await old.joins(token("ana", "write"), at="a", version=None)
    boss = token("boss", "admin")
    await Http(server).fetch("POST", "/api/revocations", {"user": "ana"}, Authorization=f"Bearer {boss}")
    await new.gets_denied(at="a")
    await new.gets_a("close", at="a")
    await old.gets_denied(at="a")
    await old.nothing_comes()


async def test_another_right_is_told_by_a_reconnect(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    wire = await HocuspocusWire.dials(server)
    await wire.joins(token("ana", "write"), at="a")
    wire.shows(token("ana", "read"), at="a")
    assert "changed" in await wire.gets_closed(1012)


async def test_a_document_that_is_deleted_is_closed(server: Server) -> None:
    new, old = await join(server), await join(server, version=None)
    await server.rooms.delete("d")
    assert "deleted" in await new.gets_a("close")
    assert "deleted" in await old.gets_denied()
    await new.joins(at="e")


async def test_a_server_that_stops_gives_every_status_and_says_so(start_server: ServerFactory, tmp_path: Path) -> None:
    store = HeldStore(tmp_path / "store")
    server = await start_server(store=store)
    wire = await join(server)
    store.goes_on.clear()
    wire.edits(typed("hi"))
    await wire.nothing_comes()
    stopping = asyncio.create_task(server.engine.say_goodbye())
    await asyncio.sleep(0)
    store.goes_on.set()
    assert await wire.gets_a("status") is True
    assert "restarting" in await wire.gets_closed(1012)
    await stopping


# What is no protocol


async def test_text_frames_are_not_taken(server: Server) -> None:
    wire = await join(server)
    wire.says_bytes("hello")
    await wire.gets_closed(4400)


@pytest.mark.parametrize("frame", [b"", b"\x08", b"\x01d", b"\xff" * 300, b"\x01d\x0b", b"\x01d\x00\x02\xff\xff\x7f"])
async def test_what_is_no_message_ends_its_sender_and_nobody_else(server: Server, frame: bytes) -> None:
    wire, other = await join(server), await join(server)
    wire.says_bytes(frame)
    assert len(await wire.gets_closed(4400)) > 10
    await other.nothing_comes()


@pytest.mark.parametrize(
    "update", [b"", b"\xff" * 50, b"\x01\x01\x01\x00\x04\x01\x07content\x02hi", typed("hi")[:-1], b"\x00\x00\x00"]
)
async def test_an_update_that_is_none_ends_its_address_and_no_other(server: Server, update: bytes) -> None:
    wire, other = await join(server), await join(server)
    await wire.joins(at="e")
    wire.edits(update)
    assert await wire.gets_a("status") is False
    assert len(await wire.gets_a("close")) > 10
    wire.edits(typed("hi"))
    wire.edits(typed("hi"), at="e")
    assert await wire.gets_a("status", at="e") is True
    await other.nothing_comes()


@pytest.mark.parametrize("state_vector", [b"", b"\xff" * 300, b"\x80\x80\x80\x40", b"\x01\x01", b"\x00\x00"])
async def test_a_state_vector_that_is_none_ends_its_address(server: Server, state_vector: bytes) -> None:
    wire = await join(server)
    wire.has(state_vector)
    heard = [await wire.gets(), await wire.gets()]
    assert [each.kind for each in heard if each.kind != "step 1"] == ["close"]
    await wire.joins(at="e")


async def test_presence_that_is_none_ends_its_address(server: Server) -> None:
    wire = await join(server)
    wire.is_present(b"\xff" * 300)
    await wire.gets_a("close")
    await wire.joins(at="e")


async def test_what_is_for_an_address_that_nobody_opened_is_kept_and_not_handed_on(server: Server) -> None:
    wire, other = await join(server), await join(server)
    wire.edits(typed("hi"), at="d\0elsewhere")
    wire.is_present(present(5), at="dd")
    await wire.nothing_comes()
    await other.nothing_comes()


# The line


async def test_a_ping_is_answered_with_a_pong(server: Server) -> None:
    wire = await HocuspocusWire.dials(server)
    await wire.nothing_comes()
    wire.says_bytes(b"\x0a")
    await wire.nothing_comes()


async def test_an_idle_provider_hears_something_that_its_version_knows(server: Server) -> None:
    new, old = await join(server), await join(server, version=None)
    for socket in list(server.context.sockets):
        socket.keep_alive(server.context.monotonic() + 12)
    assert await new.gets() == Heard("ping")
    assert await old.gets_a("awareness") == b"\x00"


async def test_who_does_not_read_costs_no_more_than_its_outbox(start_server: ServerFactory) -> None:
    """Stateless messages past it are not for this reader; of the document it gets all that it lacks, in one."""
    limits = Limits(outbox_bytes=200_000, stateless_per_s=1_000_000, commit_ms=1, keep_alive_s=1_000)
    server = await start_server(limits=limits)
    ana, before = await join(server), set(server.context.sockets)
    ben = await join(server)
    [server_side] = server.context.sockets - before
    slow, typist, sent = Slow(ben, server_side), Typist(), 0
    while not server_side.connection.is_congested or sent < 300:
        ana.edits(typist.types("x" * 1_000))
        ana.tells("y" * 50_000)
        sent += 1
        assert await ana.gets_a("status") is True
        assert sum(map(len, server_side._replies)) <= limits.outbox_bytes
        [session] = server_side._sessions.values()
        assert session._queued_bytes <= limits.outbox_bytes
    slow.goes_on()
    reader = Typist(2)
    while len(reader.text) < len(typist.text):
        heard = await ben.gets()
        if heard.kind != "stateless":
            reader.doc.apply_update(heard.value)
