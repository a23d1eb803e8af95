"""A document's full update to the bytes of a file, and back. Pure functions: no I/O, no clock."""

import json
from typing import Any, assert_never

from collabdoc.content.errors import ContentTooLarge, InvalidContent
from collabdoc.content.fit import fit_document
from collabdoc.content.formats import check_format, check_kind
from collabdoc.content.fragment import Stored, loading_fault, make_rich, make_text, read_update
from collabdoc.content.html_read import read_html
from collabdoc.content.html_write import write_page, write_text_page
from collabdoc.content.markdown_read import read_markdown
from collabdoc.content.markdown_write import write_markdown
from collabdoc.content.plain import decode_text, read_plain, write_plain
from collabdoc.content.prosemirror import read_document, write_node
from collabdoc.content.tree import Element

MAX_IMPORT_BYTES = 32 * 2**20


def export_document(update: bytes, format: str) -> bytes:
    """The content of the document that a full Yjs update makes, in one of `FORMATS`.

    Unknown nodes and marks never fail: their text is kept. `yjs` is the one format that keeps everything. Raises
    `UnknownFormat`, and `DocumentBroken` where the update cannot be read.
    """
    check_format(format)
    if format == "yjs":
        return update
    stored = read_update(update)
    match stored.kind:
        case "text":
            return _export_text(stored, format).encode()
        case "rich":
            return _export_rich(stored, format).encode()
        case _:
            assert_never(stored.kind)


def import_content(
    data: bytes, format: str, *, kind: str, title: str | None = None, max_bytes: int = MAX_IMPORT_BYTES
) -> bytes:
    """A full Yjs update of a new document that holds this content.

    Without `title` the content's own is taken: of the page in HTML, of the export in JSON. A `yjs` update is returned
    as it is, whatever its kind and title, once it is known to load. Raises `InvalidContent`, `ContentTooLarge` and
    `UnknownFormat`.
    """
    check_format(format)
    check_kind(kind)
    if len(data) > max_bytes:
        raise ContentTooLarge(f"the content has {len(data)} bytes, expected at most {max_bytes}")
    if format == "yjs":
        fault = loading_fault(data)
        if fault is not None:
            raise InvalidContent(f"this is not the Yjs update of a whole document: {fault}")
        return data
    text = decode_text(data)
    if format == "json":
        return _import_json(text, kind, title)
    if kind == "text":
        return make_text(text, title)
    try:
        document, own_title = _read_rich(text, format)
    except RecursionError:
        raise ContentTooLarge("the content is nested too deep to read") from None
    return make_rich(document, title if title is not None else own_title)


def _export_text(stored: Stored, format: str) -> str:
    match format:
        case "html":
            return write_text_page(stored.text, stored.title)
        case "json":
            return _write_json(stored, "text", stored.text)
        case _:
            return stored.text


def _export_rich(stored: Stored, format: str) -> str:
    document = fit_document(stored.nodes)
    match format:
        case "html":
            return write_page(document, stored.title)
        case "json":
            return _write_json(stored, "doc", write_node(document))
        case "markdown":
            return write_markdown(document)
        case _:
            return write_plain(document)


def _write_json(stored: Stored, name: str, content: Any) -> str:
    value = {"title": stored.title, "kind": stored.kind, "schema": stored.schema, name: content}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _read_rich(text: str, format: str) -> tuple[Element, str | None]:
    match format:
        case "html":
            page = read_html(text)
            return fit_document(page.nodes), page.title
        case "markdown":
            return fit_document(read_markdown(text)), None
        case _:
            return fit_document(read_plain(text)), None


def _import_json(text: str, kind: str, title: str | None) -> bytes:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidContent(f"line {error.lineno}, column {error.colno} is not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise InvalidContent(f"the JSON cannot be read: {error}") from None
    fields = value if isinstance(value, dict) else {}
    own_title = fields.get("title")
    if title is None and isinstance(own_title, str):
        title = own_title.encode(errors="replace").decode()
    if kind == "text":
        content = fields.get("text")
        if not isinstance(content, str):
            raise InvalidContent("the JSON has no text; to keep JSON as it is, import it in the format 'text'")
        return make_text(content.encode(errors="replace").decode(), title)
    # A bare ProseMirror document is taken as well as one that was exported with its title.
    return make_rich(read_document(fields.get("doc", value)), title)
