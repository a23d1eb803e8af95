"""The dialect of Hocuspocus: any number of documents on one connection, each at its address.

1. What comes for an address before its document is open is kept, within `held_bytes`.
2. Every sync step 2 and every update that was taken gets one sync status: `01` once it is committed, `00` where it was
   refused for good. What cannot be taken yet waits for the next step 2, which brings all that the server lacks.
3. One address ends without the others. Only where its client is to open it again is the connection closed, for a
   provider opens an address anew when it connects, and at no other time.
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
    TooLarge,
)
from collabdoc.protocol import hocuspocus
from collabdoc.protocol.hocuspocus import (
    PING,
    PONG,
    Edit,
    Leave,
    Presence,
    QueryPresence,
    Said,
    Stateless,
    StepOne,
    Token,
)
from collabdoc.protocol.keystroke import may_be_keystroke
from collabdoc.protocol.messages import (
    Awareness,
    GoAway,
    Open,
    Opened,
    Pong,
    Rejected,
    Saved,
    ServerMessage,
    Updates,
)
from collabdoc.server.connection import Connection, Speaker
from collabdoc.server.context import Context, credentials_of
from collabdoc.server.frames import encode_frame
from collabdoc.server.handshake import Handshake
from collabdoc.server.hocuspocus_frames import frame_announcement, frame_batch
from collabdoc.server.hocuspocus_place import Place
from collabdoc.server.sync_socket import SyncSocket
from collabdoc.session import Announcement, Batch, Delivery, Session
from collabdoc.steps import Steps

_REMEMBERED_ADDRESSES = 64
_RENEW_S = 30.0
"""So long before a token ends a provider is asked for its next one."""
_AGAIN_S = (1.0, 8.0)
"""After so long first, and at last, a document is tried again that could not be opened."""
_HELD_BYTES = 100
"""What keeping a message takes beside its bytes."""
_OPEN_AGAIN = (Restarting.code, Overloaded.code)
_DENIALS = (NotAuthenticated.code, NotAllowed.code)


class HocuspocusHandshake(Handshake):
    """`GET /hocuspocus`."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[0] if subprotocols else None  # a browser would not go on without; the path says it all

    def speak(self, connection: Connection, subprotocol: str | None) -> Speaker:
        return HocuspocusSocket(self.context, connection, credentials_of(self.request))


class HocuspocusSocket(SyncSocket):
    """An address's own token counts before the connection's credentials."""

    __slots__ = (
        "_by_channel",
        "_ended",
        "_held_bytes",
        "_last_channel",
        "_places",
        "_relayed_bytes",
        "_stateless",
        "_stateless_s",
    )

    def __init__(self, context: Context, connection: Connection, credentials: Credentials) -> None:
        super().__init__(
            context, connection, credentials, frame_batch=_frame_for_many, frame_announcement=_frame_presence
        )
        self._places: dict[str, Place] = {}
        self._by_channel: dict[int, Place] = {}
        self._last_channel = 0
        self._ended: dict[str, bool] = {}
        """Addresses that were closed from either side, and whether a step 1 opens them again as it does a new one."""
        self._held_bytes = 0
        self._stateless = self._stateless_s = self._relayed_bytes = 0

    # The server's side

    def end_expired(self, now: float) -> None:
        for channel, session in self._sessions.items():
            place, expires = self._by_channel[channel], session.grant.expires
            if expires is not None and expires - now <= _RENEW_S and expires != place.renewed_for:
                place.renewed_for = expires
                self._reply(hocuspocus.encode_token_request(place.head))
        super().end_expired(now)

    # What comes

    def on_messages(self, messages: Sequence[bytes]) -> int:
        """Letters that came together are taken together: edits at one address."""
        head, updates = b"", list[bytes]()
        for message in messages:
            edit = hocuspocus.read_short_update(message)
            if edit is None or not may_be_keystroke(edit[1]) or (updates and edit[0] != head):
                break
            head = edit[0]
            updates.append(edit[1])
        place = self._places.get(head[1:].decode(errors="replace"))
        session = self._sessions.get(place.channel) if place and place.head == head and not place.held else None
        return self._take_letters(session, updates) or super().on_messages(messages)

    def _receive(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            raise Malformed("text frames are not part of the protocol")
        if frame == PING:
            self._reply_last(PONG)
            return
        if frame == PONG:
            return
        address, said = hocuspocus.decode_client(frame)
        place = self._places.get(address)
        session = None if place is None else self._sessions.get(place.channel)
        if place is not None and session is not None and place.held:
            self._hold(place, said, len(frame))
        elif place is not None and session is not None:
            self._hear(place, session, said)
        elif isinstance(said, Token):
            self._start(address, said)
        elif isinstance(said, Leave):
            self._leave(address)
        elif address not in self._ended or (self._ended[address] and isinstance(said, StepOne)):
            place = place or self._place(address)
            self._hold(place, said, len(frame))
            if isinstance(said, StepOne) and place.channel not in self._tasks:
                # Providers before version 3 show no token where they have none.
                self._start(address, Token(""))

    def _hear(self, place: Place, session: Session, said: Said) -> None:
        channel = place.channel
        match said:
            case Edit(update, is_step_two):
                self._take_edit(session, update, is_step_2=is_step_two)
            case Presence(awareness):
                self._context.rooms.receive(session, Awareness(channel, awareness))
            case StepOne(state_vector):
                self._spend_opening()
                session.put_difference(state_vector)
                place.owes_step_1 = not session.awaits_step_2
                self._ask_for_step_2(session)
            case QueryPresence():
                session.put_everyone()
            case Stateless(payload):
                self._relay(session, payload)
            case Leave():
                self._leave(place.address)
            case Token(token, version):
                place.version, place.tells_renewal = version, True
                self._start_asking(session, token)

    def _place(self, address: str) -> Place:
        place = self._places.get(address)
        if place is None:
            limit = self._context.settings.limits.channels_per_socket
            if len(self._places) >= limit:
                raise RateLimited(f"one socket has at most {limit} addresses")
            self._last_channel += 1
            place = Place(address, self._last_channel)
            self._places[address] = self._by_channel[place.channel] = place
        return place

    def _hold(self, place: Place, said: Said, size: int) -> None:
        place.held.append(said)
        place.held_bytes += size + _HELD_BYTES
        self._held_bytes += size + _HELD_BYTES
        limit = self._context.settings.limits.held_bytes
        if self._held_bytes > limit:
            raise Overloaded(f"more than {limit} bytes came before their documents were open")

    def _start(self, address: str, token: Token) -> None:
        self._ended.pop(address, None)
        try:
            place = self._place(address)
        except RateLimited as error:
            self._context.refused[error.code] += 1
            self._remember(address, opens_again=False)
            self._reply(hocuspocus.encode_denied(hocuspocus.head_of(address), error.reason))
            return
        place.version = token.version
        if opening := self._tasks.pop(place.channel, None):
            opening.cancel()
        try:
            self._start_opening(Open(place.channel, hocuspocus.split_address(address), None, token.token))
        except ProtocolError as error:
            self._end_channel(place.channel, error)

    async def _open(self, opening: Open) -> None:
        wait_s, longest_s = _AGAIN_S
        while True:
            try:
                await super()._open(opening)
                break
            except Overloaded:  # to close the connection would cost its other documents more
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, longest_s)
        place, session = self._by_channel[opening.channel], self._sessions[opening.channel]
        place.is_open = True
        if place.held:
            await self._context.lane.run(self._take_held(place, session))

    def _take_held(self, place: Place, session: Session) -> Steps[None]:
        for said in place.held:
            if self._sessions.get(place.channel) is session:
                self._hear(place, session, said)
            yield
        self._release(place)

    async def _ask(self, session: Session) -> None:
        await super()._ask(session)
        place = self._by_channel[session.channel]
        if place.tells_renewal:
            place.tells_renewal = False
            self._reply(hocuspocus.encode_authenticated(place.head, session.mode))

    def _wants_step_2(self, session: Session) -> bool:
        place = self._by_channel[session.channel]
        return session.must_resync or session.must_reopen or place.owes_step_1

    def _encode_step_1(self, channel: int, state_vector: bytes) -> bytes:
        place = self._by_channel[channel]
        place.owes_step_1 = False
        return hocuspocus.encode_step_1(place.head, state_vector)

    def _relay(self, session: Session, payload: str) -> None:
        """Hand what is said beside the document to the others who speak this dialect in it."""
        limits = self._context.settings.limits
        now_s = int(self._context.monotonic())
        if now_s != self._stateless_s:
            self._stateless_s, self._stateless = now_s, 0
        self._stateless += 1
        if self._stateless > limits.stateless_per_s:
            raise RateLimited(f"more than {limits.stateless_per_s} stateless messages came within a second")
        if (size := len(payload.encode())) > limits.stateless_bytes:
            raise TooLarge(f"a stateless message has {size} bytes, expected at most {limits.stateless_bytes}")
        assert session.room is not None
        for other in session.room.sessions:
            if other is not session and not other.is_opening and isinstance(other.reader, HocuspocusSocket):
                other.reader.tell_stateless(other, payload)

    def _drop(self, address: str) -> None:
        if place := self._places.pop(address, None):
            del self._by_channel[place.channel]
            self._release(place)
            self._forget(place.channel)

    def _release(self, place: Place) -> None:
        self._held_bytes -= place.held_bytes
        place.held, place.held_bytes = [], 0

    def _leave(self, address: str) -> None:
        self._drop(address)
        self._remember(address, opens_again=True)

    def _remember(self, address: str, *, opens_again: bool) -> None:
        """What still comes for this address was sent before its end was heard of, or is a last word about presence."""
        self._ended[address] = opens_again
        if len(self._ended) > _REMEMBERED_ADDRESSES:
            del self._ended[next(iter(self._ended))]

    # What leaves

    def take_frames(self) -> bytes:
        frames = super().take_frames()
        if not self._replies:
            self._relayed_bytes = 0
        return frames

    def tell_stateless(self, session: Session, payload: str) -> None:
        """Another client's stateless message; a reader that is far behind does without."""
        message = hocuspocus.encode_stateless(self._by_channel[session.channel].head, payload)
        if self._relayed_bytes + len(message) <= self._context.settings.limits.outbox_bytes:
            self._relayed_bytes += len(message)
            self._reply(message)

    def _frame_of_life(self) -> bytes:
        place = self._by_channel[next(iter(self._sessions))]
        # Providers before version 4 do not know a ping, and fail over it.
        return encode_frame(PING if place.version else hocuspocus.encode_awareness(place.head, b"\x00"))

    def head_of(self, session: Session) -> bytes:
        return self._by_channel[session.channel].head

    def _frame(self, message: ServerMessage) -> bytes:
        if isinstance(message, (GoAway, Pong)):
            return b""
        place = self._by_channel[message.channel]
        head = place.head
        match message:
            case Opened(mode=mode, state_vector=state_vector):
                said = [hocuspocus.encode_authenticated(head, mode)]
                if present := self._present(place):
                    said.append(hocuspocus.encode_awareness(head, present))
                place.told_present = present
                said.append(hocuspocus.encode_step_1(head, state_vector))
                return b"".join(map(encode_frame, said))
            case Updates(updates=updates):
                return b"".join(encode_frame(hocuspocus.encode_step_2(head, update)) for update in updates)
            case Awareness(awareness=awareness):
                told, place.told_present = place.told_present, b""
                if awareness == told:
                    return b""
                return encode_frame(hocuspocus.encode_awareness(head, awareness))
            case Saved(id=id_):
                return encode_frame(hocuspocus.encode_sync_status(head, taken=True)) * place.answer_saved(id_)
            case Rejected(code=Overloaded.code):
                return b""  # it comes again in a step 2, and its status with that
            case Rejected(id=id_):
                place.answer_rejected(id_)
                return encode_frame(hocuspocus.encode_sync_status(head, taken=False))
        return b""

    def _present(self, place: Place) -> bytes:
        session = self._sessions[place.channel]
        assert session.room is not None
        presence = session.room.awareness
        others = set(presence.everyone()) - presence.owned(session)
        return presence.encode(others) if others else b""

    def _delivery_to(self, channel: int) -> Delivery:
        return Delivery(self._line, _frame_for_many, self._by_channel[channel].head)

    def _tell_closed(self, channel: int, error: ProtocolError) -> None:
        place = self._by_channel[channel]
        self._drop(place.address)
        if error.code in _OPEN_AGAIN:
            self._end(error.code, error.reason)
            return
        self._remember(place.address, opens_again=False)
        # Providers before version 3 fail over a close, and those of 3 cannot be told from them.
        is_told_close = place.is_open and place.version is not None
        if not is_told_close or error.code in _DENIALS:
            self._reply(hocuspocus.encode_denied(place.head, error.reason))
        if is_told_close:
            self._reply(hocuspocus.encode_close(place.head, error.reason))


# Not methods: a socket that holds one of its own is held by it, until the next round over all there is.


def _frame_for_many(session: Session, batch: Batch) -> bytes:
    return frame_batch(_head_of(session), session, batch)


def _frame_presence(session: Session, announcement: Announcement) -> bytes:
    return frame_announcement(_head_of(session), session, announcement)


def _head_of(session: Session) -> bytes:
    assert isinstance(session.reader, HocuspocusSocket)
    return session.reader.head_of(session)
