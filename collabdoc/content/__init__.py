"""Text, Markdown, HTML and JSON in and out of a Yjs document.

Rich text travels between the formats as a tree (`tree`) that obeys one schema (`schema`); readers give any tree, `fit`
makes it valid, writers take valid ones. Only `fragment` knows Yjs.
"""

from collabdoc.content.convert import MAX_IMPORT_BYTES, export_document, import_content
from collabdoc.content.errors import ContentError, ContentTooLarge, InvalidContent, UnknownFormat
from collabdoc.content.formats import FORMATS, KINDS, MEDIA_TYPES, import_kind, natural_format

__all__ = [
    "FORMATS",
    "KINDS",
    "MAX_IMPORT_BYTES",
    "MEDIA_TYPES",
    "ContentError",
    "ContentTooLarge",
    "InvalidContent",
    "UnknownFormat",
    "export_document",
    "import_content",
    "import_kind",
    "natural_format",
]
