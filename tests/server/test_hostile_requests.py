"""Names, headers and queries that nobody means well with, over HTTP and in OPEN."""

import asyncio
import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from collabdoc.cli import make_handler
from collabdoc.protocol.hocuspocus import MAX_ADDRESS_BYTES
from collabdoc.protocol.messages import Closed, Open, Ping, Pong
from collabdoc.server.app import Server, make_application
from tests.conftest import ServerFactory
from tests.server.hocuspocus_wire import HocuspocusWire
from tests.server.people import with_tokens
from tests.server.wire import Wire
from tests.server.yjs_wire import YjsWire

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

ASSETS_ELSEWHERE = [
    "../config.py",
    "..%2fconfig.py",
    "%2e%2e/config.py",
    "assets/../../config.py",
    "..%5cconfig.py",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "index.html%00.js",
    "x" * 10_000,
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


async def test_no_path_leads_out_of_the_assets(server: Server) -> None:
    for path in ASSETS_ELSEWHERE:
        assert (await ask(server, f"/static/{path}")).code == 404, path


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


async def test_a_name_that_is_none_is_closed_in_the_other_dialects(server: Server) -> None:
    for name in NAMES:
        wire = await YjsWire.connect(server, quote(name, safe=""))
        assert await wire.is_closed() == 4400, name
    for name in NAMES:
        provider = await HocuspocusWire.dials(server)
        provider.shows(at=name)
        heard = await provider.gets()
        if "\0" in name:  # what stands behind is a session of the provider's own
            assert heard.kind == "authenticated"
        elif len(name.encode()) > MAX_ADDRESS_BYTES:
            assert heard.kind == "closed"
        else:
            assert heard.kind == "denied", name
    rows, _ = await server.rooms.list(query="", limit=10, offset=0)
    assert [row.name for row in rows] == ["a"]


FORGERIES = [
    b"a\x1b[2J\x1b]0;owned\x07",
    b"a\xc2\x9b31m",
    b"\xe2\x80\xae12:00:00 INFO all is well",
    b"%0d%0a12:00:00%20ERROR%20forged",
    b"\\n12:00:00 ERROR forged",
    b'", "level": "error", "message": "forged',
    b"\xff\xfe",
    b"x" * 10_000,
]
SECRET = b"hush-hush"


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_request_forges_a_line_of_the_log(
    start_server: ServerFactory, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, log_format: str
) -> None:
    """Names, paths, queries and headers of every kind, tokens that are none, and messages; and no token is told."""
    caplog.set_level(logging.DEBUG)
    server = await with_tokens(start_server)
    wire = await Wire.connect(server)
    for name in NAMES:
        path = quote(name, safe="").encode()
        for said in (
            b"GET /api/documents/" + path,
            b"GET /yjs/" + path,
            b"POST /api/session?q=" + path,
            b"GET /" + path,
        ):
            await say(server, said, b"Authorization: Bearer " + SECRET)
        wire.says(Open(1, name, b"\x00", SECRET.decode()))
        await wire.hears(Closed)
    for forgery in FORGERIES:
        await say(server, b"GET /" + forgery)
        await say(server, b"GET /yjs/a?token=" + SECRET + forgery, *UPGRADE)
        for header in (b"User-Agent", b"Referer", b"Origin", b"X-Forwarded-For", b"Sec-WebSocket-Protocol", b"Cookie"):
            await say(server, b"GET /ws", header + b": " + forgery, *UPGRADE)
        for token in (b"Authorization: Bearer " + SECRET + forgery, b"Cookie: collabdoc_session=" + SECRET + forgery):
            await say(server, b"DELETE /api/documents/a", token, b"X-Collabdoc-Csrf: 1")
    capsys.readouterr()
    handler = make_handler(log_format)
    records = [record for record in caplog.records if record.name.startswith("collabdoc")]
    assert len(records) >= len(NAMES)
    for record in records:
        handler.emit(record)
    lines = capsys.readouterr().err.split("\n")[:-1]
    assert len(lines) == len(records)
    assert all(line.isprintable() and line.isascii() and len(line) < 2_000 for line in lines)
    assert not [line for line in lines if SECRET.decode() in line or line.startswith("12:00:00")]
    if log_format == "json":
        assert {json.loads(line)["level"] for line in lines} <= {"debug", "info", "warning"}


UPGRADE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def say(server: Server, said: bytes, *headers: bytes) -> None:
    """A request as its bytes are, which no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"\r\n".join((said + b" HTTP/1.1", b"Host: localhost", b"Content-Length: 0", *headers, b"", b"")))
    await reader.read(1)
    writer.close()
