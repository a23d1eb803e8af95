"""HTTP: the list of documents, their content, and the server's health. JSON in UTF-8, errors included."""

import asyncio
import http
import itertools
import json
import logging
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

from tornado.web import HTTPError, RequestHandler

from collabdoc import __version__
from collabdoc.auth import EVERYTHING, Action, Credentials, Grant, Permission
from collabdoc.content import FORMATS, MEDIA_TYPES, natural_format
from collabdoc.document import MAX_TITLE_CHARACTERS, Kind
from collabdoc.errors import (
    HelperError,
    NoSuchDocument,
    NotAllowed,
    NotAuthenticated,
    ProtocolError,
    RateLimited,
    StoreDamaged,
    StoreError,
)
from collabdoc.protocol.names import check_name
from collabdoc.server.context import NOTHING_RUNS, Context, bearer_token, credentials_of, host_allowed, origin_allowed
from collabdoc.store.base import DocumentRow, LinkRow

log = logging.getLogger(__name__)

CSRF_HEADER = "X-Collabdoc-Csrf"
_READY_S = 2.0
_LOOK_S = 1.0
_STATUS_OF_CODE = {4400: 400, 4401: 401, 4403: 403, 4404: 404, 4413: 413, 4423: 423, 4429: 429, 1012: 503, 1013: 503}
_LAST_MS = 253_402_300_799_000
_EXTENSIONS = {"text": "txt", "markdown": "md", "html": "html", "json": "json", "yjs": "yjs"}


class ApiError(HTTPError):
    """An answer other than what was asked for; `message` is a sentence for a person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, reason=http.HTTPStatus(status).phrase)
        self.message = message


class ApiHandler(RequestHandler):
    """What all endpoints share."""

    def initialize(self, context: Context) -> None:
        self.context = context

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", NOTHING_RUNS)

    def prepare(self) -> None:
        if not host_allowed(self.request, self.context.settings):
            host = self.request.host_name[:100]
            raise ApiError(
                403, f"this server does not go by the name {host}: start it with --allow-origin https://{host}"
            )
        self.check_serving()
        origin = self.request.headers.get("Origin")
        writes = self.request.method not in ("GET", "HEAD")
        if (
            writes
            and origin is not None
            and not origin_allowed(self.request, origin, self.context.settings.allow_origin)
        ):
            raise ApiError(403, f"a page of {origin:.100} may not change documents of this server")
        if writes and bearer_token(self.request) is None and self.request.cookies:
            self.check_csrf()

    def check_serving(self) -> None:
        """An application that we are mounted in may serve on when we have stopped."""
        if self.context.draining:
            raise ApiError(503, "the server is restarting")

    def check_csrf(self) -> None:
        """A header that no form and no page of another site can send: cookies come along by themselves, it does not."""
        if CSRF_HEADER not in self.request.headers:
            raise ApiError(403, f"a change by the right of a cookie needs the header {CSRF_HEADER}: 1")

    def check_xsrf_cookie(self) -> None:
        """An application that we are mounted in may have a check of its own; ours is in `prepare`."""

    def head(self, *arguments: str) -> Any:
        return self.get(*arguments)  # Tornado leaves the body out

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, ProtocolError):
            status_code, message = _STATUS_OF_CODE.get(error.code, 400), error.reason
        elif isinstance(error, ApiError):
            message = error.message
        elif isinstance(error, StoreDamaged):
            status_code, message = 423, "this is damaged on the server, its operator has to repair it"
        elif isinstance(error, StoreError):
            status_code, message = 503, "the store cannot be used now, try again"
        elif isinstance(error, HelperError):
            status_code, message = 422, f"the document's content cannot be read: {error}"
        else:
            message = http.HTTPStatus(status_code).phrase
        self.set_status(status_code)
        if status_code == 405:
            methods = [each for each in self.SUPPORTED_METHODS if each.lower() in vars(type(self))]
            self.set_header("Allow", ", ".join(["HEAD", *methods] if "GET" in methods else methods))
        code = http.HTTPStatus(status_code).phrase.lower().replace(" ", "_")
        self.answer({"error": {"code": code, "message": message}})

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, StoreError | HelperError):
            log.error("%a: %s", self.request.path[:300], value)
        elif not isinstance(value, ProtocolError | ApiError):
            super().log_exception(typ, value, tb)

    def answer(self, body: dict[str, Any]) -> None:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(body, ensure_ascii=False))

    def read_object(self) -> dict[str, Any]:
        try:
            body = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise ApiError(400, "the body is not JSON") from None
        if not isinstance(body, dict):
            raise ApiError(400, "the body is not a JSON object")
        return body

    def read_count(self, name: str, default: int, most: int) -> int:
        text = self.get_query_argument(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise ApiError(400, f"{name} is {text[:40]!r}, expected a number")
        return min(int(text), most)

    async def authorize(self, name: str, action: Action) -> Grant:
        """Asked before anything is looked up: a refusal does not tell what there is."""
        return await self.context.access.authorize(credentials_of(self.request), check_name(name), action)

    async def find(self, name: str) -> tuple[DocumentRow, Grant]:
        grant = await self.authorize(name, Action.READ)
        row = await self.context.rooms.get(name)
        if row is None:
            raise NoSuchDocument(f"there is no document {name!r}")
        return row, grant

    async def describe(self, found: Sequence[tuple[DocumentRow, Grant]]) -> list[dict[str, Any]]:
        """Documents as the asker sees them."""
        links = await self.context.links.count([row.name for row, _ in found])
        return [
            {**_as_json(row), "permission": grant.permission.name.lower(), "links": links.get(row.name, 0)}
            for row, grant in found
        ]


class Documents(ApiHandler):
    """`GET` lists, `POST` makes."""

    async def get(self) -> None:
        query = self.get_query_argument("q", "")[:200]
        limit = self.read_count("limit", 50, self.context.settings.limits.list_documents)
        offset = self.read_count("offset", 0, 2**31)
        if self.context.access.is_open:
            rows, total = await self.context.rooms.list(query=query, limit=limit, offset=offset)
            grant = await self.context.access.grant(Credentials(), EVERYTHING)
            page = [(row, grant) for row in rows]
        else:
            readable = await self._readable(query)
            page, total = readable[offset : offset + limit], len(readable)
        self.answer({"documents": await self.describe(page), "total": total})

    async def _readable(self, query: str) -> list[tuple[DocumentRow, Grant]]:
        """All documents that match and that the reader may read; the others are not even counted."""
        found: list[tuple[DocumentRow, Grant]] = []
        step = self.context.settings.limits.list_documents
        holder = await self.context.access.holder(credentials_of(self.request))
        for start in itertools.count(0, step):
            rows, total = await self.context.rooms.list(query=query, limit=step, offset=start)
            for row in rows:
                try:
                    grant = await holder.grant(row.name)
                except NotAllowed:
                    continue
                except NotAuthenticated:
                    if not holder.is_guest:
                        raise
                    continue
                if grant.allows(Action.READ):
                    found.append((row, grant))
            if start + step >= total:
                break
        return found

    async def post(self) -> None:
        body = self.read_object()
        title, kind = body.get("title", ""), body.get("kind", "rich")
        name = body.get("name") or secrets.token_urlsafe(9)
        if not isinstance(title, str) or len(title) > MAX_TITLE_CHARACTERS or not _is_clean(title):
            raise ApiError(400, f"title is not a string of at most {MAX_TITLE_CHARACTERS} characters")
        if kind not in ("rich", "text"):
            raise ApiError(400, 'kind is neither "rich" nor "text"')
        if not isinstance(name, str):
            raise ApiError(400, "name is not a string")
        grant = await self.authorize(name, Action.CREATE)
        row = await self.context.rooms.create(name, title=title, kind=cast(Kind, kind))
        if row is None:
            raise ApiError(409, f"there is a document {name!r} already")
        self.set_status(201)
        self.set_header("Location", f"{self.request.path}/{quote(name, safe='')}")
        [described] = await self.describe([(row, grant)])
        self.answer(described)


class Document(ApiHandler):
    """One document: `GET` tells, `DELETE` ends it."""

    async def get(self, name: str) -> None:
        row, grant = await self.find(name)
        [described] = await self.describe([(row, grant)])
        if grant.allows(Action.ADMINISTER):
            described["shared_with"] = [link_as_json(link) for link in await self.context.links.of(name)]
        self.answer(described)

    async def delete(self, name: str) -> None:
        await self.authorize(name, Action.DELETE)
        if not await self.context.rooms.delete(name):
            raise NoSuchDocument(f"there is no document {name!r}")
        self.context.recheck(lambda _: False)  # its sessions have ended; its links are not to open what comes after it
        self.set_status(204)
        self.finish()


class Content(ApiHandler):
    """`GET`: the content as it is committed, in a format."""

    async def get(self, name: str) -> None:
        row, _ = await self.find(name)
        format_ = self.get_query_argument("format", natural_format(row.kind))
        if format_ not in FORMATS:
            raise ApiError(400, f"format is {format_[:40]!r}, expected one of {', '.join(FORMATS)}")
        context = self.context
        if context.exports >= context.settings.limits.exports:
            raise RateLimited(f"{context.exports} contents are being read already, try again")
        context.exports += 1
        try:
            content = await context.rooms.export(name, format_)
            self.set_header("Content-Type", MEDIA_TYPES[format_])
            file_name = f"{name.rpartition('/')[2]}.{_EXTENSIONS[format_]}"
            self.set_header("Content-Disposition", f"inline; filename*=UTF-8''{quote(file_name, safe='')}")
            await self._hand_over(content)
        finally:
            context.exports -= 1

    async def _hand_over(self, content: bytes) -> None:
        """Wait until the client has taken all of it; one that takes nothing for `silence_s` is cut off."""
        context, stream = self.context, self.request.connection.stream  # type: ignore[union-attr]  # HTTP/1.1's
        written = self.finish(content)
        taken, taken_s = 0, context.monotonic()
        while not (written.done() or stream.closed()):
            await asyncio.wait([written], timeout=_LOOK_S)
            if stream._total_write_done_index > taken:
                taken, taken_s = stream._total_write_done_index, context.monotonic()
            elif context.monotonic() - taken_s > context.settings.limits.silence_s:
                stream.close()


class Health(ApiHandler):
    """`GET /healthz`: the process answers."""

    def check_serving(self) -> None: ...

    def get(self) -> None:
        context = self.context
        self.answer(
            {
                "status": "ok",
                "version": __version__,
                "sockets": len(context.sockets),
                "rooms": context.rooms.count,
                "refused": {str(code): count for code, count in sorted(context.refused.items())},
                "paced": context.paced,
                "dropped_presence": context.rooms.dropped_presence,
            }
        )


class Ready(ApiHandler):
    """`GET /readyz`: the server takes work: it is not draining, and its store can be written."""

    async def get(self) -> None:
        try:
            async with asyncio.timeout(_READY_S):
                await self.context.rooms.check_writable()
        except TimeoutError:
            raise ApiError(503, f"the store did not answer within {_READY_S:g} s") from None
        self.answer({"status": "ready"})


class NotFound(ApiHandler):
    def prepare(self) -> None:
        raise ApiError(404, f"there is nothing at {self.request.path[:200]}")


def _as_json(row: DocumentRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": row.title,
        "kind": row.kind or None,
        "created_at": None if row.is_damaged else as_iso(row.created_ms),
        "updated_at": None if row.is_damaged else as_iso(row.changed_ms),
        "damaged": row.is_damaged,
    }


def link_as_json(row: LinkRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "permission": Permission(row.permission).name.lower(),
        "label": row.label,
        "created_at": as_iso(row.created_ms),
        "created_by": row.created_by,
        "expires_at": None if row.expires_ms is None else as_iso(row.expires_ms),
    }


def as_iso(ms: int) -> str:
    """Unix milliseconds as ISO 8601 in UTC; what is no date, as times bear no checksum, is the last there is."""
    ms = ms if 0 <= ms <= _LAST_MS else _LAST_MS
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_clean(text: str) -> bool:
    """No control characters, and no surrogate that JSON let through but UTF-8 cannot say."""
    return all(character.isprintable() or character == " " for character in text)
