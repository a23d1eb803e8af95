import json

import pytest

from collabdoc.content.errors import UnknownFormat
from collabdoc.content.formats import FORMATS, MEDIA_TYPES, check_format, check_kind, import_kind, natural_format


def test_every_format_has_a_media_type() -> None:
    assert set(MEDIA_TYPES) == set(FORMATS)


def test_rich_text_is_looked_at_as_a_page() -> None:
    assert natural_format("rich") == "html"
    assert natural_format("text") == "text"
    assert natural_format(None) == "text"


EXPORTED = {"title": "x", "kind": "rich", "schema": 1, "doc": {"type": "doc", "content": []}}


@pytest.mark.parametrize(
    ("file_name", "data", "expected"),
    [
        ("a/b.md", b"# a", ("text", "text")),
        ("a.txt", b"", ("text", "text")),
        ("a.py", b"", ("text", "text")),
        ("Makefile", b"", ("text", "text")),
        ("a.HTML", b"", ("rich", "html")),
        ("a.htm", b"", ("rich", "html")),
        ("a.yjs", b"", ("rich", "yjs")),
        ("a.json", json.dumps(EXPORTED).encode(), ("rich", "json")),
        ("a.json", json.dumps(EXPORTED["doc"]).encode(), ("rich", "json")),
        ("a.json", b'\xef\xbb\xbf{"kind": "text", "text": "a"}', ("text", "json")),
        ("a.json", b'{"kind": "rich"}', ("text", "text")),
        ("a.json", b"[1]", ("text", "text")),
        ("a.json", b"{", ("text", "text")),
        ("a.json", b"\xff", ("text", "text")),
        ("a.json", b"[" * 100_000, ("text", "text")),
    ],
)
def test_a_file_becomes_what_its_name_and_its_content_say(
    file_name: str, data: bytes, expected: tuple[str, str]
) -> None:
    assert import_kind(file_name, data) == expected


def test_unknown_names_are_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownFormat, match="format is 'pdf', expected one of text, markdown, html, json, yjs"):
        check_format("pdf")
    with pytest.raises(UnknownFormat, match="kind is 'sheet', expected one of rich, text"):
        check_kind("sheet")
