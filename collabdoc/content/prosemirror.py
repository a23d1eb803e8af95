"""ProseMirror's JSON in and out: the one reader that refuses rather than mends, for it reads what programs wrote.

An error names the place as a path: `doc.content[2].attrs.level`.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from collabdoc.content.errors import ContentTooLarge, InvalidContent
from collabdoc.content.fit import fit_marks
from collabdoc.content.schema import MARKS, MAX_DEPTH, NODES, Attr, Content, NodeType, is_valid
from collabdoc.content.tree import HARD_BREAK, Attrs, Element, Mark, Node, Text, join_texts

MAX_NODES = 1_000_000

_HOLDS: Mapping[Content, str] = {
    Content.BLOCKS: "one or more blocks",
    Content.ITEMS: "one or more listItem nodes",
    Content.ITEM: "a paragraph and then blocks",
    Content.INLINE: "text and hardBreak nodes",
    Content.TEXT: "text",
    Content.NOTHING: "no content",
}


def write_node(node: Node) -> dict[str, Any]:
    """The node as `Node.toJSON` of ProseMirror gives it."""
    if isinstance(node, Text):
        if not node.marks:
            return {"type": "text", "text": node.text}
        return {"type": "text", "text": node.text, "marks": [_write_mark(mark) for mark in node.marks]}
    written: dict[str, Any] = {"type": node.type}
    if node.attrs:
        written["attrs"] = dict(node.attrs)
    if node.content:
        written["content"] = [write_node(child) for child in node.content]
    return written


def read_document(value: object, path: str = "doc") -> Element:
    """A valid document from the value of parsed JSON. Raises `InvalidContent` or `ContentTooLarge`."""
    return _Reader().read_document(value, path)


def _write_mark(mark: Mark) -> dict[str, Any]:
    return {"type": mark.type, "attrs": dict(mark.attrs)} if mark.attrs else {"type": mark.type}


class _Reader:
    """Reads one document and counts its nodes."""

    def __init__(self) -> None:
        self._nodes = 0

    def read_document(self, value: object, path: str) -> Element:
        document = self._read_node(value, path, 1)
        if not isinstance(document, Element) or document.type != "doc":
            raise InvalidContent(f"{path}.type is {_type_of(document)!r}, expected 'doc'")
        return document

    def _read_node(self, value: object, path: str, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ContentTooLarge(f"the document has more than {MAX_NODES} nodes")
        fields = _read_object(value, path)
        name = fields.get("type")
        if name == "text":
            return _read_text(fields, path)
        if depth > MAX_DEPTH:
            raise ContentTooLarge(f"{_shorten(path)} is nested deeper than {MAX_DEPTH} nodes")
        if not isinstance(name, str) or name not in NODES:
            raise InvalidContent(f"{path}.type is {_show(name)}, expected one of text, {', '.join(NODES)}")
        _refuse_others(fields, {"type", "attrs", "content", "marks"}, path)
        _read_marks(fields.get("marks"), f"{path}.marks")
        known = NODES[name]
        attrs = _read_attrs(known.attrs, fields.get("attrs"), f"{path}.attrs")
        content = tuple(self._read_content(known, fields.get("content"), f"{path}.content", depth))
        return HARD_BREAK if known.inline else Element(name, attrs, join_texts(content))

    def _read_content(self, parent: NodeType, value: object, path: str, depth: int) -> Iterator[Node]:
        if value is None:
            value = []
        if not isinstance(value, list):
            raise InvalidContent(f"{path} is {_show(value)}, expected a list of nodes")
        if not value and parent.content in (Content.BLOCKS, Content.ITEMS, Content.ITEM):
            raise InvalidContent(f"{path} is empty, but a {parent.name} holds {_HOLDS[parent.content]}")
        for index, item in enumerate(value):
            child_path = f"{path}[{index}]"
            child = self._read_node(item, child_path, depth + 1)
            if not _may_hold(parent, child, index):
                raise InvalidContent(
                    f"{child_path} is a {_type_of(child)}, but a {parent.name} holds {_HOLDS[parent.content]}"
                )
            if isinstance(child, Text) and child.marks and not parent.marks:
                raise InvalidContent(f"{child_path}.marks is not empty, but the text of a {parent.name} has no marks")
            yield child


def _type_of(node: Node) -> str:
    return "text" if isinstance(node, Text) else node.type


def _may_hold(parent: NodeType, child: Node, index: int) -> bool:
    is_block = isinstance(child, Element) and child.type not in ("doc", "listItem", "hardBreak")
    match parent.content:
        case Content.BLOCKS:
            return is_block
        case Content.ITEMS:
            return _type_of(child) == "listItem"
        case Content.ITEM:
            return is_block and (index > 0 or _type_of(child) == "paragraph")
        case Content.INLINE:
            return _type_of(child) in ("text", "hardBreak")
        case Content.TEXT:
            return isinstance(child, Text)
        case Content.NOTHING:
            return False


def _read_text(fields: Mapping[str, object], path: str) -> Text:
    _refuse_others(fields, {"type", "text", "marks"}, path)
    text = fields.get("text")
    if not isinstance(text, str) or not text:
        raise InvalidContent(f"{path}.text is {_show(text)}, expected a string that is not empty")
    return Text(_read_string(text, f"{path}.text"), _read_marks(fields.get("marks"), f"{path}.marks"))


def _read_marks(value: object, path: str) -> tuple[Mark, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidContent(f"{path} is {_show(value)}, expected a list of marks")
    marks = tuple(_read_mark(item, f"{path}[{index}]") for index, item in enumerate(value))
    fitted = fit_marks(marks)
    if len(fitted) != len(marks):
        names = ", ".join(mark.type for mark in marks)
        raise InvalidContent(f"{path} holds {names}, which one text cannot bear together")
    return fitted


def _read_mark(value: object, path: str) -> Mark:
    fields = _read_object(value, path)
    _refuse_others(fields, {"type", "attrs"}, path)
    name = fields.get("type")
    if not isinstance(name, str) or name not in MARKS:
        raise InvalidContent(f"{path}.type is {_show(name)}, expected one of {', '.join(MARKS)}")
    return Mark(name, _read_attrs(MARKS[name].attrs, fields.get("attrs"), f"{path}.attrs"))


def _read_attrs(specs: Mapping[str, Attr], value: object, path: str) -> Attrs:
    fields = {} if value is None else _read_object(value, path)
    _refuse_others(fields, specs.keys(), path)
    attrs = {}
    for name, attr in specs.items():
        given = fields.get(name, attr.default)
        if isinstance(given, float) and given.is_integer():
            given = int(given)
        if not (given is None or isinstance(given, (str, int, float))) or not is_valid(attr, given):
            raise InvalidContent(f"{path}.{name} is {_show(given)}, expected {attr.type.value}")
        attrs[name] = _read_string(given, f"{path}.{name}") if isinstance(given, str) else given
    return attrs


def _read_object(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InvalidContent(f"{path} is {_show(value)}, expected an object")
    return value


def _read_string(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidContent(f"{path} has half of a surrogate pair at character {error.start}") from None
    return value


def _refuse_others(fields: Mapping[str, object], known: Collection[str], path: str) -> None:
    for name in fields:
        if name not in known:
            raise InvalidContent(f"{path} has {_show(name)}, expected only {', '.join(sorted(known)) or 'nothing'}")


def _show(value: object) -> str:
    return "missing" if value is None else _shorten(repr(value))


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
