"""Who may do what, asked in one place by every dialect and by HTTP: the authenticator, and share links beside it.

1. Of what an authenticator grants and what links grant, the stronger permission counts; who somebody is, the
   authenticator alone says.
2. What could not be looked up is an error, and neither a grant nor a refusal.
"""

from collections.abc import Callable, Sequence

from collabdoc.auth import (
    Action,
    Authenticator,
    Credentials,
    Grant,
    Identity,
    OpenAuthenticator,
    Permission,
    User,
    authenticate,
    identify,
)
from collabdoc.errors import NotAllowed, NotAuthenticated, Overloaded, StoreError
from collabdoc.links import Links
from collabdoc.store.base import LinkRow
from collabdoc.tokens import TokenAuthenticator


class Access:
    """Decides by credentials; nothing else in the house does."""

    def __init__(self, authenticator: Authenticator, links: Links, *, now_s: Callable[[], float]) -> None:
        """`now_s` is Unix time in seconds."""
        self._authenticator = authenticator
        self._links = links
        self._now_s = now_s
        self.is_open = isinstance(authenticator, OpenAuthenticator)
        """Whether everybody may do everything, so that there is nobody to sign in."""
        self.by_tokens = isinstance(authenticator, TokenAuthenticator)
        """Whether grants stand in signed tokens, which hold until they end or are taken back."""

    async def authorize(self, credentials: Credentials, document: str, action: Action) -> Grant:
        """The grant of who holds these credentials, if it allows the action.

        Raises `NotAuthenticated`, `NotAllowed`, and `Overloaded` where the links could not be looked up.
        """
        grant = await self.grant(credentials, document)
        grant.check(action)
        return grant

    async def grant(self, credentials: Credentials, document: str) -> Grant:
        """What these credentials allow in a document. Raises as `authorize` does."""
        return await (await self.holder(credentials)).grant(document)

    async def holder(self, credentials: Credentials) -> "Holder":
        """Whoever holds these credentials, to be asked about many documents at one time. Raises `Overloaded`."""
        links = await self._follow(credentials)
        return Holder(self._authenticator, credentials, links, now_s=self._now_s)

    async def identify(self, credentials: Credentials) -> Identity:
        """Who holds these credentials. Raises `NotAuthenticated`."""
        return await identify(self._authenticator, credentials)

    async def follow(self, token: str) -> LinkRow:
        """The share link that a token opens. Raises `NotAuthenticated` where it is none, or none any more."""
        found = await self._follow(Credentials(links=(token,)))
        if not found:
            raise NotAuthenticated("this link has expired or was taken back: ask for a new one")
        return found[0]

    async def _follow(self, credentials: Credentials) -> Sequence[LinkRow]:
        if not credentials.links:
            return ()
        try:
            return await self._links.find(credentials.links)
        except StoreError as error:
            raise Overloaded("the link cannot be looked up now, try again") from error


class Holder:
    """Somebody's credentials, their share links looked up: what they allow in one document after the other."""

    def __init__(
        self,
        authenticator: Authenticator,
        credentials: Credentials,
        links: Sequence[LinkRow],
        *,
        now_s: Callable[[], float],
    ) -> None:
        self._authenticator = authenticator
        self._credentials = credentials
        self._links = links
        self._now_s = now_s

    @property
    def is_guest(self) -> bool:
        """Whether a link opens something for them, whoever they are."""
        return bool(self._links)

    async def grant(self, document: str) -> Grant:
        """Raises `NotAuthenticated`, `NotAllowed`."""
        by_link = _strongest(self._links, document)
        try:
            own = await self._own(document)
        except NotAllowed:
            if by_link is None:
                raise
            return _granted(await self._identify(), by_link)
        except NotAuthenticated:
            if by_link is not None:
                return _granted(Identity(User()), by_link)
            if self._credentials.token is None and self._credentials.links:
                raise NotAuthenticated(
                    "no link of yours opens this document now: ask for a new one, or sign in"
                ) from None
            raise
        if by_link is None or by_link.permission <= own.permission:
            return own
        return _granted(Identity(own.user, own.expires), by_link)

    async def _own(self, document: str) -> Grant:
        grant = await authenticate(self._authenticator, self._credentials, document)
        if grant.expires is not None and grant.expires <= self._now_s():
            raise NotAuthenticated("your sign-in has expired: sign in again")
        return grant

    async def _identify(self) -> Identity:
        try:
            return await identify(self._authenticator, self._credentials)
        except NotAuthenticated:
            return Identity(User())


def _strongest(links: Sequence[LinkRow], document: str) -> LinkRow | None:
    return max((row for row in links if row.document == document), key=lambda row: row.permission, default=None)


def _granted(identity: Identity, link: LinkRow) -> Grant:
    """What a link grants to somebody; it ends with either, since who they are is told to others."""
    link_expires = None if link.expires_ms is None else link.expires_ms / 1000
    ends = [end for end in (identity.expires, link_expires) if end is not None]
    return Grant(identity.user, Permission(link.permission), min(ends, default=None), by_link=True)
