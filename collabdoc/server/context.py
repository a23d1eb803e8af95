"""What every handler of one server shares."""

from __future__ import annotations

import ipaddress
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


def bearer_token(request: HTTPServerRequest) -> str | None:
    """The credentials that came with the connection itself."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None
