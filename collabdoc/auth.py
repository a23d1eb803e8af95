"""Credentials to a `Grant`, and what a grant allows: the one place that decides who may do what."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Protocol

from collabdoc.errors import NotAllowed


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
class Grant:
    """Who a session is and what it may do in one document; `expires` is Unix time in seconds."""

    user: str
    permission: Permission
    expires: float | None = None

    def allows(self, action: Action) -> bool:
        return self.permission >= NEEDED[action]


class Authenticator(Protocol):
    """Raises `NotAuthenticated` for bad credentials and `NotAllowed` where they are good but not enough."""

    async def authenticate(self, token: str | None, document: str) -> Grant: ...


class OpenAuthenticator:
    """Everyone may do everything: for one machine, or behind a proxy that asks."""

    async def authenticate(self, token: str | None, document: str) -> Grant:
        return Grant(user="", permission=Permission.ADMIN)


async def authorize(authenticator: Authenticator, token: str | None, document: str, action: Action) -> Grant:
    """The grant of who holds these credentials, if it allows the action. Raises `NotAuthenticated`, `NotAllowed`."""
    grant = await authenticator.authenticate(token, document)
    if not grant.allows(action):
        raise NotAllowed(f"you may not {action.value}")
    return grant
