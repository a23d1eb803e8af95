"""The dialect of Hocuspocus v4, and of its providers since version 2 (docs/protocol.md).

1. A frame is an address, a type and what the type asks for. What follows is of a later version and skipped.
2. An address is the name of a document, or `name\\0session` where a provider asks for one of its own.
3. Ping and pong are whole frames of one byte, without an address.
"""

from dataclasses import dataclass

from collabdoc.errors import Malformed
from collabdoc.protocol.lib0 import read_bytes, read_string, read_varuint, write_bytes, write_varuint
from collabdoc.protocol.messages import Mode

MAX_ADDRESS_BYTES = 1024
"""A document's name, and beside it a session that is a random number in the providers known."""

PING, PONG = b"\x09", b"\x0a"

_SYNC, _AWARENESS, _AUTH, _QUERY_AWARENESS, _STATELESS, _BROADCAST, _CLOSE, _SYNC_STATUS = 0, 1, 2, 3, 5, 6, 7, 8
_STEP_1, _STEP_2, _UPDATE = 0, 1, 2
_TOKEN, _DENIED, _AUTHENTICATED = 0, 1, 2
_SCOPES: dict[Mode, bytes] = {"write": b"read-write", "read": b"readonly"}


@dataclass(frozen=True, slots=True)
class Token:
    """`version` is the provider's, which those before 4 do not tell."""

    token: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class StepOne:
    state_vector: bytes


@dataclass(frozen=True, slots=True)
class Edit:
    """An update, or a sync step 2, which brings all that the server lacks. Either is owed one sync status."""

    update: bytes
    is_step_two: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    awareness: bytes


@dataclass(frozen=True, slots=True)
class QueryPresence:
    pass


@dataclass(frozen=True, slots=True)
class Stateless:
    payload: str


@dataclass(frozen=True, slots=True)
class Leave:
    pass


Said = Token | StepOne | Edit | Presence | QueryPresence | Stateless | Leave
"""What a client says at an address."""


def decode_client(frame: bytes) -> tuple[str, Said]:
    """The address and the message of a client's frame that is neither ping nor pong. Raises `Malformed`."""
    address, position = read_bytes(frame, 0)
    if len(address) > MAX_ADDRESS_BYTES:
        raise Malformed(f"an address has {len(address)} bytes, expected at most {MAX_ADDRESS_BYTES}")
    type_, position = read_varuint(frame, position)
    try:
        return address.decode(), _read_said(type_, frame, position)
    except UnicodeDecodeError as error:
        raise Malformed(f"an address is not UTF-8: {error.reason}") from None


def read_short_update(frame: bytes) -> tuple[bytes, bytes] | None:
    """The head and the update of a frame with an edit of less than 128 bytes; None for most other frames."""
    if not frame or frame[0] >= 0x80:
        return None
    start = 1 + frame[0]
    size = len(frame) - start - 3
    if not 0 < size < 0x80 or frame[start : start + 3] != bytes((_SYNC, _UPDATE, size)):
        return None
    return frame[:start], frame[start + 3 :]


def _read_said(type_: int, frame: bytes, position: int) -> Said:
    if type_ == _SYNC:
        return _read_sync(frame, position)
    if type_ == _AWARENESS:
        return Presence(read_bytes(frame, position)[0])
    if type_ == _AUTH:
        return _read_token(frame, position)
    if type_ == _QUERY_AWARENESS:
        return QueryPresence()
    if type_ in (_STATELESS, _BROADCAST):
        return Stateless(read_string(frame, position)[0])
    if type_ == _CLOSE:
        return Leave()
    raise Malformed(f"a message has the type {type_}, which clients do not send")


def _read_sync(frame: bytes, position: int) -> StepOne | Edit:
    step, position = read_varuint(frame, position)
    if step > _UPDATE:
        raise Malformed(f"a sync message has the type {step}, expected 0 to {_UPDATE}")
    content, _ = read_bytes(frame, position)
    return StepOne(content) if step == _STEP_1 else Edit(content, step == _STEP_2)


def _read_token(frame: bytes, position: int) -> Token:
    kind, position = read_varuint(frame, position)
    if kind != _TOKEN:
        raise Malformed(f"an auth message has the type {kind}, of a client expected {_TOKEN}")
    token, position = read_string(frame, position)
    return Token(token, read_string(frame, position)[0] if position < len(frame) else None)


def split_address(address: str) -> str:
    """The document's name in an address."""
    return address.partition("\0")[0]


def head_of(address: str) -> bytes:
    """What every frame to an address begins with."""
    out = bytearray()
    write_bytes(out, address.encode())
    return bytes(out)


def encode_authenticated(head: bytes, mode: Mode) -> bytes:
    return _encode(head, (_AUTH, _AUTHENTICATED), _SCOPES[mode])


def encode_denied(head: bytes, reason: str) -> bytes:
    return _encode(head, (_AUTH, _DENIED), reason.encode())


def encode_token_request(head: bytes) -> bytes:
    """Ask for a token that counts for longer."""
    return head + bytes((_AUTH, _TOKEN))


def encode_step_1(head: bytes, state_vector: bytes) -> bytes:
    return _encode(head, (_SYNC, _STEP_1), state_vector)


def encode_step_2(head: bytes, update: bytes) -> bytes:
    return _encode(head, (_SYNC, _STEP_2), update)


def encode_update(head: bytes, update: bytes) -> bytes:
    return _encode(head, (_SYNC, _UPDATE), update)


def encode_awareness(head: bytes, awareness: bytes) -> bytes:
    return _encode(head, (_AWARENESS,), awareness)


def encode_stateless(head: bytes, payload: str) -> bytes:
    return _encode(head, (_STATELESS,), payload.encode())


def encode_sync_status(head: bytes, *, taken: bool) -> bytes:
    return head + bytes((_SYNC_STATUS, taken))


def encode_close(head: bytes, reason: str) -> bytes:
    return _encode(head, (_CLOSE,), reason.encode())


def _encode(head: bytes, types: tuple[int, ...], content: bytes) -> bytes:
    out = bytearray()
    write_varuint(out, len(content))
    return b"".join((head, bytes(types), out, content))
