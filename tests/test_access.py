"""What an authenticator and share links grant together."""

from pathlib import Path

import pytest

from collabdoc.access import Access
from collabdoc.auth import Action, Authenticator, Credentials, Grant, Identity, OpenAuthenticator, Permission, User
from collabdoc.errors import NotAllowed, NotAuthenticated, Overloaded, StoreError
from collabdoc.keys import read_key
from collabdoc.tokens import TokenAuthenticator
from tests.sharing import START_S, sharing

pytestmark = pytest.mark.gen_test

ANA = User("ana", "Ana")


class Door:
    """Ana's token is her permission's name; it ends in an hour, and counts where a document begins with `team/`."""

    async def authenticate(self, credentials: Credentials, document: str) -> Grant:
        identity = self.identify(credentials)
        if not document.startswith("team/"):
            raise NotAllowed("you may not open this document")
        assert credentials.token is not None
        return Grant(identity.user, Permission[credentials.token.upper()], identity.expires)

    def identify(self, credentials: Credentials) -> Identity:
        if credentials.token is None or credentials.token.upper() not in Permission.__members__:
            raise NotAuthenticated("sign in to open this document")
        return Identity(ANA, START_S + 3_600)


@pytest.mark.parametrize("own", [None, *Permission])
@pytest.mark.parametrize("shared", [None, Permission.READ, Permission.COMMENT, Permission.WRITE])
async def test_the_stronger_of_ones_own_and_what_is_shared_counts(
    tmp_path: Path, own: Permission | None, shared: Permission | None
) -> None:
    async with sharing(tmp_path) as world:
        links = () if shared is None else (await world.link("team/a", shared),)
        credentials = Credentials(None if own is None else own.name.lower(), links)
        access = world.access(Door())
        if own is None and shared is None:
            with pytest.raises(NotAuthenticated):
                await access.grant(credentials, "team/a")
            return
        grant = await access.grant(credentials, "team/a")
        assert grant.permission == max(own or 0, shared or 0)
        assert grant.user == (User() if own is None else ANA), "a link names nobody"


async def test_who_is_signed_in_keeps_their_name_where_only_a_link_lets_them_in(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        credentials = Credentials("read", (await world.link("other", Permission.WRITE),))
        grant = await world.access(Door()).grant(credentials, "other")
        assert grant == Grant(ANA, Permission.WRITE, START_S + 3_600, by_link=True)


async def test_a_link_opens_its_own_document_and_no_other(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        links = (await world.link("a", Permission.WRITE),)
        access = world.access(Door())
        for name in ("b", "a/b", "A", "team/a", "*"):
            world.store.create(name)
            with pytest.raises(NotAuthenticated, match="no link of yours opens this document now"):
                await access.grant(Credentials(None, links), name)
        with pytest.raises(NotAllowed):
            await access.grant(Credentials("admin", links), "b")


async def test_of_several_links_to_a_document_the_strongest_counts(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        links = [
            await world.link("a", permission) for permission in (Permission.READ, Permission.WRITE, Permission.COMMENT)
        ]
        grant = await world.access(Door()).grant(Credentials(None, tuple(links)), "a")
        assert grant == Grant(User(), Permission.WRITE, by_link=True)
        assert grant.allows(Action.WRITE)
        assert not grant.allows(Action.CREATE), "a link lives no longer than its document"


async def test_a_grant_by_link_ends_with_the_link_or_with_the_sign_in_whichever_is_first(tmp_path: Path) -> None:
    """The name that others are told must not outlive the token that it stands in."""
    async with sharing(tmp_path) as world:
        access = world.access(Door())
        short = (await world.link("team/a", Permission.WRITE, lasts_s=60),)
        long_ = (await world.link("team/b", Permission.WRITE, lasts_s=86_400),)
        assert (await access.grant(Credentials("read", short), "team/a")).expires == START_S + 60
        assert (await access.grant(Credentials("read", long_), "team/b")).expires == START_S + 3_600
        assert (await access.grant(Credentials(None, long_), "team/b")).expires == START_S + 86_400


@pytest.mark.parametrize("action", Action)
async def test_authorize_refuses_what_the_grant_does_not_allow(tmp_path: Path, action: Action) -> None:
    async with sharing(tmp_path) as world:
        credentials = Credentials(None, (await world.link("a", Permission.READ),))
        if Grant(User(), Permission.READ).allows(action):
            assert (await world.access(Door()).authorize(credentials, "a", action)).permission is Permission.READ
        else:
            with pytest.raises(NotAllowed, match=f"you may not {action.value}"):
                await world.access(Door()).authorize(credentials, "a", action)


async def test_a_link_that_cannot_be_looked_up_is_neither_a_grant_nor_a_refusal(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        links = (await world.link("a"),)

        def fail(_: object) -> None:
            raise StoreError("no disk")

        world.store.find_links = fail  # type: ignore[method-assign,assignment]
        with pytest.raises(Overloaded):
            await world.access(Door()).grant(Credentials(None, links), "a")
        assert (await world.access(Door()).grant(Credentials("read"), "team/a")).user == ANA


async def test_a_fault_of_the_authenticator_is_no_way_in_by_a_link_or_otherwise(tmp_path: Path) -> None:
    class Broken:
        def authenticate(self, credentials: Credentials, document: str) -> Grant:
            raise OSError("no directory")

    async with sharing(tmp_path) as world:
        with pytest.raises(OSError, match="no directory"):
            await world.access(Broken()).grant(Credentials(None, (await world.link("a"),)), "a")


async def test_what_has_ended_already_grants_nothing_whatever_the_authenticator_says(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        access = world.access(Door())
        world.clock.now_s += 3_600
        with pytest.raises(NotAuthenticated, match="has expired"):
            await access.grant(Credentials("write"), "team/a")
        grant = await access.grant(Credentials("write", (await world.link("team/a"),)), "team/a")
        assert grant == Grant(User(), Permission.READ, by_link=True)


async def test_following_a_link_tells_what_it_opens(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        token = await world.link("a", lasts_s=60)
        access = world.access(Door())
        assert (await access.follow(token)).document == "a"
        world.clock.now_s += 60
        for dead in (token, "no link"):
            with pytest.raises(NotAuthenticated, match="ask for a new one"):
                await access.follow(dead)


async def test_a_holders_links_are_looked_up_once_for_many_documents(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        lookups = []
        find = world.store.find_links

        def counted(ids: list[str]) -> object:
            lookups.append(ids)
            return find(ids)

        world.store.find_links = counted  # type: ignore[method-assign,assignment]
        holder = await world.access(Door()).holder(Credentials(None, (await world.link("a"),)))
        assert holder.is_guest
        for number in range(100):
            with pytest.raises(NotAuthenticated):
                await holder.grant(f"d{number}")
        assert (await holder.grant("a")).permission is Permission.READ
        assert len(lookups) == 1


async def test_an_access_knows_what_kind_it_is(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        kinds: list[Authenticator] = [OpenAuthenticator(), TokenAuthenticator(read_key(b"s" * 32)), Door()]
        found = [Access(each, world.links, now_s=world.clock) for each in kinds]
        assert [(each.is_open, each.by_tokens) for each in found] == [(True, False), (False, True), (False, False)]
