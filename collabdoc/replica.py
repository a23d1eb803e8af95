"""A client's replica of a document: its owner edits it with pycrdt, and others' edits are applied to it."""

import logging
from collections.abc import Callable
from typing import Any

from pycrdt import Doc, Text, TransactionEvent

from collabdoc.characters import CharacterText
from collabdoc.document import _clocks, _pycrdt
from collabdoc.protocol.update import cut_taken

log = logging.getLogger(__name__)


class Replica:
    """A client's replica: `doc` is for its owner to edit, `on_edit(update)` hears of each edit that is the owner's."""

    def __init__(self, on_edit: Callable[[bytes], None]) -> None:
        self.doc: Doc[Any] = Doc()
        self._applying = False
        self._on_edit = on_edit
        self._subscription = self.doc.observe(self._note)

    def apply(self, update: bytes, *, origin: object = None) -> None:
        """Take an edit of others; the owner's observers find `origin` in their transaction."""
        self._applying = True
        try:
            with _pycrdt("applying an update"):
                for piece in cut_taken(update, self.clocks):
                    self._apply_piece(piece, origin)
        finally:
            self._applying = False

    def text(self, name: str = "content") -> CharacterText:
        """A `Y.Text` of the document, edited in characters."""
        return CharacterText(self.doc.get(name, type=Text))

    def clocks(self) -> dict[int, int]:
        return _clocks(self.doc)

    def state_vector(self) -> bytes:
        return self.doc.get_state()

    def diff(self, state_vector: bytes) -> bytes:
        """What a replica at this state vector lacks; the deletions are always all of them."""
        return self.doc.get_update(state_vector)

    def _apply_piece(self, piece: bytes, origin: object) -> None:
        try:
            with self.doc.transaction(origin=origin):
                self.doc.apply_update(piece)
        except ExceptionGroup:  # of the owner's observers: the piece was applied before they were told
            log.exception("an observer of a document failed")

    def _note(self, event: TransactionEvent) -> None:
        if not self._applying:
            self._on_edit(event.update)
