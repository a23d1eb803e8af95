"""What every handler of one server shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from collabdoc.auth import Authenticator
from collabdoc.config import Settings
from collabdoc.rooms import Rooms

if TYPE_CHECKING:
    from collabdoc.server.websocket import NativeSocket


@dataclass(slots=True)
class Context:
    settings: Settings
    rooms: Rooms
    authenticator: Authenticator
    monotonic: Callable[[], float]
    sockets: set[NativeSocket] = field(default_factory=set)
    refused: Counter[int] = field(default_factory=Counter)
    """How often each code was given: to a socket, to a channel, or for a rejected edit."""
    draining: bool = False


def origin_allowed(request: HTTPServerRequest, origin: str, allowed: Iterable[str]) -> bool:
    """A page may write to its own server, and to one that names it; everything else is another site's page."""
    host = urlsplit(origin).netloc.lower()
    return bool(host) and (host == request.host.lower() or origin.lower() in {each.lower() for each in allowed})


def bearer_token(request: HTTPServerRequest) -> str | None:
    """The credentials that came with the connection itself."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None
