"""Trees and text in and out of Yjs updates: the one module of this package that knows pycrdt.

1. Texts and children are written from the end, each at index 0. pycrdt counts a text's indices in UTF-8 bytes, and a
   wrong one makes an update that Yjs rejects; index 0 is right in every unit. It is also the one place that is found
   without a walk (20,000 paragraphs: 0.3 s, appended: 1.9 s).
2. Numbers are written as floats: lib0 then reads a JavaScript number, whatever their size.
3. pycrdt may panic (a BaseException) on what a client made: every call happens within `_pycrdt`.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

os.environ.setdefault("RUST_BACKTRACE", "0")  # a first panic with a backtrace costs 50 MB

from pycrdt import Doc, XmlElement, XmlFragment, XmlText
from pycrdt import Map as YMap
from pycrdt import Text as YText

from collabdoc.content.schema import MAX_DEPTH, SCHEMA_VERSION, mark_name
from collabdoc.content.tree import Attrs, AttrValue, Element, Mark, Node, Text
from collabdoc.errors import CollabdocError, DocumentBroken, Malformed, MissingDependencies
from collabdoc.protocol.update import check_update

Kind: TypeAlias = Literal["rich", "text"]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a document holds, as it lies there: nodes and marks may be unknown to the schema.

    Of the two roots only the kind's own is read: `text` is empty in a rich document and `nodes` in a plain one.
    """

    kind: Kind
    title: str | None
    schema: int
    text: str = ""
    nodes: tuple[Node, ...] = ()


def read_update(update: bytes) -> Stored:
    """The content of the document that this full update makes. Raises `DocumentBroken`."""
    with _pycrdt("reading a document"):
        doc: Doc[Any] = Doc()
        doc.apply_update(update)
        meta: YMap[Any] = doc.get("meta", type=YMap)
        fragment = doc.get("default", type=XmlFragment)
        kind, title, schema = meta.get("kind"), meta.get("title"), meta.get("schema")
        known_kind: Kind = kind if kind in ("rich", "text") else "rich" if len(fragment.children) else "text"
        known_title = title if isinstance(title, str) and title else None
        known_schema = int(schema) if isinstance(schema, (int, float)) else SCHEMA_VERSION
        if known_kind == "text":
            text = str(doc.get("content", type=YText))
            return Stored(known_kind, known_title, known_schema, text=text)
        with doc.transaction():
            nodes = tuple(_read_children(fragment, 1))
        return Stored(known_kind, known_title, known_schema, nodes=nodes)


def make_rich(document: Element, title: str | None) -> bytes:
    """A full update of a new rich document. The tree must be valid under the schema."""

    def write(doc: Doc[Any]) -> None:
        fragment = doc.get("default", type=XmlFragment)
        _write_children(fragment, document.content)

    return _make("rich", title, write)


def make_text(text: str, title: str | None) -> bytes:
    """A full update of a new plain-text document."""

    def write(doc: Doc[Any]) -> None:
        content = doc.get("content", type=YText)
        if text:
            content.insert(0, text)

    return _make("text", title, write)


def loading_fault(update: bytes) -> str | None:
    """Why no document can be made of this update alone, or None where it can."""
    try:
        info = check_update(update, {})
        with _pycrdt("loading an update"):
            doc: Doc[Any] = Doc()
            for piece in info.cut(update):
                doc.apply_update(piece)
    except (Malformed, MissingDependencies, DocumentBroken) as error:
        return str(error)
    return None


@contextmanager
def _pycrdt(doing: str) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit, CollabdocError):
        raise
    except BaseException as error:  # noqa: BLE001  # pyo3's PanicException is no Exception
        raise DocumentBroken(f"pycrdt failed while {doing}: {type(error).__name__}: {error!s:.200}") from None


def _make(kind: Kind, title: str | None, write: Callable[[Doc[Any]], None]) -> bytes:
    with _pycrdt("making a document"):
        # 32 bits as in Yjs; pycrdt's own ids have 53, which cost four bytes more in every struct.
        doc: Doc[Any] = Doc(client_id=secrets.randbits(32))
        with doc.transaction():
            meta: YMap[Any] = doc.get("meta", type=YMap)
            if title is not None:
                meta["title"] = title
            meta["kind"] = kind
            meta["schema"] = float(SCHEMA_VERSION)
            write(doc)
        return doc.get_update()


def _write_children(parent: XmlFragment | XmlElement, nodes: tuple[Node, ...]) -> None:
    end = len(nodes)
    while end:
        node = nodes[end - 1]
        if isinstance(node, Element):
            end -= 1
            element = parent.children.insert(0, XmlElement(node.type))
            for name, value in node.attrs.items():
                if value is not None:
                    element.attributes[name] = _to_stored(value)
            _write_children(element, node.content)
        else:
            text = parent.children.insert(0, XmlText())
            while end and isinstance(run := nodes[end - 1], Text):
                text.insert(0, run.text, {mark.type: _to_stored_map(mark.attrs) for mark in run.marks})
                end -= 1


def _to_stored(value: AttrValue) -> AttrValue:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _to_stored_map(attrs: Attrs) -> dict[str, AttrValue]:
    return {name: _to_stored(value) for name, value in attrs.items()}


def _read_children(parent: XmlFragment | XmlElement, depth: int) -> Iterator[Node]:
    for child in parent.children:
        if isinstance(child, XmlText):
            yield from _read_runs(child, depth)
        elif isinstance(child, XmlElement):
            name, attrs = child.tag or "", dict(_read_attrs(dict(child.attributes)))  # type: ignore[call-overload]
            if depth < MAX_DEPTH:
                yield Element(name, attrs, tuple(_read_children(child, depth + 1)))
            else:
                yield Element(name, attrs, (Text("".join(_texts_below(child))),))


def _read_runs(text: XmlText, depth: int) -> Iterator[Node]:
    for value, attributes in text.diff():
        if isinstance(value, str):
            yield Text(value, tuple(_read_marks(attributes or {})))
        elif isinstance(value, XmlText) and depth < MAX_DEPTH:
            yield from _read_runs(value, depth + 1)
        elif isinstance(value, XmlElement) and depth < MAX_DEPTH:
            yield Element(value.tag or "", {}, tuple(_read_children(value, depth + 1)))


def _read_marks(attributes: Mapping[str, Any]) -> Iterator[Mark]:
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        yield Mark(mark_name(name), dict(_read_attrs(value)) if isinstance(value, Mapping) else {})


def _read_attrs(attributes: Mapping[str, Any]) -> Iterator[tuple[str, AttrValue]]:
    for name, value in attributes.items():
        if isinstance(value, float) and value.is_integer():
            yield name, int(value)
        elif value is None or isinstance(value, (str, int, float, bool)):
            yield name, value


def _texts_below(element: XmlElement) -> Iterator[str]:
    waiting = [iter(element.children)]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        elif isinstance(child, XmlText):
            yield from (value for value, _ in child.diff() if isinstance(value, str))
        elif isinstance(child, XmlElement):
            waiting.append(iter(child.children))
