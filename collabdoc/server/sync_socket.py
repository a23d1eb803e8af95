"""What sockets of dialects with y-protocols' sync share: each side says what it has, and sends what the other lacks.

1. An edit that builds on what the server lacks is no fault of a client that was offline: it comes again in the step 2
   that brings the rest. The server asks for that where no answer is on its way.
2. The client is told something every `keep_alive_s`, for it takes a server that is silent for 30 s for lost.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence

from collabdoc.auth import Credentials
from collabdoc.protocol.messages import Update
from collabdoc.server.connection import Connection
from collabdoc.server.context import Context
from collabdoc.server.socket import DialectSocket
from collabdoc.session import Announcement, Batch, Session


class SyncSocket(DialectSocket):
    """As `DialectSocket`; a dialect also says how a step 1 is framed, and what is said for its own sake."""

    __slots__ = ("_kept_alive_s",)

    resyncs = True

    def __init__(
        self,
        context: Context,
        connection: Connection,
        credentials: Credentials,
        *,
        frame_batch: Callable[[Session, Batch], bytes],
        frame_announcement: Callable[[Session, Announcement], bytes],
    ) -> None:
        super().__init__(
            context, connection, credentials, frame_batch=frame_batch, frame_announcement=frame_announcement
        )
        self._kept_alive_s = context.monotonic()

    @abstractmethod
    def _encode_step_1(self, channel: int, state_vector: bytes) -> bytes: ...

    @abstractmethod
    def _frame_of_life(self) -> bytes:
        """What tells the client nothing but that the server is there; asked for while a document is open."""

    def keep_alive(self, now_s: float) -> None:
        super().keep_alive(now_s)
        if self._failed or self._line.is_congested:
            return
        for session in list(self._sessions.values()):
            self._ask_for_step_2(session)
        if self._sessions and now_s >= self._kept_alive_s + self._context.settings.limits.keep_alive_s:
            self._kept_alive_s = now_s
            self.connection.write(self._frame_of_life())

    def _take_edit(self, session: Session, update: bytes, *, is_step_2: bool) -> None:
        if is_step_2:
            session.awaits_step_2 = session.must_resync = session.must_reopen = False
        self._context.rooms.receive(session, Update(session.channel, session.last_id + 1, update))
        if session.must_resync:
            self._ask_for_step_2(session)

    def _take_letters(self, session: Session | None, updates: Sequence[bytes]) -> int:
        """Of edits that came together, how many were taken in one go."""
        return self._take_run(session, 0 if session is None else session.last_id + 1, updates)

    def _wants_step_2(self, session: Session) -> bool:
        return session.must_resync

    def _ask_for_step_2(self, session: Session) -> None:
        """Ask for all that the server lacks, where that is due and it can be taken; else `keep_alive` comes back."""
        if session.awaits_step_2 or not self._wants_step_2(session):
            return
        assert session.room is not None
        state_vector = session.room.wanted(session)
        if state_vector is not None:
            session.awaits_step_2 = True
            self._reply(self._encode_step_1(session.channel, state_vector))
