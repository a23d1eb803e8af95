import pytest

from collabdoc.content.errors import InvalidContent
from collabdoc.content.plain import decode_text, read_plain, write_plain
from tests.content.trees import br, doc, h, hr, li, ol, p, pre, quote, t, ul


def test_a_byte_order_mark_is_dropped_and_line_ends_are_newlines() -> None:
    assert decode_text(b"\xef\xbb\xbfa\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"abc\xff", "byte 3 is 0xff, which is not UTF-8 there"),
        (b"\xef\xbb\xbfab\xc3", "byte 5 is 0xc3, which is not UTF-8 there"),
        (b"\xed\xa0\x80", "byte 0 is 0xed"),
    ],
)
def test_bytes_that_are_not_utf_8_are_named(data: bytes, message: str) -> None:
    with pytest.raises(InvalidContent, match=message):
        decode_text(data)


def test_rich_text_is_written_as_people_type_it() -> None:
    document = doc(
        h(1, "Title"),
        p("one", br, t("two", "bold")),
        ul(li(p("a"), ul(li(p("b")))), li(p("c"), p("d"))),
        ol(li(p("nine")), li(p("ten")), start=9),
        quote(p("said"), p("more")),
        pre("x = 1\n\ny"),
        hr,
        p(),
        p("end"),
    )
    assert write_plain(document) == (
        "Title\n\none\ntwo\n\n- a\n  - b\n- c\n\n  d\n\n9. nine\n10. ten\n\n> said\n>\n> more\n\n"
        "x = 1\n\ny\n\n---\n\n\n\nend\n"
    )


def test_an_empty_document_is_an_empty_text() -> None:
    assert write_plain(doc(p())) == ""


def test_lines_become_paragraphs_where_a_blank_one_parts_them() -> None:
    assert read_plain("a\nb\n\n \nc\n") == (p("a", br, "b"), p("c"))
    assert read_plain("") == ()
