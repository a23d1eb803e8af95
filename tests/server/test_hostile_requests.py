"""Names, headers and queries that nobody means well with, over HTTP and in OPEN."""

import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from collabdoc.cli import make_handler
from collabdoc.protocol.messages import Closed, Open, Ping, Pong
from collabdoc.server.app import Server, make_application
from tests.server.wire import Wire

pytestmark = pytest.mark.gen_test(timeout=60)

NAMES = [
    "..",
    "../a",
    "a/../../b",
    "a/./b",
    "/etc/passwd",
    "a//b",
    "a/",
    "a\x00b",
    "a\nb",
    "a\r\nX-Forged: yes",
    "\x1b[2J",
    "\u202egnp.exe",
    "\u2066a",
    "a\u200bb",
    "%2e%2e",
    "..%2fa",
    "%00",
    "a b",
    "a?b",
    "a#b",
    "a\\..\\b",
    "<script>",
    "'; DROP TABLE document; --",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "x" * 201,
    "x" * 10_000,
    "😀",
]

# One of each kind of path that there is, and of those that there is not.
PATHS = [
    "/",
    "/d/notes/today",
    "/sign-in",
    "/share",
    "/ws",
    "/yjs/a",
    "/hocuspocus",
    "/healthz",
    "/readyz",
    "/api/documents",
    "/api/session",
    "/api/revocations",
    "/api/documents/a",
    "/api/documents/a/content",
    "/api/documents/a/links",
    "/api/documents/a/links/00",
    "/static/favicon.svg",
    "/static/nothing.js",
    "/nothing",
    "/d",
]


async def ask(server: Server, path: str, method: str = "GET", **headers: str) -> HTTPResponse:
    return await AsyncHTTPClient().fetch(
        server.url + path, method=method, headers=headers, raise_error=False, allow_nonstandard_methods=True
    )


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_the_walk_knows_every_route(server: Server) -> None:
    application = make_application(server.engine)
    (rules,) = [rule.target.rules for rule in application.default_router.rules]
    for rule in rules:
        assert any(rule.matcher.regex.match(path) for path in PATHS), rule.matcher.regex.pattern


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "OPTIONS", "NONSENSE"])
async def test_every_answer_forbids_frames_and_sniffing_and_has_a_policy(server: Server, method: str) -> None:
    await server.rooms.create("a", title="", kind="text")
    for path in PATHS:
        answer = await ask(server, path, method, Origin=server.url)
        headers = answer.headers
        assert headers.get("X-Content-Type-Options") == "nosniff", f"{method} {path}: {answer.code}"
        policy = headers.get("Content-Security-Policy", "")
        assert "default-src 'none'" in policy, f"{method} {path}: {answer.code}"
        assert "frame-ancestors 'none'" in policy, f"{method} {path}: {answer.code}"
        assert "script-src 'self';" in policy or "script-src" not in policy


async def test_a_name_that_is_none_reaches_neither_the_store_nor_the_disk(server: Server, tmp_path: Path) -> None:
    before = listed(tmp_path)
    for name in NAMES:
        for path in (f"/api/documents/{quote(name, safe='')}", f"/api/documents/{quote(name, safe='')}/content"):
            for method in ("GET", "DELETE"):
                answer = await ask(server, path, method)
                assert answer.code in (400, 404, 405), f"{method} {path}: {answer.code}"
                assert "Forged" not in str(list(answer.headers.get_all()))
        body = json.dumps({"name": name, "title": "", "kind": "text"})
        made = await AsyncHTTPClient().fetch(f"{server.url}/api/documents", method="POST", body=body, raise_error=False)
        assert made.code == 400, name
    assert await server.rooms.list(query="", limit=10, offset=0) == ([], 0)
    assert listed(tmp_path) == before


async def test_an_open_with_a_name_that_is_none_closes_its_channel_alone(server: Server) -> None:
    wire = await Wire.connect(server)
    for name in NAMES:
        wire.says(Open(1, name, b"\x00"))
        assert (await wire.hears(Closed)).code == 4400, name
    wire.says(Ping(1))
    await wire.hears(Pong)
    assert server.rooms.count == 0


@pytest.mark.parametrize("query", ["q=%27%20OR%201=1--", "q=a%00b", "q=%ff", "q=" + "%25" * 1000, "q=_", "q=*"])
async def test_a_query_finds_only_what_it_says(server: Server, query: str) -> None:
    await server.rooms.create("a", title="plain", kind="text")
    answer = await ask(server, f"/api/documents?{query}")
    assert answer.code in (200, 400)
    if answer.code == 200:
        assert json.loads(answer.body)["documents"] == []


async def test_no_request_forges_a_line_of_the_log(
    server: Server, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wire = await Wire.connect(server)
    for name in NAMES:
        await ask(
            server, f"/api/documents/{quote(name, safe='')}", Authorization="Bearer \x85x", Cookie=f"a={quote(name)}"
        )
        wire.says(Open(1, name, b"\x00"))
        await wire.hears(Closed)
    capsys.readouterr()
    handler = make_handler("text")
    records = [record for record in caplog.records if record.name.startswith("collabdoc")]
    assert len(records) >= len(NAMES)
    for record in records:
        handler.emit(record)
    lines = capsys.readouterr().err.split("\n")[:-1]
    assert len(lines) == len(records)
    assert all(line.isprintable() and line.isascii() and len(line) < 2_000 for line in lines)
