"""What a session may do is asked for again: when its grant ends, when something was taken back, with another token."""

import asyncio
import logging
import time

from collabdoc.auth import Action, Grant
from collabdoc.errors import NotAllowed, NotAuthenticated, PermissionChanged
from collabdoc.server.context import Context
from collabdoc.session import Session

log = logging.getLogger(__name__)

_ASK_S = 3.0
_ASK_AGAIN_S = (1.0, 4.0)
"""After so long first, and at last: who cannot answer is not to be asked for every channel every second."""


async def ask_again(context: Context, session: Session) -> None:
    """What a session may do now; where that is something else than it was told, it has to open again."""
    assert session.room is not None
    (wait_s, longest_s), rechecks = _ASK_AGAIN_S, -1
    while rechecks != context.rechecks:
        rechecks = context.rechecks
        try:
            async with asyncio.timeout(_ASK_S):
                grant = await context.access.authorize(session.credentials, session.room.name, Action.OPEN)
        except (NotAllowed, NotAuthenticated):
            raise
        except Exception as error:  # could not look: no reason to end what was granted, and none to prolong it
            expires = session.grant.expires
            if expires is not None and expires <= time.time():
                raise NotAuthenticated("your sign-in has expired and could not be renewed: sign in again") from error
            if wait_s == _ASK_AGAIN_S[0]:
                # Of an error that an operator's own authenticator raised only the kind: it may tell the token.
                kind = type(error).__name__
                log.warning("document %a: cannot ask whether a grant holds: %s", session.room.name, kind)
            await asyncio.sleep(wait_s)
            wait_s, rechecks = min(2 * wait_s, longest_s), -1
    if _role(grant) != _role(session.grant):
        raise PermissionChanged("what you may do in this document has changed: open it again")
    session.grant = grant


def _role(grant: Grant) -> tuple[str, bool]:
    """What a client was told of its grant: who it is, and whether it may write."""
    return grant.user.id, grant.allows(Action.WRITE)
