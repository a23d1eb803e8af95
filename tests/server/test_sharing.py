"""HTTP for share links and revocations."""

import json
import time
from typing import Any

import pytest
from tornado.simple_httpclient import HTTPStreamClosedError

from collabdoc.auth import Permission
from collabdoc.links import MAX_FOLLOWED, split_token
from collabdoc.protocol.messages import Closed, Open
from collabdoc.server.app import Server
from collabdoc.server.context import LINK_COOKIE, SESSION_COOKIE
from tests.conftest import ServerFactory
from tests.server.people import CSRF, Browser, bearer, link_to, token, with_tokens
from tests.server.test_api import Http
from tests.server.wire import Wire

pytestmark = pytest.mark.gen_test(timeout=30)

# Share links


async def test_a_link_is_made_listed_followed_and_taken_back(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    admin, guest = Browser(server), Browser(server)
    admin.cookies[SESSION_COOKIE] = token(name="Ana")
    wish = {"permission": "comment", "label": " for Bob ", "expires_in_s": 60}
    made = await admin.says("POST", "/api/documents/a/links", wish)
    path = made.pop("path")
    assert path.startswith("/share#cds_"), "behind #, where no server and no log sees it"
    assert (made["permission"], made["label"], made["created_by"]) == ("comment", "for Bob", "Ana")
    listed = await admin.fetch("GET", "/api/documents/a/links")
    assert json.loads(listed.body) == {"links": [made]}
    secret = path.partition("#")[2]
    assert secret.split("_", 2)[2] not in listed.body.decode(), "it is shown once"

    followed = await guest.says("POST", "/api/session", {"token": secret})
    assert (followed["document"], followed["user"]) == ("a", None)
    (cookie,) = guest.set.values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert 50 < int(cookie["max-age"]) <= 60
    assert json.loads((await guest.fetch("GET", "/api/documents/a")).body)["permission"] == "comment"
    assert (await guest.fetch("GET", "/api/documents/a/content")).code == 200
    assert (await guest.fetch("GET", "/api/documents/b")).code == 401
    assert (await guest.fetch("GET", "/api/documents/a/links")).code == 403
    found = json.loads((await guest.fetch("GET", "/api/documents")).body)
    assert ([row["name"] for row in found["documents"]], found["total"]) == (["a"], 1)
    wire = await Wire.connect(server, headers=guest.header)
    assert (await wire.opens("a")).mode == "read"

    await admin.says("DELETE", f"/api/documents/a/links/{made['id']}")
    assert (await wire.hears(Closed)).code == 4401
    assert (await guest.fetch("GET", "/api/documents/a")).code == 401
    assert (await guest.fetch("POST", "/api/session", {"token": secret}, **CSRF)).code == 401
    assert (await admin.fetch("DELETE", f"/api/documents/a/links/{made['id']}", **CSRF)).code == 404


async def test_a_link_adds_to_what_somebody_signed_in_may_do(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    browser = Browser(server)
    await browser.says("POST", "/api/session", {"token": token("ana", "read", "b")})
    await browser.says("POST", "/api/session", {"token": await link_to(server, "a", Permission.WRITE)})
    found = json.loads((await browser.fetch("GET", "/api/documents")).body)["documents"]
    assert {row["name"]: row["permission"] for row in found} == {"a": "write", "b": "read"}
    wire = await Wire.connect(server, headers=browser.header)
    assert (await wire.opens("a")).mode == "write"
    (session,) = server.rooms._slots["a"].room.sessions
    assert session.grant.user.id == "ana"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"permission": "own", "expires_in_s": 60}, 400),
        ({"permission": 1, "expires_in_s": 60}, 400),
        ({"permission": "admin", "expires_in_s": 60}, 403),
        ({"permission": "read"}, 400),
        ({"permission": "read", "expires_in_s": True}, 400),
        ({"permission": "read", "expires_in_s": "60"}, 400),
        ({"permission": "read", "expires_in_s": 0}, 400),
        ('{"permission": "read", "expires_in_s": NaN}', 400),
        ('{"permission": "read", "expires_in_s": 1e999}', 400),
        ({"permission": "read", "expires_in_s": 10**40}, 400),
        ({"permission": "read", "expires_in_s": 60, "label": 5}, 400),
        ({"permission": "read", "expires_in_s": 60, "label": "a\nb"}, 400),
        ({"permission": "read", "expires_in_s": 60, "label": "\ud800"}, 400),
    ],
)
async def test_a_link_that_cannot_be_made_is_refused_in_words(
    start_server: ServerFactory, body: Any, status: int
) -> None:
    http = Http(await with_tokens(start_server))
    response = await http.fetch("POST", "/api/documents/a/links", body, **bearer())
    assert response.code == status, response.body
    assert len(json.loads(response.body)["error"]["message"]) > 10


async def test_links_of_what_is_not_there(start_server: ServerFactory) -> None:
    http = Http(await with_tokens(start_server))
    wish = {"permission": "read", "expires_in_s": None}
    assert (await http.fetch("POST", "/api/documents/nothing/links", wish, **bearer())).code == 404
    assert (await http.fetch("DELETE", "/api/documents/a/links/0123", **bearer())).code == 404


async def test_an_open_server_has_nobody_to_share_with_or_to_take_back(server: Server) -> None:
    http = Http(server)
    await http.json("POST", "/api/documents", {"name": "a"}, status=201)
    wish = {"permission": "read", "expires_in_s": None}
    assert "--auth token" in await http.fails("POST", "/api/documents/a/links", wish, status=409)
    assert "--auth token" in await http.fails("POST", "/api/revocations", {"user": "ana"}, status=409)
    assert await http.json("GET", "/api/documents/a/links") == {"links": []}


async def test_a_document_tells_its_admins_whom_it_is_shared_with(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    http = Http(server)
    for label in ("for Bob", "for Carol"):
        wish = {"permission": "write", "label": label, "expires_in_s": 60}
        assert (await http.fetch("POST", "/api/documents/a/links", wish, **bearer())).code == 201
    told = json.loads((await http.fetch("GET", "/api/documents/a", **bearer())).body)
    assert told["links"] == 2
    assert [(link["label"], link["permission"]) for link in told["shared_with"]] == [
        ("for Carol", "write"),
        ("for Bob", "write"),
    ]
    told = json.loads((await http.fetch("GET", "/api/documents/a", **bearer("ana", "write"))).body)
    assert told["links"] == 2
    assert "shared_with" not in told
    listed = json.loads((await http.fetch("GET", "/api/documents", **bearer())).body)
    assert {row["name"]: row["links"] for row in listed["documents"]} == {"a": 2, "b": 0}


async def test_a_browser_keeps_the_newest_links_and_those_that_still_open_something(
    start_server: ServerFactory,
) -> None:
    server = await with_tokens(start_server)
    browser = Browser(server)
    tokens = [await link_to(server, "a", Permission.WRITE)]
    await browser.says("POST", "/api/session", {"token": tokens[0]})
    for number in range(MAX_FOLLOWED + 5):
        await server.rooms.create(f"d{number}", title="", kind="text")
        tokens.append(await link_to(server, f"d{number}"))
        await browser.says("POST", "/api/session", {"token": tokens[-1]})
        assert (await browser.fetch("GET", f"/api/documents/d{number}")).code == 200, "the newest always opens"
    assert len(browser.cookies) == MAX_FOLLOWED
    (link_id, _) = split_token(tokens[-2]) or ("", "")
    assert await server.context.links.revoke(f"d{MAX_FOLLOWED + 3}", link_id)
    await browser.says("POST", "/api/session", {"token": tokens[0]})
    assert LINK_COOKIE + link_id not in browser.cookies
    assert len(browser.cookies) == MAX_FOLLOWED
    assert (await browser.fetch("GET", "/api/documents/a")).code == 200


async def test_cookies_without_end_are_nothing_to_fear(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    browser = Browser(server)
    browser.cookies = {f"{LINK_COOKIE}{number:016x}": "A" * 32 for number in range(170)}
    assert (await browser.fetch("GET", "/api/documents/a")).code == 401
    made = await link_to(server, "a")
    for left in (121, 71, 21, 1):
        await browser.says("POST", "/api/session", {"token": made})
        assert len(browser.cookies) == left
        assert (await browser.fetch("GET", "/api/documents/a")).code == 200, "the newest counts"
    browser.cookies |= {f"x{number}": "A" * 100 for number in range(170)}
    with pytest.raises(HTTPStreamClosedError):  # past what HTTP headers may have
        await browser.fetch("GET", "/api/documents/a")
    assert (await Http(server).fetch("GET", "/healthz")).code == 200


# Revocations


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"user": "bob"}, 200),
        ({"token_id": "bob's"}, 200),
        ({}, 400),
        ({"user": "bob", "token_id": "bob's"}, 400),
        ({"user": ""}, 400),
        ({"user": None}, 400),
        ({"user": ["bob"]}, 400),
        ({"user": "x" * 201}, 400),
        ({"user": "\ud800"}, 400),
        ("[]", 400),
    ],
)
async def test_a_revocation_names_one_user_or_one_token(start_server: ServerFactory, body: Any, status: int) -> None:
    http = Http(await with_tokens(start_server))
    assert (await http.fetch("POST", "/api/revocations", body, **bearer())).code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (bearer("ana", "admin", "notes/*"), 403),
        (bearer("ana", "write"), 403),
        (bearer("ana", "admin", "?"), 403),
        (bearer("ana", "admin", "*a*"), 403),
    ],
)
async def test_only_who_administers_everything_takes_sign_ins_back(
    start_server: ServerFactory, headers: dict[str, str], status: int
) -> None:
    server = await with_tokens(start_server)
    response = await Http(server).fetch("POST", "/api/revocations", {"user": "bob"}, **headers)
    assert response.code == status
    assert not server.context.revocations.covers("bob", None, 0)


async def test_a_link_never_takes_sign_ins_back(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    made = await link_to(server, "a", Permission.WRITE)
    response = await Http(server).fetch("POST", "/api/revocations", {"user": "bob"}, Authorization=f"Bearer {made}")
    assert response.code == 401


async def test_who_was_taken_back_is_refused_everywhere_and_signs_in_again_with_a_newer_token(
    start_server: ServerFactory,
) -> None:
    server = await with_tokens(start_server)
    bob = Browser(server)
    await bob.says("POST", "/api/session", {"token": token("bob", iat=time.time() - 5)})
    assert (await Http(server).fetch("POST", "/api/revocations", {"user": "bob"}, **bearer())).code == 200
    for path in ("/api/documents", "/api/documents/a", "/api/documents/a/content"):
        assert (await bob.fetch("GET", path)).code == 401
    assert json.loads((await bob.fetch("GET", "/api/session")).body)["user"] is None
    wire = await Wire.connect(server, headers=bob.header)
    wire.says(Open(1, "a", b"\x00"))
    closed = await wire.hears(Closed)
    assert (closed.code, "taken back" in closed.reason) == (4401, True)
    await bob.says("POST", "/api/session", {"token": token("bob", iat=time.time() + 1)})
    assert (await bob.fetch("GET", "/api/documents/a")).code == 200
