"""What stands between a document and those who send edits for it: limits, quarantine, a note of what is under way.

Nothing here knows sessions or the store.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from collabdoc.config import Limits
from collabdoc.document import Document
from collabdoc.errors import TooLarge
from collabdoc.protocol.update import UpdateInfo
from collabdoc.quarantine import Quarantined
from collabdoc.underway import Underway

_Result = TypeVar("_Result")


class Guard:
    """Of one document."""

    __slots__ = ("_max_bytes", "_max_parts", "_max_s", "_name", "_quarantined", "_underway", "read_only")

    def __init__(self, name: str, limits: Limits, underway: Underway, quarantined: Quarantined | None) -> None:
        self._name = name
        # Read for each edit of a typist: an attribute of a model takes longer.
        self._max_bytes, self._max_parts, self._max_s = limits.update_bytes, limits.update_parts, limits.apply_s
        self._underway = underway
        self._quarantined = quarantined
        self.read_only = None if quarantined is None else quarantined.read_only
        """Why nobody may edit the document; None where that is a matter of grants."""

    def apply(self, document: Document, update: bytes) -> tuple[bool, UpdateInfo]:
        """Check an update and apply it; whether it held anything new, and what.

        Raises `ProtocolError` where it was not touched, `DocumentBroken` where the document has to be loaded anew.
        """
        if len(update) > self._max_bytes:
            raise TooLarge(f"an update has {len(update)} bytes, expected at most {self._max_bytes}")
        info = document.check(update, max_parts=self._max_parts)
        if self._quarantined is not None:
            self._quarantined.check(update, info, document.clocks)
        self._underway.begin_applying(self._name, update)
        try:
            if info.plan is None:
                return document.apply(update, info), info
            return document.apply(update, info, max_s=self._max_s, cpu_s=self._cpu_s), info
        finally:
            self._underway.end()

    def _cpu_s(self) -> float:
        """Asked between two pieces of an update."""
        self._underway.go_on()
        return time.thread_time()

    def read(self, read: Callable[[], _Result]) -> _Result:
        """Do what makes pycrdt walk the document."""
        self._underway.begin_reading(self._name)
        try:
            return read()
        finally:
            self._underway.end()
