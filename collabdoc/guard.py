"""What stands between a document and those who send edits for it: limits, quarantine, a note of what is under way.

Nothing here knows sessions or the store.
"""

import time
from collections.abc import Callable, Iterator, KeysView, Sequence
from typing import TypeVar

from collabdoc.config import Limits
from collabdoc.document import Document
from collabdoc.errors import TooLarge, TooSlow
from collabdoc.protocol.pieces import SHORT_BYTES
from collabdoc.protocol.update import UpdateInfo
from collabdoc.quarantine import Quarantined
from collabdoc.steps import Steps
from collabdoc.underway import Underway

STEP_S = 0.0005
"""Pieces are applied one after the other for so long; then others may have their turn."""
_Result = TypeVar("_Result")


class Guard:
    """Of one document."""

    __slots__ = (
        "_half_taken",
        "_max_bytes",
        "_max_parts",
        "_max_s",
        "_name",
        "_quarantined",
        "_short_bytes",
        "_underway",
        "read_only",
    )

    def __init__(self, name: str, limits: Limits, underway: Underway, quarantined: Quarantined | None) -> None:
        self._name = name
        # Read for each edit of a typist: an attribute of a model takes longer.
        self._max_bytes, self._max_parts, self._max_s = limits.update_bytes, limits.update_parts, limits.apply_s
        self._short_bytes = min(SHORT_BYTES, self._max_bytes)
        self._half_taken: KeysView[int] | None = None
        """Where an edit is, the clients of its structs."""
        self._underway = underway
        self._quarantined = quarantined
        self.read_only = None if quarantined is None else quarantined.read_only
        """Why nobody may edit the document; None where that is a matter of grants."""

    def apply(self, document: Document, update: bytes) -> tuple[bool, UpdateInfo] | None:
        """Check an update and apply it; whether it held anything new, and what.

        None where that takes several steps, or might build on an edit that is half taken, which the log has behind it.
        Raises `ProtocolError` where it was not touched, `DocumentBroken` where the document has to be loaded anew.
        """
        if len(update) > self._short_bytes:
            return None
        info = document.check(update, max_parts=self._max_parts)
        if info.plan is not None or (self._half_taken is not None and _builds_on(self._half_taken, info)):
            return None
        if self._quarantined is not None:
            self._quarantined.check(update, info, document.clocks)
        self._underway.begin_applying(self._name, update)
        try:
            return document.apply(update, info), info
        finally:
            self._underway.end()

    def apply_keystrokes(self, document: Document, updates: Sequence[bytes]) -> tuple[int, list[bytes], UpdateInfo]:
        """Apply those at the head of these that are key presses, for as long as a step takes, as `Document` does.

        The next one is for `apply`. Raises `DocumentBroken` as it does, and then none of them was taken.
        """
        if self._half_taken is not None or self._quarantined is not None or self._max_bytes < SHORT_BYTES:
            updates = ()
        until_s = time.monotonic() + STEP_S

        def begin(update: bytes) -> bool:
            if time.monotonic() > until_s:  # in some documents a single one takes 25 ms
                return False
            self._underway.begin_applying(self._name, update)
            return True

        try:
            return document.apply_keystrokes(updates, begin)
        finally:
            self._underway.end()

    def apply_in_steps(self, document: Document, update: bytes) -> Steps[tuple[bool, UpdateInfo, float]]:
        """The same for any update, in short steps: between two of them others may edit the document, not read it.

        Also gives the processor's time that pycrdt took for the longest of them; raises `TooSlow` where all took more
        than `apply_s`.
        """
        if len(update) > self._max_bytes:
            raise TooLarge(f"an update has {len(update)} bytes, expected at most {self._max_bytes}")
        info = yield from document.check_in_steps(update, max_parts=self._max_parts)
        if self._quarantined is not None:
            self._quarantined.check(update, info, document.clocks)
        yield
        self._half_taken = info.ends.keys()
        try:
            deleted, longest_s = yield from self._apply_pieces(document, iter(info.cut(update)), info)
        finally:
            self._half_taken = None
        return document.end_pieces(info, deleted=deleted), info, longest_s

    def read(self, read: Callable[[], _Result]) -> _Result:
        """Do what makes pycrdt walk the document."""
        self._underway.begin_reading(self._name)
        try:
            return read()
        finally:
            self._underway.end()

    def read_much(self, read: Callable[[], _Result]) -> tuple[_Result, float]:
        """The same for what may take long, with the processor's time that it took."""
        began_s = time.thread_time()
        return self.read(read), time.thread_time() - began_s

    def read_in_steps(self, steps: Steps[_Result]) -> Steps[_Result]:
        """The same in short steps."""
        while True:
            self._underway.begin_reading(self._name)
            try:
                next(steps)
            except StopIteration as end:
                result: _Result = end.value
                return result
            finally:
                self._underway.end()
            yield

    def _apply_pieces(self, document: Document, pieces: Iterator[bytes], info: UpdateInfo) -> Steps[tuple[bool, float]]:
        """Whether they have deleted anything, and what the longest step took."""
        deleted, has_more = False, True
        took_s = longest_s = 0.0
        while has_more:
            until_s, began_s, has_more = time.monotonic() + STEP_S, time.thread_time(), False
            try:
                for piece in pieces:
                    # The piece, not the whole: copying that for each took as long as applying it.
                    self._underway.begin_applying(self._name, piece)
                    deleted = document.apply_piece(piece, info) or deleted
                    if has_more := time.monotonic() >= until_s:
                        break
            finally:
                self._underway.end()
            longest_s = max(longest_s, step_s := time.thread_time() - began_s)
            took_s += step_s
            if took_s > self._max_s:
                raise TooSlow(f"an update takes more than {self._max_s:g} s to apply: send it in parts")
            if has_more:
                yield
        return deleted, longest_s


def _builds_on(half_taken: KeysView[int], info: UpdateInfo) -> bool:
    """Whether an edit might be taken for no reason but what is there already of one with structs of these clients.

    pycrdt takes something into what is no type where that was deleted, as the other may have done; and of two edits
    that claim the same clocks the first.
    """
    return bool(info.known_parents) or not half_taken.isdisjoint(info.ends)
