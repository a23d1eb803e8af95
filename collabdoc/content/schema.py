"""The rich-text schema, version 1: Tiptap 3.31 StarterKit in its default configuration, as y-tiptap 3.0 stores it.

How it lies in the `Y.XmlFragment`:

1. A node is a `Y.XmlElement` of the node's name; a run of text nodes without another node between is one `Y.XmlText`.
2. An attribute keeps its JSON type (`level` is the number 2, never "2"); one whose value is null is not stored.
3. A mark is a formatting attribute of the text, named as the mark, whose value is the map of all the mark's
   attributes, nulls included: `{}` for bold. A mark type that may overlap itself would be stored as
   `name--` + 8 characters of a hash; none of this schema may, but other editors' documents may hold such names.

The editor deletes, for everyone, a node that breaks this schema, so nothing else may ever be written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from collabdoc.content.tree import Attrs, AttrValue

SCHEMA_VERSION = 1

MAX_DEPTH = 100
"""Elements inside each other, the document included. Every walk over a tree recurses, so this bounds the stack."""


class Content(Enum):
    """What a node holds, in ProseMirror's words."""

    BLOCKS = "block+"
    ITEMS = "listItem+"
    ITEM = "paragraph block*"
    INLINE = "inline*"
    TEXT = "text*"
    NOTHING = ""


class AttrType(Enum):
    """What an attribute's value may be; the text completes "expected ..."."""

    LEVEL = "a whole number from 1 to 6"
    INTEGER = "a whole number"
    TEXT = "a string or null"
    HREF = "a relative link or one to http, https, mailto or tel"


@dataclass(frozen=True, slots=True)
class Attr:
    type: AttrType
    default: AttrValue = None


@dataclass(frozen=True, slots=True)
class NodeType:
    name: str
    content: Content
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    marks: bool = True
    inline: bool = False


@dataclass(frozen=True, slots=True)
class MarkType:
    name: str
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    excludes_all: bool = False


NODES: Mapping[str, NodeType] = MappingProxyType(
    {
        node.name: node
        for node in (
            NodeType("doc", Content.BLOCKS),
            NodeType("paragraph", Content.INLINE),
            NodeType("heading", Content.INLINE, {"level": Attr(AttrType.LEVEL, 1)}),
            NodeType("bulletList", Content.ITEMS),
            NodeType("orderedList", Content.ITEMS, {"start": Attr(AttrType.INTEGER, 1), "type": Attr(AttrType.TEXT)}),
            NodeType("listItem", Content.ITEM),
            NodeType("blockquote", Content.BLOCKS),
            NodeType("codeBlock", Content.TEXT, {"language": Attr(AttrType.TEXT)}, marks=False),
            NodeType("horizontalRule", Content.NOTHING),
            NodeType("hardBreak", Content.NOTHING, inline=True),
        )
    }
)

MARKS: Mapping[str, MarkType] = MappingProxyType(
    {
        # In the order in which the editor keeps the marks of a text.
        mark.name: mark
        for mark in (
            MarkType(
                "link",
                {
                    "href": Attr(AttrType.HREF),
                    "target": Attr(AttrType.TEXT, "_blank"),
                    "rel": Attr(AttrType.TEXT, "noopener noreferrer nofollow"),
                    "class": Attr(AttrType.TEXT),
                    "title": Attr(AttrType.TEXT),
                },
            ),
            MarkType("bold"),
            MarkType("code", excludes_all=True),
            MarkType("italic"),
            MarkType("strike"),
            MarkType("underline"),
        )
    }
)

MARK_RANK: Mapping[str, int] = MappingProxyType({name: rank for rank, name in enumerate(MARKS)})

_HASHED_MARK = re.compile(r"(.*)--[a-zA-Z0-9+/=]{8}", re.DOTALL)
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_SAFE_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_IGNORED_IN_URLS = re.compile(
    r"[\x00-\x20\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]"
)


def mark_name(stored: str) -> str:
    """The mark that a formatting attribute stands for: without the hash that an overlapping mark bears."""
    match = _HASHED_MARK.fullmatch(stored)
    return match[1] if match else stored


def is_safe_href(href: str) -> bool:
    """Whether following the link can do no more than open a page, a mail or a call.

    Browsers drop tabs, newlines and leading control characters, so all of those are ignored before looking.
    """
    url = _IGNORED_IN_URLS.sub("", href)
    scheme = _SCHEME.match(url)
    if scheme is not None:
        return scheme[1].lower() in _SAFE_SCHEMES
    # Anything else before the first colon could be a scheme for some reader, unless a path has begun.
    return ":" not in re.split(r"[/?#]", url, maxsplit=1)[0] or url.startswith(("/", "?", "#", "."))


def is_valid(attr: Attr, value: AttrValue) -> bool:
    match attr.type:
        case AttrType.LEVEL:
            return _is_integer(value) and value in range(1, 7)
        case AttrType.INTEGER:
            return _is_integer(value)
        case AttrType.TEXT:
            return value is None or isinstance(value, str)
        case AttrType.HREF:
            return isinstance(value, str) and value.strip() != "" and is_safe_href(value)


def coerce(attr: Attr, value: AttrValue) -> AttrValue:
    """The nearest valid value, or the default where there is none."""
    if attr.type in (AttrType.LEVEL, AttrType.INTEGER):
        number = _to_integer(value)
        if number is None:
            return attr.default
        return max(1, min(6, number)) if attr.type is AttrType.LEVEL else number
    return value if is_valid(attr, value) else attr.default


def coerce_attrs(specs: Mapping[str, Attr], attrs: Attrs) -> Attrs:
    """Every attribute of the type and no other, each valid or at its default."""
    if not specs:
        return {}
    return {name: coerce(attr, attrs[name]) if name in attrs else attr.default for name, attr in specs.items()}


_MAX_INTEGER = 2**31 - 1


def _is_integer(value: AttrValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_INTEGER


def _to_integer(value: AttrValue) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,9}\s*", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and _is_integer(value) else None
