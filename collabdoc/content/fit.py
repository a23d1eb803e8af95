"""Any tree made valid under the schema, its text kept.

Other editors' documents, and markup that people write by hand, hold what the schema does not know or not there.
Unknown blocks give their content to the place where they stand, unknown inline nodes their text; what a place cannot
hold is wrapped, and what it needs is added. A tree that was valid comes back equal.
"""

from collections.abc import Iterable, Sequence

from collabdoc.content.schema import (
    MARK_RANK,
    MARKS,
    MAX_DEPTH,
    NODES,
    Content,
    coerce_attrs,
    is_valid,
)
from collabdoc.content.tree import (
    EMPTY_PARAGRAPH,
    HARD_BREAK,
    Element,
    Mark,
    Node,
    Text,
    join_texts,
    plain_text,
)

_DEEPEST_BLOCKS = MAX_DEPTH - 3
"""A list, its item and the item's paragraph still have room below."""


def fit_document(nodes: Iterable[Node]) -> Element:
    """A valid document of these nodes."""
    return Element("doc", content=tuple(_fit_blocks(tuple(nodes), 1)) or (EMPTY_PARAGRAPH,))


def fit_marks(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """The marks that a text may bear together, in the editor's order."""
    known: dict[str, Mark] = {}
    for mark in marks:
        if mark.type in MARKS:
            specs = MARKS[mark.type].attrs
            fitted = Mark(mark.type, coerce_attrs(specs, mark.attrs))
            if all(is_valid(specs[name], value) for name, value in fitted.attrs.items()):
                known[mark.type] = fitted
    for mark in known.values():
        if MARKS[mark.type].excludes_all:
            return (mark,)
    return tuple(sorted(known.values(), key=lambda mark: MARK_RANK[mark.type]))


def _fit_blocks(nodes: Sequence[Node], depth: int) -> list[Element]:
    blocks: list[Element] = []
    inline: list[Node] = []
    items: list[Node] = []

    def flush() -> None:
        if inline:
            content = _fit_inline(inline)
            if content:
                blocks.append(Element("paragraph", content=content))
            inline.clear()
        if items:
            blocks.extend(_fit_list(Element("bulletList", content=tuple(items)), depth))
            items.clear()

    for node in nodes:
        if isinstance(node, Text) or node.type == "hardBreak":
            if items:
                flush()
            inline.append(node)
        elif node.type == "listItem" and depth < _DEEPEST_BLOCKS:
            if inline:
                flush()
            items.append(node)
        else:
            flush()
            blocks.extend(_fit_block(node, depth))
    flush()
    return blocks


def _fit_block(node: Element, depth: int) -> list[Element]:
    known = NODES.get(node.type)
    content = known.content if known is not None and node.type != "doc" else None
    if depth >= _DEEPEST_BLOCKS and content not in (Content.INLINE, Content.TEXT, Content.NOTHING):
        text = plain_text(node.content)
        return [Element("paragraph", content=(Text(text),))] if text else []
    attrs = coerce_attrs(known.attrs, node.attrs) if known is not None else {}
    match content:
        case Content.INLINE:
            return [Element(node.type, attrs, _fit_inline(node.content))]
        case Content.TEXT:
            return [Element(node.type, attrs, join_texts([Text(plain_text(node.content))]))]
        case Content.NOTHING:
            return [Element(node.type, attrs), *_fit_blocks(node.content, depth + 1)]
        case Content.ITEMS:
            return _fit_list(Element(node.type, attrs, node.content), depth)
        case Content.BLOCKS:
            return [Element(node.type, attrs, tuple(_fit_blocks(node.content, depth + 1)) or (EMPTY_PARAGRAPH,))]
        case _:
            return _fit_blocks(node.content, depth + 1)


def _fit_list(node: Element, depth: int) -> list[Element]:
    """The list with nothing but items in it; none where it had no items."""
    contents: list[list[Node]] = []
    for child in node.content:
        is_list = isinstance(child, Element) and NODES.get(child.type) in (_BULLET_LIST, _ORDERED_LIST)
        if isinstance(child, Element) and child.type == "listItem":
            contents.append(list(child.content))
        elif is_list and contents:
            contents[-1].append(child)  # HTML that nests a list beside its item means inside it
        else:
            contents.append([child])
    items = tuple(_fit_item(content, depth + 1) for content in contents)
    return [Element(node.type, node.attrs, items)] if items else []


def _fit_item(content: Sequence[Node], depth: int) -> Element:
    blocks = _fit_blocks(content, depth + 1)
    if not blocks or blocks[0].type != "paragraph":
        blocks.insert(0, EMPTY_PARAGRAPH)
    return Element("listItem", content=tuple(blocks))


def _fit_inline(nodes: Iterable[Node]) -> tuple[Node, ...]:
    fitted: list[Node] = []
    waiting = [iter(tuple(nodes))]
    while waiting:
        node = next(waiting[-1], None)
        match node:
            case None:
                waiting.pop()
            case Text():
                fitted.append(Text(node.text, fit_marks(node.marks)))
            case Element(type="hardBreak"):
                fitted.append(HARD_BREAK)
            case Element(content=content):
                waiting.append(iter(content))
    return join_texts(fitted)


_BULLET_LIST = NODES["bulletList"]
_ORDERED_LIST = NODES["orderedList"]
