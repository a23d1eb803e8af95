"""Who may do what, as a table."""

import asyncio

import pytest

from collabdoc.auth import Action, Grant, OpenAuthenticator, Permission, authorize
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


class _Fixed:
    def __init__(self, permission: Permission) -> None:
        self.grant = Grant("ana", permission)

    async def authenticate(self, token: str | None, document: str) -> Grant:
        return self.grant


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("permission", Permission)
def test_each_permission_allows_what_the_table_says(permission: Permission, action: Action) -> None:
    allowed = TABLE[action][permission - 1]
    asked = authorize(_Fixed(permission), None, "a", action)
    if allowed:
        assert asyncio.run(asked).user == "ana"
    else:
        with pytest.raises(NotAllowed, match="you may not"):
            asyncio.run(asked)


@pytest.mark.parametrize("action", Action)
def test_an_open_server_allows_everything(action: Action) -> None:
    assert asyncio.run(authorize(OpenAuthenticator(), None, "a", action)).allows(action)
