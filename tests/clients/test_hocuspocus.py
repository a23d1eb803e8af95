"""Hocuspocus' own providers, unmodified, of every version in use: what they tell their users about this server."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from collabdoc.auth import Permission
from collabdoc.server.app import Server
from collabdoc.store.sqlite import SqliteStore
from collabdoc.tokens import LEEWAY_S
from tests.clients.conftest import RunProgram
from tests.clients.program import Program
from tests.conftest import ServerFactory
from tests.held import hold_of
from tests.process import ServerProcess
from tests.server.people import link_to, token, with_tokens
from tests.server.test_hocuspocus import HeldStore
from tests.server.wire import text_of

pytestmark = pytest.mark.gen_test(timeout=60)

VERSIONS = ["4", "3", "2"]


class Client:
    """One provider; `p` is its process, which may have several."""

    def __init__(self, program: Program, at: str = "a") -> None:
        self.p = program
        self.at = at

    async def hears(self, event: str, **details: Any) -> dict[str, Any]:
        def fits(told: dict[str, Any]) -> bool:
            return told.get("at") == self.at and all(told.get(key) == value for key, value in details.items())

        return await self.p.tells(event, fits)

    def does(self, order: str, **details: Any) -> None:
        self.p.does(order, at=self.at, **details)

    async def looks(self) -> dict[str, Any]:
        self.does("look")
        return await self.hears("seen")

    async def reads(self, text: str) -> None:
        while (await self.looks())["text"] != text:
            await asyncio.sleep(0.01)

    async def is_saved(self) -> None:
        while (seen := await self.looks())["unsynced"] or not seen["synced"]:
            await asyncio.sleep(0.01)

    async def sees(self, *names: str) -> None:
        """Exactly these are present, itself among them."""
        while sorted(state.get("user", {}).get("name", "") for state in (await self.looks())["states"]) != sorted(
            names
        ):
            await asyncio.sleep(0.01)


def address(server: Server | ServerProcess) -> str:
    return f"ws://127.0.0.1:{server.port}/hocuspocus"


async def join(
    run_program: RunProgram, server: Server | ServerProcess, version: str = "4", name: str = "d", **how: Any
) -> Client:
    client = Client(await run_program("hocuspocus.mjs", address(server), version))
    client.does("open", name=name, **how)
    return client


def on_disk(data: Path) -> str:
    store = SqliteStore(data)
    try:
        loaded = store.load("d")
        assert loaded is not None
        return text_of(*([loaded.snapshot] if loaded.snapshot else []), *(entry.update for entry in loaded.tail))
    finally:
        store.close()


async def test_providers_of_all_versions_write_one_document_and_see_each_other(
    server: Server, run_program: RunProgram
) -> None:
    clients = [await join(run_program, server, version) for version in VERSIONS]
    for number, client in enumerate(clients):
        await client.hears("synced")
        client.does("present", field="user", value={"name": f"user {number}"})
        client.does("type", text=f"<{number}>")
    while len(text := (await clients[0].looks())["text"]) < 9:
        await asyncio.sleep(0.01)
    for client in clients:
        await client.reads(text)
        await client.is_saved()
        await client.sees("user 0", "user 1", "user 2")
    clients[2].p.does("cut")
    await clients[2].p.tells("socket closed")
    for client in clients:
        await client.sees("user 0", "user 1", "user 2")
    await clients[1].p.stop()
    for client in (clients[0], clients[2]):
        await client.sees("user 0", "user 2")
    assert server.context.refused == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_changes_are_unsynced_until_they_are_committed(
    start_server: ServerFactory, run_program: RunProgram, tmp_path: Path, version: str
) -> None:
    """Its peers have the edit long since. `hasUnsyncedChanges` means what its name says."""
    store = HeldStore(tmp_path / "store")
    server = await start_server(store=store)
    ana, ben = await join(run_program, server, version), await join(run_program, server)
    for client in (ana, ben):
        await client.is_saved()
    store.goes_on.clear()
    ana.does("type", text="b")
    ana.does("type", text="a")
    await ben.reads("ab")
    ben.does("stateless", payload="I have it")
    await ana.hears("stateless")
    assert (await ana.looks())["unsynced"] is True
    store.goes_on.set()
    await ana.hears("unsynced", number=0)
    assert text_of(*[entry.update for entry in store.load("d").tail]) == "ab"  # type: ignore[union-attr]  # it exists
    assert (await ana.looks())["unsynced"] is False


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_server_that_is_killed_loses_nothing_that_was_reported(
    run_program: RunProgram, tmp_path: Path, version: str
) -> None:
    """What was not yet committed is lost with it, was not reported, and comes again from the provider."""
    data = tmp_path / "data"
    with ServerProcess(data, program=("-m", "tests.held", "serve", "--no-watchdog")) as server:
        ana, ben = await join(run_program, server, version), await join(run_program, server)
        await ana.is_saved()
        ana.does("type", text="saved ")
        await ana.is_saved()
        await ben.reads("saved ")
        hold_of(data).touch()
        ana.does("type", text="and more", where=6)
        await ben.reads("saved and more")
        ben.does("stateless", payload="I have it")
        await ana.hears("stateless")
        assert (await ana.looks())["unsynced"] is True
        server.kill()
        assert on_disk(data) == "saved "
        assert (await ana.looks())["unsynced"] is True
        hold_of(data).unlink()
        ben.p.does("disconnect")
        server.start()
        await ana.hears("unsynced", number=0)
        server.kill()
        assert on_disk(data) == "saved and more"
        server.start()


@pytest.mark.parametrize("version", VERSIONS)
async def test_edits_made_offline_arrive_and_are_saved(
    server: Server, run_program: RunProgram, tmp_path: Path, version: str
) -> None:
    ana, ben = await join(run_program, server, version), await join(run_program, server)
    ana.does("type", text="online")
    await ana.is_saved()
    await ben.reads("online")
    ana.p.does("disconnect")
    await ana.p.tells("socket closed")
    for letter in "cba":
        ana.does("type", text=letter)
    ben.does("type", text="!", where=6)
    ana.p.does("connect")
    await ana.reads("abconline!")
    await ben.reads("abconline!")
    await ana.is_saved()
    ana.does("type", text="more ")
    await ana.is_saved()
    await ben.reads("more abconline!")
    assert server.context.refused == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_reader_is_told_and_its_edits_stay_unsynced(
    start_server: ServerFactory, run_program: RunProgram, version: str
) -> None:
    server = await with_tokens(start_server)
    writer = await join(run_program, server, name="a", token=token("ana", "write"))
    writer.does("type", text="hello")
    writer.does("delete", **{"from": 0, "length": 1})
    await writer.is_saved()
    reader = await join(run_program, server, version, name="a", token=await link_to(server, "a", Permission.READ))
    assert (await reader.hears("authenticated"))["scope"] == "readonly"
    await reader.reads("ello")
    await reader.is_saved()
    reader.does("type", text="mine ")
    await reader.hears("unsynced", number=1)
    writer.does("stateless", payload="?")
    await reader.hears("stateless")
    assert (await reader.looks())["unsynced"] is True
    assert (await writer.looks())["text"] == "ello"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shown", ["forged", token("ana", "write", "other/*")], ids=["who", "what"])
async def test_who_is_refused_is_told_why_and_does_not_come_again(
    start_server: ServerFactory, run_program: RunProgram, version: str, shown: str
) -> None:
    server = await with_tokens(start_server)
    client = await join(run_program, server, version, name="a", token=shown)
    assert len((await client.hears("authentication failed"))["reason"]) > 10
    client.does("type", text="mine")
    seen = await client.looks()
    assert (seen["synced"], seen["unsynced"]) == (False, True)
    assert sum(server.context.refused.values()) == 1


async def test_a_provider_whose_token_ends_shows_its_next_one(
    start_server: ServerFactory, run_program: RunProgram
) -> None:
    """Nobody is told anything, and nothing is interrupted."""
    server = await with_tokens(start_server)
    client = await join(run_program, server, name="a", token=token("ana", "write", exp=time.time() + 3600))
    await client.is_saved()
    client.does("next token", token=token("ana", "write", exp=time.time() + 7200))
    await client.looks()  # it has its next token before it is asked for one
    [socket] = server.context.sockets
    [session] = socket._sessions.values()
    assert session.grant.expires is not None
    before_s = session.grant.expires
    socket.end_expired(before_s - 10)
    await client.hears("authenticated", scope="read-write")
    assert session.grant.expires > before_s + 3000
    client.does("type", text="on")
    await client.is_saved()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_provider_whose_token_has_ended_is_told(
    start_server: ServerFactory, run_program: RunProgram, version: str
) -> None:
    server = await with_tokens(start_server)
    client = Client(await run_program("hocuspocus.mjs", address(server), version))
    client.p.does("frames")
    await client.p.tells("frames")  # it runs, and the token's seconds are not spent on its start
    client.does("open", name="a", token=token("ana", "write", exp=time.time() - LEEWAY_S + 2))
    await client.hears("authenticated")
    assert "expired" in (await client.hears("authentication failed"))["reason"]
    if version == "4":
        assert "expired" in (await client.hears("closed"))["reason"]
        client.does("token", token=token("ana", "write"))
        assert (await client.hears("authenticated"))["scope"] == "read-write"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_document_that_is_deleted_is_told_with_a_reason(
    server: Server, run_program: RunProgram, version: str
) -> None:
    client = await join(run_program, server, version)
    await client.is_saved()
    await server.rooms.delete("d")
    told = await client.hears("closed" if version == "4" else "authentication failed")
    assert "deleted" in told["reason"]


async def test_providers_share_a_socket_whether_they_share_a_document_or_not(
    server: Server, run_program: RunProgram
) -> None:
    program = await run_program("hocuspocus.mjs", address(server), "4")
    one, two, other = [Client(program, at) for at in ("one", "two", "other")]
    one.does("open", name="d", session=True)
    two.does("open", name="d", session=True)
    other.does("open", name="e")
    for client in (one, two, other):
        client.does("type", text=client.at)
        client.does("present", field="user", value={"name": client.at})
        await client.is_saved()
    await one.sees("one", "two")
    await two.sees("one", "two")
    await other.sees("other")
    text = (await one.looks())["text"]
    assert sorted((text[:3], text[3:])) == ["one", "two"]
    await two.reads(text)
    await other.reads("other")
    assert len(server.context.sockets) == 1
    one.does("destroy")
    await two.sees("two")


@pytest.mark.parametrize("version", ["4", "3"])
async def test_a_provider_that_is_made_anew_at_once_goes_on(
    server: Server, run_program: RunProgram, version: str
) -> None:
    """As React does with every effect while one develops."""
    client = await join(run_program, server, version, name="d")
    Client(client.p, "other").does("open", name="other")
    await Client(client.p, "other").is_saved()
    for _ in range(3):
        client.does("destroy")
        client.does("open", name="d")
    await client.is_saved()
    client.does("type", text="hi")
    await client.is_saved()
    assert server.context.refused == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_sync_that_is_forced_ends(server: Server, run_program: RunProgram, version: str) -> None:
    client = await join(run_program, server, version)
    await client.is_saved()
    client.does("force sync")
    await client.hears("unsynced", number=1)
    await client.hears("unsynced", number=0)


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_idle_provider_is_content_with_what_keeps_it_alive(
    server: Server, run_program: RunProgram, version: str
) -> None:
    client = await join(run_program, server, version)
    await client.is_saved()
    for socket in server.context.sockets:
        for seconds in (12, 24):
            socket.keep_alive(server.context.monotonic() + seconds)
    client.does("type", text="still here")
    await client.is_saved()
    client.p.does("frames")
    frames = (await client.p.tells("frames"))["frames"]
    kept_alive = ["server", "09"] if version == "4" else ["server", "0164010100"]
    assert frames.count(kept_alive) == 2
    assert frames.count(["client", "0a"]) == (2 if version == "4" else 0)
