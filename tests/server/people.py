"""People at a server with tokens: what they show of themselves, and a browser that keeps their cookies."""

import asyncio
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookies import Morsel, SimpleCookie
from typing import Any

from tornado.httpclient import HTTPResponse

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.errors import NotAllowed, NotAuthenticated
from collabdoc.links import Wish
from collabdoc.server.app import Server
from collabdoc.tokens import sign_token
from tests.conftest import ServerFactory
from tests.server.test_api import Http

SECRET = "s" * 32
CSRF = {"X-Collabdoc-Csrf": "1"}


def token(sub: str = "ana", permission: str = "admin", docs: str = "*", **claims: Any) -> str:
    return sign_token(SECRET.encode(), {"sub": sub, "docs": {docs: permission}, **claims})


def bearer(*arguments: Any, **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(*arguments, **claims)}"}


class ByName:
    """`read`, `write` and `nobody` are what their names say."""

    async def authenticate(self, credentials: Credentials, document: str) -> Grant:
        await asyncio.sleep(0)
        match credentials.token:
            case "read":
                return Grant(User("reader"), Permission.READ)
            case "write":
                return Grant(User("writer"), Permission.WRITE)
            case "nobody":
                raise NotAllowed("you may not open this document")
            case _:
                raise NotAuthenticated("sign in first")


class Browser:
    """Keeps cookies as a browser does, the oldest first, and sends them along."""

    def __init__(self, server: Server) -> None:
        self.http = Http(server)
        self.cookies: dict[str, str] = {}
        self.set: dict[str, Morsel[str]] = {}

    @property
    def header(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    async def fetch(self, method: str, path: str, body: Any = None, **headers: str) -> HTTPResponse:
        response = await self.http.fetch(method, path, body, **self.header, **headers)
        self.set = {}
        for line in response.headers.get_list("Set-Cookie"):
            self.set.update(SimpleCookie(line))
        for name, morsel in self.set.items():
            if morsel["expires"] and parsedate_to_datetime(morsel["expires"]) < datetime.now(UTC):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
        return response

    async def says(self, method: str, path: str, body: Any = None) -> Any:
        """A write as the editor sends it; what was answered."""
        response = await self.fetch(method, path, body, **CSRF)
        assert 200 <= response.code < 300, response.body
        return json.loads(response.body or b"null")


async def with_tokens(start_server: ServerFactory, **flags: Any) -> Server:
    server = await start_server(auth="token", token_key=SECRET, **flags)
    for name in ("a", "b"):
        await server.rooms.create(name, title="", kind="text")
    return server


async def link_to(server: Server, name: str, permission: Permission = Permission.READ, **fields: Any) -> str:
    _, made = await server.context.links.make(name, Wish(permission, "", "", fields.get("lasts_s")))
    return made
