"""Stepping over the values that a Yjs update embeds, JSON and lib0's `any`, without keeping them.

What passes is taken alike by JavaScript and by Rust: where one of them is narrower, that one is the measure.
"""

import json
import re

from collabdoc.errors import Malformed, TooLarge
from collabdoc.protocol.lib0 import read_bytes, read_string, read_varuint

MAX_DEPTH = 64
UNLIMITED = 2**63

_TOO_DEEP = f"a value is nested more than {MAX_DEPTH} deep"
_PLAIN = frozenset(("true", "false", "null", '""'))
"""What most formats of text hold."""
_MAYBE_INFINITE = re.compile(r"(?<![0-9])[0-9]{100}|[eE]\+?[0-9]{2}")
"""Whatever does not match is less than 10^109."""
_LONG_CHARACTERS = 64 * 1024
"""What is longer is not searched: 8 MiB took 0.3 s, and the wary decoder takes 0.06 s for as many numbers as may be."""
_BRACKET = re.compile(r'[][{}]|"(?:[^"\\]++|\\.)*+"')
"""And each string whole: brackets within are text."""


class Parts:
    """How many parts an update may still have: what costs time is counted before it is read."""

    __slots__ = ("_allowed", "_left", "nans")

    def __init__(self, allowed: int) -> None:
        self._allowed = self._left = allowed
        self.nans = 0
        """How many of its values were NaN, or infinite."""

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise TooLarge(f"an update has more than {self._allowed} parts (pieces of content, values, deleted ranges)")


def skip_json(update: bytes, position: int, parts: Parts) -> int:
    """Step over one JSON text."""
    text, position = read_string(update, position)
    if text in _PLAIN:
        return position
    nested = text.count("[") + text.count("{")
    parts.take(nested + text.count(","))
    decoder = _WARY_DECODER if len(text) > _LONG_CHARACTERS or _MAYBE_INFINITE.search(text) else _DECODER
    try:
        value = decoder.decode(text)
        if "\\u" in text:
            # JavaScript writes a lone surrogate as an escape, which Rust's reader refuses.
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise Malformed(_TOO_DEEP) from None
    except ValueError as error:
        raise Malformed(f"embedded JSON is not JSON: {error!s:.100}") from None
    if nested > MAX_DEPTH and _json_depth(text) > MAX_DEPTH:
        raise Malformed(_TOO_DEEP)
    return position


def skip_any(update: bytes, position: int, parts: Parts, depth: int = MAX_DEPTH) -> int:
    """Step over one value in lib0's `any` encoding. An `IndexError` where the bytes end too early."""
    if depth == 0:
        raise Malformed(_TOO_DEEP)
    kind = update[position]
    position += 1
    match kind:
        case 127 | 126 | 121 | 120:  # undefined, null, false, true
            return position
        case 125:  # an integer: sign and 6 bits, then 7 bits a byte
            start = position
            while update[position] >= 0x80:
                position += 1
                if position - start > 7:
                    raise Malformed("an integer is longer than 8 bytes")
            return position + 1
        case 124:
            if update[position] & 0x7F == 0x7F and update[position + 1] >= 0x80:
                parts.nans += 1
            position += 4
        case 123:
            if update[position] & 0x7F == 0x7F and update[position + 1] >= 0xF0:
                parts.nans += 1
            position += 8
        case 122:
            position += 8
        case 119:
            _, position = read_string(update, position)
        case 118:
            count, position = read_varuint(update, position)
            parts.take(count)
            for _ in range(count):
                _, position = read_string(update, position)
                position = skip_any(update, position, parts, depth - 1)
        case 117:
            count, position = read_varuint(update, position)
            parts.take(count)
            for _ in range(count):
                position = skip_any(update, position, parts, depth - 1)
        case 116:
            _, position = read_bytes(update, position)
        case _:
            raise Malformed(f"a value is of kind {kind}, expected 116 to 127")
    if position > len(update):
        raise IndexError
    return position


def _json_depth(text: str) -> int:
    """How deep a text that is JSON is nested. Not asked of the value: of two equal keys that has only the last."""
    depth = deepest = 0
    for match in _BRACKET.finditer(text):
        found = match[0]
        if found in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif found in "]}":
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text:.20} is out of range")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_WARY_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_float, parse_int=_finite_float)
