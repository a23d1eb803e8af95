"""The native dialect: golden frames, which TypeScript reads too, and frames that no decoder may trip over."""

import json
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabdoc.errors import Malformed
from collabdoc.protocol import messages
from collabdoc.protocol.messages import DEFLATE, Awareness, Open, Opened, Update, Updates
from collabdoc.protocol.native import (
    decode_client,
    decode_server,
    encode_client,
    encode_news,
    encode_server,
    encode_updates_head,
    pack_update,
)

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "native.json").read_text(encoding="utf-8")
)
MIB = 1024 * 1024


def named(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def to_message(read: dict[str, Any] | None) -> object:
    """The message that a vector describes."""
    if read is None:
        return None
    fields = {key: from_json(value) for key, value in read.items() if key != "type"}
    name = {"presence": "Awareness", "goaway": "GoAway"}.get(read["type"], read["type"].capitalize())
    return getattr(messages, name)(**fields)


def from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    return tuple(map(from_json, value)) if isinstance(value, list) else value


def refusal(decode: Callable[[bytes], object], frame: bytes) -> str | None:
    """Why a frame is refused; None where it is taken."""
    try:
        decode(frame)
    except Malformed as error:
        return error.reason
    return None


def decoder(vector: dict[str, Any]) -> Callable[[bytes], object]:
    return decode_server if vector.get("side") == "server" else decode_client


@named(VECTORS["client"])
def test_a_clients_frames_are_the_golden_ones_both_ways(vector: dict[str, Any]) -> None:
    message: Any = to_message(vector["message"])
    assert encode_client(message).hex() == vector["hex"]
    assert decode_client(bytes.fromhex(vector["hex"])) == message


@named(VECTORS["server"])
def test_a_servers_frames_are_the_golden_ones_both_ways(vector: dict[str, Any]) -> None:
    message: Any = to_message(vector["message"])
    assert encode_server(message).hex() == vector["hex"]
    assert decode_server(bytes.fromhex(vector["hex"])) == message


@named(VECTORS["tolerated"])
def test_what_later_versions_add_is_ignored(vector: dict[str, Any]) -> None:
    assert decoder(vector)(bytes.fromhex(vector["hex"])) == to_message(vector["message"])


@named(VECTORS["malformed"])
def test_a_malformed_frame_is_refused_with_its_code(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as raised:
        decoder(vector)(bytes.fromhex(vector["hex"]))
    assert raised.value.code == vector["code"]


def test_every_message_of_the_protocol_has_golden_frames() -> None:
    types = {vector["message"]["type"] for side in ("client", "server") for vector in VECTORS[side]}
    assert types == {
        *("open", "close", "update", "awareness", "auth", "ping"),
        *("opened", "closed", "updates", "presence", "pong", "saved", "rejected", "goaway"),
    }


@pytest.mark.parametrize("count", [1, 15, 16, 70_000])
def test_an_update_frame_is_put_together_from_packed_updates(count: int) -> None:
    message = Updates(channel=70_000, seq=3, updates=(b"a",) * count)
    frame = encode_updates_head(70_000, 3, count) + pack_update(b"a") * count
    assert frame == encode_server(message) == msgpack.packb([3, 70_000, 3, [b"a"] * count])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536, 70_000])
def test_updates_of_every_width_are_written_without_copying_them(size: int) -> None:
    update = b"x" * size
    opened = Opened(7, "e", "write", 3, False, "s", b"\x00", update)
    info = {"epoch": "e", "mode": "write", "seq": 3, "resumed": False, "server": "s"}
    assert encode_server(opened) == msgpack.packb([1, 7, info, b"\x00", update])
    assert encode_server(Updates(7, 3, (update,) * 3)) == msgpack.packb([3, 7, 3, [update] * 3])
    assert encode_news(opened)[-1] is encode_news(Updates(7, 3, (update,)))[-1] is update


@pytest.mark.parametrize("channel", [1, 127, 128, 255, 256, 65_535, 65_536, 2**31 - 1])
@pytest.mark.parametrize("id_", [1, 127, 128, 70_000, 2**32, 2**53 - 1])
@pytest.mark.parametrize("size", [0, 255, 256, 65_536])
def test_updates_of_every_width_are_read(channel: int, id_: int, size: int) -> None:
    message = Update(channel, id_, bytes(size))
    assert decode_client(encode_client(message)) == message
    assert refusal(decode_client, encode_client(message) + b"x") == "1 bytes follow the message in its frame"
    assert refusal(decode_client, encode_client(message)[:-1]) is not None


@pytest.mark.parametrize(
    "fields", [(0, 1, b""), (2**31, 1, b""), (1, 0, b""), (-1, 1, b""), (1, 1, "x"), (1, None, b"")]
)
def test_updates_with_numbers_out_of_bounds_are_refused(fields: tuple[object, ...]) -> None:
    assert refusal(decode_client, msgpack.packb([3, *fields])) is not None


def test_a_frame_of_16_mib_is_read() -> None:
    message = Update(1, 1, bytes(16 * MIB - 100))
    assert decode_client(encode_client(message)) == message


BOMBS = {
    "a megabyte of empty maps": b"\xdd\x00\x10\x00\x00" + b"\x80" * MIB,
    "a megabyte of empty maps for a field": b"\x93\x04\x01\xdd\x00\x10\x00\x00" + b"\x80" * MIB,
    "a megabyte of empty maps behind the fields": b"\x93\x06\x01\xdd\x00\x10\x00\x00" + b"\x80" * MIB,
    "a megabyte of open arrays": b"\x91" * MIB,
    "a megabyte of open arrays for a field": b"\x93\x04\x01" + b"\x91" * MIB,
    "a megabyte of open arrays behind the fields": b"\x93\x06\x01" + b"\x91" * MIB,
    "a megabyte of numbers behind the fields": b"\x93\x06\x01\xdd\x00\x10\x00\x00" + b"\x01" * MIB,
    "a map that claims 2^32 - 1 keys": b"\x93\x06\x01\xdf\xff\xff\xff\xff",
    "an array that claims 2^32 - 1 elements": b"\x93\x06\x01\xdd\xff\xff\xff\xff",
    "text that claims 2^32 - 1 bytes": b"\x93\x05\x01\xdb\xff\xff\xff\xff",
    "a megabyte of binary where a number is expected": b"\x92\x06\xc6\x00\x10\x00\x00" + bytes(MIB),
    "a megabyte of text where a number is expected": b"\x92\x06\xdb\x00\x10\x00\x00" + b"\x01" * MIB,
}


@pytest.mark.parametrize("frame", BOMBS.values(), ids=BOMBS)
def test_a_small_frame_never_becomes_a_large_heap(frame: bytes) -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        reason = refusal(decode_client, frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 4 * len(frame) + 100_000
    assert reason is None or len(reason) < 300


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(frame: bytes) -> None:
    for decode in (decode_client, decode_server):
        assert refusal(decode, frame) != ""


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(st.integers(0, 12), st.lists(_VALUES, max_size=8))
def test_any_msgpack_array_is_a_message_or_malformed(type_: int, fields: list[Any]) -> None:
    frame = msgpack.packb([type_, *fields])
    for decode, known in ((decode_client, range(1, 7)), (decode_server, (1, 2, 3, 4, 6, 7, 8, 9))):
        try:
            message = decode(frame)
        except Malformed:
            assert type_ in known or len(fields) > 15
        else:
            assert (message is None) == (type_ not in known)


@given(st.binary(max_size=50), st.integers(1, 2**31 - 1))
def test_presence_goes_both_ways(awareness: bytes, channel: int) -> None:
    message = Awareness(channel, awareness)
    assert decode_client(encode_client(message)) == decode_server(encode_server(message)) == message


def test_an_update_that_came_deflated_is_read_as_it_was_before() -> None:
    opened = Opened(1, "e", "write", 1, False, "s", b"\x00", zlib.compress(b"\x07" * 20_000), DEFLATE)
    assert decode_server(encode_server(opened)) == replace(opened, update=b"\x07" * 20_000, encoding=None)
    with pytest.raises(Malformed):
        decode_server(encode_server(replace(opened, update=b"\x00\x00")))


def test_a_client_that_can_inflate_says_so_last() -> None:
    opening = Open(1, "d", b"\x00", None, "e", 1, DEFLATE)
    assert decode_client(encode_client(opening)) == opening
