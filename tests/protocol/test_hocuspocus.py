"""The dialect of Hocuspocus: what real providers and a real server said to each other, read and written to the byte."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabdoc.errors import Malformed
from collabdoc.protocol import hocuspocus
from collabdoc.protocol.hocuspocus import (
    MAX_ADDRESS_BYTES,
    Edit,
    Leave,
    Presence,
    QueryPresence,
    Said,
    Stateless,
    StepOne,
    Token,
    decode_client,
    head_of,
    split_address,
)
from tests.protocol.crafting import uint

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "hocuspocus.json").read_text(encoding="utf-8"))
FRAMES = [
    pytest.param(frame["from"], bytes.fromhex(frame["hex"]), frame["message"], id=f"{talk['provider']}-{place}")
    for talk in VECTORS["conversations"]
    for place, frame in enumerate(talk["frames"])
]


def said_in(message: dict[str, Any]) -> Said:
    match message:
        case {"type": "token", "token": token, "version": version}:
            return Token(token, version)
        case {"type": "step 1", "state_vector": {"hex": state_vector}}:
            return StepOne(bytes.fromhex(state_vector))
        case {"type": "step 2" | "update" as type_, "update": {"hex": update}}:
            return Edit(bytes.fromhex(update), type_ == "step 2")
        case {"type": "awareness", "awareness": {"hex": awareness}}:
            return Presence(bytes.fromhex(awareness))
        case {"type": "stateless", "payload": payload}:
            return Stateless(payload)
        case {"type": "leave"}:
            return Leave()
    raise AssertionError(message)


def written(message: dict[str, Any]) -> bytes:
    head = head_of(message["address"])
    match message:
        case {"type": "authenticated", "scope": scope}:
            return hocuspocus.encode_authenticated(head, {"read-write": "write", "readonly": "read"}[scope])  # type: ignore[arg-type]
        case {"type": "denied", "reason": reason}:
            return hocuspocus.encode_denied(head, reason)
        case {"type": "step 1", "state_vector": {"hex": state_vector}}:
            return hocuspocus.encode_step_1(head, bytes.fromhex(state_vector))
        case {"type": "step 2", "update": {"hex": update}}:
            return hocuspocus.encode_step_2(head, bytes.fromhex(update))
        case {"type": "update", "update": {"hex": update}}:
            return hocuspocus.encode_update(head, bytes.fromhex(update))
        case {"type": "awareness", "awareness": {"hex": awareness}}:
            return hocuspocus.encode_awareness(head, bytes.fromhex(awareness))
        case {"type": "stateless", "payload": payload}:
            return hocuspocus.encode_stateless(head, payload)
        case {"type": "sync status", "taken": taken}:
            return hocuspocus.encode_sync_status(head, taken=taken)
        case {"type": "close", "reason": reason}:
            return hocuspocus.encode_close(head, reason)
    raise AssertionError(message)


@pytest.mark.parametrize(("sayer", "frame", "message"), FRAMES)
def test_what_providers_say_is_read_and_what_a_server_says_is_written_alike(
    sayer: str, frame: bytes, message: dict[str, Any]
) -> None:
    if sayer == "client":
        assert decode_client(frame) == (message["address"], said_in(message))
    else:
        assert written(message) == frame


def test_the_conversations_hold_every_kind_of_message_that_either_side_says() -> None:
    kinds = {(frame["from"], frame["message"]["type"]) for talk in VECTORS["conversations"] for frame in talk["frames"]}
    assert kinds >= {
        *(("client", kind) for kind in ("token", "step 1", "step 2", "update", "awareness", "stateless", "leave")),
        *(("server", kind) for kind in ("authenticated", "denied", "step 1", "step 2", "update", "awareness")),
        *(("server", kind) for kind in ("stateless", "sync status", "close")),
    }


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: vector["name"])
def test_what_no_provider_says_is_malformed(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as caught:
        decode_client(bytes.fromhex(vector["hex"]))
    assert caught.value.code == vector["code"]
    assert len(caught.value.reason) > 10


def test_a_provider_may_ask_who_is_present() -> None:
    assert decode_client(b"\x01d\x03") == ("d", QueryPresence())


def test_a_message_for_everybody_is_read_as_any_stateless_one() -> None:
    assert decode_client(b"\x01d\x06\x02hi") == decode_client(b"\x01d\x05\x02hi") == ("d", Stateless("hi"))


def test_a_provider_is_asked_for_its_token_with_two_bytes() -> None:
    assert hocuspocus.encode_token_request(head_of("d")) == b"\x01d\x02\x00"


def test_what_a_later_version_adds_behind_a_message_is_skipped() -> None:
    assert decode_client(b"\x01d\x00\x02\x02\x00\x00\x07later") == ("d", Edit(b"\x00\x00"))
    assert decode_client(b"\x01d\x02\x00\x01t\x055.0.0\x07later") == ("d", Token("t", "5.0.0"))


def test_an_address_names_a_document_with_or_without_a_session() -> None:
    assert split_address("team/notes") == split_address("team/notes\0q1w2e3") == "team/notes"
    assert decode_client(b"\x03d\x00s\x07") == ("d\0s", Leave())


def test_an_address_may_have_1024_bytes() -> None:
    address = "a" * MAX_ADDRESS_BYTES
    assert decode_client(head_of(address) + b"\x07") == (address, Leave())


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_malformed(frame: bytes) -> None:
    with contextlib.suppress(Malformed):
        _, said = decode_client(frame)
        assert isinstance(said, Said)


@given(st.binary(max_size=60))
def test_any_bytes_behind_an_address_are_a_message_or_malformed(rest: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert decode_client(b"\x01d" + rest)[0] == "d"


@given(
    st.sampled_from(["", "d", "über", "d\x00\x02\x01", "n" * 127, "n" * 128]),
    st.binary(max_size=3) | st.sampled_from([bytes(127), bytes(128)]),
    st.sampled_from([b"\x00\x02", b"\x00\x01", b"\x01"]),
    st.integers(-2, 2),
)
def test_a_short_edit_is_read_as_any_message_is(address: str, update: bytes, kind: bytes, wrong: int) -> None:
    head = head_of(address)
    frame = head + kind + uint(max(0, len(update) + wrong)) + update
    found = hocuspocus.read_short_update(frame)
    if found is not None:
        assert (found[0], found[1]) == (head, update)
        assert decode_client(frame) == (address, Edit(update))
    is_short = len(address.encode()) < 128 and 0 < len(update) < 128
    assert (found is not None) == (is_short and kind == b"\x00\x02" and wrong == 0)


@given(st.binary(max_size=60))
def test_any_bytes_are_no_short_edit_or_one_that_is_read_alike(frame: bytes) -> None:
    if found := hocuspocus.read_short_update(frame):
        with contextlib.suppress(Malformed):  # the address
            address, said = decode_client(frame)
            assert (head_of(address), said) == (found[0], Edit(found[1]))


@given(st.text(max_size=50).filter(lambda text: "\0" not in text), st.binary(max_size=300))
def test_edits_come_out_as_they_went_in(name: str, update: bytes) -> None:
    try:
        head = head_of(name)
    except UnicodeEncodeError:  # half a surrogate pair
        return
    assert decode_client(hocuspocus.encode_update(head, update)) == (name, Edit(update))
    assert decode_client(hocuspocus.encode_step_2(head, update)) == (name, Edit(update, is_step_two=True))
