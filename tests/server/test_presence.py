"""Presence over real sockets: whose it is, under which name, and what is dropped."""

import json
from typing import Any

import pytest

from collabdoc.awareness import Entry, decode, encode
from collabdoc.protocol.messages import Awareness, Ping, Pong
from collabdoc.server.app import Server
from tests.conftest import ServerFactory
from tests.server.people import link_to, token, with_tokens
from tests.server.test_api import Http
from tests.server.wire import Wire

pytestmark = pytest.mark.gen_test(timeout=30)


def says(client: int, clock: int, state: Any) -> Awareness:
    return Awareness(1, encode([Entry(client, clock, json.dumps(state).encode())]))


async def hears(wire: Wire) -> dict[int, Any]:
    heard = await wire.hears(Awareness)
    return {entry.client: json.loads(entry.state) for entry in decode(heard.awareness, max_bytes=9_999)}


async def join(server: Server, credentials: str | None = None) -> Wire:
    wire = await Wire.connect(server)
    await wire.opens("a", token=credentials)
    return wire


async def nothing_is_heard(wire: Wire) -> None:
    wire.says(Ping(1))
    assert await wire.hears(Pong) == Pong(1)


async def test_a_client_id_is_its_first_users_while_that_is_there(server: Server) -> None:
    ana, bob, mallory = [await join(server) for _ in range(3)]
    ana.says(says(7, 1, {"user": {"name": "Ana"}}))
    assert await hears(bob) == await hears(mallory) == {7: {"user": {"name": "Ana"}}}
    for state in ({"user": {"name": "Boss"}}, None):
        mallory.says(says(7, 2, state))
    mallory.says(says(8, 2**31, {}))
    await nothing_is_heard(mallory)
    await nothing_is_heard(bob)
    health = await Http(server).json("GET", "/healthz")
    assert health["dropped_presence"] == 3, "an operator can see that somebody tries"
    ana.socket.close()
    assert await hears(bob) == await hears(mallory) == {7: None}
    mallory.says(says(7, 9, {"user": {"name": "Mallory"}}))
    assert await hears(bob) == {7: {"user": {"name": "Mallory"}}}


async def test_what_was_dropped_stays_counted_when_the_document_leaves_memory(server: Server) -> None:
    ana, mallory = [await join(server) for _ in range(2)]
    ana.says(says(7, 1, {}))
    await hears(mallory)
    mallory.says(says(7, 2, {}))
    await nothing_is_heard(mallory)
    await server.rooms.delete("a")
    assert (await Http(server).json("GET", "/healthz"))["dropped_presence"] == 1


async def test_the_name_and_the_color_of_who_signed_in_come_from_the_token(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    reader = await join(server, token("reader", "read"))
    ana = await join(server, token(name="Ana", color="#123456"))
    forged = {"user": {"id": "boss", "name": "Boss", "color": "#ffffff", "verified": False, "mood": "good"}}
    ana.says(says(7, 1, forged))
    vouched = {"id": "ana", "name": "Ana", "color": "#123456", "verified": True}
    assert await hears(reader) == {7: {"user": {**vouched, "mood": "good"}}}
    newcomer = await join(server, token("late", "read"))
    assert await hears(newcomer) == {7: {"user": {**vouched, "mood": "good"}}}
    reader.says(says(8, 1, {}))
    assert await hears(ana) == {8: {"user": {"id": "reader", "name": "reader", "verified": True}}}, (
        "readers are seen too"
    )


async def test_a_guest_by_link_is_named_as_they_say_and_vouched_for_by_nobody(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    ana = await join(server, token())
    guest = await join(server, await link_to(server, "a"))
    guest.says(says(7, 1, {"user": {"name": "Ana", "verified": True}}))
    assert await hears(ana) == {7: {"user": {"name": "Ana"}}}
