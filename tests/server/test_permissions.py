"""Role x action over real sockets and HTTP: every cell is as the table in test_auth says."""

import asyncio
import time
from typing import Any

import pytest

from collabdoc.auth import NEEDED, Action, Permission
from collabdoc.awareness import Entry, encode
from collabdoc.protocol.messages import Auth, Awareness, Closed, Open, Opened, Ping, Pong, Rejected, Saved, Update
from collabdoc.server.app import Server
from collabdoc.tokens import sign_token
from tests.conftest import ServerFactory
from tests.server.test_api import Http
from tests.server.wire import Wire, typed

pytestmark = pytest.mark.gen_test(timeout=30)

SECRET = "s" * 32
ROLES: dict[str, Permission | None] = {
    "nobody": None,
    "stranger": None,
    "read": Permission.READ,
    "comment": Permission.COMMENT,
    "write": Permission.WRITE,
    "admin": Permission.ADMIN,
}


def token_of(role: str, *, expires: float | None = None) -> str | None:
    if role == "nobody":
        return None
    docs = {"other/*": "admin"} if role == "stranger" else {"team/*": role}
    claims: dict[str, Any] = {"sub": role, "docs": docs}
    return sign_token(SECRET.encode(), claims if expires is None else {**claims, "exp": expires})


def may(role: str, action: Action) -> bool:
    permission = ROLES[role]
    return permission is not None and permission >= NEEDED[action]


async def start(start_server: ServerFactory) -> Server:
    server = await start_server(auth="token", token_key=SECRET)
    boss = await Wire.connect(server)
    await boss.opens("team/a", token=token_of("admin"))
    boss.says(Update(1, 1, typed("hello", client_id=99)))
    await boss.hears(Saved)
    return server


def headers(role: str) -> dict[str, str]:
    token = token_of(role)
    return {"Authorization": f"Bearer {token}"} if token else {}


@pytest.mark.parametrize("role", ROLES)
async def test_what_each_role_may_do_on_a_socket(start_server: ServerFactory, role: str) -> None:
    server = await start(start_server)
    wire = await Wire.connect(server)
    wire.says(Open(1, "team/a", b"\x00", token_of(role)))
    answer = await wire.hears_any()
    if not may(role, Action.OPEN):
        assert isinstance(answer, Closed)
        assert answer.code == (4401 if role == "nobody" else 4403)
        return
    assert isinstance(answer, Opened)
    assert answer.mode == ("write" if may(role, Action.WRITE) else "read")
    peer = await Wire.connect(server)
    await peer.opens("team/a", token=token_of("read"))
    wire.says(Awareness(1, encode([Entry(5, 1, b"{}")])))
    await peer.hears(Awareness)
    wire.says(Update(1, 1, typed("mine")))
    if may(role, Action.WRITE):
        await wire.hears(Saved)
    else:
        assert (await wire.hears(Rejected)).code == 4403
        peer.says(Ping(1))
        assert await peer.hears(Pong) == Pong(1), "the rest of the room notices nothing"
    wire.says(Open(2, f"team/new-{role}", b"\x00", token_of(role)))
    if may(role, Action.CREATE):
        await wire.hears(Opened)
    else:
        assert (await wire.hears(Closed)).code == 4404


@pytest.mark.parametrize("role", ROLES)
async def test_what_each_role_may_do_over_http(start_server: ServerFactory, role: str) -> None:
    http = Http(await start(start_server))
    refused = 401 if role == "nobody" else 403

    async def answers(method: str, path: str, body: Any = None) -> int:
        return (await http.fetch(method, path, body, **headers(role))).code

    may_read = may(role, Action.READ)
    assert await answers("GET", "/api/documents/team%2Fa") == (200 if may_read else refused)
    assert await answers("GET", "/api/documents/team%2Fa/content") == (200 if may_read else refused)
    made = await answers("POST", "/api/documents", {"name": "team/b"})
    assert made == (201 if may(role, Action.CREATE) else refused)
    ended = await answers("DELETE", "/api/documents/team%2Fa")
    assert ended == (204 if may(role, Action.DELETE) else refused)


@pytest.mark.parametrize("role", ROLES)
async def test_the_list_shows_what_its_reader_may_read(start_server: ServerFactory, role: str) -> None:
    server = await start(start_server)
    for name in ("team/b", "other/c", "secret"):
        await server.rooms.create(name, title="", kind="text")
    response = await Http(server).fetch("GET", "/api/documents", **headers(role))
    if role == "nobody":
        assert response.code == 401
        return
    listed = await Http(server).fetch("GET", "/api/documents?limit=1&offset=1", **headers(role))
    body, page = (__import__("json").loads(each.body) for each in (response, listed))
    expected = ["other/c"] if role == "stranger" else ["team/b", "team/a"]
    assert [row["name"] for row in body["documents"]] == expected
    assert body["total"] == len(expected)
    assert [row["name"] for row in page["documents"]] == expected[1:2]


async def test_health_and_pages_need_no_token(start_server: ServerFactory) -> None:
    http = Http(await start(start_server))
    for path in ("/healthz", "/readyz"):
        assert (await http.fetch("GET", path)).code == 200
    assert (await http.fetch("GET", "/d/team/a")).code in (200, 503)


async def test_a_grant_that_expires_closes_its_channel_and_nobody_elses(start_server: ServerFactory) -> None:
    server = await start(start_server)
    wire, peer = await Wire.connect(server), await Wire.connect(server)
    await peer.opens("team/a", token=token_of("write"))
    await wire.opens("team/a", token=token_of("write", expires=time.time() - 9))  # within the leeway for now
    wire.says(Update(1, 1, typed("in time")))
    await wire.hears(Saved)
    assert (await wire.hears(Closed)).code == 4401
    peer.says(Update(1, 1, typed("still here", client_id=2)))


async def test_a_token_that_is_renewed_goes_on_without_a_break(start_server: ServerFactory) -> None:
    server = await start(start_server)
    wire = await Wire.connect(server)
    await wire.opens("team/a", token=token_of("write", expires=time.time() - 9))
    wire.says(Auth(1, token_of("write", expires=time.time() + 600) or ""))
    await asyncio.sleep(3)  # past the end of the first, leeway included
    wire.says(Update(1, 1, typed("on")))
    await wire.hears(Saved)


async def test_a_token_that_renews_badly_closes_the_channel(start_server: ServerFactory) -> None:
    server = await start(start_server)
    wire = await Wire.connect(server)
    await wire.opens("team/a", token=token_of("write"))
    wire.says(Auth(1, "forged"))
    assert (await wire.hears(Closed)).code == 4401
