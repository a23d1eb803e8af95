"""Writes native.json: the golden frames of `collabdoc.v1` that Python and TypeScript both read.

`client` and `server` are the bytes that an encoder writes. `tolerated` are frames that a decoder takes although no
encoder of this version writes them (`message` null: ignored). `malformed` are refused with the close code. These two
are sent by a client, where `side` does not say "server".

The bytes are put together with msgpack from the table in docs/protocol.md, not with the codec under test.
"""

import json
from pathlib import Path
from typing import Any

import msgpack

MAX = 2**53 - 1
MAX_CHANNEL = 2**31 - 1
STATE = b"\x01\xb9\x0a\x05"
UPDATE = b"\x01\x01\x01\x00\x04\x01\x07content\x02hi\x00"
PRESENCE = b"\x01\x01\x01\x02{}"
INFO = {"epoch": "0123456789abcdef", "mode": "write", "seq": 7, "resumed": False, "server": "collabdoc/0.1.0"}

Fields = list[Any]


def golden(name: str, fields: Fields, type_: str, **message: Any) -> dict[str, Any]:
    return {"name": name, "hex": msgpack.packb(fields).hex(), "message": {"type": type_, **_to_json(message)}}


def open_(name: str, channel: int, document: str, *, sv: bytes = STATE, tail: tuple[Any, Any, Any]) -> dict[str, Any]:
    token, epoch, seq = tail
    return golden(
        name,
        [1, channel, document, sv, token, epoch, seq],
        "open",
        channel=channel,
        document=document,
        state_vector=sv,
        token=token,
        epoch=epoch,
        seq=seq,
    )


def opened(name: str, channel: int, info: dict[str, Any], sv: bytes, update: bytes) -> dict[str, Any]:
    return golden(
        name, [1, channel, info, sv, update], "opened", channel=channel, **info, state_vector=sv, update=update
    )


def malformed(name: str, frame: bytes | Fields, *, side: str | None = None) -> dict[str, Any]:
    raw = frame if isinstance(frame, bytes) else msgpack.packb(frame)
    return {"name": name, "hex": raw.hex(), "code": 4400, **({"side": side} if side else {})}


def tolerated(name: str, frame: bytes | Fields, message: dict[str, Any] | None, *, side: str | None = None) -> Any:
    raw = frame if isinstance(frame, bytes) else msgpack.packb(frame)
    read = None if message is None else _to_json(message)
    return {"name": name, "hex": raw.hex(), "message": read, **({"side": side} if side else {})}


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    return [_to_json(item) for item in value] if isinstance(value, list) else value


CLIENT = [
    open_("OPEN of a newcomer", 1, "notes", sv=b"\x00", tail=(None, None, None)),
    open_("OPEN of one who comes back", 2, "team/notes-2.md", tail=("secret", "0123456789abcdef", 41)),
    open_("OPEN with a token only", 3, "a", tail=("t", None, None)),
    open_("OPEN with the largest numbers", MAX_CHANNEL, "x" * 200, sv=b"\x00" * 300, tail=("", "", MAX)),
    open_("OPEN of a name that is not ASCII", 1, "Zürich/日本語/१२३", tail=(None, None, 0)),
    golden("CLOSE", [2, 1], "close", channel=1),
    golden("CLOSE of the largest channel", [2, MAX_CHANNEL], "close", channel=MAX_CHANNEL),
    golden("UPDATE", [3, 1, 1, UPDATE], "update", channel=1, id=1, update=UPDATE),
    golden("UPDATE with nothing in it", [3, 1, 2, b"\x00\x00"], "update", channel=1, id=2, update=b"\x00\x00"),
    golden("UPDATE with the largest id", [3, 128, MAX, b""], "update", channel=128, id=MAX, update=b""),
    golden(
        "UPDATE of 300 bytes",
        [3, 1, 65536, b"\xc1" * 300],
        "update",
        channel=1,
        id=65536,
        update=b"\xc1" * 300,
    ),
    golden("AWARENESS of a client", [4, 1, PRESENCE], "awareness", channel=1, awareness=PRESENCE),
    golden("AUTH", [5, 1, "a new token ✓"], "auth", channel=1, token="a new token ✓"),
    golden("PING", [6, 0], "ping", nonce=0),
    golden("PING with a nonce of 32 bits", [6, 2**32 - 1], "ping", nonce=2**32 - 1),
    golden("PING with a nonce of 33 bits", [6, 2**32], "ping", nonce=2**32),
    golden("PING with the largest nonce", [6, MAX], "ping", nonce=MAX),
]

SERVER = [
    opened("OPENED", 1, INFO, STATE, UPDATE),
    opened("OPENED that resumes, for reading", 2, {**INFO, "mode": "read", "resumed": True}, b"\x00", b"\x00\x00"),
    opened("OPENED with the largest numbers", MAX_CHANNEL, {**INFO, "seq": MAX}, b"\x00" * 300, b"\x00" * 300),
    golden("CLOSED", [2, 1, 4404, "no such document"], "closed", channel=1, code=4404, reason="no such document"),
    golden("CLOSED without words", [2, 1, 1013, ""], "closed", channel=1, code=1013, reason=""),
    golden("UPDATE of others", [3, 1, 9, [UPDATE, b""]], "updates", channel=1, seq=9, updates=[UPDATE, b""]),
    golden("UPDATE that only raises the watermark", [3, 1, MAX, []], "updates", channel=1, seq=MAX, updates=[]),
    golden("UPDATE of 20", [3, 300, 0, [b"\x00"] * 20], "updates", channel=300, seq=0, updates=[b"\x00"] * 20),
    golden("AWARENESS of others", [4, 1, PRESENCE], "presence", channel=1, awareness=PRESENCE),
    golden("PONG", [6, MAX], "pong", nonce=MAX),
    golden("SAVED", [7, 1, 65535], "saved", channel=1, id=65535),
    golden("REJECTED", [8, 1, 3, 4403, "read only"], "rejected", channel=1, id=3, code=4403, reason="read only"),
    golden("GOAWAY", [9, 0, "Neustart, gleich zurück"], "goaway", retry_after_ms=0, reason="Neustart, gleich zurück"),
]

_OPEN_1 = {
    "type": "open",
    "channel": 1,
    "document": "d",
    "state_vector": b"\x00",
    "token": None,
    "epoch": None,
    "seq": None,
}
_OPENED_1 = {"type": "opened", "channel": 1, **INFO, "state_vector": b"", "update": b""}
_DEEP = b"\x91" * 100 + b"\x01"
TOLERATED = [
    tolerated("OPEN without its optional fields", [1, 1, "d", b"\x00"], _OPEN_1),
    tolerated("OPEN without epoch and seq", [1, 1, "d", b"\x00", "t"], {**_OPEN_1, "token": "t"}),
    tolerated("OPEN with a field of a later version", [1, 1, "d", b"\x00", None, None, None, None, 8], _OPEN_1),
    tolerated("CLOSE with a map at its end", [2, 1, {"reason": {"deep": [1, 2]}}], {"type": "close", "channel": 1}),
    tolerated(
        "PING with all kinds of values at its end",
        [6, 1, None, True, -1, 0.5, "s", b"b", [[]]],
        {"type": "ping", "nonce": 1},
    ),
    tolerated("PING with deep nesting at its end", b"\x93\x06\x01" + _DEEP, {"type": "ping", "nonce": 1}),
    tolerated(
        "PING with integers that are wider than need be",
        b"\xdc\x00\x02\xcd\x00\x06\xcf" + bytes(7) + b"\x01",
        {"type": "ping", "nonce": 1},
    ),
    tolerated(
        "UPDATE with a binary header that is wider than need be",
        b"\x94\x03\x01\x01\xc6\x00\x00\x00\x01\x00",
        {"type": "update", "channel": 1, "id": 1, "update": b"\x00"},
    ),
    tolerated("a type of a later version", [7, 1, {"what": "ever"}], None),
    tolerated("a type of a much later version", [2**32, "anything"], None),
    tolerated("type 0", [0], None),
    tolerated("a type of a later version alone", [100], None),
    tolerated(
        "OPENED with a key of a later version", [1, 1, {**INFO, "more": [1]}, b"", b""], _OPENED_1, side="server"
    ),
    tolerated("OPENED with a field of a later version", [1, 1, INFO, b"", b"", {"x": 1}], _OPENED_1, side="server"),
    tolerated(
        "PONG with fields of a later version",
        [6, 1, "more", [1, {"a": 1}]],
        {"type": "pong", "nonce": 1},
        side="server",
    ),
    tolerated("a type of a later version, from the server", [10, 1, 2], None, side="server"),
    tolerated("type 5, which a server does not send", [5], None, side="server"),
]

MALFORMED = [
    malformed("no bytes", b""),
    malformed("nothing but nil", b"\xc0"),
    malformed("an integer", b"\x06"),
    malformed("a map", {"type": 6}),  # type: ignore[arg-type]
    malformed("binary", msgpack.packb(b"\x92\x06\x01")),
    malformed("a byte that msgpack never uses", b"\xc1"),
    malformed("an empty array", []),
    malformed("an array that ends too early", b"\x92\x06"),
    malformed("two messages in one frame", b"\x92\x06\x01\x92\x06\x01"),
    malformed("a byte behind the message", b"\x92\x06\x01\x00"),
    malformed("an array that claims 2^32 - 1 elements", b"\xdd\xff\xff\xff\xff\x06\x01"),
    malformed("17 elements", [6, 1, *range(15)]),
    malformed("a type that is text", ["6", 1]),
    malformed("a type that is negative", [-6, 1]),
    malformed("a type that is a fraction", [6.0, 1]),
    malformed("a type that is true", [True, 1, "d", b"\x00"]),
    malformed("a type that is nil", [None, 1]),
    malformed("a type that is an array", [[6], 1]),
    malformed("OPEN without a state vector", [1, 1, "d"]),
    malformed("OPEN with a state vector that is text", [1, 1, "d", "\x00"]),
    malformed("OPEN with a name that is binary", [1, 1, b"d", b"\x00"]),
    malformed("OPEN with a name that is nil", [1, 1, None, b"\x00"]),
    malformed("OPEN with a name that is not UTF-8", b"\x94\x01\x01\xa1\xff\xc4\x01\x00"),
    malformed("OPEN with a token that is binary", [1, 1, "d", b"\x00", b"t"]),
    malformed("OPEN with an epoch that is a number", [1, 1, "d", b"\x00", None, 1]),
    malformed("OPEN with a negative seq", [1, 1, "d", b"\x00", None, None, -1]),
    malformed("OPEN with a seq that JavaScript would round", [1, 1, "d", b"\x00", None, None, 2**53]),
    malformed("CLOSE without a channel", [2]),
    malformed("CLOSE of channel 0", [2, 0]),
    malformed("CLOSE of channel 2^31", [2, 2**31]),
    malformed("CLOSE of channel true", [2, True]),
    malformed("CLOSE of channel nil", [2, None]),
    malformed("UPDATE with id 0", [3, 1, 0, b"\x00\x00"]),
    malformed("UPDATE with id 2^53", [3, 1, 2**53, b"\x00\x00"]),
    malformed("UPDATE with id 2^64 - 1", [3, 1, 2**64 - 1, b"\x00\x00"]),
    malformed("UPDATE without an update", [3, 1, 1]),
    malformed("UPDATE with an update that is nil", [3, 1, 1, None]),
    malformed("UPDATE with an update that is an array", [3, 1, 1, [b"\x00\x00"]]),
    malformed("UPDATE with an update that is a map", [3, 1, 1, {}]),
    malformed("UPDATE with an update that claims 2^32 - 1 bytes", b"\x94\x03\x01\x01\xc6\xff\xff\xff\xff\x00"),
    malformed("UPDATE with an extension type", b"\x94\x03\x01\x01\xd4\x05\x00"),
    malformed("UPDATE with a timestamp", b"\x94\x03\x01\x01\xd6\xff\x00\x00\x00\x00"),
    malformed("AWARENESS that is text", [4, 1, "\x00"]),
    malformed("AUTH without a token", [5, 1]),
    malformed("AUTH with a token that is nil", [5, 1, None]),
    malformed("PING without a nonce", [6]),
    malformed("PING with a negative nonce", [6, -1]),
    malformed("PING with a fraction", [6, 1.5]),
    malformed("PING with a nonce nested 5,000 deep", b"\x92\x06" + b"\x91" * 5000 + b"\x01"),
    malformed("PING with 5,000 levels at its end", b"\x93\x06\x01" + b"\x91" * 5000 + b"\x01"),
    malformed("no array, from the server", msgpack.packb({"a": 1}), side="server"),
    malformed("an empty array, from the server", [], side="server"),
    malformed("a type that is negative, from the server", [-1, 1], side="server"),
    malformed("OPENED with an array for a map", [1, 1, [], b"", b""], side="server"),
    malformed(
        "OPENED without an epoch",
        [1, 1, {"mode": "write", "seq": 1, "resumed": True, "server": ""}, b"", b""],
        side="server",
    ),
    malformed("OPENED in an unknown mode", [1, 1, {**INFO, "mode": "admin"}, b"", b""], side="server"),
    malformed("OPENED with a watermark that is text", [1, 1, {**INFO, "seq": "7"}, b"", b""], side="server"),
    malformed("OPENED that resumed 1", [1, 1, {**INFO, "resumed": 1}, b"", b""], side="server"),
    malformed("OPENED with an update that is text", [1, 1, INFO, b"", ""], side="server"),
    malformed("UPDATE with text among the updates", [3, 1, 0, [b"", ""]], side="server"),
    malformed("UPDATE with a map for a list", [3, 1, 0, {}], side="server"),
    malformed("AWARENESS that is text, from the server", [4, 1, ""], side="server"),
    malformed("PONG with a negative nonce", [6, -1], side="server"),
    malformed("PONG with a nonce that JavaScript would round", [6, 2**53 + 1], side="server"),
    malformed("SAVED without an id", [7, 1], side="server"),
    malformed("SAVED in channel 0", [7, 0, 1], side="server"),
    malformed("SAVED in channel 2^31", [7, 2**31, 1], side="server"),
    malformed("CLOSED with a code that is text", [2, 1, "4404", ""], side="server"),
    malformed("REJECTED without a reason", [8, 1, 1, 4400], side="server"),
    malformed("GOAWAY with a reason that is binary", [9, 0, b""], side="server"),
    malformed("a byte behind the server's message", b"\x92\x06\x01\x00", side="server"),
]

if __name__ == "__main__":
    vectors = {"client": CLIENT, "server": SERVER, "tolerated": TOLERATED, "malformed": MALFORMED}
    text = json.dumps(vectors, indent=1, ensure_ascii=False)
    Path(__file__).with_name("native.json").write_text(text + "\n", encoding="utf-8")
