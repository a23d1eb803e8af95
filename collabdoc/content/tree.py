"""The shape in which rich text travels between formats: ProseMirror's tree, as immutable values.

A tree says nothing of which nodes exist: `schema` does that, and `fit` makes any tree valid under it.
Marks belong to text alone. ProseMirror allows them on a hard break too, but y-tiptap does not store those.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

AttrValue: TypeAlias = str | int | float | bool | None
Attrs: TypeAlias = Mapping[str, AttrValue]


@dataclass(frozen=True, slots=True)
class Mark:
    type: str
    attrs: Attrs = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    marks: tuple[Mark, ...] = ()

    def mark(self, name: str) -> Mark | None:
        return next((mark for mark in self.marks if mark.type == name), None)


@dataclass(frozen=True, slots=True)
class Element:
    type: str
    attrs: Attrs = field(default_factory=dict)
    content: tuple["Node", ...] = ()


Node: TypeAlias = Element | Text

HARD_BREAK = Element("hardBreak")
EMPTY_PARAGRAPH = Element("paragraph")


def plain_text(nodes: Iterable[Node]) -> str:
    """All text below the nodes, with a newline for each hard break; safe for any depth of nesting."""
    return "".join(_walk_text(nodes))


def join_texts(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes with empty texts left out and neighbouring texts of the same marks made one."""
    joined: list[Node] = []
    pending: list[str] = []
    marks: tuple[Mark, ...] = ()
    for node in nodes:
        if isinstance(node, Text) and (not node.text or (pending and node.marks == marks)):
            if node.text:
                pending.append(node.text)
            continue
        if pending:
            joined.append(Text("".join(pending), marks))
            pending = []
        if isinstance(node, Text):
            pending, marks = [node.text], node.marks
        else:
            joined.append(node)
    if pending:
        joined.append(Text("".join(pending), marks))
    return tuple(joined)


def _walk_text(nodes: Iterable[Node]) -> Iterator[str]:
    waiting = [iter(tuple(nodes))]
    while waiting:
        node = next(waiting[-1], None)
        match node:
            case None:
                waiting.pop()
            case Text(text=text):
                yield text
            case Element(type="hardBreak"):
                yield "\n"
            case Element(content=content):
                waiting.append(iter(content))
