"""A document for the program that the server runs in: a session like any other, without a socket.

1. The room's own replica is not handed out: what the program does to its own is checked, told to others, logged and
   acknowledged after its commit, as from anywhere else.
2. The client's channel sees a line that is up until the server stops; so trouble leads back to an open document here,
   too, and its words are the same.
"""

import asyncio
import logging

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.client.line import ChannelMessage, LineUser
from collabdoc.client.machine import LineState
from collabdoc.client.status import Trouble
from collabdoc.config import Limits
from collabdoc.errors import Overloaded, ProtocolError, Restarting
from collabdoc.protocol.messages import (
    Awareness,
    ClientMessage,
    Close,
    Closed,
    Open,
    Opened,
    Rejected,
    Saved,
    Update,
    Updates,
)
from collabdoc.protocol.names import check_name
from collabdoc.rooms import Rooms
from collabdoc.session import Announcement, Batch, Outgoing, Session

log = logging.getLogger(__name__)


class InsideLine:
    """The way of one document into its room; `origin` is how others are told of its edits."""

    def __init__(self, rooms: Rooms, limits: Limits, origin: str) -> None:
        self._rooms = rooms
        self._limits = limits
        self._grant = Grant(User(origin, origin), Permission.ADMIN)
        self._user: LineUser | None = None
        self._session: Session | None = None
        self._opening: asyncio.Task[None] | None = None
        self._last_channel = 0
        self.state: LineState = "up"
        self.trouble: Trouble | None = None
        self.origin: str | None = None

    # The channel's side

    def attach(self, user: LineUser) -> None:
        self._user = user

    def detach(self, user: LineUser) -> None:
        self._user = None

    def claim_channel(self, user: LineUser) -> int:
        self._last_channel += 1
        return self._last_channel

    def release_channel(self, channel: int) -> None:
        self._leave()

    def send(self, message: ClientMessage) -> None:
        match message:
            case Open():
                self._opening = asyncio.create_task(self._open(message))
            case Update() | Awareness():
                if self._session is not None:
                    self._rooms.receive(self._session, message)
            case Close():
                self._leave()

    def start(self) -> None: ...

    def synced(self) -> None: ...

    # The session's side

    def wake(self, session: Session) -> None:
        asyncio.get_running_loop().call_soon(self._take, session)

    def hold_back(self) -> None: ...

    # The engine's side

    def stop(self) -> None:
        """The server ends, and nothing more will be saved."""
        self._leave()
        self.state, self.trouble = "refused", Trouble(Restarting.code, "the server is stopping")
        if self._user is not None:
            self._user.line_changed()

    async def close(self) -> None:
        """Wait until nothing of it is under way."""
        opening = self._opening
        self._leave()
        if opening is not None:
            await asyncio.gather(opening, return_exceptions=True)

    async def _open(self, message: Open) -> None:
        try:
            check_name(message.document)
            # Who has seen the document does not make it anew: it was deleted, and they are to be told so.
            room = await self._rooms.open(message.document, create=message.epoch is None)
        except ProtocolError as error:
            self._tell(Closed(message.channel, error.code, error.reason))
        except Exception:
            log.exception("document %a could not be opened", message.document)
            self._tell(Closed(message.channel, Overloaded.code, "the server made a mistake, try again"))
        else:
            self._session = Session(
                message.channel, Credentials(), self._grant, self, max_bytes=self._limits.outbox_bytes
            )
            room.join(self._session, message)
            self._rooms.schedule(room)

    def _leave(self) -> None:
        if self._opening is not None and self._opening is not asyncio.current_task():
            self._opening.cancel()
        self._opening = None
        session, self._session = self._session, None
        if session is not None:
            self._rooms.leave(session)

    def _take(self, session: Session) -> None:
        if session is not self._session:
            return
        try:
            for outgoing in session.take():
                self._hand_over(session, outgoing)
        except Exception:
            log.exception("what a document is to hear could not be told")
            session.close(Overloaded("the server made a mistake, open the document again"))

    def _hand_over(self, session: Session, outgoing: Outgoing) -> None:
        match outgoing:
            case Batch():
                for update, author in zip(outgoing.updates, _authors(outgoing), strict=True):
                    if author is not session:
                        self.origin = None if author is None else author.grant.user.id
                        self._tell(Updates(session.channel, outgoing.seq, (update,)))
                self.origin = None
            case Announcement():
                self._tell(Awareness(session.channel, outgoing.update_for(session)))
            case Closed():
                if session.room is not None:
                    self._rooms.schedule(session.room)  # the reason may be that reading the document broke it
                self._leave()
                self._tell(outgoing)
            case Opened() | Updates() | Awareness() | Saved() | Rejected():
                self._tell(outgoing)

    def _tell(self, message: ChannelMessage) -> None:
        if self._user is not None:
            self._user.receive(message)


def _authors(batch: Batch) -> list[Session | None]:
    """Whose each update of a batch is; None for the server's own."""
    authors: list[Session | None] = [None] * len(batch.updates)
    for session, places in batch.own.items():
        for place in places:
            authors[place] = session
    return authors
