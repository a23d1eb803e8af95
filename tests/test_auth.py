"""Who may do what, as a table."""

import asyncio

import pytest

from collabdoc.auth import Action, Credentials, Grant, OpenAuthenticator, Permission, User, authenticate, identify
from collabdoc.errors import NotAllowed

TABLE = {
    #                    READ  COMMENT WRITE ADMIN
    Action.OPEN: (True, True, True, True),
    Action.READ: (True, True, True, True),
    Action.BE_PRESENT: (True, True, True, True),
    Action.WRITE: (False, False, True, True),
    Action.CREATE: (False, False, True, True),
    Action.DELETE: (False, False, False, True),
    Action.ADMINISTER: (False, False, False, True),
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("permission", Permission)
def test_each_permission_allows_what_the_table_says(permission: Permission, action: Action) -> None:
    grant = Grant(User("ana"), permission)
    assert grant.allows(action) == TABLE[action][permission - 1]
    if not grant.allows(action):
        with pytest.raises(NotAllowed, match=f"you may not {action.value}"):
            grant.check(action)


@pytest.mark.parametrize("action", Action)
def test_an_open_server_allows_everything(action: Action) -> None:
    grant = asyncio.run(authenticate(OpenAuthenticator(), Credentials(), "a"))
    assert grant.allows(action)
    assert grant.user.presence() is None, "it knows nobody"


def test_an_authenticator_may_be_async_or_not() -> None:
    class Quick:
        def authenticate(self, credentials: Credentials, document: str) -> Grant:
            return Grant(User("quick"), Permission.READ)

    class Slow:
        async def authenticate(self, credentials: Credentials, document: str) -> Grant:
            await asyncio.sleep(0)
            return Grant(User("slow"), Permission.READ)

    for hook, name in ((Quick(), "quick"), (Slow(), "slow")):
        assert asyncio.run(authenticate(hook, Credentials(), "a")).user.id == name
        assert asyncio.run(identify(hook, Credentials())).user == User(), "it does not say who somebody is"


def test_credentials_stay_out_of_what_is_printed() -> None:
    shown = repr(Credentials("secret", ("secret",), {"cookie": "secret"}))
    assert "secret" not in shown


def test_what_the_server_says_of_somebody() -> None:
    assert User("ana").presence() == {"id": "ana", "name": "ana", "verified": True}
    assert User("ana", "Ana", "#123456").presence() == {
        "id": "ana",
        "name": "Ana",
        "color": "#123456",
        "verified": True,
    }
