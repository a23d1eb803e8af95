"""What every handler of one server shares."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from collabdoc.access import Access
from collabdoc.auth import Credentials
from collabdoc.config import Settings
from collabdoc.lane import Lane
from collabdoc.links import Links, join_token, split_token
from collabdoc.revocations import Revocations
from collabdoc.rooms import Rooms
from collabdoc.turn import Turn

if TYPE_CHECKING:
    from collabdoc.server.socket import DialectSocket
    from collabdoc.session import Session

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Context:
    settings: Settings
    rooms: Rooms
    access: Access
    links: Links
    revocations: Revocations
    turn: Turn
    lane: Lane
    monotonic: Callable[[], float]
    messages_per_s: int = field(init=False)
    sockets: set[DialectSocket] = field(default_factory=set)
    refused: Counter[int] = field(default_factory=Counter)
    """How often each code was given: to a socket, to a channel, or for a rejected edit."""
    from_address: Counter[str] = field(default_factory=Counter)
    """How many sockets an address has; this machine's own are not counted."""
    paced: int = 0
    """How often a socket said more than it may, and was not read for a while."""
    exports: int = 0
    """How many contents are read, or wait."""
    rechecks: int = 0
    """How often something was taken back: what was asked before the last time has to be asked again."""
    draining: bool = False
    emptied: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the last socket has gone."""

    def __post_init__(self) -> None:
        # Read for each read of each socket: of a model's attribute it takes longer.
        self.messages_per_s = self.settings.limits.messages_per_s

    def has_place_for(self, address: str) -> bool:
        """Whether an address may have one more socket."""
        return self.from_address[address] < self.settings.limits.sockets_per_address

    def join(self, socket: DialectSocket) -> None:
        """A socket is open."""
        self.sockets.add(socket)
        if address := socket.connection.address:
            self.from_address[address] += 1
            if not self.has_place_for(address):
                limit = self.settings.limits.sockets_per_address
                log.warning("%s has %d sockets and gets no more (if it is a proxy: trusted_proxies)", address, limit)

    def leave(self, socket: DialectSocket) -> None:
        """A socket is closed."""
        self.sockets.discard(socket)
        if address := socket.connection.address:
            self.from_address[address] -= 1
            if not self.from_address[address]:
                del self.from_address[address]
        if not self.sockets:
            self.sockets.clear()  # empty, it still has the table of the most that it ever had
            self.emptied.set()

    def recheck(self, concerns: Callable[[Session], bool]) -> None:
        """Something was taken back: ask again what the sessions that it concerns may do."""
        self.rechecks += 1
        for socket in self.sockets:
            socket.recheck(concerns)


def origin_allowed(request: HTTPServerRequest, origin: str, allowed: Iterable[str]) -> bool:
    """A page may write to its own server, and to one that names it; everything else is another site's page."""
    origin = origin.lower()
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if not (parts.scheme and parts.netloc):
        return False
    return parts.netloc == request.host.lower() or origin in {each.lower() for each in allowed}


def host_allowed(request: HTTPServerRequest, settings: Settings) -> bool:
    """A server for this machine alone answers to this machine's names, and to the hosts of allowed origins.

    Else any site could point a name of its own at 127.0.0.1 (DNS rebinding) and be of one origin with the server.
    """
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    if not is_loopback(settings.host) or is_loopback(name) or name == settings.host.lower():
        return True
    return name in {urlsplit(origin).hostname for origin in settings.allow_origin}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


NOTHING_RUNS = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""The Content-Security-Policy of every answer but the editor's page."""
SESSION_COOKIE = "collabdoc_session"
LINK_COOKIE = "collabdoc_share_"


def credentials_of(request: HTTPServerRequest) -> Credentials:
    """What came with a request or a connection.

    Share links that were opened in a browser count beside whoever is signed in there.
    """
    cookies = {name: morsel.value for name, morsel in request.cookies.items()}
    links = Credentials(None, tuple(link_cookies(request).values()), cookies)
    return with_token(links, bearer_token(request) or cookies.get(SESSION_COOKIE))


def with_token(credentials: Credentials, token: str | None) -> Credentials:
    """The same with a token that was said since, which may be a sign-in or a share link."""
    if not token:
        return credentials
    if split_token(token) is not None:
        return replace(credentials, token=None, links=(*credentials.links, token))
    return replace(credentials, token=token)


def link_cookies(request: HTTPServerRequest) -> dict[str, str]:
    """The cookies of share links by their name, in the browser's order: the token of each."""
    tokens = {
        name: join_token(name.removeprefix(LINK_COOKIE), morsel.value)
        for name, morsel in request.cookies.items()
        if name.startswith(LINK_COOKIE)
    }
    return {name: token for name, token in tokens.items() if split_token(token) is not None}


def bearer_token(request: HTTPServerRequest) -> str | None:
    """The token of the header `Authorization`, which no page of another site can send."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
