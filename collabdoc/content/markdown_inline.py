"""The text of one block as CommonMark.

Marks become nested delimiter runs, and each run must stay what it is meant to be whatever stands beside it:

1. Runs of one character never touch: bold is `**`, and italic is `*` but `_` beside a `**`.
2. What a run embraces does not begin or end with white space, and a run between a word and punctuation would face the
   wrong way (CommonMark: left- and right-flanking): there the character beside it is written as a reference.
3. Underline has no delimiter and is written as the tag `<u>`, a hard break as a backslash, or as `<br>` where a
   backslash would be one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from collabdoc.content.markdown_escape import (
    CharClass,
    char_class,
    code_span,
    escape_line_end,
    escape_line_start,
    escape_prose,
    link_end,
    reference,
)
from collabdoc.content.tree import Mark, Node, Text

_BREAK = "\\\n"
_BREAK_TAG = "<br>"
_LONE_BREAK = "<br><!-- -->"
"""A line of `<br>` and nothing else would begin a block of HTML."""

_DELIMITERS = {"bold": "**", "italic": "*", "strike": "~~"}
_TAGS = {"underline": "u"}

_Key: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _Raw:
    """Markup that is written as it is."""

    text: str


@dataclass(slots=True)
class _Prose:
    """Text; its first or last character may have to be written as a reference."""

    text: str
    first_as_reference: bool = False
    last_as_reference: bool = False


@dataclass(slots=True)
class _Pair:
    """The two delimiter runs of one mark, at these places among the pieces."""

    mark: str
    characters: str
    opens_at: int
    closes_at: int = -1


@dataclass(slots=True)
class _Delimiter:
    pair: _Pair


_Piece: TypeAlias = _Raw | _Prose | _Delimiter


@dataclass(slots=True)
class _Open:
    """A mark that is open, with what finds it again."""

    key: _Key
    mark: Mark
    pair: _Pair | None


@dataclass(slots=True)
class _Line:
    pieces: list[_Piece] = field(default_factory=list)
    pairs: list[_Pair] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)


def write_inline(nodes: Sequence[Node], *, in_heading: bool = False) -> str:
    """The nodes as the content of a paragraph, or of a heading, which is one line."""
    pieces, pairs = _lay_out(nodes, in_heading=in_heading)
    for pair in pairs:
        if pair.mark == "italic" and any(map(_is_star, _neighbours(pieces, pair))):
            pair.characters = "_"
    is_settled = False
    while not is_settled:  # a reference is punctuation, which may turn a run that stands on its other side
        is_settled = True
        for pair in pairs:
            is_settled = not _settle(pieces, pair) and is_settled
    return "".join(_render(pieces, in_heading=in_heading))


def _lay_out(nodes: Sequence[Node], *, in_heading: bool) -> tuple[list[_Piece], list[_Pair]]:
    if len(nodes) == 1 and not isinstance(nodes[0], Text):
        return [_Raw(_LONE_BREAK)], []
    line = _Line()
    extents = _extents(nodes)
    for index, node in enumerate(nodes):
        extent = extents[index]
        while line.stack and not all(open_.key in extent for open_ in line.stack):
            _close_last(line)
        if not isinstance(node, Text):
            is_last = index == len(nodes) - 1
            line.pieces.append(_Raw(_BREAK_TAG if in_heading or is_last else _BREAK))
        elif node.mark("code") is not None:
            line.pieces.append(_Raw(code_span(node.text)))
        else:
            is_open = {open_.key for open_ in line.stack}
            marks = {_key(mark): mark for mark in node.marks if _key(mark) not in is_open}
            for key in sorted(marks, key=lambda key: -extent[key]):
                _open(line, key, marks[key])
            line.pieces.append(_Prose(node.text))
    while line.stack:
        _close_last(line)
    return line.pieces, line.pairs


def _key(mark: Mark) -> _Key:
    return (mark.type, *sorted((name, str(value)) for name, value in mark.attrs.items()))


def _extents(nodes: Sequence[Node]) -> list[dict[_Key, int]]:
    """For each node, its marks and over how many nodes from there each of them goes on."""
    extents: list[dict[_Key, int]] = []
    following: dict[_Key, int] = {}
    for node in reversed(nodes):
        marks = node.marks if isinstance(node, Text) and node.mark("code") is None else ()
        following = {key: following.get(key, 0) + 1 for key in map(_key, marks)}
        extents.append(following)
    return extents[::-1]


def _open(line: _Line, key: _Key, mark: Mark) -> None:
    pair = None
    if mark.type in _DELIMITERS:
        pair = _Pair(mark.type, _DELIMITERS[mark.type], len(line.pieces))
        line.pairs.append(pair)
        line.pieces.append(_Delimiter(pair))
    elif mark.type == "link":
        line.pieces.append(_Raw("["))
    elif mark.type in _TAGS:
        line.pieces.append(_Raw(f"<{_TAGS[mark.type]}>"))
    line.stack.append(_Open(key, mark, pair))


def _close_last(line: _Line) -> None:
    open_ = line.stack.pop()
    mark = open_.mark
    if open_.pair is not None:
        open_.pair.closes_at = len(line.pieces)
        line.pieces.append(_Delimiter(open_.pair))
    elif mark.type == "link":
        title = mark.attrs.get("title")
        line.pieces.append(_Raw(link_end(str(mark.attrs.get("href")), title if isinstance(title, str) else None)))
    elif mark.type in _TAGS:
        line.pieces.append(_Raw(f"</{_TAGS[mark.type]}>"))


def _neighbours(pieces: Sequence[_Piece], pair: _Pair) -> Iterator[_Piece | None]:
    for place in (pair.opens_at, pair.closes_at):
        yield _at(pieces, place - 1)
        yield _at(pieces, place + 1)


def _at(pieces: Sequence[_Piece], index: int) -> _Piece | None:
    return pieces[index] if 0 <= index < len(pieces) else None


def _is_star(piece: _Piece | None) -> bool:
    return isinstance(piece, _Delimiter) and piece.pair.characters == "**"


def _settle(pieces: Sequence[_Piece], pair: _Pair) -> bool:
    """Make both runs of the pair face the right way; whether anything had to change."""
    opening = _settle_run(
        pair, inner=_at(pieces, pair.opens_at + 1), outer=_at(pieces, pair.opens_at - 1), is_opening=True
    )
    closing = _settle_run(
        pair, inner=_at(pieces, pair.closes_at - 1), outer=_at(pieces, pair.closes_at + 1), is_opening=False
    )
    return opening or closing


def _settle_run(pair: _Pair, *, inner: _Piece | None, outer: _Piece | None, is_opening: bool) -> bool:
    changed = False
    inner_class = _class_of(inner, first=is_opening)
    if isinstance(inner, _Prose) and _is_space(inner, first=is_opening):
        changed = _refer(inner, first=is_opening)
        inner_class = CharClass.PUNCTUATION
    if inner_class is CharClass.WORD and pair.characters != "_":
        return changed
    outer_class = _class_of(outer, first=not is_opening)
    if isinstance(outer, _Prose) and outer_class in (CharClass.WORD, CharClass.UNCERTAIN):
        changed = _refer(outer, first=not is_opening) or changed
    return changed


def _is_space(prose: _Prose, *, first: bool) -> bool:
    is_reference = prose.first_as_reference if first else prose.last_as_reference
    return not is_reference and prose.text[0 if first else -1].isspace()


def _refer(prose: _Prose, *, first: bool) -> bool:
    if first:
        changed, prose.first_as_reference = not prose.first_as_reference, True
    else:
        changed, prose.last_as_reference = not prose.last_as_reference, True
    if len(prose.text) == 1:
        prose.first_as_reference = prose.last_as_reference = True
    return changed


def _class_of(piece: _Piece | None, *, first: bool) -> CharClass:
    match piece:
        case None:
            return CharClass.SPACE
        case _Raw(text):
            return char_class(text[0 if first else -1])
        case _Prose(text, first_as_reference, last_as_reference):
            if first_as_reference if first else last_as_reference:
                return CharClass.PUNCTUATION
            return char_class(text[0 if first else -1])
        case _Delimiter():
            return CharClass.PUNCTUATION


def _render(pieces: Sequence[_Piece], *, in_heading: bool) -> Iterable[str]:
    for index, piece in enumerate(pieces):
        match piece:
            case _Raw(text):
                yield text
            case _Delimiter(pair):
                yield pair.characters
            case _Prose():
                before, after = _at(pieces, index - 1), _at(pieces, index + 1)
                yield _render_prose(piece, before, after, in_heading=in_heading)


def _render_prose(prose: _Prose, before: _Piece | None, after: _Piece | None, *, in_heading: bool) -> str:
    head, body, tail = "", prose.text, ""
    if prose.first_as_reference:
        head, body = reference(body[0]), body[1:]
    if prose.last_as_reference and body:
        body, tail = body[:-1], reference(body[-1])
    body = escape_prose(body)
    if not head and (before is None or before == _Raw(_BREAK)):
        body = escape_line_start(body)
    if not tail and (after is None or after == _Raw(_BREAK)):
        body = escape_line_end(body)
        if in_heading and body.endswith("#"):
            body = f"{body[:-1]}\\#"
    if not tail and body.endswith("!") and after == _Raw("["):
        body = f"{body[:-1]}\\!"
    return head + body + tail
