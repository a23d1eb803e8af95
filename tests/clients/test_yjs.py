"""Unmodified y-websocket clients, of both versions in use: what their users see of the server."""

import json
from typing import Any

import pytest

from collabdoc.auth import Permission
from collabdoc.client import connect, presence
from collabdoc.config import Limits
from collabdoc.protocol.messages import Awareness, Saved, Update, Updates
from collabdoc.server.app import Server
from tests.clients.conftest import RunProgram
from tests.clients.program import Program
from tests.conftest import ServerFactory
from tests.server.people import link_to, token, with_tokens
from tests.server.wire import Wire, text_of, typed

pytestmark = pytest.mark.gen_test(timeout=60)

VERSIONS = ["3", "2"]


class Client:
    """A y-websocket client in a process of its own."""

    def __init__(self, program: Program) -> None:
        self.does, self.tells, self.told = program.does, program.tells, program.told

    @classmethod
    async def start(
        cls, run: RunProgram, server: Server, version: str, document: str = "notes/today", **params: str
    ) -> "Client":
        url = f"ws://127.0.0.1:{server.port}/yjs"
        client = cls(await run("yjs.mjs", url, version, document, json.dumps(params)))
        client.does("connect")
        return client

    async def reads(self, text: str) -> None:
        await self.tells("text", lambda told: told["text"] == text)

    async def sees(self, *names: str) -> None:
        """Those who are present, by name, and nobody else."""

        def fits(told: dict[str, Any]) -> bool:
            return sorted(state.get("name", "") for _, state in told["states"]) == sorted(names)

        await self.tells("present", fits)


@pytest.mark.parametrize("version", VERSIONS)
async def test_people_type_together_across_dialects(server: Server, run_program: RunProgram, version: str) -> None:
    native = await Wire.connect(server)
    await native.opens("notes/today")
    native.says(Update(1, 1, typed("there ", client_id=7)))
    await native.hears(Saved)
    alice, bob = [await Client.start(run_program, server, version) for _ in range(2)]
    for client in (alice, bob):
        await client.tells("synced")
    alice.does("type", text="hello ")
    await bob.reads("hello there ")
    while not isinstance(heard := await native.hears_any(), Updates):
        assert isinstance(heard, Awareness), heard
    assert text_of(typed("there ", client_id=7), *heard.updates) == "hello there "
    bob.does("delete", at=0, length=6)
    await alice.reads("there ")


@pytest.mark.parametrize("version", VERSIONS)
async def test_people_see_each_other_come_and_go(server: Server, run_program: RunProgram, version: str) -> None:
    alice = await Client.start(run_program, server, version)
    alice.does("present", field="name", value="alice")
    await alice.tells("synced")
    bob = await Client.start(run_program, server, version)
    bob.does("present", field="name", value="bob")
    await bob.sees("alice", "bob")
    await alice.sees("alice", "bob")
    bob.does("cut")
    await alice.sees("alice")
    await alice.sees("alice", "bob")  # it came back by itself, with the clock that it had
    bob.does("destroy")
    await alice.sees("alice")
    assert server.rooms.dropped_presence == 0, "they repeat what they hear of each other, and claim nothing"


@pytest.mark.parametrize("version", VERSIONS)
async def test_who_comes_back_sees_a_python_client_that_stands_still(
    server: Server, run_program: RunProgram, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "RENEWAL_S", 0.1)
    async with connect(f"http://127.0.0.1:{server.port}") as client:
        (await client.open("notes/today")).awareness.say({"name": "robot"})
        bob = await Client.start(run_program, server, version)
        await bob.sees("", "robot")
        bob.does("cut")
        await bob.sees("")
        await bob.sees("", "robot")


@pytest.mark.parametrize("version", VERSIONS)
async def test_edits_without_a_connection_arrive_later(server: Server, run_program: RunProgram, version: str) -> None:
    alice, bob = [await Client.start(run_program, server, version) for _ in range(2)]
    await alice.tells("synced")
    alice.does("disconnect")
    await alice.tells("disconnected")
    alice.does("type", text="offline ")
    await alice.reads("offline ")
    alice.does("connect")
    await bob.reads("offline ")


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_idle_client_is_kept_alive(start_server: ServerFactory, run_program: RunProgram, version: str) -> None:
    server = await start_server(limits=Limits(keep_alive_s=0.1))
    alice = await Client.start(run_program, server, version)
    await alice.tells("synced")
    heard_ms: set[int] = set()
    while len(heard_ms) < 3:
        alice.does("look")
        heard_ms.add((await alice.tells("seen"))["heard_ms"])
    assert not [told for told in alice.told if told["event"] == "closed"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_restart_is_come_back_from(start_server: ServerFactory, run_program: RunProgram, version: str) -> None:
    server = await start_server()
    port = server.port
    alice = await Client.start(run_program, server, version)
    await alice.tells("synced")
    alice.does("type", text="before ")
    await alice.reads("before ")
    await server.__aexit__(None, None, None)
    assert (await alice.tells("closed"))["code"] == 1012
    alice.does("type", text="meanwhile ")
    again = await start_server(port=port)
    await alice.tells("synced")
    native = await Wire.connect(again)
    while text_of((await native.opens("notes/today")).update) != "meanwhile before ":
        native = await Wire.connect(again)


async def test_who_may_not_open_gives_up_with_a_reason(start_server: ServerFactory, run_program: RunProgram) -> None:
    server = await with_tokens(start_server)
    await server.rooms.create("secret", title="", kind="text")
    for document, params, code, reason in (
        ("secret", {}, 4401, "sign in"),
        ("secret", {"token": token("ana", "write", "team/*")}, 4403, "may not"),
        ("unborn", {"token": token("ana", "read")}, 4404, "no such document"),
    ):
        client = await Client.start(run_program, server, "3", document, **params)
        if code != 4404:
            assert reason in (await client.tells("warning"))["text"].lower()
        told = await client.tells("gave up")
        assert told["code"] == code
        assert reason in told["reason"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_who_may_only_read_is_warned(start_server: ServerFactory, run_program: RunProgram, version: str) -> None:
    server = await with_tokens(start_server)
    writer = await Client.start(run_program, server, version, "a", token=token("ana", "write"))
    link = await link_to(server, "a", Permission.READ)
    reader = await Client.start(run_program, server, version, "a", token=link)
    await reader.tells("synced")
    writer.does("type", text="for all ")
    await reader.reads("for all ")
    reader.does("type", text="mine ")
    assert "reading only" in (await reader.tells("warning"))["text"]
    writer.does("type", text="and more", at=8)
    await reader.reads("mine for all and more")
    writer.does("look")
    assert (await writer.tells("seen"))["text"] == "for all and more"


async def test_who_loses_access_gives_up(start_server: ServerFactory, run_program: RunProgram) -> None:
    server = await with_tokens(start_server)
    alice = await Client.start(run_program, server, "3", token=token("alice", "write"))
    await alice.tells("synced")
    await server.context.revocations.add("user", "alice")
    server.context.recheck(lambda _: True)
    assert (await alice.tells("gave up"))["code"] == 4401


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_edit_over_the_limit_is_told(
    start_server: ServerFactory, run_program: RunProgram, version: str
) -> None:
    server = await start_server(limits=Limits(update_bytes=1_000, frame_bytes=2_000))
    bob = await Client.start(run_program, server, version)
    bob.does("present", field="name", value="bob")
    for length in (1_000, 3_000):
        alice = await Client.start(run_program, server, version)
        await alice.tells("synced")
        alice.does("type", text="x" * length)
        assert (await alice.tells("closed"))["code"] == 4413
        alice.does("disconnect")
    native = await Wire.connect(server)
    await native.opens("notes/today")
    await native.hears(Awareness)
    native.says(Update(1, 1, typed("on")))
    await bob.reads("on")
