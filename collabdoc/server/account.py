"""HTTP for who somebody is and whom a document is shared with: signing in, share links, revocations.

A browser's credentials are cookies that no script reads and no other site sends along: one for who is signed in, one
for each share link that was opened. What comes in by `POST /api/session` leaves the address for good.
"""

import http.cookies
import time
from typing import Any

from collabdoc.auth import EVERYTHING, Action, Credentials, Identity, Permission, User
from collabdoc.errors import NoSuchDocument, NotAllowed, NotAuthenticated
from collabdoc.links import MAX_FOLLOWED, Wish, split_token
from collabdoc.server.api import ApiError, ApiHandler, as_iso, link_as_json
from collabdoc.server.context import LINK_COOKIE, SESSION_COOKIE, credentials_of, link_cookies
from collabdoc.session import Session
from collabdoc.tokens import MAX_ID_CHARACTERS

MAX_COOKIE_BYTES = 3_800
"""What all browsers keep, less the attributes."""
_MAX_DROPPED = 50
"""Cookies that one answer may end: it has to pass through proxies, and ours have fewer."""
_NEVER_S = 400 * 86_400
"""The longest that browsers keep a cookie."""


class SignIn(ApiHandler):
    """`/api/session`: `GET` tells who is signed in, `POST` keeps a token in a cookie, `DELETE` signs out."""

    async def get(self) -> None:
        self.answer(self._tell(await self._identify(credentials_of(self.request))))

    async def post(self) -> None:
        self.check_csrf()
        token = self.read_object().get("token")
        if not isinstance(token, str) or not token:
            raise ApiError(400, "token is not a string")
        if (parts := split_token(token)) is not None:
            link = await self.context.access.follow(token)
            await self._make_room_for(LINK_COOKIE + link.id)
            self._keep(LINK_COOKIE + link.id, parts[1], None if link.expires_ms is None else link.expires_ms / 1000)
            identity = await self._identify(credentials_of(self.request))
            self.answer({**self._tell(identity), "document": link.document})
            return
        identity = await self.context.access.identify(Credentials(token))
        if len(token) > MAX_COOKIE_BYTES or not token.isascii():
            raise ApiError(400, f"a token that signs in has at most {MAX_COOKIE_BYTES} characters")
        self._keep(SESSION_COOKIE, token, identity.expires)
        self.answer(self._tell(identity))

    def delete(self) -> None:
        self.check_csrf()
        for name in (SESSION_COOKIE, *list(link_cookies(self.request))[:_MAX_DROPPED]):
            if name in self.request.cookies:
                self._drop(name)
        self.set_status(204)
        self.finish()

    async def _make_room_for(self, name: str) -> None:
        """Drop the cookies of links that opened their last, and of the oldest where there are too many."""
        kept = link_cookies(self.request)
        kept.pop(name, None)
        alive = {LINK_COOKIE + row.id for row in await self.context.links.find(list(kept.values()))}
        # Browsers name the oldest first.
        newest = [each for each in kept if each in alive][-(MAX_FOLLOWED - 1) :]
        for each in [each for each in kept if each not in newest][:_MAX_DROPPED]:
            self._drop(each)

    async def _identify(self, credentials: Credentials) -> Identity:
        try:
            return await self.context.access.identify(credentials)
        except NotAuthenticated:
            return Identity(User(), may_create=False)

    def _tell(self, identity: Identity) -> dict[str, Any]:
        user = identity.user
        return {
            "open": self.context.access.is_open,
            "user": {"id": user.id, "name": user.name or user.id, "color": user.color} if user.id else None,
            "expires_at": None if identity.expires is None else as_iso(int(identity.expires * 1000)),
            "sign_in_url": self.context.settings.sign_in_url,
            "may_create": identity.may_create,
        }

    def _keep(self, name: str, value: str, expires: float | None) -> None:
        max_age_s = _NEVER_S if expires is None else max(1, int(min(expires - time.time(), _NEVER_S)))
        try:
            self.set_cookie(name, value, max_age=max_age_s, **self._attributes())
        except (ValueError, http.cookies.CookieError):
            raise ApiError(400, "the token holds characters that no cookie can") from None

    def _drop(self, name: str) -> None:
        self.clear_cookie(name, **self._attributes())

    def _attributes(self) -> dict[str, Any]:
        # A proxy may have ended TLS, but the page's own origin tells how the browser reached it.
        secure = self.request.headers.get("Origin", "").startswith("https:") or self.request.protocol == "https"
        # Strict does not cut off who comes by a link from elsewhere: the pages need no cookie, what they ask for does.
        return {"path": "/", "httponly": True, "samesite": "Strict", "secure": secure}


class DocumentLinks(ApiHandler):
    """`/api/documents/<name>/links`: `GET` lists the share links of a document, `POST` makes one."""

    async def get(self, name: str) -> None:
        await self.authorize(name, Action.ADMINISTER)
        self.answer({"links": [link_as_json(row) for row in await self.context.links.of(name)]})

    async def post(self, name: str) -> None:
        if self.context.access.is_open:
            raise ApiError(409, "everybody may do everything on this server: links need one with --auth token")
        grant = await self.authorize(name, Action.ADMINISTER)
        wish = self._read_wish(grant.user.name or grant.user.id)
        row, token = await self.context.links.make(name, wish)
        self.set_status(201)
        self.answer({**link_as_json(row), "path": f"/share#{token}"})

    def _read_wish(self, created_by: str) -> Wish:
        body = self.read_object()
        role, label, lasts_s = body.get("permission"), body.get("label", ""), body.get("expires_in_s")
        if not isinstance(role, str) or role.upper() not in Permission.__members__:
            raise ApiError(400, "permission is none of read, comment, write")
        if not isinstance(label, str):
            raise ApiError(400, "label is not a string")
        if "expires_in_s" not in body or isinstance(lasts_s, bool) or not isinstance(lasts_s, int | float | None):
            raise ApiError(400, "expires_in_s is neither a number of seconds nor null, for a link that does not end")
        return Wish(Permission[role.upper()], label.strip(), created_by, lasts_s)


class DocumentLink(ApiHandler):
    """`DELETE /api/documents/<name>/links/<id>` takes a link back; who came by it is sent out."""

    async def delete(self, name: str, link_id: str) -> None:
        await self.authorize(name, Action.ADMINISTER)
        if not await self.context.links.revoke(name, link_id):
            raise NoSuchDocument("this link does not exist, or was taken back already")
        self.context.recheck(lambda session: _came_by_link(session, name))
        self.set_status(204)
        self.finish()


class Revoked(ApiHandler):
    """`POST /api/revocations` with `{"user"}` or `{"token_id"}`: such tokens count no longer, at once."""

    async def post(self) -> None:
        if not self.context.access.by_tokens:
            raise ApiError(409, "this server knows no tokens that could be taken back: it runs without --auth token")
        try:
            await self.context.access.authorize(credentials_of(self.request), EVERYTHING, Action.ADMINISTER)
        except NotAllowed:
            raise NotAllowed("only who is admin of all documents ('*') may take sign-ins back") from None
        body = self.read_object()
        named = [(kind, body.get(key)) for kind, key in (("user", "user"), ("token", "token_id")) if key in body]
        if len(named) != 1 or not isinstance(value := named[0][1], str) or not _can_be_stored(value):
            raise ApiError(400, f"expected either user or token_id, a string of 1 to {MAX_ID_CHARACTERS} characters")
        kind = named[0][0]
        await self.context.revocations.add("user" if kind == "user" else "token", value)
        self.context.recheck(lambda session: _concerns(session, kind, value))
        self.answer({"revoked": {kind: value}})


def _can_be_stored(value: str) -> bool:
    """JSON can say half of a surrogate pair, which no token that counts can hold."""
    return 0 < len(value) <= MAX_ID_CHARACTERS and value.encode(errors="replace").decode() == value


def _came_by_link(session: Session, document: str) -> bool:
    return bool(session.credentials.links) and session.room is not None and session.room.name == document


def _concerns(session: Session, kind: str, value: str) -> bool:
    return kind == "token" or session.grant.user.id == value
