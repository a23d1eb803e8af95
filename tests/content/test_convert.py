import json

import pytest
from hypothesis import given

from collabdoc.content import (
    FORMATS,
    ContentError,
    ContentTooLarge,
    InvalidContent,
    UnknownFormat,
    export_document,
    import_content,
)
from collabdoc.content.fragment import make_rich
from collabdoc.content.tree import Element
from collabdoc.errors import CollabdocError, DocumentBroken
from collabdoc.protocol.update import check_update
from tests.content.test_fragment import FROZEN, frozen
from tests.content.trees import documents, some_trees

SOURCE = "# T\u00eftle\n\nSome **bold \U0001f600** text:\n\n- one\n- two\n"


def test_markdown_becomes_rich_text_and_comes_back() -> None:
    update = import_content(SOURCE.encode(), "markdown", kind="rich", title="T")
    check_update(update, {})
    assert export_document(update, "markdown").decode() == SOURCE
    assert export_document(update, "text").decode() == "T\u00eftle\n\nSome bold \U0001f600 text:\n\n- one\n- two\n"
    page = export_document(update, "html").decode()
    assert "<title>T</title>" in page
    assert "<strong>bold \U0001f600</strong>" in page


def test_text_is_kept_to_the_letter() -> None:
    update = import_content(b"\xef\xbb\xbf# a\r\n\tb \xf0\x9f\x98\x80", "markdown", kind="text", title="a.md")
    for format in ("text", "markdown"):
        assert export_document(update, format).decode() == "# a\n\tb \U0001f600"
    assert json.loads(export_document(update, "json")) == {
        "title": "a.md",
        "kind": "text",
        "schema": 1,
        "text": "# a\n\tb \U0001f600",
    }
    assert b"\n# a\n\tb" in export_document(update, "html")


@pytest.mark.parametrize("format", ["html", "json"])
@given(document=documents)
@some_trees
def test_an_export_imports_to_the_same_document(format: str, document: Element) -> None:
    update = make_rich(document, "Title")
    exported = export_document(update, format)
    again = import_content(exported, format, kind="rich")
    assert export_document(again, "json") == export_document(update, "json")


@pytest.mark.parametrize("name", list(FROZEN))
@pytest.mark.parametrize("format", FORMATS)
def test_every_document_of_the_editor_exports_in_every_format(name: str, format: str) -> None:
    exported = export_document(frozen(name), format)
    assert exported
    if format in ("html", "json", "markdown", "text"):
        import_content(exported, format, kind="rich")


def test_the_json_of_a_rich_document_names_its_kind_and_schema() -> None:
    exported = json.loads(export_document(frozen("every mark"), "json"))
    assert {name: exported[name] for name in ("title", "kind", "schema")} == {
        "title": "From the editor",
        "kind": "rich",
        "schema": 1,
    }
    assert exported["doc"] == FROZEN["every mark"]["doc"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_document_exports_in_every_format(format: str) -> None:
    assert isinstance(export_document(b"\x00\x00", format), bytes)


def test_the_title_given_goes_before_that_of_the_content() -> None:
    page = b"<title>Own</title><p>a"
    assert json.loads(export_document(import_content(page, "html", kind="rich"), "json"))["title"] == "Own"
    given = import_content(page, "html", kind="rich", title="Given")
    assert json.loads(export_document(given, "json"))["title"] == "Given"
    text = import_content(b'{"kind": "text", "title": "T\\ud800", "text": "a"}', "json", kind="text")
    assert json.loads(export_document(text, "json"))["title"] == "T?"


def test_an_update_is_returned_as_it_is_once_it_is_known_to_load() -> None:
    update = frozen("every node")
    assert import_content(update, "yjs", kind="text", title="ignored") == update
    assert export_document(update, "yjs") == update


@pytest.mark.parametrize(
    ("data", "format", "kind", "message"),
    [
        (b"a\xff", "markdown", "rich", "byte 1 is 0xff"),
        (b"a\xff", "text", "text", "byte 1 is 0xff"),
        (b"{\n x}", "json", "rich", "line 2, column 2 is not JSON"),
        (b"[" * 100_000, "json", "rich", "the JSON cannot be read"),
        (b"9" * 10_000, "json", "rich", "the JSON cannot be read"),
        (b'{"doc": {"type": "page"}}', "json", "rich", "doc.type is 'page'"),
        (b"[]", "json", "rich", "doc is [], expected an object"),
        (b'{"type": "doc"}', "json", "text", "the JSON has no text"),
        (b"", "yjs", "rich", "this is not the Yjs update of a whole document"),
        (b"<html>", "yjs", "rich", "this is not the Yjs update of a whole document"),
        # Two that hang or poison pycrdt.
        (bytes.fromhex("02010114840107015102010c4401090151c40102010c015100"), "yjs", "rich", "this is not"),
        (bytes.fromhex("0101090082010300010100"), "yjs", "rich", "this is not"),
    ],
)
def test_bad_input_is_refused_with_its_place(data: bytes, format: str, kind: str, message: str) -> None:
    with pytest.raises(InvalidContent) as caught:
        import_content(data, format, kind=kind)
    assert message in str(caught.value)


def test_unknown_formats_and_kinds_are_refused() -> None:
    with pytest.raises(UnknownFormat):
        export_document(b"\x00\x00", "pdf")
    with pytest.raises(UnknownFormat):
        import_content(b"", "pdf", kind="rich")
    with pytest.raises(UnknownFormat):
        import_content(b"", "text", kind="sheet")


def test_size_and_nesting_are_bounded() -> None:
    with pytest.raises(ContentTooLarge, match="has 11 bytes, expected at most 10"):
        import_content(b"a" * 11, "text", kind="text", max_bytes=10)
    with pytest.raises(ContentTooLarge, match="nested deeper"):
        import_content(b"> " * 1000, "markdown", kind="rich")


def test_errors_are_value_errors_of_the_one_tree() -> None:
    assert issubclass(ContentError, ValueError)
    assert issubclass(ContentError, CollabdocError)


def test_bytes_that_make_no_document_are_broken() -> None:
    with pytest.raises(DocumentBroken):
        export_document(b"\x07garbage", "text")
