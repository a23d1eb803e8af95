"""Who may do what, asked in one place by every dialect and by HTTP: the authenticator, and share links beside it.

1. Of what an authenticator grants and what links grant, the stronger permission counts; who somebody is, the
   authenticator alone says.
2. What could not be looked up is an error, and neither a grant nor a refusal.
"""

from collections.abc import Sequence

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

    def __init__(self, authenticator: Authenticator, links: Links) -> None:
        self._authenticator = authenticator
        self._links = links
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
        by_link = _strongest(await self._follow(credentials), document)
        try:
            own = await authenticate(self._authenticator, credentials, document)
        except (NotAllowed, NotAuthenticated) as error:
            if by_link is None:
                raise
            user = await self._user(credentials) if isinstance(error, NotAllowed) else User()
            return _grant(user, by_link)
        return _grant(own.user, by_link) if by_link and by_link.permission > own.permission else own

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

    async def _user(self, credentials: Credentials) -> User:
        try:
            return (await self.identify(credentials)).user
        except NotAuthenticated:
            return User()


def _strongest(links: Sequence[LinkRow], document: str) -> LinkRow | None:
    return max((row for row in links if row.document == document), key=lambda row: row.permission, default=None)


def _grant(user: User, link: LinkRow) -> Grant:
    expires = None if link.expires_ms is None else link.expires_ms / 1000
    return Grant(user, Permission(link.permission), expires)
