"""A text edited in characters: pycrdt itself counts in bytes of UTF-8.

1. An offset never falls inside a character: positions are counted in the content as it is at the time of the call.
2. A character is a code point, as in `str`: an emoji that joins several has several. What is embedded in a text is one
   character, shown as U+FFFC.
"""

from pycrdt import Text

EMBEDDED = "\ufffc"


class CharacterText:
    """A view of a `pycrdt.Text`, which it keeps nothing of. Each edit reads the whole text once."""

    __slots__ = ("_text",)

    def __init__(self, text: Text) -> None:
        self._text = text

    def __str__(self) -> str:
        return "".join(_shown(self._chunks()))

    def __len__(self) -> int:
        return len(str(self))

    def insert(self, position: int, value: str) -> None:
        """Insert before the character at `position`, 0 to the length. Raises `IndexError` outside of that."""
        self.replace(position, position, value)

    def append(self, value: str) -> None:
        """Insert at the end."""
        with self._text.doc.transaction():
            self._text.insert(len(self._text), _checked(value))

    def delete(self, start: int, stop: int) -> None:
        """Delete the characters from `start` up to and without `stop`. Raises `IndexError` outside of the text."""
        self.replace(start, stop, "")

    def replace(self, start: int, stop: int, value: str) -> None:
        """Put `value` in the place of the characters from `start` up to and without `stop`.

        Raises `IndexError` outside of the text, `ValueError` for a `value` that UTF-8 cannot say (half a surrogate
        pair) and for a text whose characters cannot be told from what is embedded; nothing has changed then.
        """
        _checked(value)
        with self._text.doc.transaction():
            chunks = self._chunks()
            length = sum(map(len, _shown(chunks)))
            if not 0 <= start <= stop <= length:
                raise IndexError(f"read the positions {start} to {stop}, expected an ascending pair from 0 to {length}")
            first, last = _offset(chunks, start), _offset(chunks, stop)
            if first < last:
                del self._text[first:last]
            if value:
                self._text.insert(first, value)

    def _chunks(self) -> "list[str | None]":
        """The content in pieces; None for what is embedded."""
        with self._text.doc.transaction():
            length, whole = len(self._text), str(self._text)
            if len(whole.encode()) == length:
                return [whole]
            chunks = [chunk if isinstance(chunk, str) else None for chunk, _ in self._text.diff()]
        if sum(1 if chunk is None else len(chunk.encode()) for chunk in chunks) != length:
            raise ValueError("strings are embedded in this text: nobody can tell them from its own characters")
        return chunks


def _shown(chunks: "list[str | None]") -> list[str]:
    return [EMBEDDED if chunk is None else chunk for chunk in chunks]


def _offset(chunks: "list[str | None]", position: int) -> int:
    """The offset of a character as pycrdt counts, for which what is embedded is 1."""
    offset = 0
    for chunk in chunks:
        if position <= 0:
            break
        part = chunk and chunk[:position]
        offset += 1 if part is None else len(part.encode())
        position -= 1 if part is None else len(part)
    return offset


def _checked(value: str) -> str:
    value.encode()
    return value
