"""The names: formats, kinds of documents, media types and file extensions."""

import json
from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType

from collabdoc.content.errors import UnknownFormat

FORMATS = ("text", "markdown", "html", "json", "yjs")
KINDS = ("rich", "text")

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "text": "text/plain; charset=utf-8",
        "markdown": "text/markdown; charset=utf-8",
        "html": "text/html; charset=utf-8",
        "json": "application/json; charset=utf-8",
        "yjs": "application/octet-stream",
    }
)


def natural_format(kind: str | None) -> str:
    """The format in which a document of this kind is best looked at."""
    return "html" if kind == "rich" else "text"


def import_kind(file_name: str, data: bytes) -> tuple[str, str]:
    """The kind of document that a file becomes where nobody says, and the format in which to read it.

    HTML, and JSON that was exported from a rich document, become rich text. Everything else is kept as it is:
    Markdown too, since whoever keeps it in files has its source in mind. For a `yjs` file the kind is in the update.
    """
    match PurePath(file_name).suffix.lower():
        case ".html" | ".htm":
            return "rich", "html"
        case ".yjs":
            return "rich", "yjs"
        case ".json":
            kind = _exported_kind(data)
            return (kind, "json") if kind is not None else ("text", "text")
        case _:
            return "text", "text"


def check_format(format: str) -> None:
    if format not in FORMATS:
        raise UnknownFormat(f"format is {format[:40]!r}, expected one of {', '.join(FORMATS)}")


def check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UnknownFormat(f"kind is {kind[:40]!r}, expected one of {', '.join(KINDS)}")


def _exported_kind(data: bytes) -> str | None:
    """The kind that the JSON of `export_document` names; None for any other JSON."""
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    if value.get("kind") == "text" and isinstance(value.get("text"), str):
        return "text"
    tree = value.get("doc") if value.get("kind") == "rich" else value
    return "rich" if isinstance(tree, dict) and tree.get("type") == "doc" else None
