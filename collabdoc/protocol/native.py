"""The native dialect, `collabdoc.v1`: one msgpack array a frame (docs/protocol.md).

1. Nothing is built from a frame before its sizes are known to be in bounds: fields are flat, maps and arrays are
   refused where the protocol has none, and elements that a later version adds at the end are skipped unbuilt.
2. An unknown message type decodes to None and is ignored; everything else that is wrong is `Malformed`.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from typing import Any

import msgpack

from collabdoc.errors import Malformed
from collabdoc.protocol.lib0 import MAX_SAFE_INTEGER
from collabdoc.protocol.messages import (
    DEFLATE,
    Auth,
    Awareness,
    ClientMessage,
    Close,
    Closed,
    GoAway,
    Open,
    Opened,
    Ping,
    Pong,
    Rejected,
    Saved,
    ServerMessage,
    Update,
    Updates,
)

SUBPROTOCOL = "collabdoc.v1"
MAX_CHANNEL = 2**31 - 1
MAX_FIELDS = 16
"""Elements of one message, those of later versions included."""

_OPEN, _CLOSE, _UPDATE, _AWARENESS, _AUTH, _PING = 1, 2, 3, 4, 5, 6
_OPENED, _CLOSED, _PONG, _SAVED, _REJECTED, _GOAWAY = 1, 2, 6, 7, 8, 9

_PACKER = msgpack.Packer()
"""To make one for each message takes longer than to pack it. It keeps as much memory as the largest took."""

_UPDATE_HEAD = b"\x94\x03"
_UINT_WIDTHS = {0xCC: 1, 0xCD: 2, 0xCE: 4}
_BIN_WIDTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4}

_FIELDS = {
    # type -> (class, kinds of its fields, how many a sender may leave out at the end)
    _OPEN: (Open, ("channel", "name", "bytes", "str?", "str?", "uint?", "str?"), 4),
    _CLOSE: (Close, ("channel",), 0),
    _UPDATE: (Update, ("channel", "id", "bytes"), 0),
    _AWARENESS: (Awareness, ("channel", "bytes"), 0),
    _AUTH: (Auth, ("channel", "str"), 0),
    _PING: (Ping, ("uint",), 0),
}

_SERVER_KINDS: dict[type, tuple[str, ...]] = {
    Opened: ("channel", "str", "mode", "uint", "bool", "str", "bytes", "bytes", "str?"),
    Closed: ("channel", "uint", "str"),
    Updates: ("channel", "uint", "updates"),
    Awareness: ("channel", "bytes"),
    Pong: ("uint",),
    Saved: ("channel", "uint"),
    Rejected: ("channel", "uint", "uint", "str"),
    GoAway: ("uint", "str"),
}


def decode_client(frame: bytes) -> ClientMessage | None:
    """Read one frame from a client; None for a message type that this version does not know."""
    if (update := read_update(frame)) is not None:
        return Update(*update)
    type_, values, count = _read_fields(frame, _FIELDS)
    if values is None:
        return None
    cls, kinds, optional = _FIELDS[type_]
    if count < len(kinds) - optional:
        raise Malformed(f"{cls.__name__} has {count} fields, expected {len(kinds) - optional}")
    for kind, value in zip(kinds, values, strict=False):
        _check(cls.__name__, kind, value)
    return cls(*values)  # type: ignore[no-any-return]  # the table above types each field


def read_update(frame: bytes) -> tuple[int, int, bytes] | None:
    """The fields of an UPDATE without any of a later version, in a third of the time; None for any other frame."""
    if not frame.startswith(_UPDATE_HEAD):
        return None
    try:
        channel, position = frame[2], 3  # in one byte, as that of nearly all clients
        if channel >= 0x80:
            channel, position = _read_uint(frame, 2)
        id_, position = _read_uint(frame, position)
        if frame[position] == 0xC4:  # fewer than 256
            length, start = frame[position + 1], position + 2
        else:
            start = position + 1 + _BIN_WIDTHS[frame[position]]
            length = int.from_bytes(frame[position + 1 : start], "big")
    except LookupError:
        return None
    if start + length != len(frame) or not 1 <= channel <= MAX_CHANNEL or id_ < 1:
        return None
    return channel, id_, frame[start:]


def _read_uint(frame: bytes, position: int) -> tuple[int, int]:
    first = frame[position]
    if first < 0x80:
        return first, position + 1
    stop = position + 1 + _UINT_WIDTHS.get(first, 0)
    return int.from_bytes(frame[position + 1 : stop], "big"), stop  # 0, which is no channel and no id, where it is none


def encode_client(message: ClientMessage) -> bytes:
    """Write one frame as a client does."""
    types = {Open: _OPEN, Close: _CLOSE, Update: _UPDATE, Awareness: _AWARENESS, Auth: _AUTH, Ping: _PING}
    fields = astuple(message)
    if type(message) is Open and message.accepts is None:
        fields = fields[:-1]
    return msgpack.packb([types[type(message)], *fields])  # type: ignore[no-any-return]  # msgpack has no types


def encode_server(message: ServerMessage) -> bytes:
    """Write one frame as the server does."""
    match message:
        case Opened() | Updates():
            return b"".join(encode_news(message))
        case Closed(channel, code, reason):
            return _pack([_CLOSED, channel, code, reason])
        case Awareness(channel, awareness):
            return _pack([_AWARENESS, channel, awareness])
        case Pong(nonce):
            return _pack([_PONG, nonce])
        case Saved(channel=channel, id=id_):
            return encode_saved(channel, id_)
        case Rejected(channel, id_, code, reason):
            return _pack([_REJECTED, channel, id_, code, reason])
        case GoAway(retry_after_ms, reason):
            return _pack([_GOAWAY, retry_after_ms, reason])


def encode_news(message: Opened | Updates) -> list[bytes]:
    """What may be large, in parts of which the updates are those of the message: each copy of 8 MiB takes 3 ms."""
    match message:
        case Opened(channel, epoch, mode, seq, resumed, server, state_vector, update, encoding):
            info = {"epoch": epoch, "mode": mode, "seq": seq, "resumed": resumed, "server": server}
            if encoding is not None:
                info["encoding"] = encoding
            head = b"".join((_array_head(5), _pack(_OPENED), _pack(channel), _pack(info), _pack(state_vector)))
            return [head, *split_updates([update])]
        case Updates(channel, seq, updates):
            return [encode_updates_head(channel, seq, len(updates)), *split_updates(updates)]


def encode_updates_head(channel: int, seq: int, count: int) -> bytes:
    """What an UPDATE frame begins with; behind it come so many updates that went through `pack_update`."""
    return b"".join((_UPDATE_HEAD, _pack(channel), _pack(seq), _array_head(count)))


def encode_saved(channel: int, update_id: int) -> bytes:
    return _pack((_SAVED, channel, update_id))


def encode_updates(channel: int, seq: int, updates: Sequence[bytes]) -> bytes:
    """A frame of updates that are not large."""
    return _pack((_UPDATE, channel, seq, updates))


def pack_update(update: bytes) -> bytes:
    """An update as it stands in a frame: once for all who get it."""
    return _pack(update)


def split_updates(updates: Iterable[bytes]) -> Iterator[bytes]:
    """As they stand in a frame, uncopied: before each what says how long it is."""
    for update in updates:
        length = len(update)
        first = 0xC4 if length < 2**8 else 0xC5 if length < 2**16 else 0xC6
        yield bytes([first]) + length.to_bytes(_BIN_WIDTHS[first], "big")
        yield update


def decode_server(frame: bytes) -> ServerMessage | None:
    """Read one frame from a server that this client trusts; None for an unknown message type."""
    try:
        fields = msgpack.unpackb(frame, max_ext_len=0)
        message = _to_server_message(fields)
    except (ValueError, TypeError, KeyError, zlib.error, msgpack.UnpackException) as error:
        raise Malformed(f"a frame is not a message: {error!s:.100}") from None
    if message is not None:
        for kind, name in zip(_SERVER_KINDS[type(message)], message.__slots__, strict=True):
            _check(type(message).__name__, kind, getattr(message, name))
    return message


def _to_server_message(fields: Any) -> ServerMessage | None:
    match fields:
        case [1, channel, dict(info), state_vector, update, *_]:
            epoch, mode, seq = info["epoch"], info["mode"], info["seq"]
            if info.get("encoding") == DEFLATE:
                update = zlib.decompress(update)
            return Opened(channel, epoch, mode, seq, info["resumed"], info["server"], state_vector, update)
        case [2, channel, code, reason, *_]:
            return Closed(channel, code, reason)
        case [3, channel, seq, list(updates), *_]:
            return Updates(channel, seq, tuple(updates))
        case [4, channel, awareness, *_]:
            return Awareness(channel, awareness)
        case [6, nonce, *_]:
            return Pong(nonce)
        case [7, channel, id_, *_]:
            return Saved(channel, id_)
        case [8, channel, id_, code, reason, *_]:
            return Rejected(channel, id_, code, reason)
        case [9, retry_after_ms, reason, *_]:
            return GoAway(retry_after_ms, reason)
        case [int(type_), *_] if type_ > _GOAWAY or type_ in (0, 5):
            return None
    raise Malformed("a frame is not a message of collabdoc.v1")


def _pack(value: object) -> bytes:
    return _PACKER.pack(value)  # type: ignore[no-any-return]  # msgpack has no types


def _array_head(count: int) -> bytes:
    return _PACKER.pack_array_header(count)  # type: ignore[no-any-return]  # msgpack has no types


def _read_fields(
    frame: bytes, table: dict[int, tuple[type, tuple[str, ...], int]]
) -> tuple[int, list[object] | None, int]:
    """The type, the known fields (None where the type is unknown) and how many fields were sent."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(frame) or 1, max_array_len=0, max_map_len=0, max_ext_len=0)
    try:
        unpacker.feed(frame)
        count = unpacker.read_array_header() - 1
        if not 0 <= count < MAX_FIELDS:
            raise Malformed(f"a message has {count + 1} elements, expected 1 to {MAX_FIELDS}")
        type_ = unpacker.unpack()
        if type(type_) is not int or type_ < 0:
            raise Malformed("a message does not begin with its type, an unsigned integer")
        known = len(table[type_][1]) if type_ in table else 0
        values = [unpacker.unpack() for _ in range(min(known, count))]
        for _ in range(count - len(values)):
            unpacker.skip()
        left = len(frame) - unpacker.tell()
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        # msgpack's own words where it has any; a frame that just ends raises OutOfData without one.
        raise Malformed(f"a frame is not one msgpack array: {error or 'it ends too early'}") from None
    if left:
        raise Malformed(f"{left} bytes follow the message in its frame")
    return type_, values if type_ in table else None, count


def _check(message: str, kind: str, value: object) -> None:
    if kind.endswith("?"):
        if value is None:
            return
        kind = kind[:-1]
    match kind:
        case "channel":
            good = type(value) is int and 1 <= value <= MAX_CHANNEL
        case "id":
            good = type(value) is int and 1 <= value <= MAX_SAFE_INTEGER
        case "uint":
            good = type(value) is int and 0 <= value <= MAX_SAFE_INTEGER
        case "bytes":
            good = type(value) is bytes
        case "name" | "str":
            good = type(value) is str
        case "bool":
            good = type(value) is bool
        case "mode":
            good = value in ("write", "read")
        case "updates":
            good = type(value) is tuple and all(type(update) is bytes for update in value)
        case _:
            raise AssertionError(kind)
    if not good:
        # The value may be megabytes of binary, which in words are four times as many.
        shown = value if type(value) is int else type(value).__name__
        raise Malformed(f"{message} holds {shown} where a {kind} is expected")
