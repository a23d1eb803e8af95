"""Credentials to a `Grant`: what the rest of the house knows of a person."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Permission(IntEnum):
    """Each includes those before it."""

    READ = 1
    COMMENT = 2
    WRITE = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Grant:
    """Who a session is and what it may do in one document; `expires` is Unix time in seconds."""

    user: str
    permission: Permission
    expires: float | None = None

    @property
    def may_write(self) -> bool:
        return self.permission >= Permission.WRITE


class Authenticator(Protocol):
    """Raises `NotAuthenticated` for bad credentials and `NotAllowed` where they are good but not enough."""

    async def authenticate(self, token: str | None, document: str) -> Grant: ...


class OpenAuthenticator:
    """Everyone may do everything: for one machine, or behind a proxy that asks."""

    async def authenticate(self, token: str | None, document: str) -> Grant:
        return Grant(user="", permission=Permission.ADMIN)
