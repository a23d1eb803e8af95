"""HTTP: documents, their content, health."""

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from collabdoc.config import Limits
from collabdoc.content import import_content
from collabdoc.errors import StoreError
from collabdoc.protocol.messages import Closed, Saved, Update
from collabdoc.server.app import Server
from collabdoc.store.base import Append
from collabdoc.store.sqlite import SqliteStore
from tests.conftest import ServerFactory
from tests.limits import bounds
from tests.server.wire import Wire, typed
from tests.test_helper import ENDLESS

pytestmark = pytest.mark.gen_test(timeout=30)


@dataclass
class Http:
    server: Server

    async def fetch(self, method: str, path: str, body: Any = None, **headers: str) -> HTTPResponse:
        request = HTTPRequest(
            f"http://127.0.0.1:{self.server.port}{path}",
            method=method,
            body=body if isinstance(body, str | bytes) else None if body is None else json.dumps(body),
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            allow_nonstandard_methods=True,
            decompress_response=False,
        )
        return await AsyncHTTPClient().fetch(request, raise_error=False)

    async def json(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        response = await self.fetch(method, path, body)
        assert response.code == status, response.body
        return json.loads(response.body)

    async def fails(self, method: str, path: str, body: Any = None, *, status: int) -> str:
        answer = await self.json(method, path, body, status=status)
        assert set(answer["error"]) == {"code", "message"}
        return str(answer["error"]["message"])


@pytest.fixture
def http(server: Server) -> Http:
    return Http(server)


async def test_a_document_is_made_listed_found_and_deleted(http: Http) -> None:
    made = await http.json("POST", "/api/documents", {"name": "notes/a", "title": "Ätna", "kind": "text"}, status=201)
    assert (made["name"], made["title"], made["kind"]) == ("notes/a", "Ätna", "text")
    assert made["created_at"].endswith("Z")
    await http.json("POST", "/api/documents", {"title": "Other"}, status=201)
    listed = await http.json("GET", "/api/documents?q=" + quote("ÄTN"))
    assert [row["name"] for row in listed["documents"]] == ["notes/a"]
    assert listed["total"] == 1
    for path in ("/api/documents/notes/a", "/api/documents/notes%2Fa"):
        assert (await http.json("GET", path))["title"] == "Ätna"
    assert (await http.fetch("DELETE", "/api/documents/notes/a")).code == 204
    await http.fails("GET", "/api/documents/notes/a", status=404)
    await http.fails("DELETE", "/api/documents/notes/a", status=404)


async def test_a_made_document_knows_its_kind_when_it_is_opened(http: Http) -> None:
    await http.json("POST", "/api/documents", {"name": "a", "title": "T", "kind": "text"}, status=201)
    exported = await http.json("GET", "/api/documents/a/content?format=json")
    assert (exported["title"], exported["kind"], exported["schema"]) == ("T", "text", 1)


async def test_a_list_comes_in_pages_with_the_latest_change_first(http: Http) -> None:
    for name in "abc":
        await http.json("POST", "/api/documents", {"name": name}, status=201)
    alice = await Wire.connect(http.server)
    await alice.opens("a")
    alice.says(Update(1, 1, typed("later")))
    await alice.hears(Saved)
    first = await http.json("GET", "/api/documents?limit=2")
    second = await http.json("GET", "/api/documents?limit=2&offset=2")
    assert [row["name"] for row in first["documents"] + second["documents"]] == ["a", "c", "b"]
    assert first["total"] == 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("no json", 400),
        ("[]", 400),
        ({"name": "a b"}, 400),
        ({"name": 5}, 400),
        ({"title": "x" * 501}, 400),
        ({"title": "a\nb"}, 400),
        ({"kind": "sheet"}, 400),
        ({"name": "taken"}, 409),
    ],
)
async def test_a_document_that_cannot_be_made_is_refused_in_words(http: Http, body: Any, status: int) -> None:
    await http.json("POST", "/api/documents", {"name": "taken"}, status=201)
    await http.fails("POST", "/api/documents", body, status=status)


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "offset=1e9", "limit=" + "9" * 40])
async def test_a_list_with_a_bad_number_is_refused(http: Http, query: str) -> None:
    await http.fails("GET", f"/api/documents?{query}", status=400)


async def test_content_comes_in_every_format_and_includes_what_was_just_typed(http: Http) -> None:
    alice = await Wire.connect(http.server)
    await alice.opens("notes.txt")
    alice.says(Update(1, 1, typed("Grüße")))
    await alice.hears(Saved)
    response = await http.fetch("GET", "/api/documents/notes.txt/content")
    assert response.body.decode() == "Grüße"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    for format_ in ("text", "markdown", "html", "json"):
        assert "Grüße" in (await http.fetch("GET", f"/api/documents/notes.txt/content?format={format_}")).body.decode()
    assert (await http.fetch("GET", "/api/documents/notes.txt/content?format=yjs")).body == typed("Grüße")
    await http.fails("GET", "/api/documents/notes.txt/content?format=pdf", status=400)
    await http.fails("GET", "/api/documents/nothing/content", status=404)


async def test_rich_text_is_html_by_nature(http: Http) -> None:
    update = import_content(b"# Hello *you*", "markdown", kind="rich", title="T")
    alice = await Wire.connect(http.server)
    await alice.opens("a")
    alice.says(Update(1, 1, update))
    await alice.hears(Saved)
    body = (await http.fetch("GET", "/api/documents/a/content")).body.decode()
    assert "<h1>Hello <em>you</em></h1>" in body
    assert (await http.json("GET", "/api/documents/a"))["title"] == "T"


@bounds("helper_s")
async def test_reading_a_document_that_never_ends_fails_alone(start_server: ServerFactory, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "traps")
    store.create("trap")
    store.append([Append("trap", (ENDLESS,), None)])
    server = await start_server(limits=Limits(helper_s=2), store=store)
    http = Http(server)
    alice = await Wire.connect(server)
    await alice.opens("good")
    alice.says(Update(1, 1, typed("fine")))
    await alice.hears(Saved)
    trapped = asyncio.ensure_future(http.fetch("GET", "/api/documents/trap/content?format=json"))
    assert (await http.fetch("GET", "/healthz")).code == 200
    assert (await http.fetch("GET", "/api/documents/good/content")).body == b"fine"
    assert (await trapped).code == 422
    assert b"more than 2 s" in (await trapped).body


async def test_a_page_of_another_origin_may_not_write(http: Http) -> None:
    response = await http.fetch("POST", "/api/documents", {"name": "a"}, Origin="https://evil.example")
    assert response.code == 403
    own = f"http://127.0.0.1:{http.server.port}"
    assert (await http.fetch("POST", "/api/documents", {"name": "a"}, Origin=own)).code == 201
    assert (await http.fetch("DELETE", "/api/documents/a", Origin="null")).code == 403


@pytest.mark.parametrize("host", ["evil.example:{port}", "evil.example", "127.0.0.1.evil.example:{port}", "[::1"])
async def test_a_name_that_a_site_pointed_here_is_not_the_servers(http: Http, host: str) -> None:
    host = host.format(port=http.server.port)
    assert (await http.fetch("GET", "/api/documents", Host=host)).code == 403
    assert (await http.fetch("POST", "/api/documents", {}, Host=host, Origin=f"http://{host}")).code == 403
    with pytest.raises(HTTPClientError, match="403"):
        await Wire.connect(http.server, headers={"Host": host, "Origin": f"http://{host}"})


@pytest.mark.parametrize("host", ["localhost:{port}", "LOCALHOST", "[::1]:{port}", "docs.example"])
async def test_a_server_answers_to_this_machines_names_and_to_those_it_was_told(
    start_server: ServerFactory, host: str
) -> None:
    http = Http(await start_server(allow_origin=("https://docs.example",)))
    assert (await http.fetch("GET", "/api/documents", Host=host.format(port=http.server.port))).code == 200


async def test_a_server_for_the_network_answers_to_every_name(start_server: ServerFactory) -> None:
    http = Http(await start_server(host="0.0.0.0", i_know_it_is_open=True))  # what is tested
    assert (await http.fetch("GET", "/api/documents", Host="docs.example")).code == 200


async def test_whoever_only_wants_the_head_gets_it(http: Http) -> None:
    for path in ("/healthz", "/readyz", "/api/documents"):
        response = await http.fetch("HEAD", path)
        assert (response.code, response.body) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", "/api/documents", "HEAD, GET, POST"), ("OPTIONS", "/api/documents/a", "HEAD, GET, DELETE")],
)
async def test_a_method_that_there_is_not_is_told_which_there_are(
    http: Http, method: str, path: str, allowed: str
) -> None:
    response = await http.fetch(method, path)
    assert (response.code, response.headers["Allow"]) == (405, allowed)


async def test_a_deleted_document_closes_its_channels(http: Http) -> None:
    alice = await Wire.connect(http.server)
    await alice.opens("a")
    assert (await http.fetch("DELETE", "/api/documents/a")).code == 204
    assert (await alice.hears(Closed)).code == 4404


@pytest.mark.parametrize("path", ["/api/documents/..%2Fa", "/api/documents/a%00b", "/api/documents/%ff", "/nothing"])
async def test_paths_that_lead_nowhere_are_answered_in_json(http: Http, path: str) -> None:
    response = await http.fetch("GET", path)
    assert response.code in (400, 404)
    assert "error" in json.loads(response.body)


async def test_health_counts_what_was_refused(http: Http) -> None:
    alice = await Wire.connect(http.server)
    alice.says_bytes("text")
    assert await alice.is_closed() == 1003
    health = await http.json("GET", "/healthz")
    assert health["status"] == "ok"
    assert health["refused"] == {"1003": 1}


class _FullDisk(SqliteStore):
    is_full = False

    def append(self, appends: Any) -> list[int | None]:
        if self.is_full:
            raise StoreError("the disk is full")
        return super().append(appends)

    def check_writable(self) -> None:
        if self.is_full:
            raise StoreError("the disk is full")


async def test_readiness_follows_the_store(start_server: ServerFactory, tmp_path: Any) -> None:
    store = _FullDisk(tmp_path / "full")
    http = Http(await start_server(store=store))
    assert await http.json("GET", "/readyz") == {"status": "ready"}
    store.is_full = True
    await http.fails("GET", "/readyz", status=503)
    store.is_full = False
    assert await http.json("GET", "/readyz") == {"status": "ready"}


async def test_readiness_ends_with_the_drain(http: Http) -> None:
    http.server.context.draining = True
    await http.fails("GET", "/readyz", status=503)


async def test_the_page_has_a_strict_policy_and_assets_are_compressed(http: Http) -> None:
    for path in ("/", "/d/notes/today"):
        page = await http.fetch("GET", path)
        assert page.code in (200, 503), "503: not built"
        assert "script-src 'self';" in page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    if page.code == 503:
        pytest.skip("the editor is not built")
    found = re.search(r'src="(/static/assets/[^"]+)"', page.body.decode())
    assert found
    script = found[1]
    asset = await http.fetch("GET", script, Accept_Encoding="br")
    assert asset.headers["Content-Encoding"] == "br"
    assert "immutable" in asset.headers["Cache-Control"]
    assert (await http.fetch("GET", "/static/../config.py")).code == 404
    assert (await http.fetch("GET", "/static/nothing.js")).code == 404
