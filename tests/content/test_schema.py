import pytest

from collabdoc.content.schema import MARKS, NODES, Attr, AttrType, coerce, is_safe_href, is_valid, mark_name
from collabdoc.content.tree import AttrValue


def test_the_names_are_those_of_the_editor() -> None:
    assert set(NODES) == {
        *("doc", "paragraph", "heading", "bulletList", "orderedList", "listItem"),
        *("blockquote", "codeBlock", "horizontalRule", "hardBreak"),
    }
    assert list(MARKS) == ["link", "bold", "code", "italic", "strike", "underline"]


@pytest.mark.parametrize(
    ("stored", "name"),
    [("bold", "bold"), ("comment--aGFzaGVk", "comment"), ("a--b", "a--b"), ("x--aGFzaGVkLL", "x--aGFzaGVkLL")],
)
def test_the_hash_of_an_overlapping_mark_is_no_part_of_its_name(stored: str, name: str) -> None:
    assert mark_name(stored) == name


@pytest.mark.parametrize(
    "href",
    [
        *("http://a.b", "HTTPS://a.b", "mailto:a@b.c", "tel:+123", "//a.b/c", "/a:b", "a/b:c", "#a:b", "?a:b"),
        *("./a:b", "../x", "page.html", "\u00e9"),
    ],
)
def test_links_to_pages_mails_and_calls_are_safe(href: str) -> None:
    assert is_safe_href(href)


@pytest.mark.parametrize(
    "href",
    [
        *("javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:x", "java\tscript:x", "java\nscript:x"),
        *("\x01javascript:x", "\u200bjavascript:x", "javascript\u00ad:x", "data:text/html,<script>", "vbscript:x"),
        *("file:///etc/passwd", "blob:x", "ftp://x", "1:x", ":x", "javascript&colon;x:"),
    ],
)
def test_links_that_could_do_anything_else_are_not_safe(href: str) -> None:
    assert not is_safe_href(href)


@pytest.mark.parametrize(
    ("type", "value", "nearest"),
    [
        (AttrType.LEVEL, "2", 2),
        (AttrType.LEVEL, 9, 6),
        (AttrType.LEVEL, 0, 1),
        (AttrType.LEVEL, True, 1),
        (AttrType.LEVEL, 2.5, 1),
        (AttrType.LEVEL, "two", 1),
        (AttrType.INTEGER, 3.0, 3),
        (AttrType.INTEGER, 2**60, 1),
        (AttrType.INTEGER, float("inf"), 1),
        (AttrType.TEXT, 7, 1),
        (AttrType.TEXT, "x", "x"),
    ],
)
def test_an_attribute_becomes_the_nearest_valid_value_or_its_default(
    type: AttrType, value: AttrValue, nearest: AttrValue
) -> None:
    assert coerce(Attr(type, 1), value) == nearest


def test_a_boolean_is_no_number() -> None:
    assert not is_valid(Attr(AttrType.LEVEL), True)
    assert is_valid(Attr(AttrType.LEVEL), 1)


def test_a_link_to_nothing_is_not_valid() -> None:
    assert not is_valid(Attr(AttrType.HREF), " ")
    assert not is_valid(Attr(AttrType.HREF), None)
