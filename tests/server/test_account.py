"""HTTP for who somebody is: signing in, and what cookies need beside them; secrets stay where they belong."""

import json
import logging
import time
from typing import Any

import pytest
from tornado.httpclient import HTTPResponse

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.config import Limits, load_settings
from collabdoc.links import split_token
from collabdoc.protocol.messages import Open, Opened
from collabdoc.server.app import Server
from collabdoc.server.context import LINK_COOKIE, SESSION_COOKIE
from collabdoc.tokens import LEEWAY_S, sign_token
from tests.conftest import ServerFactory
from tests.server.people import CSRF, SECRET, Browser, bearer, link_to, token, with_tokens
from tests.server.test_api import Http
from tests.server.wire import Wire

pytestmark = pytest.mark.gen_test(timeout=30)

# Signing in


async def test_nobody_is_signed_in_at_first(start_server: ServerFactory) -> None:
    browser = Browser(await with_tokens(start_server, sign_in_url="https://id.example/in"))
    told = json.loads((await browser.fetch("GET", "/api/session")).body)
    assert told == {
        "open": False,
        "user": None,
        "expires_at": None,
        "sign_in_url": "https://id.example/in",
        "may_create": False,
    }


async def test_an_open_server_says_that_it_is(server: Server) -> None:
    told = await Http(server).json("GET", "/api/session")
    assert (told["open"], told["user"], told["may_create"]) == (True, None, True)


@pytest.mark.parametrize(
    ("permission", "may_create"), [("read", False), ("comment", False), ("write", True), ("admin", True)]
)
async def test_whoever_signs_in_learns_whether_they_may_make_documents(
    start_server: ServerFactory, permission: str, may_create: bool
) -> None:
    browser = Browser(await with_tokens(start_server))
    assert (await browser.says("POST", "/api/session", {"token": token(permission=permission, docs="mine/*")}))[
        "may_create"
    ] is may_create


async def test_a_token_is_exchanged_for_a_cookie_that_no_script_reads(start_server: ServerFactory) -> None:
    browser = Browser(await with_tokens(start_server))
    secret = token(name="Ana", color="#123456", exp=time.time() + 3_600)
    told = await browser.says("POST", "/api/session", {"token": secret})
    assert told["user"] == {"id": "ana", "name": "Ana", "color": "#123456"}
    assert secret not in json.dumps(told)
    (cookie,) = browser.set.values()
    assert cookie.key == SESSION_COOKIE
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Strict", "/", "")
    assert 3_500 < int(cookie["max-age"]) <= 3_600 + LEEWAY_S
    told_again = json.loads((await browser.fetch("GET", "/api/session")).body)
    assert told_again == told
    assert (await browser.fetch("GET", "/api/documents/a")).code == 200
    assert isinstance(await (await Wire.connect(browser.http.server, headers=browser.header)).opens("a"), Opened)


async def test_signing_out_ends_every_cookie_of_ours_and_no_other(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    browser = Browser(server)
    await browser.says("POST", "/api/session", {"token": token()})
    await browser.says("POST", "/api/session", {"token": await link_to(server, "a")})
    browser.cookies |= {"theme": "dark", LINK_COOKIE + "no-link": "x"}
    await browser.says("DELETE", "/api/session")
    assert browser.cookies == {"theme": "dark", LINK_COOKIE + "no-link": "x"}
    assert (await browser.fetch("GET", "/api/documents/a")).code == 401


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
async def test_a_cookie_is_secure_where_the_page_came_by_https(
    start_server: ServerFactory, scheme: str, secure: bool
) -> None:
    """TLS may end in a proxy: the page's own origin tells."""
    server = await with_tokens(start_server)
    browser = Browser(server)
    for body in ({"token": token()}, {"token": await link_to(server, "a")}):
        response = await browser.fetch(
            "POST", "/api/session", body, Origin=f"{scheme}://127.0.0.1:{server.port}", **CSRF
        )
        assert response.code == 200
        (cookie,) = browser.set.values()
        assert bool(cookie["secure"]) is secure


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("no json", 400),
        ({}, 400),
        ({"token": 5}, 400),
        ({"token": ""}, 400),
        ({"token": None}, 400),
        ({"token": "forged"}, 401),
        ({"token": "\ud800"}, 401),
        ({"token": "a; Domain=evil.example"}, 401),
        ({"token": "cds_0123456789abcdef_" + "A" * 32}, 401),
        ({"token": token(exp=time.time() - 60)}, 401),
        ({"token": token(name="x" * 4_000)}, 400),
    ],
)
async def test_what_signs_nobody_in_sets_no_cookie(start_server: ServerFactory, body: Any, status: int) -> None:
    browser = Browser(await with_tokens(start_server))
    response = await browser.fetch("POST", "/api/session", body, **CSRF)
    assert response.code == status
    assert not browser.set
    assert "error" in json.loads(response.body)


async def test_a_token_that_no_cookie_can_hold_is_told_so(start_server: ServerFactory) -> None:
    class Any_:
        def authenticate(self, credentials: Credentials, document: str) -> Grant:
            return Grant(User(), Permission.READ)

    browser = Browser(await start_server(authenticator=Any_()))
    for bad in ("a; Domain=evil.example", "a\r\nSet-Cookie: b=c", 'a"b', "ü"):
        response = await browser.fetch("POST", "/api/session", {"token": bad}, **CSRF)
        assert (response.code, bool(browser.set and set(browser.set) != {SESSION_COOKIE})) in (
            (400, False),
            (200, False),
        )
        if browser.set:
            (cookie,) = browser.set.values()
            assert (cookie.value, cookie["domain"], bool(cookie["httponly"])) == (bad, "", True)


async def test_a_sign_in_that_has_ended_is_nobodys(start_server: ServerFactory) -> None:
    browser = Browser(await with_tokens(start_server))
    browser.cookies[SESSION_COOKIE] = token(exp=time.time() - 60)
    assert json.loads((await browser.fetch("GET", "/api/session")).body)["user"] is None
    assert (await browser.fetch("GET", "/api/documents/a")).code == 401


# Cookies, and what a write by their right needs

WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/api/documents", {"name": "new"}),
    ("DELETE", "/api/documents/b", None),
    ("POST", "/api/documents/a/links", {"permission": "read", "expires_in_s": 60}),
    ("DELETE", "/api/documents/a/links/0123456789abcdef", None),
    ("POST", "/api/revocations", {"user": "nobody"}),
    ("POST", "/api/session", {"token": "x"}),
    ("DELETE", "/api/session", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_a_cookie_alone_changes_nothing(start_server: ServerFactory, method: str, path: str, body: Any) -> None:
    """Cookies come along by themselves; the header is one that only a page of the same site can send."""
    server = await with_tokens(start_server)
    browser = Browser(server)
    browser.cookies[SESSION_COOKIE] = token()
    own = f"http://127.0.0.1:{server.port}"
    for headers in (
        {},
        {"Origin": own},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer  "},
        {"Authorization": "Basic YTpi"},
    ):
        response = await browser.fetch(method, path, body, **headers)
        assert response.code == 403, headers
        assert "X-Collabdoc-Csrf" in json.loads(response.body)["error"]["message"]
    for origin in (
        "https://evil.example",
        "null",
        f"http://127.0.0.1:{server.port + 1}",
        f"http://127.0.0.1.evil.example:{server.port}",
    ):
        assert (await browser.fetch(method, path, body, Origin=origin, **CSRF)).code == 403
    assert (await browser.fetch(method, path, body, Origin=own, **CSRF)).code in (200, 201, 204, 401, 404)


@pytest.mark.parametrize(("method", "path", "body"), WRITES[:5])
async def test_a_header_with_a_token_needs_no_other(
    start_server: ServerFactory, method: str, path: str, body: Any
) -> None:
    browser = Browser(await with_tokens(start_server))
    assert (await browser.fetch(method, path, body, **bearer())).code in (200, 201, 204, 404)
    browser.cookies["theme"] = "dark"
    assert (await browser.fetch(method, path, body, **bearer())).code in (200, 201, 204, 404, 409)
    assert (await browser.fetch(method, path, body, Origin="https://evil.example", **bearer())).code == 403


async def test_signing_in_needs_the_header_also_without_a_cookie(start_server: ServerFactory) -> None:
    """Else a page of another site could sign somebody in as somebody else."""
    browser = Browser(await with_tokens(start_server))
    assert (await browser.fetch("POST", "/api/session", {"token": token()})).code == 403
    assert (await browser.fetch("POST", "/api/session", {"token": token()}, **bearer())).code == 403


async def test_a_page_of_another_origin_opens_no_socket_by_a_cookie(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server, allow_origin=("https://app.example",))
    cookie = {"Cookie": f"{SESSION_COOKIE}={token()}"}
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{server.port + 1}"):
        with pytest.raises(Exception, match="403"):
            await Wire.connect(server, headers={**cookie, "Origin": origin})
    for origin in (f"http://127.0.0.1:{server.port}", "https://app.example"):
        await (await Wire.connect(server, headers={**cookie, "Origin": origin})).opens("a")


async def test_what_is_only_asked_for_changes_nothing(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    store = server.context.links._store
    made = await link_to(server, "a")
    browser = Browser(server)
    browser.cookies = {SESSION_COOKIE: token(), LINK_COOKIE + (split_token(made) or ("", ""))[0]: "x"}

    def everything() -> Any:
        names = [row.name for row in store.list(query="", limit=99, offset=0)[0]]
        return [(store.load(name), store.links(name)) for name in names], store.revocations()

    before, cookies = everything(), dict(browser.cookies)
    paths = ["/api/session", "/api/documents", "/api/documents/a", "/api/documents/a/content", "/api/documents/a/links"]
    paths += ["/api/documents/new", "/api/documents/new/content", f"/share?token={made}", "/healthz", "/readyz"]
    for method in ("GET", "HEAD"):
        for path in paths:
            await browser.fetch(method, path)
    assert (everything(), browser.cookies) == (before, cookies)


async def test_the_token_that_is_said_counts_before_the_header_and_that_before_the_cookie(
    start_server: ServerFactory,
) -> None:
    server = await with_tokens(start_server)
    headers = {"Cookie": f"{SESSION_COOKIE}={token('cookie')}"}
    for more, said, expected in (
        ({}, None, "cookie"),
        (bearer("header"), None, "header"),
        (bearer("header"), token("said"), "said"),
    ):
        wire = await Wire.connect(server, headers={**headers, **more})
        await wire.opens("a", token=said)
        assert expected in {session.grant.user.id for session in server.rooms._slots["a"].room.sessions}


# Secrets


async def test_no_secret_is_in_a_log_line_an_answer_or_an_address(
    start_server: ServerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = await with_tokens(start_server, limits=Limits(http_header_bytes=64 * 1024))
    made = await link_to(server, "a")
    good, forged = token(exp=time.time() + 60), sign_token(b"t" * 32, {"sub": "ana", "docs": {"*": "admin"}})
    answers: list[HTTPResponse] = []
    for secret in (good, forged, made, made[:-1] + "!", "a" * 20_000):
        browser = Browser(server)
        answers.append(await browser.fetch("POST", "/api/session", {"token": secret}, **CSRF))
        for headers in ({"Authorization": f"Bearer {secret}"}, {"Cookie": f"{SESSION_COOKIE}={secret}"}):
            for method, path, body in (
                ("GET", "/api/documents", None),
                ("GET", "/api/documents/nothing", None),
                *WRITES,
            ):
                answers.append(await Http(server).fetch(method, path, body, **headers, **CSRF))
        wire = await Wire.connect(server, headers={"Authorization": f"Bearer {secret}"})
        wire.says(Open(1, "a", b"\x00"), Open(2, "b", b"\x00", secret))
        heard = repr([await wire.hears_any() for _ in range(2)])
        assert not [part for part in (secret, *secret.split(".")) if len(part) > 10 and part in heard]
    secrets = [part for secret in (good, forged, made) for part in secret.split(".") if len(part) > 10]
    secrets += [SECRET, "a" * 40, (split_token(made) or ("", ""))[1]]
    said = caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    said += "".join(
        f"{answer.body!r} {answer.headers.get('Location', '')} {answer.effective_url}" for answer in answers
    )
    header = good.split(".")[0]  # the same in every token
    assert not [each for each in secrets if each in said and each != header]
    refused = [record for record in caplog.records if "a token was refused" in record.getMessage()]
    assert len(refused) == len({record.getMessage() for record in refused}) == 4, "each bad token once"


def test_settings_and_credentials_do_not_print_secrets() -> None:
    settings = load_settings({"auth": "token", "token_key": SECRET})
    shown = f"{settings!r} {settings} {settings.model_dump_json()}"
    shown += repr(Credentials("hidden", ("hidden",), {"hidden": "hidden"}))
    assert SECRET not in shown
    assert "hidden" not in shown
