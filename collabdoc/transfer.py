"""Documents in and out of files: through a running server, or in a data folder that nobody holds.

Both places give the same two verbs, so that the command line does not care which one it talks to.
"""

import json
import re
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from collabdoc.client import connect
from collabdoc.content import export_document, natural_format
from collabdoc.document import EMPTY_UPDATE, Document, Meta
from collabdoc.errors import CollabdocError, UsageError
from collabdoc.protocol.names import MAX_NAME_CHARACTERS, check_name
from collabdoc.store.base import Append
from collabdoc.store.sqlite import SqliteStore

TOKEN_VARIABLE = "COLLABDOC_TOKEN"  # noqa: S105  # the name of a variable
"""Where the commands find the token that they show to a server."""
_TIMEOUT_S = 60.0


class Place(Protocol):
    """Where documents are. Use with `async with`."""

    async def __aenter__(self) -> "Place": ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def put(self, name: str, update: bytes) -> None:
        """Make the document; `UsageError` where the name is taken."""

    async def get(self, name: str, format_: str | None) -> bytes:
        """The content in a format, or in the one that is natural to its kind."""


class ServerPlace:
    """A running server."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._token = token
        self._url = url.rstrip("/")

    async def __aenter__(self) -> "ServerPlace":
        response = await self._fetch("/healthz")
        if response.code != 200 or b'"status": "ok"' not in response.body:
            raise UsageError(f"what answers at {self._url} is no collabdoc server")
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def put(self, name: str, update: bytes) -> None:
        found = await self._fetch(path_of(name))
        if found.code == 200:
            raise _taken(name)
        if found.code != 404:
            raise UsageError(_message(found))
        async with connect(self._url, token=self._token) as client:
            document = await client.open(name)
            document.doc.apply_update(update)
            await document.saved()

    async def get(self, name: str, format_: str | None) -> bytes:
        query = f"?format={format_}" if format_ else ""
        response = await self._fetch(f"{path_of(name)}/content{query}")
        if response.code != 200:
            raise UsageError(_message(response))
        return response.body

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the HTTP interface answers; `UsageError` with its own words where it refuses."""
        response = await self._fetch(path, method, body)
        if not 200 <= response.code < 300:
            raise UsageError(_message(response))
        answer: dict[str, Any] = json.loads(response.body or b"{}")
        return answer

    async def _fetch(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> HTTPResponse:
        request = HTTPRequest(
            self._url + path,
            method=method,
            headers={"Authorization": f"Bearer {self._token}"} if self._token else {},
            body=None if body is None else json.dumps(body),
            request_timeout=_TIMEOUT_S,
        )
        try:
            response = await AsyncHTTPClient().fetch(request, raise_error=False)
        except (OSError, HTTPClientError, ValueError) as error:
            raise UsageError(f"no server answers at {self._url}: {error}") from None
        if response.code == 401 and not self._token:
            raise UsageError(f"the server at {self._url} asks for a token: put one into the variable {TOKEN_VARIABLE}")
        return response


class FolderPlace:
    """A data folder that no server holds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __aenter__(self) -> "FolderPlace":
        self._store = SqliteStore(self._folder)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._store.close()

    async def put(self, name: str, update: bytes) -> None:
        document = Document()
        document.apply(update, document.check(update))
        meta = document.take_meta() or Meta()
        _, made = self._store.create(name)
        if not made:
            raise _taken(name)
        self._store.append([Append(name, [update], (meta.title, meta.kind or ""))])

    async def get(self, name: str, format_: str | None) -> bytes:
        loaded = self._store.load(name)
        if loaded is None:
            raise UsageError(f"there is no document {name!r} in {self._folder}")
        document = Document(loaded.snapshot or EMPTY_UPDATE, [entry.update for entry in loaded.tail])
        return export_document(document.diff(EMPTY_UPDATE[:1]), format_ or natural_format(loaded.row.kind))


def name_for(path: Path) -> str:
    """A document's name made of a file's: what a name may not hold becomes `-`."""
    cleaned = re.sub(r"[^\w.~-]+", "-", path.name).strip("-.")[:MAX_NAME_CHARACTERS]
    try:
        return check_name(cleaned)
    except CollabdocError:
        raise UsageError(f"{path.name!r} makes no name for a document: say one with --to") from None


def path_of(name: str) -> str:
    """Where the HTTP interface has a document."""
    return f"/api/documents/{quote(name, safe='')}"


def _taken(name: str) -> UsageError:
    return UsageError(f"there is a document {name!r} already: say another name with --to")


def _message(response: HTTPResponse) -> str:
    try:
        return str(json.loads(response.body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {response.code}"
