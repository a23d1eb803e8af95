"""The dialects in which a live server is fuzzed: what opens a document, what carries an edit, and valid traffic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from collabdoc.awareness import Entry, encode
from collabdoc.errors import ProtocolError
from collabdoc.protocol import hocuspocus, lib0, native, yjs
from collabdoc.protocol.messages import Auth, Awareness, Close, Open, Opened, Ping, Update
from tests.protocol.crafting import string

PRESENCE = encode([Entry(5, 1, b'{"user":{"name":"mallory"},"cursor":{"anchor":1}}')])


@dataclass(frozen=True, slots=True)
class Dialect:
    """`opening` is said first; `clocks` reads what a document has out of a message of the server, where it tells."""

    path: Callable[[str], str]
    subprotocol: str | None
    opening: Callable[[str], Sequence[bytes]]
    edit: Callable[[str, int, bytes], bytes]
    """A message with the n-th update of a document since the opening."""
    clocks: Callable[[bytes], Mapping[int, int] | None]
    traffic: Sequence[bytes]


def _native_clocks(message: bytes) -> Mapping[int, int] | None:
    try:
        opened = native.decode_server(message)
    except ProtocolError:
        return None
    return lib0.read_state_vector(opened.state_vector, max_clients=10_000) if isinstance(opened, Opened) else None


def _yjs_clocks(message: bytes) -> Mapping[int, int] | None:
    if not message.startswith(b"\x00\x00"):
        return None
    state_vector, _ = lib0.read_bytes(message, 2)
    return lib0.read_state_vector(state_vector, max_clients=10_000)


def _hocuspocus_clocks(message: bytes) -> Mapping[int, int] | None:
    _, position = lib0.read_string(message, 0)
    if not message.startswith(b"\x00\x00", position):
        return None
    state_vector, _ = lib0.read_bytes(message, position + 2)
    return lib0.read_state_vector(state_vector, max_clients=10_000)


def _shows_token(document: str) -> bytes:
    return hocuspocus.head_of(document) + b"\x02\x00" + string("token") + string("4.8.0")


def _hocuspocus_traffic(document: str) -> list[bytes]:
    head = hocuspocus.head_of(document)
    return [
        _shows_token(document),
        hocuspocus.encode_step_1(head, b"\x00"),
        hocuspocus.encode_step_1(head, b"\x01\x02\x03"),
        hocuspocus.encode_step_2(head, b"\x00\x00"),
        hocuspocus.encode_update(head, b"\x00\x00"),
        hocuspocus.encode_awareness(head, PRESENCE),
        head + b"\x03",
        hocuspocus.encode_stateless(head, "said beside the document"),
        hocuspocus.encode_close(head, "")[:-1],
        hocuspocus.PING,
        hocuspocus.PONG,
    ]


DIALECTS: dict[str, Dialect] = {
    "native": Dialect(
        path=lambda _: "/ws",
        subprotocol=native.SUBPROTOCOL,
        opening=lambda document: [native.encode_client(Open(1, document, b"\x00"))],
        edit=lambda _, number, update: native.encode_client(Update(1, number, update)),
        clocks=_native_clocks,
        traffic=[
            native.encode_client(message)
            for message in (
                Open(2, "fuzz/1", b"\x00"),
                Open(3, "fuzz/0", b"\x01\x02\x03", None, "0123456789abcdef", 5),
                Close(2),
                Awareness(1, PRESENCE),
                Awareness(2, PRESENCE),
                Auth(1, "token"),
                Ping(7),
                Update(1, 1, b"\x00\x00"),
                Update(9, 1, b"\x00\x00"),
            )
        ],
    ),
    "yjs": Dialect(
        path=lambda document: f"/yjs/{document}",
        subprotocol=None,
        opening=lambda _: [yjs.encode_step_1(b"\x00"), b"\x03"],
        edit=lambda _, __, update: yjs.encode_update(update),
        clocks=_yjs_clocks,
        traffic=[
            yjs.encode_step_1(b"\x00"),
            yjs.encode_step_1(b"\x01\x02\x03"),
            yjs.encode_step_2(b"\x00\x00"),
            yjs.encode_update(b"\x00\x00"),
            yjs.encode_awareness(PRESENCE),
            yjs.encode_denied("no"),
            b"\x03",
        ],
    ),
    "hocuspocus": Dialect(
        path=lambda _: "/hocuspocus",
        subprotocol=None,
        opening=lambda document: [
            _shows_token(document),
            hocuspocus.encode_step_1(hocuspocus.head_of(document), b"\x00"),
        ],
        edit=lambda document, _, update: hocuspocus.encode_update(hocuspocus.head_of(document), update),
        clocks=_hocuspocus_clocks,
        traffic=[
            each for document in ("fuzz/0", "fuzz/1", "fuzz/0\0session") for each in _hocuspocus_traffic(document)
        ],
    ),
}
