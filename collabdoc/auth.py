"""Credentials to a `Grant`, and what a grant allows: the one place that decides who may do what."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from inspect import isawaitable
from types import MappingProxyType
from typing import Protocol

from collabdoc.errors import NotAllowed

EVERYTHING = "*"
"""Stands for a document's name where the whole server is asked about; no document is called so."""


class Permission(IntEnum):
    """Each includes those before it."""

    READ = 1
    COMMENT = 2
    WRITE = 3
    ADMIN = 4


class Action(Enum):
    """What somebody wants to do with one document; the value is how a refusal names it."""

    OPEN = "open this document"
    READ = "read this document"
    BE_PRESENT = "be seen in this document"
    WRITE = "edit this document"
    CREATE = "make this document"
    DELETE = "delete this document"
    ADMINISTER = "administer this document"

    __hash__ = object.__hash__  # of the enum's own, which is Python's, each edit would have one


NEEDED: Mapping[Action, Permission] = MappingProxyType(
    {
        Action.OPEN: Permission.READ,
        Action.READ: Permission.READ,
        Action.BE_PRESENT: Permission.READ,
        Action.WRITE: Permission.WRITE,
        Action.CREATE: Permission.WRITE,
        Action.DELETE: Permission.ADMIN,
        Action.ADMINISTER: Permission.ADMIN,
    }
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows of itself; none of it belongs in a log.

    `token` is its own, `links` are the tokens of share links, `cookies` are for an operator's own authenticator.
    """

    token: str | None = field(default=None, repr=False)
    links: tuple[str, ...] = field(default=(), repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody as others see them; an empty id is somebody whom nobody vouches for. `color` is `#rrggbb`."""

    id: str = ""
    name: str = ""
    color: str | None = None

    def presence(self) -> dict[str, object] | None:
        """What the server itself says of them in presence; None where it does not know them."""
        if not self.id:
            return None
        known: dict[str, object] = {"id": self.id, "name": self.name or self.id, "verified": True}
        return known if self.color is None else {**known, "color": self.color}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, whatever the document; `expires` is Unix time in seconds."""

    user: User
    expires: float | None = None
    may_create: bool = True
    """False where they may make no document, whatever its name."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Who a session is and what it may do in one document; `expires` is Unix time in seconds."""

    user: User
    permission: Permission
    expires: float | None = None
    by_link: bool = False
    """A link lives no longer than its document, and so never makes one."""

    def allows(self, action: Action) -> bool:
        return self.permission >= NEEDED[action] and not (self.by_link and action is Action.CREATE)

    def check(self, action: Action) -> None:
        """Raises `NotAllowed` where the grant does not reach so far."""
        if not self.allows(action):
            raise NotAllowed(f"you may not {action.value}")


class Authenticator(Protocol):
    """Raises `NotAuthenticated` for bad credentials and `NotAllowed` where they are good but not enough."""

    def authenticate(self, credentials: Credentials, document: str) -> Grant | Awaitable[Grant]: ...


class Identifier(Protocol):
    """An authenticator that also tells who somebody is, so that the editor can show it."""

    def identify(self, credentials: Credentials) -> Identity | Awaitable[Identity]: ...


class OpenAuthenticator:
    """Everyone may do everything: for one machine, or behind a proxy that asks."""

    def authenticate(self, credentials: Credentials, document: str) -> Grant:
        return Grant(User(), Permission.ADMIN)


async def authenticate(authenticator: Authenticator, credentials: Credentials, document: str) -> Grant:
    """The grant that these credentials give in a document. Raises `NotAuthenticated`, `NotAllowed`."""
    grant = authenticator.authenticate(credentials, document)
    return await grant if isawaitable(grant) else grant


async def identify(authenticator: Authenticator, credentials: Credentials) -> Identity:
    """Who holds these credentials. Raises `NotAuthenticated`; an authenticator that cannot tell knows nobody."""
    find = getattr(authenticator, "identify", None)
    if find is None:
        return Identity(User())
    identity = find(credentials)
    found: Identity = await identity if isawaitable(identity) else identity
    return found
