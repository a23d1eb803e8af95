"""Builders for Yjs v1 updates, right or wrong as they are told."""

from collections.abc import Mapping, Sequence

from collabdoc.protocol.lib0 import write_bytes, write_varuint

ROOT = b"\x01\x01t"


def uint(value: int) -> bytes:
    out = bytearray()
    write_varuint(out, value)
    return bytes(out)


def string(text: str) -> bytes:
    out = bytearray()
    write_bytes(out, text.encode())
    return bytes(out)


def update(*sections: bytes, deletes: Mapping[int, Sequence[tuple[int, int]]] | None = None) -> bytes:
    """`deletes`: client -> (clock, length)."""
    parts = [uint(len(sections)), *sections, uint(len(deletes or {}))]
    for client, ranges in (deletes or {}).items():
        parts += [uint(client), uint(len(ranges)), *(uint(clock) + uint(length) for clock, length in ranges)]
    return b"".join(parts)


def section(client: int, clock: int, *structs: bytes) -> bytes:
    return uint(len(structs)) + uint(client) + uint(clock) + b"".join(structs)


def first(text: str) -> bytes:
    """Text at the beginning of the root."""
    return b"\x04" + ROOT + string(text)


def after(client: int, clock: int, text: str) -> bytes:
    return b"\x84" + uint(client) + uint(clock) + string(text)


def garbage(length: int) -> bytes:
    return b"\x00" + uint(length)
