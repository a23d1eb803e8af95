"""y-websocket's dialect: conversations of the real clients with their real server, and frames that are none."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabdoc.errors import Malformed
from collabdoc.protocol import yjs
from collabdoc.protocol.messages import Awareness, QueryAwareness, Sync, Update
from tests.protocol.crafting import uint
from tests.vectors import read_vectors

VECTORS = read_vectors("yjs.json")
FRAMES = [frame for conversation in VECTORS["conversations"] for frame in conversation["frames"]]
SAID_BY_CLIENTS = {frame["hex"]: frame["message"] for frame in FRAMES if frame["from"] == "client"}
SAID_BY_SERVERS = {frame["hex"]: frame["message"] for frame in FRAMES if frame["from"] == "server"}


def to_message(read: dict[str, Any], id_: int) -> object:
    match read["type"]:
        case "step 1":
            return Sync(1, bytes.fromhex(read["state_vector"]))
        case "step 2" | "update":
            return Update(1, id_, bytes.fromhex(read["update"]))
        case "awareness":
            return Awareness(1, bytes.fromhex(read["awareness"]))
    raise AssertionError(read)


@pytest.mark.parametrize("frame", SAID_BY_CLIENTS)
def test_what_real_clients_say_is_read(frame: str) -> None:
    assert yjs.decode_client(bytes.fromhex(frame), 7) == to_message(SAID_BY_CLIENTS[frame], 7)


@pytest.mark.parametrize("frame", SAID_BY_SERVERS)
def test_what_the_real_server_says_is_written_alike(frame: str) -> None:
    match SAID_BY_SERVERS[frame]:
        case {"type": "step 1", "state_vector": payload}:
            written = yjs.encode_step_1(bytes.fromhex(payload))
        case {"type": "step 2", "update": payload}:
            written = yjs.encode_step_2(bytes.fromhex(payload))
        case {"type": "update", "update": payload}:
            written = yjs.encode_update(bytes.fromhex(payload))
        case {"type": "awareness", "awareness": payload}:
            written = yjs.encode_awareness(bytes.fromhex(payload))
        case other:
            raise AssertionError(other)
    assert written.hex() == frame


def test_the_conversations_hold_each_kind_of_message() -> None:
    kinds = {"step 1", "step 2", "update", "awareness"}
    assert {message["type"] for message in SAID_BY_CLIENTS.values()} == kinds
    assert {message["type"] for message in SAID_BY_SERVERS.values()} == kinds
    assert [conversation["with"][0] for conversation in VECTORS["conversations"]] == ["3", "2"]


def test_only_the_answer_to_a_state_vector_is_a_step_2() -> None:
    for frame, message in SAID_BY_CLIENTS.items():
        assert yjs.is_step_2(bytes.fromhex(frame)) is (message["type"] == "step 2")


@given(st.binary(max_size=200), st.sampled_from([b"\x00\x02", b"\x00\x01", b"\x01"]), st.integers(-2, 2))
def test_a_short_edit_is_read_as_any_message_is(update: bytes, kind: bytes, wrong: int) -> None:
    frame = kind + uint(max(0, len(update) + wrong)) + update
    expected = None
    with contextlib.suppress(Malformed):
        expected = yjs.decode_client(frame, 1)
    found = yjs.read_short_update(frame)
    is_short = isinstance(expected, Update) and not yjs.is_step_2(frame) and 0 < len(expected.update) < 128
    assert found == (expected.update if is_short and isinstance(expected, Update) else None)


def test_a_client_may_ask_who_is_present() -> None:
    assert yjs.decode_client(b"\x03", 1) == QueryAwareness(1)


def test_a_denial_tells_its_reason() -> None:
    assert yjs.encode_denied("nein, größer") == b"\x02\x00\x0enein, gr\xc3\xb6\xc3\x9fer"


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=[vector["name"] for vector in VECTORS["malformed"]])
def test_what_no_client_says_is_malformed(vector: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        yjs.decode_client(bytes.fromhex(vector["hex"]), 1)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_malformed(frame: bytes) -> None:
    with contextlib.suppress(Malformed):
        yjs.decode_client(frame, 1)
