"""Embedded values: what JavaScript and Rust both take is stepped over, to the byte."""

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collabdoc.errors import Malformed
from collabdoc.protocol.values import MAX_DEPTH, Parts, skip_any, skip_json
from tests.protocol.crafting import string, uint


def plenty() -> Parts:
    return Parts(1_000_000)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(_JSON, st.booleans())
def test_json_is_stepped_over(value: Any, ascii_only: bool) -> None:
    text = string(json.dumps(value, ensure_ascii=ascii_only))
    assert skip_json(b"\xff" + text + b"\xff", 1, plenty()) == 1 + len(text)


@pytest.mark.parametrize(
    "text",
    [
        *("0", "-0", "1e308", "1E-400", '"\\u0000"', '"\\ud83d\\ude00"', '"\u2028"', " 1\n", '{"a":1,"a":2}', '"[[["'),
        pytest.param("[" * MAX_DEPTH + "]" * MAX_DEPTH, id="as deep as can be"),
        pytest.param('["' + "x" * 70_000 + '",1e308,0.5,12345678901234567890]', id="numbers in what is long"),
        pytest.param('"' + "[" * 1000 + '\\"' + "{" * 1000 + '"', id="brackets in a string"),
        pytest.param("[" + ",".join(["[]"] * 1000) + "]", id="many brackets that are not deep"),
    ],
)
def test_json_that_looks_odd_is_json(text: str) -> None:
    assert skip_json(string(text), 0, plenty()) == len(string(text))


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "undefined", "NaN", "-Infinity", "01", "1.", ".5", "+1", "1e999", "-1e999", "9" * 400, "'a'"),
        *("[1,]", "{a:1}", '"\n"', '"\\x41"', '"\\ud83d"', '"\\ude00\\ud83d"', "// 1", "1 2", "[", "tru", "\ufeff1"),
        pytest.param("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), id="one too deep"),
        pytest.param('[{"a":' * 33 + "1" + "}]" * 33, id="one too deep in both ways"),
        pytest.param("[" * 1_000_000, id="a million deep"),
        *(pytest.param(f'["{"x" * 70_000}",{bad}]', id=f"{bad:.6} in what is long") for bad in ("1e999", "9" * 400)),
    ],
)
def test_what_one_of_both_would_refuse_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        skip_json(string(text), 0, plenty())


def write_any(value: Any) -> bytes:
    """As lib0's `writeAny`, as far as Python has its types."""
    match value:
        case None:
            return b"\x7e"
        case bool():
            return b"\x78" if value else b"\x79"
        case float():
            return b"\x7b" + struct.pack(">d", value)
        case int():
            sign, rest = (0x40 if value < 0 else 0), abs(value)
            first, rest = rest & 0x3F, rest >> 6
            return b"\x7d" + (bytes([sign | first | 0x80]) + uint(rest) if rest else bytes([sign | first]))
        case str():
            return b"\x77" + string(value)
        case bytes():
            return b"\x74" + uint(len(value)) + value
        case list():
            return b"\x75" + uint(len(value)) + b"".join(map(write_any, value))
        case dict():
            pairs = (string(key) + write_any(item) for key, item in value.items())
            return b"\x76" + uint(len(value)) + b"".join(pairs)
    raise TypeError(value)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=50)
@given(_ANY)
def test_any_value_is_stepped_over_and_missed_where_it_is_cut_off(value: Any) -> None:
    written = write_any(value)
    assert skip_any(b"\xff" + written + b"\xff", 1, plenty()) == 1 + len(written)
    for cut in range(len(written)):
        with pytest.raises((IndexError, Malformed)):
            skip_any(written[:cut], 0, plenty())


@pytest.mark.parametrize(
    ("data", "length"),
    [(b"\x7f", 1), (b"\x7c" + bytes(4), 5), (b"\x7b" + struct.pack(">d", math.nan), 9), (b"\x7a" + bytes(8), 9)],
    ids=["undefined", "a float of 32 bits", "no number", "a bigint"],
)
def test_what_python_has_no_type_for_is_stepped_over(data: bytes, length: int) -> None:
    assert skip_any(data + b"\xff", 0, plenty()) == length


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x73", id="a kind below"),
        pytest.param(b"\x80", id="a kind above"),
        pytest.param(b"\x7d" + b"\xff" * 9 + b"\x01", id="an integer without end"),
        pytest.param(b"\x77\x01\xff", id="text that is not UTF-8"),
        pytest.param(b"\x76\x01\x01\xff\x7e", id="a key that is not UTF-8"),
        pytest.param(b"\x75\x01" * MAX_DEPTH + b"\x7e", id="arrays one too deep"),
        pytest.param(b"\x76\x01\x00" * MAX_DEPTH + b"\x7e", id="objects one too deep"),
        pytest.param(b"\x75\x01" * 1_000_000, id="a million deep"),
    ],
)
def test_a_value_out_of_bounds_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        skip_any(data, 0, plenty())


def test_a_value_may_be_as_deep_as_the_bound() -> None:
    data = b"\x75\x01" * (MAX_DEPTH - 1) + b"\x7e"
    assert skip_any(data, 0, plenty()) == len(data)
