"""collabdoc within another Tornado application."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from collabdoc.client import Refused, Status, connect
from collabdoc.config import load_settings
from collabdoc.errors import UsageError
from collabdoc.server import Engine, routes
from tests.process import ServerProcess
from tests.test_imports import ROOT

pytestmark = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def example(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, program=(str(ROOT / "examples" / "mounted.py"),)) as process:
        yield process


async def ask(url: str, method: str = "GET", body: str | None = None, **headers: str) -> HTTPResponse:
    return await AsyncHTTPClient().fetch(
        url, method=method, body=body, headers=headers, raise_error=False, follow_redirects=False
    )


async def sign_in(example: ServerProcess, name: str) -> str:
    """Somebody's cookie of the application's own."""
    form = await ask(f"{example.url}/login")
    xsrf = form.headers.get_list("Set-Cookie")[0].partition(";")[0]
    body = urlencode({"name": name, "_xsrf": xsrf.partition("=")[2]})
    answer = await ask(f"{example.url}/login", "POST", body, Cookie=xsrf)
    assert answer.code == 302
    return answer.headers.get_list("Set-Cookie")[0].partition(";")[0].partition("=")[2].strip('"')


async def test_the_example_has_its_own_page_and_login_and_our_documents_behind_them(example: ServerProcess) -> None:
    assert (await ask(f"{example.url}/")).code == 302
    assert (await ask(f"{example.url}/collab/api/documents/a")).code == 401
    ana, ben = await sign_in(example, "ana"), await sign_in(example, "ben")
    page = await ask(f"{example.url}/", Cookie=f'who="{ana}"')
    assert b"Hello, ana" in page.body

    url = f"{example.url}/collab"
    async with connect(url, token=ana) as hers, connect(url, token=ben) as his:
        a, b = await hers.open("notes/today"), await his.open("notes/today")
        a.awareness.say({})
        a.text().insert(0, "Grüße")
        await a.saved()
        while str(b.text()) != "Grüße" or not b.awareness.others:
            await b.changed()
        [present] = b.awareness.others.values()
        assert present["user"] == {"id": "ana", "name": "ana", "verified": True}
        with pytest.raises(Refused, match="private") as refused:
            await his.open("private/ana/diary")
        assert refused.value.code == 4403
    async with connect(url) as nobody:
        with pytest.raises(Refused, match="sign in at /login") as refused:
            await nobody.open("notes/today")
        assert refused.value.code == 4401

    listed = await ask(f"{url}/api/documents", Cookie=f'who="{ana}"')
    assert [each["name"] for each in json.loads(listed.body)["documents"]] == ["notes/today"]
    content = await ask(f"{url}/api/documents/notes%2Ftoday/content?format=text", Cookie=f'who="{ana}"')
    assert content.body.decode().strip() == "Grüße"


async def test_the_check_against_forged_requests_stays_ours_and_addresses_have_the_prefix(
    example: ServerProcess,
) -> None:
    cookie = f'who="{await sign_in(example, "ana")}"'
    documents, body = f"{example.url}/collab/api/documents", json.dumps({"name": "made", "kind": "text"})
    refused = await ask(documents, "POST", body, Cookie=cookie)
    assert (refused.code, b"X-Collabdoc-Csrf" in refused.body) == (403, True)
    made = await ask(documents, "POST", body, Cookie=cookie, **{"X-Collabdoc-Csrf": "1"})
    assert (made.code, made.headers["Location"]) == (201, "/collab/api/documents/made")


async def test_the_example_stops_with_a_goodbye_and_keeps_what_was_saved(example: ServerProcess) -> None:
    async with connect(f"{example.url}/collab", token=await sign_in(example, "ana")) as ana:
        document = await ana.open("a")
        document.text().append("kept")
        await document.saved()
        told: list[Status] = []
        document.observe_status(told.append)
        assert await asyncio.to_thread(example.terminate) == 0
        while not told:
            await document.changed()
        assert told[0].kind == "reconnecting"
        assert told[0].trouble is not None
        assert told[0].trouble.code == 1012


class _Own(RequestHandler):
    def get(self) -> None:
        self.finish("the application's own")


async def test_the_application_lives_on_when_the_part_has_stopped(tmp_path: Path) -> None:
    application = Application([("/", _Own)])
    http = HTTPServer(application)
    (listening,) = bind_sockets(0, "127.0.0.1")
    http.add_socket(listening)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with AsyncExitStack() as line:
        async with Engine(load_settings({"data": tmp_path})) as engine:
            application.add_handlers(".*", routes(engine, "/a/b"))
            client = await line.enter_async_context(connect(f"{url}/a/b", max_backoff_s=0.1))
            document = await client.open("x")
            assert json.loads((await ask(f"{url}/a/b/healthz")).body)["sockets"] == 1
        while document.status.kind not in ("reconnecting", "connecting"):
            await document.changed()
        assert (await ask(f"{url}/")).body == b"the application's own"
        for path, code in (("readyz", 503), ("api/documents", 503), ("api/documents/x", 503), ("healthz", 200)):
            assert (await ask(f"{url}/a/b/{path}")).code == code
        while document.status.trouble is None or "503" not in document.status.trouble.reason:
            await document.changed()
    http.stop()
    await http.close_all_connections()


@pytest.mark.parametrize("prefix", ["collab", "/", "/collab/", "//x", "/a b", "/(.*)"])
async def test_a_prefix_that_is_none_is_refused(prefix: str, tmp_path: Path) -> None:
    async with Engine(load_settings({"data": tmp_path})) as engine:
        with pytest.raises(UsageError, match="expected one such as /collab"):
            routes(engine, prefix)
