"""HTML as a stream of tags and text, by the rules of the HTML standard's tokenizer as far as content needs them.

The standard library's parser takes time in the square of what hostile markup is long (`<a ` repeated in 120 KB: 218 s).
Here every step moves forward and nothing is read twice, so time is linear. No input is an error, as in browsers.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.entities import html5
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class StartTag:
    name: str
    attrs: Mapping[str, str]
    self_closing: bool = False


@dataclass(frozen=True, slots=True)
class EndTag:
    name: str


@dataclass(frozen=True, slots=True)
class Characters:
    text: str


Token: TypeAlias = StartTag | EndTag | Characters

_RAW_TEXT = frozenset({"script", "style", "xmp", "iframe", "noembed", "noframes", "noscript", "textarea", "title"})
_WITH_REFERENCES = frozenset({"textarea", "title"})

_TAG_NAME = re.compile(r"[a-zA-Z][^\t\n\f\r />]*")
_BEFORE_ATTR = re.compile(r"[\t\n\f\r /]*")
_ATTR_NAME = re.compile(r"=?[^\t\n\f\r />=]*")
_EQUALS = re.compile(r"[\t\n\f\r ]*=[\t\n\f\r ]*")
_UNQUOTED = re.compile(r"[^\t\n\f\r >]*")
_COMMENT_END = re.compile(r"--!?>")
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z][a-zA-Z0-9]{1,31}(;?)(=?))")
_LONGEST_NUMBER = 10
"""Characters of a numeric reference; longer ones are above U+10FFFF, and slow to read as numbers."""


def tokenize(markup: str) -> Iterator[Token]:
    position, end = 0, len(markup)
    while position < end:
        opened = markup.find("<", position)
        if opened < 0:
            opened = end
        if opened > position:
            yield Characters(_decode(markup[position:opened], in_attribute=False))
        if opened == end:
            return
        token, position = _read_markup(markup, opened)
        if token is not None:
            yield token
        if isinstance(token, StartTag) and token.name in _RAW_TEXT:
            close = re.compile(rf"</{token.name}(?=[\t\n\f\r />])", re.IGNORECASE).search(markup, position)
            raw = markup[position : close.start() if close else end]
            if token.name in _WITH_REFERENCES:
                raw = _decode(raw, in_attribute=False)
            if raw:
                yield Characters(raw)
            position = close.start() if close else end


def _read_markup(markup: str, start: int) -> tuple[Token | None, int]:
    """What the `<` at `start` begins, and where that ends."""
    name = _TAG_NAME.match(markup, start + 1)
    if name is not None:
        attrs, self_closing, position = _read_attrs(markup, name.end())
        return (None if attrs is None else StartTag(name[0].lower(), attrs, self_closing)), position
    if markup.startswith("</", start):
        name = _TAG_NAME.match(markup, start + 2)
        if name is not None:
            attrs, _, position = _read_attrs(markup, name.end())
            return (None if attrs is None else EndTag(name[0].lower())), position
        if start + 2 == len(markup):
            return Characters("</"), start + 2
        return None, _after(markup, ">", start + 2)
    if markup.startswith("<!--", start):
        # "<!-->" and "<!--->" are whole comments, so the search begins within the opening dashes.
        close = _COMMENT_END.search(markup, start + 2)
        return None, close.end() if close else len(markup)
    if markup.startswith(("<!", "<?"), start):
        return None, _after(markup, ">", start + 2)
    return Characters("<"), start + 1


def _read_attrs(markup: str, position: int) -> tuple[dict[str, str] | None, bool, int]:
    """A tag's attributes from behind its name, whether it closes itself, and where it ends.

    None for attributes where the tag is never closed, which makes it no tag at all.
    """
    attrs: dict[str, str] = {}
    end = len(markup)
    while True:
        before = position
        position = _match_end(_BEFORE_ATTR, markup, position)
        if position >= end:
            return None, False, end
        if markup[position] == ">":
            return attrs, markup.endswith("/", before, position), position + 1
        name_end = _match_end(_ATTR_NAME, markup, position)
        name = markup[position:name_end].lower()
        value, position = "", name_end
        equals = _EQUALS.match(markup, position)
        if equals is not None:
            position = equals.end()
            if markup.startswith(('"', "'"), position):
                close = markup.find(markup[position], position + 1)
                if close < 0:
                    return None, False, end
                value, position = markup[position + 1 : close], close + 1
            else:
                value_end = _match_end(_UNQUOTED, markup, position)
                value, position = markup[position:value_end], value_end
        attrs.setdefault(name, _decode(value, in_attribute=True))


def _match_end(pattern: re.Pattern[str], markup: str, position: int) -> int:
    match = pattern.match(markup, position)
    assert match is not None, "the pattern matches nothing too"
    return match.end()


def _after(markup: str, mark: str, position: int) -> int:
    found = markup.find(mark, position)
    return len(markup) if found < 0 else found + len(mark)


def _decode(text: str, *, in_attribute: bool) -> str:
    if "&" not in text:
        return text

    def replace(reference: re.Match[str]) -> str:
        whole = reference[0]
        if whole[1] == "#":
            return html.unescape(whole) if len(whole) <= _LONGEST_NUMBER + 2 else "\ufffd"
        if in_attribute and not reference[1]:
            # "?a=1&copy=2" is a query, not a copyright sign.
            bare = whole.removesuffix("=")
            return whole if reference[2] or bare[1:] not in html5 else html.unescape(whole)
        return html.unescape(whole)

    return _REFERENCE.sub(replace, text)
