"""The native dialect's socket: any number of documents on one connection."""

from collections.abc import Sequence

from collabdoc.auth import Credentials
from collabdoc.errors import Malformed, ProtocolError
from collabdoc.protocol import native
from collabdoc.protocol.keystroke import may_be_keystroke
from collabdoc.protocol.messages import (
    Auth,
    Awareness,
    Close,
    Closed,
    Open,
    Opened,
    Ping,
    Pong,
    ServerMessage,
    Update,
    Updates,
)
from collabdoc.server.connection import Connection, Speaker
from collabdoc.server.context import Context, credentials_of
from collabdoc.server.frames import encode_frame, join_frame
from collabdoc.server.handshake import Handshake
from collabdoc.server.native_frames import frame_announcement, frame_batch, frame_saved
from collabdoc.server.socket import DialectSocket
from collabdoc.session import Delivery

_REMEMBERED_CHANNELS = 64
_QUIET_S = 5.0
"""So much later at most it is seen that a peer stopped reading."""


class NativeHandshake(Handshake):
    """`GET /ws`."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return native.SUBPROTOCOL if native.SUBPROTOCOL in subprotocols else None

    def speak(self, connection: Connection, subprotocol: str | None) -> Speaker:
        speaker = NativeSocket(self.context, connection, credentials_of(self.request))
        if subprotocol is None and self.request.headers.get("Sec-WebSocket-Protocol"):
            speaker.fail(Malformed(f"this server speaks {native.SUBPROTOCOL}"))
        return speaker


class NativeSocket(DialectSocket):
    """A channel's own token counts before the connection's credentials."""

    __slots__ = ("_ended",)

    def __init__(self, context: Context, connection: Connection, credentials: Credentials) -> None:
        super().__init__(
            context, connection, credentials, frame_batch=frame_batch, frame_announcement=frame_announcement
        )
        self._ended: list[int] = []

    def keep_alive(self, now_s: float) -> None:
        super().keep_alive(now_s)
        if self._tasks or self._line.is_congested or any(each.grant.expires for each in self._sessions.values()):
            return
        # Before it would be pinged there is nothing to be done, for 10,000 of them every second.
        self.quiet_until_s = min(self.connection.heard_s + self._context.settings.limits.ping_s, now_s + _QUIET_S)

    def on_messages(self, messages: Sequence[bytes]) -> int:
        """Letters that came together are taken together: edits of one document whose ids go on from one to the next."""
        channel, first_id, updates = 0, 0, list[bytes]()
        for message in messages:
            fields = native.read_update(message)
            if fields is None or not may_be_keystroke(fields[2]):
                break
            if not updates:
                channel, first_id = fields[:2]
            elif fields[0] != channel or fields[1] != first_id + len(updates):
                break
            updates.append(fields[2])
        return self._take_run(self._sessions.get(channel), first_id, updates) or super().on_messages(messages)

    def _receive(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            self._context.refused[1003] += 1
            self._end(1003, "text frames are not part of the protocol")
            return
        message = native.decode_client(frame)
        match message:
            # By its name: by its place Python looks up the order of fields anew for each message.
            case Update(channel=channel) | Awareness(channel=channel):
                session = self._sessions.get(channel)
                if session is not None and not session.is_opening:
                    self._context.rooms.receive(session, message)
                elif session is not None:
                    self._end_channel(channel, Malformed(f"channel {channel} is not open yet"))
                elif channel not in self._ended:
                    self._end_channel(channel, Malformed(f"channel {channel} is not open"))
            case Ping():
                self._reply_last(native.encode_server(Pong(message.nonce)))
            case Open(channel):
                if channel in self._sessions or channel in self._tasks:
                    self._end_channel(channel, Malformed(f"channel {channel} is open already"))
                    return
                try:
                    self._start_opening(message)
                except ProtocolError as error:
                    self._end_channel(channel, error)
            case Close(channel):
                self._forget(channel)
            case Auth(channel, token):
                session = self._sessions.get(channel)
                if session is not None:
                    self._start_asking(session, token)
            case None:
                pass  # a later version's message

    def _frame(self, message: ServerMessage) -> bytes:
        if isinstance(message, (Opened, Updates)):
            return join_frame(native.encode_news(message))
        return encode_frame(native.encode_server(message))

    def _delivery_to(self, channel: int) -> Delivery:
        return Delivery(self._line, frame_batch, channel, frame_saved)

    def _tell_closed(self, channel: int, error: ProtocolError) -> None:
        # What still comes for this channel was sent before its end was heard of.
        self._ended = [*self._ended[1 - _REMEMBERED_CHANNELS :], channel]
        self._reply(native.encode_server(Closed(channel, error.code, error.reason)))
