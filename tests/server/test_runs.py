"""Edits that reach the server together, over a real socket."""

from collections.abc import Iterable

import pytest

from collabdoc.protocol import native, yjs
from collabdoc.protocol.hocuspocus import head_of
from collabdoc.protocol.messages import ClientMessage, Closed, Ping, Pong, Saved, Update, Updates
from collabdoc.server.app import Server
from tests.conftest import ServerFactory
from tests.reliability.attackers import frame
from tests.server.hocuspocus_wire import HocuspocusWire, Typist
from tests.server.people import ByName
from tests.server.wire import Wire, text_of
from tests.server.yjs_wire import YjsWire

pytestmark = pytest.mark.gen_test(timeout=30)


def says_at_once(wire: Wire, *messages: ClientMessage) -> None:
    """In one piece of the line."""
    write_at_once(wire, map(native.encode_client, messages))


def write_at_once(wire: Wire, messages: Iterable[bytes]) -> None:
    assert wire.socket.protocol is not None
    assert wire.socket.protocol.stream is not None
    wire.socket.protocol.stream.write(b"".join(map(frame, messages)))


async def test_edits_that_come_together_are_taken_in_their_order_whatever_comes_between(server: Server) -> None:
    """Letters of two documents, deletions and questions."""
    alice, bob = await Wire.connect(server), await Wire.connect(server)
    authors, ids = {1: Typist(), 2: Typist()}, {1: 0, 2: 0}
    for channel in authors:
        for wire in (alice, bob):
            await wire.opens(f"document-{channel}", channel=channel)
    said: list[ClientMessage] = []
    for place in range(40):
        channel = 2 if place % 10 > 6 else 1
        author = authors[channel]
        ids[channel] += 1
        said.append(Update(channel, ids[channel], author.deletes(0, 1) if place % 13 == 12 else author.types("a")))
        if place % 15 == 14:
            said.append(Ping(place))
    says_at_once(alice, *said)
    saved, pongs = {1: 0, 2: 0}, []
    while saved != ids:
        message = await alice.hears_any()
        assert isinstance(message, Saved | Pong)
        if isinstance(message, Saved):
            saved[message.channel] = message.id
        else:
            pongs.append(message)
    assert pongs[-1] == Pong(29)
    heard: dict[int, list[bytes]] = {1: [], 2: []}
    while any(text_of(*heard[channel]) != author.text for channel, author in authors.items()):
        updates = await bob.hears(Updates)
        heard[updates.channel] += updates.updates
    assert sum(map(len, heard.values())) < len(said), "letters that are one text came as one"


async def test_an_id_that_leaves_one_out_ends_the_channel_behind_what_came_before_it(server: Server) -> None:
    alice, bob = await Wire.connect(server), await Wire.connect(server)
    await alice.opens("a")
    await bob.opens("a")
    author = Typist()
    updates = [author.types(letter) for letter in "abcde"]
    says_at_once(alice, *(Update(1, id_, update) for id_, update in zip((1, 2, 3, 5, 6), updates, strict=True)))
    closed = await alice.hears(Closed)
    assert (closed.code, closed.reason) == (4400, "read the update id 5, expected 4")
    assert text_of(*(await bob.hears(Updates)).updates) == "abc"


async def test_edits_for_a_document_that_is_not_open_are_told_of_once(server: Server) -> None:
    alice = await Wire.connect(server)
    author = Typist()
    says_at_once(alice, *(Update(1, id_, author.types("a")) for id_ in range(1, 6)))
    assert (await alice.hears(Closed)).reason == "channel 1 is not open"
    opened = await alice.opens("a", channel=2)
    assert opened.channel == 2


async def test_in_the_y_websocket_dialect_letters_are_taken_together_and_a_question_among_them_is_answered(
    server: Server,
) -> None:
    ana, ben = await YjsWire.open(server), await YjsWire.open(server)
    author = Typist()
    said = [yjs.encode_update(author.types("a")) for _ in range(20)]
    said += [yjs.encode_step_1(b"\x00"), yjs.encode_update(author.deletes(0, 1))]
    said += [yjs.encode_update(author.types("b")) for _ in range(20)]
    write_at_once(ana.wire, said)
    heard: list[bytes] = []
    while not heard or text_of(*heard) != author.text:
        heard.append(await ben.hears("update"))
    assert text_of(await ana.hears("step 2")).startswith("a" * 19), "what came before the question, and is committed"


async def test_in_the_y_websocket_dialect_who_may_only_read_is_told_so(start_server: ServerFactory) -> None:
    server = await start_server(authenticator=ByName())
    ana, carol = await YjsWire.open(server, query="?token=write"), await YjsWire.connect(server, query="?token=read")
    await carol.syncs()
    author = Typist()
    said = [yjs.encode_update(author.types("a")) for _ in range(5)]
    write_at_once(carol.wire, said)
    assert b"reading only" in await carol.hears("denied")
    write_at_once(ana.wire, said)
    assert text_of(await carol.hears("update")) == author.text


async def test_in_the_hocuspocus_dialect_each_letter_gets_its_status_and_each_address_its_own(server: Server) -> None:
    ana, ben = await HocuspocusWire.dials(server), await HocuspocusWire.dials(server)
    authors = {"d": Typist(), "ö": Typist()}
    for at in authors:
        await ana.joins(at=at)
        await ben.joins(at=at)
    said: list[bytes] = []
    for place in range(40):
        at = "ö" if place % 10 > 6 else "d"
        update = authors[at].deletes(0, 1) if place % 13 == 12 else authors[at].types("a")
        said.append(head_of(at) + b"\x00\x02" + bytes((len(update),)) + update)
    write_at_once(ana, said)
    statuses = dict.fromkeys(authors, 0)
    for _ in said:
        status = await ana.gets()
        assert (status.kind, status.value) == ("status", True)
        statuses[status.address] += 1
    assert statuses == {"d": 28, "ö": 12}
    await ana.nothing_comes()
    heard: dict[str, list[bytes]] = {at: [] for at in authors}
    while any(text_of(*heard[at]) != author.text for at, author in authors.items()):
        told = await ben.gets()
        heard[told.address].append(told.value)
