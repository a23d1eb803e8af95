"""y-websocket's dialect: one document on one connection, named by the path.

1. Nothing is said before the document is open; what the client says until then is kept, within `held_bytes`.
2. A client's step 1 is answered once all that it sent before is committed: its dialect has no other word for "saved".
   What is no such answer goes as an update.
3. A close has a code that makes the client do what docs/protocol.md asks: it gives up on 4400 to 4499, and on nothing
   else; versions before 3.1 never give up, and are told late, so that they come back seldom.
"""

import asyncio
from collections.abc import Sequence

from collabdoc.auth import Credentials
from collabdoc.errors import (
    Malformed,
    NotAllowed,
    NotAuthenticated,
    Overloaded,
    ProtocolError,
    RateLimited,
    Restarting,
    SilentTooLong,
)
from collabdoc.protocol import yjs
from collabdoc.protocol.keystroke import may_be_keystroke
from collabdoc.protocol.messages import (
    Awareness,
    Open,
    Opened,
    QueryAwareness,
    Rejected,
    Saved,
    ServerMessage,
    Sync,
    Update,
    Updates,
)
from collabdoc.protocol.update import has_structs
from collabdoc.server.connection import Connection, Speaker
from collabdoc.server.context import Context, credentials_of, with_token
from collabdoc.server.frames import encode_frame
from collabdoc.server.handshake import Handshake
from collabdoc.server.sync_socket import SyncSocket
from collabdoc.server.yjs_frames import frame_announcement, frame_batch
from collabdoc.session import Delivery, Session
from collabdoc.steps import Steps

_TOLD_AS = {SilentTooLong.code: Overloaded.code, RateLimited.code: Overloaded.code}
"""What a client is to come back after, but would give up on."""
_DENIALS = (NotAuthenticated.code, NotAllowed.code)
_LATE_S = 1.0
_HELD_BYTES = 64
"""What keeping a frame takes beside its bytes."""
_NOBODY = encode_frame(yjs.encode_awareness(b"\x00"))
"""Presence that changed for no one."""


class YjsHandshake(Handshake):
    """`GET /yjs/<document>`, with a token in the query where the client can show it nowhere else."""

    too_big_code = 4413

    def initialize(self, context: Context) -> None:
        super().initialize(context)
        # Taken out here, before anything can fail and log the address.
        request = self.request
        tokens = request.arguments.get("token", [])
        request.uri, request.query, request.arguments, request.query_arguments = request.path, "", {}, {}
        self._token = tokens[-1].decode(errors="replace") if tokens else None

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        # A browser would not go on without one of those that it offers; the path says it all.
        return next((each for each in subprotocols if each.isascii() and each.isprintable()), None)

    def speak(self, connection: Connection, subprotocol: str | None) -> Speaker:
        credentials = with_token(credentials_of(self.request), self._token)
        return YjsSocket(self.context, connection, credentials, self.path_args[0])


class YjsSocket(SyncSocket):
    """One client of one document."""

    __slots__ = ("_answers", "_asked", "_document", "_held", "_held_bytes", "_saved", "_told_denied")

    def __init__(self, context: Context, connection: Connection, credentials: Credentials, document: str) -> None:
        super().__init__(
            context, connection, credentials, frame_batch=frame_batch, frame_announcement=frame_announcement
        )
        self._document = document
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._told_denied = False
        self._saved = 0
        self._asked: tuple[int, bytes] | None = None
        """The client's last edit before its step 1, and what it has, where the answer waits for the commit."""
        self._answers = False
        """Whether the difference that is taken next is the answer to a step 1."""
        self._start()

    def _start(self) -> None:
        try:
            self._start_opening(Open(yjs.CHANNEL, self._document, None))
        except ProtocolError as error:
            self.fail(error)

    async def _open(self, opening: Open) -> None:
        await super()._open(opening)
        self._sessions[yjs.CHANNEL].awaits_step_2 = False  # not every client answers what opened it
        if self._held:
            await self._context.lane.run(self._take_held())

    def _take_held(self) -> Steps[None]:
        for place, frame in enumerate(self._held):
            self._held[place] = b""
            self._hear(self._sessions[yjs.CHANNEL], frame)
            yield
        self._held, self._held_bytes = [], 0

    def on_messages(self, messages: Sequence[bytes]) -> int:
        """Letters that came together are taken together."""
        session, updates = None if self._held else self._sessions.get(yjs.CHANNEL), list[bytes]()
        for message in messages:
            update = yjs.read_short_update(message)
            if update is None or not may_be_keystroke(update):
                break
            updates.append(update)
        return self._take_letters(session, updates) or super().on_messages(messages)

    def _receive(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            raise Malformed("text frames are not part of the protocol")
        session = self._sessions.get(yjs.CHANNEL)
        if session is None or self._held:
            self._hold(frame)
        else:
            self._hear(session, frame)

    def _hear(self, session: Session, frame: bytes) -> None:
        message = yjs.decode_client(frame, session.last_id + 1)
        match message:
            case Update(update=update):
                is_step_2 = yjs.is_step_2(frame)
                if session.mode == "read" and is_step_2 and not has_structs(update):
                    return  # it was asked for, and holds nothing that the client wrote
                self._take_edit(session, update, is_step_2=is_step_2)
            case Awareness():
                self._context.rooms.receive(session, message)
            case Sync(state_vector=state_vector):
                self._spend_opening()
                self._asked = (session.last_id, state_vector)
                self._answer(session)
            case QueryAwareness():
                session.put_everyone()

    def _hold(self, frame: bytes) -> None:
        self._held.append(frame)
        self._held_bytes += len(frame) + _HELD_BYTES
        limit = self._context.settings.limits.held_bytes
        if self._held_bytes > limit:
            raise Overloaded(f"more than {limit} bytes came before the document was open")

    def _answer(self, session: Session) -> None:
        if self._asked is None:
            return
        last_id, state_vector = self._asked
        # Nothing that a reader sends is taken, so that there is nothing to wait for.
        if last_id <= self._saved or session.mode == "read":
            self._asked = None
            self._answers = True
            session.put_difference(state_vector)

    def _frame(self, message: ServerMessage) -> bytes:
        match message:
            case Opened():
                return encode_frame(yjs.encode_step_1(message.state_vector))
            case Updates():
                encode = yjs.encode_step_2 if self._answers else yjs.encode_update
                self._answers = False
                return b"".join(encode_frame(encode(update)) for update in message.updates)
            case Saved():
                self._saved = message.id
                self._answer(self._sessions[yjs.CHANNEL])
            case Awareness():
                return encode_frame(yjs.encode_awareness(message.awareness))
            case Rejected(code=NotAllowed.code) if not self._told_denied:
                self._told_denied = True
                return encode_frame(yjs.encode_denied(message.reason))
            case Rejected(code=Overloaded.code):
                # The client believes that what it sent was taken, and compares only when it connects.
                self._sessions[yjs.CHANNEL].close(Overloaded(message.reason))
        return b""

    def _encode_step_1(self, channel: int, state_vector: bytes) -> bytes:
        return yjs.encode_step_1(state_vector)

    def _frame_of_life(self) -> bytes:
        return _NOBODY

    def _delivery_to(self, channel: int) -> Delivery:
        return Delivery(self._line, frame_batch, "yjs")

    def _tell_closed(self, channel: int, error: ProtocolError) -> None:
        self._end(error.code, error.reason)

    def _end(self, code: int, reason: str) -> None:
        self._failed = True
        self._held.clear()
        self._forget(yjs.CHANNEL)
        if code in _DENIALS and not self._line.is_congested:
            self.connection.write(encode_frame(yjs.encode_denied(reason)))
        if code == Restarting.code:
            self.connection.close(code, reason)
        else:
            told = _TOLD_AS.get(code, code)
            asyncio.get_running_loop().call_later(_LATE_S, self.connection.close, told, reason)
