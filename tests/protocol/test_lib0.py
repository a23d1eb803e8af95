"""The atoms of every Yjs encoding, read within bounds."""

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabdoc.errors import Malformed
from collabdoc.protocol.lib0 import (
    MAX_SAFE_INTEGER,
    read_bytes,
    read_state_vector,
    read_string,
    read_varuint,
    write_bytes,
    write_state_vector,
    write_varuint,
)


def varuint(value: int) -> bytes:
    out = bytearray()
    write_varuint(out, value)
    return bytes(out)


@given(st.integers(0, MAX_SAFE_INTEGER), st.binary(max_size=3))
def test_an_integer_is_read_as_it_was_written(value: int, rest: bytes) -> None:
    data = varuint(value)
    assert len(data) <= 8
    assert read_varuint(b"\xff" + data + rest, 1) == (value, 1 + len(data))


@pytest.mark.parametrize(
    ("value", "data"), [(0, "00"), (127, "7f"), (128, "8001"), (16384, "808001"), (2**32, "8080808010")]
)
def test_an_integer_has_7_bits_a_byte_the_low_ones_first(value: int, data: str) -> None:
    assert varuint(value).hex() == data


def test_an_integer_may_be_written_longer_than_need_be() -> None:
    assert read_varuint(b"\x81\x80\x00", 0) == (1, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\xff" * 7,
        b"\xff" * 200_000,
        b"\x80" * 8 + b"\x01",
        varuint(MAX_SAFE_INTEGER + 1),
        b"\xff" * 7 + b"\x7f",
    ],
    ids=lambda data: f"{len(data)} bytes {data[:9].hex()}",
)
def test_an_integer_of_more_than_53_bits_or_without_end_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_varuint(data, 0)


@given(st.binary(max_size=300), st.binary(max_size=3))
def test_bytes_are_read_as_they_were_written(data: bytes, rest: bytes) -> None:
    out = bytearray()
    write_bytes(out, data)
    end = len(out)
    assert read_bytes(bytes(out) + rest, 0) == (data, end)


@pytest.mark.parametrize("read", [read_bytes, read_string])
@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x05abcd", varuint(MAX_SAFE_INTEGER) + b"a", b"\xff\xff\xff\xff\x0fa"]
)
def test_a_length_past_the_end_is_malformed(read: Callable[[bytes, int], object], data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data, 0)


@pytest.mark.parametrize("data", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\x80"])
def test_a_string_that_is_not_utf_8_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed, match="UTF-8"):
        read_string(bytes([len(data)]) + data, 0)


@given(st.dictionaries(st.integers(0, MAX_SAFE_INTEGER), st.integers(0, 2**31 - 1), max_size=20))
def test_a_state_vector_is_read_as_it_was_written(clocks: dict[int, int]) -> None:
    assert read_state_vector(write_state_vector(clocks), max_clients=20) == clocks


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(varuint(2**27) + b"\x01", id="2^27 clients in 5 bytes"),
        pytest.param(b"\x02\x01\x01", id="two clients claimed, one there"),
        pytest.param(b"\x02\x01\x01\x01\x02", id="a client twice"),
        pytest.param(b"\x01\x01\x01\x00", id="a byte behind the end"),
        pytest.param(b"\x01\x01" + varuint(2**31), id="the clock 2^31"),
        pytest.param(b"\x03\x01\x01\x02\x01\x03\x01", id="more clients than the limit"),
        pytest.param(b"\x01\x01\x80", id="a clock without end"),
    ],
)
def test_a_state_vector_out_of_bounds_is_malformed_before_it_takes_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            read_state_vector(data, max_clients=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
