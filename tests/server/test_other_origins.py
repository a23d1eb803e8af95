"""A page of another origin opens no socket in any dialect, and writes nothing through the API."""

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect

from collabdoc.server.app import Server
from collabdoc.server.context import SESSION_COOKIE
from tests.conftest import ServerFactory

pytestmark = pytest.mark.gen_test(timeout=60)

SOCKETS = ("/ws", "/yjs/a", "/hocuspocus")

OTHERS = [
    "",
    "null",
    "file://",
    "//127.0.0.1:{port}",
    "http://",
    "http://[evil",
    "http://127.0.0.1",
    "http://127.0.0.1:{other_port}",
    "http://localhost:{port}",
    "http://127.0.0.1.evil.example:{port}",
    "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1:{port}@evil.example",
    "http://mallory@127.0.0.1:{port}",
    "http://evil.example/127.0.0.1:{port}",
    "http://evil.example#127.0.0.1:{port}",
    "http://127.0.0.1:{port}, http://evil.example",
    "https://good.example.evil",
    "https://good.example:8443",
    "https://good.example.",
    "https://notgood.example",
    "https://good.example@evil.example",
    "http://good.example",
    "chrome-extension://good.example",
]
OWN = ["http://127.0.0.1:{port}", "HTTP://127.0.0.1:{port}", "https://good.example", "https://GOOD.example"]

# What a form or `no-cors` may send: a body of one of three types, and no header of its own.
FORMS = {
    "application/x-www-form-urlencoded": '{"name":"forged","title":"=","kind":"text"}',
    "text/plain": '{"name":"forged","kind":"text","title":"="}',
    "multipart/form-data; boundary=x": "--x\r\nContent-Disposition: form-data; name=name\r\n\r\nforged\r\n--x--\r\n",
}


@pytest.fixture
def server(io_loop: IOLoop, start_server: ServerFactory) -> Server:
    started: Server = io_loop.run_sync(lambda: start_server(allow_origin=("https://good.example",)))
    return started


def spelled(origin: str, server: Server) -> str:
    return origin.format(port=server.port, other_port=server.port + 1)


async def opens(server: Server, path: str, **headers: str) -> bool:
    request = HTTPRequest(f"ws://127.0.0.1:{server.port}{path}", headers=headers)
    try:
        socket = await websocket_connect(request)
    except HTTPClientError as error:
        if error.code != 403:
            raise
        return False
    socket.close()
    return True


async def posts(server: Server, body: str, **headers: str) -> int:
    url = f"{server.url}/api/documents"
    return (await AsyncHTTPClient().fetch(url, method="POST", headers=headers, body=body, raise_error=False)).code


async def test_only_the_servers_own_pages_and_those_it_names_get_a_socket(server: Server) -> None:
    for path in SOCKETS:
        opened = [origin for origin in OTHERS + OWN if await opens(server, path, Origin=spelled(origin, server))]
        assert opened == OWN, path


async def test_only_the_servers_own_pages_and_those_it_names_may_write(server: Server) -> None:
    for number, origin in enumerate(OTHERS + OWN):
        body = f'{{"name": "made/{number}"}}'
        expected = 201 if origin in OWN else 403
        assert await posts(server, body, Origin=spelled(origin, server)) == expected, origin


@pytest.mark.parametrize("media_type", FORMS)
async def test_what_a_form_sends_along_with_a_cookie_writes_nothing(server: Server, media_type: str) -> None:
    """Also where a browser says no origin, as old ones did for forms."""
    cookie = {"Cookie": f"{SESSION_COOKIE}=whatever"}
    for headers in (cookie, {**cookie, "Origin": "null"}, {"Origin": "https://evil.example"}):
        assert await posts(server, FORMS[media_type], **{"Content-Type": media_type}, **headers) == 403
    assert await server.rooms.list(query="", limit=10, offset=0) == ([], 0)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"])
async def test_a_name_that_a_site_pointed_here_opens_no_socket(server: Server, host: str) -> None:
    """DNS rebinding: to the browser, the page and the server are of one origin then."""
    name = f"{host}:{server.port}"
    for path in SOCKETS:
        assert not await opens(server, path, Host=name, Origin=f"http://{name}")
    assert await posts(server, "{}", Host=name, Origin=f"http://{name}") == 403
