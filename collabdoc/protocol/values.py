"""Stepping over the values that a Yjs update embeds, JSON and lib0's `any`, without keeping them.

What passes is taken alike by JavaScript and by Rust: where one of them is narrower, that one is the measure.
"""

import json

from collabdoc.errors import Malformed
from collabdoc.protocol.lib0 import read_bytes, read_string, read_varuint

MAX_DEPTH = 64


def skip_json(update: bytes, position: int) -> int:
    """Step over one JSON text."""
    text, position = read_string(update, position)
    if text.count("[") + text.count("{") > MAX_DEPTH and _json_depth(text) > MAX_DEPTH:
        raise Malformed(f"embedded JSON is nested more than {MAX_DEPTH} deep")
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_float, parse_int=_finite_float)
        if "\\u" in text:
            # JavaScript writes a lone surrogate as an escape, which Rust's reader refuses.
            json.dumps(value, ensure_ascii=False).encode()
    except ValueError as error:
        raise Malformed(f"embedded JSON is not JSON: {error!s:.100}") from None
    return position


def skip_any(update: bytes, position: int, depth: int = MAX_DEPTH) -> int:
    """Step over one value in lib0's `any` encoding. An `IndexError` where the bytes end too early."""
    if depth == 0:
        raise Malformed(f"a value is nested more than {MAX_DEPTH} deep")
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
            position += 4
        case 123 | 122:
            position += 8
        case 119:
            _, position = read_string(update, position)
        case 118:
            count, position = read_varuint(update, position)
            for _ in range(count):
                _, position = read_string(update, position)
                position = skip_any(update, position, depth - 1)
        case 117:
            count, position = read_varuint(update, position)
            for _ in range(count):
                position = skip_any(update, position, depth - 1)
        case 116:
            _, position = read_bytes(update, position)
        case _:
            raise Malformed(f"a value is of kind {kind}, expected 116 to 127")
    if position > len(update):
        raise IndexError
    return position


def _json_depth(text: str) -> int:
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text:.20} is out of range")
    return value
