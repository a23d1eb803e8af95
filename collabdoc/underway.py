"""What pycrdt is busy with, in memory that outlives the process: so the watchdog can tell over what it stood still.

The memory is shared between a process and those that it is forked from. Layout, little-endian: 1 byte (0 nothing,
1 applying an update, 2 reading the document), 4 bytes length of the update, 2 bytes length of the document's name, the
name, and the update at a fixed place behind it.
"""

import mmap
import struct
from dataclasses import dataclass

_HEAD = struct.Struct("<BIH")
_NAME = _HEAD.size
_UPDATE = 4096
_NOTHING, _APPLYING, _READING = range(3)


@dataclass(frozen=True, slots=True)
class Work:
    """`update` is None where the document was being read or loaded."""

    document: str
    update: bytes | None


class Underway:
    """One piece of work at a time: `begin_applying` or `begin_reading`, then `end`."""

    __slots__ = ("_document", "_memory", "_name_bytes", "_view")

    def __init__(self, max_update_bytes: int) -> None:
        self._memory = mmap.mmap(-1, _UPDATE + max_update_bytes)
        self._view = memoryview(self._memory)
        self._document: str | None = None
        self._name_bytes = 0

    def begin_applying(self, document: str, update: bytes) -> None:
        # For each edit of a typist: what does not change from one to the next is not written again.
        if document is not self._document:
            self._write_name(document)
        size = len(update)
        self._view[_UPDATE : _UPDATE + size] = update
        _HEAD.pack_into(self._memory, 0, _APPLYING, size, self._name_bytes)

    def begin_reading(self, document: str) -> None:
        if document is not self._document:
            self._write_name(document)
        _HEAD.pack_into(self._memory, 0, _READING, 0, self._name_bytes)

    def end(self) -> None:
        self._memory[0] = _NOTHING

    def take(self) -> Work | None:
        """What was begun and not ended, by a process that is no more."""
        kind, size, name_bytes = _HEAD.unpack_from(self._memory)
        self._memory[0] = _NOTHING
        if kind == _NOTHING:
            return None
        document = self._memory[_NAME : _NAME + name_bytes].decode()
        return Work(document, self._memory[_UPDATE : _UPDATE + size] if kind == _APPLYING else None)

    def _write_name(self, document: str) -> None:
        name = document.encode()
        self._memory[_NAME : _NAME + len(name)] = name
        self._document = document
        self._name_bytes = len(name)
