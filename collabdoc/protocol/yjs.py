"""y-websocket's dialect: one message a frame, for the one document that the connection is about (docs/protocol.md).

Source: the y-protocols project's PROTOCOL.md, `sync.js`, `awareness.js` and `auth.js`, and y-websocket's message types.
"""

from collabdoc.errors import Malformed
from collabdoc.protocol.lib0 import read_bytes, read_varuint, write_varuint
from collabdoc.protocol.messages import Awareness, QueryAwareness, Sync, Update

CHANNEL = 1
"""By which the document is known inside: a connection has no other."""

_SYNC, _AWARENESS, _QUERY_AWARENESS = 0, 1, 3
_STEP_1, _UPDATE = 0, 2

ClientMessage = Sync | Update | Awareness | QueryAwareness


def decode_client(frame: bytes, id_: int) -> ClientMessage:
    """Read one frame from a client; `id_` is what an update in it is to be known by."""
    type_, position = read_varuint(frame, 0)
    if type_ == _SYNC:
        step, position = read_varuint(frame, position)
        if step > _UPDATE:
            raise Malformed(f"a sync message is of type {step}, expected 0 to 2")
        payload, position = read_bytes(frame, position)
        message: ClientMessage = Sync(CHANNEL, payload) if step == _STEP_1 else Update(CHANNEL, id_, payload)
    elif type_ == _AWARENESS:
        payload, position = read_bytes(frame, position)
        message = Awareness(CHANNEL, payload)
    elif type_ == _QUERY_AWARENESS:
        message = QueryAwareness(CHANNEL)
    else:
        raise Malformed(f"a message is of type {type_}, expected 0 (sync), 1 (awareness) or 3 (query awareness)")
    if position != len(frame):
        raise Malformed(f"{len(frame) - position} bytes follow the message in its frame")
    return message


def read_short_update(frame: bytes) -> bytes | None:
    """The update of a frame with an edit of less than 128 bytes; None for any other frame."""
    size = len(frame) - 3
    return frame[3:] if frame.startswith(b"\x00\x02") and 0 < size < 0x80 and frame[2] == size else None


def is_step_2(frame: bytes) -> bool:
    """Whether a frame is a client's answer to the server's state vector."""
    return frame.startswith(b"\x00\x01")


def encode_step_1(state_vector: bytes) -> bytes:
    """Ask for what the client has over this."""
    return _encode(b"\x00\x00", state_vector)


def encode_step_2(update: bytes) -> bytes:
    """What the client lacks: it is synced with that."""
    return _encode(b"\x00\x01", update)


def encode_update(update: bytes) -> bytes:
    return _encode(b"\x00\x02", update)


def encode_awareness(awareness: bytes) -> bytes:
    return _encode(b"\x01", awareness)


def encode_denied(reason: str) -> bytes:
    """Something is not allowed; y-websocket shows the reason in the console."""
    return _encode(b"\x02\x00", reason.encode())


def _encode(head: bytes, payload: bytes) -> bytes:
    out = bytearray(head)
    write_varuint(out, len(payload))
    return b"".join((out, payload))
