"""Strings made safe for a place in CommonMark: prose, code spans, link destinations and titles.

Where a backslash cannot help (white space, letters beside a delimiter), a character is written as a numeric reference,
which CommonMark reads as the character and never as markup.
"""

import re
import unicodedata
from enum import Enum

_ALWAYS = re.compile(r"[\\`*\[\]<~]|&(?=#?\w+;)|_")
_LINE_START = re.compile(r"(#{1,6})(?=\s|$)|[>=|]|[-+:](?=[-+:|\s]|$)|([0-9]{1,9})([.)])(?=\s|$)")
_CONTROL = re.compile(r"[\n\r]")
_BARE_DESTINATION = re.compile(r"[^\x00-\x20\x7f()<>\\]+")
_REFERENCE = re.compile(r"&(?=#?\w+;)")


class CharClass(Enum):
    """What a character beside a delimiter run is, for the rules on flanking."""

    SPACE = "space"
    PUNCTUATION = "punctuation"
    UNCERTAIN = "uncertain"
    """Symbols and rare white space, on which versions of CommonMark and its parsers differ."""
    WORD = "word"


def char_class(char: str) -> CharClass:
    if char in " \t\n\f\r":
        return CharClass.SPACE
    category = unicodedata.category(char)
    if category == "Zs":
        return CharClass.SPACE
    if category[0] == "P" or (category[0] == "S" and char.isascii()):
        return CharClass.PUNCTUATION
    if category[0] in "SZ" or char.isspace():
        return CharClass.UNCERTAIN
    return CharClass.WORD


def reference(char: str) -> str:
    return f"&#{ord(char)};"


def escape_prose(text: str) -> str:
    """Text that means itself within a line, but perhaps not at its start or its end."""

    def escape(match: re.Match[str]) -> str:
        at = match.start()
        # Between letters an underscore is only itself. Those at the text's edge may become references.
        if match[0] == "_" and 2 <= at < len(text) - 2 and text[at - 1].isalnum() and text[at + 1].isalnum():
            return "_"
        return f"\\{match[0]}"

    return _CONTROL.sub(lambda match: reference(match[0]), _ALWAYS.sub(escape, text))


def escape_line_start(text: str) -> str:
    """Escaped prose that begins no heading, list, quote, table or underlining where a line begins with it."""
    if text[:1].isspace():
        return reference(text[0]) + text[1:]
    match = _LINE_START.match(text)
    if match is None:
        return text
    at = match.start(3) if match[3] else 0
    return f"{text[:at]}\\{text[at:]}"


def escape_line_end(text: str) -> str:
    """Escaped prose whose last space is kept where a line ends with it."""
    return text[:-1] + reference(text[-1]) if text[-1:].isspace() else text


def code_span(text: str) -> str:
    """A code span of the text. It cannot hold a line end: that becomes the space that it reads as."""
    text = _CONTROL.sub(" ", text)
    fence = "`" * (longest_run(text, "`") + 1)
    is_stripped = text.startswith(" ") and text.endswith(" ") and text.strip(" ")
    pad = " " if text.startswith("`") or text.endswith("`") or is_stripped else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def longest_run(text: str, char: str) -> int:
    return max(map(len, re.findall(f"{re.escape(char)}+", text)), default=0)


def link_end(href: str, title: str | None) -> str:
    """What closes a link's text: its destination and title."""
    destination = _REFERENCE.sub(r"\\&", re.sub(r"[\\<>]", r"\\\g<0>", href))
    destination = destination.replace("\n", "%0A").replace("\r", "%0D")
    if not _BARE_DESTINATION.fullmatch(href):
        destination = f"<{destination}>"
    if not title:
        return f"]({destination})"
    escaped = _REFERENCE.sub(r"\\&", re.sub(r'[\\"]', r"\\\g<0>", title))
    return f']({destination} "{_CONTROL.sub(lambda match: reference(match[0]), escaped)}")'
