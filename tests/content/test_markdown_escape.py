import pytest

from collabdoc.content.markdown_escape import (
    CharClass,
    char_class,
    code_span,
    escape_line_end,
    escape_line_start,
    escape_prose,
    link_end,
)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a*b_c`d[e]<f~g\\", "a\\*b_c\\`d\\[e\\]\\<f\\~g\\\\"),
        ("snake_case_name _x_", "snake_case_name \\_x\\_"),
        ("AT&T &amp; &#1; &x", "AT&T \\&amp; \\&#1; &x"),
        ("a\nb\rc", "a&#10;b&#13;c"),
        ("plain > text! (yes) #1", "plain > text! (yes) #1"),
    ],
)
def test_prose_is_escaped_where_it_could_mean_more(text: str, escaped: str) -> None:
    assert escape_prose(text) == escaped


@pytest.mark.parametrize(
    ("line", "escaped"),
    [
        ("# a", "\\# a"),
        ("#a", "#a"),
        ("####### a", "####### a"),
        ("> a", "\\> a"),
        ("- a", "\\- a"),
        ("-5", "-5"),
        ("---", "\\---"),
        ("=", "\\="),
        ("+", "\\+"),
        ("| a", "\\| a"),
        (":-", "\\:-"),
        ("12. a", "12\\. a"),
        ("12.5", "12.5"),
        ("1)", "1\\)"),
        ("1234567890. a", "1234567890. a"),
        (" a", "&#32;a"),
        ("\ta", "&#9;a"),
        ("a", "a"),
    ],
)
def test_a_line_begins_no_block(line: str, escaped: str) -> None:
    assert escape_line_start(line) == escaped


def test_a_space_at_the_end_of_a_line_is_kept() -> None:
    assert escape_line_end("a  ") == "a &#32;"
    assert escape_line_end("a") == "a"


@pytest.mark.parametrize(
    ("code", "span"),
    [
        ("a", "`a`"),
        ("a`b", "``a`b``"),
        ("`a``", "``` `a`` ```"),
        (" a ", "`  a  `"),
        (" a", "` a`"),
        ("  ", "`  `"),
        ("a\nb", "`a b`"),
    ],
)
def test_a_code_span_holds_its_backticks_and_spaces(code: str, span: str) -> None:
    assert code_span(code) == span


@pytest.mark.parametrize(
    ("href", "title", "end"),
    [
        ("/x", None, "](/x)"),
        ("/x", 'a "b"\\', '](/x "a \\"b\\"\\\\")'),
        ("/a b(c)", None, "](</a b(c)>)"),
        ("<x>\n", "", "](<\\<x\\>%0A>)"),
        ("/?a&amp;b&c=1", None, "](/?a\\&amp;b&c=1)"),
    ],
)
def test_a_link_ends_with_its_address_and_title(href: str, title: str | None, end: str) -> None:
    assert link_end(href, title) == end


@pytest.mark.parametrize(
    ("chars", "expected"),
    [
        (" \t\n\u00a0\u3000", CharClass.SPACE),
        ("*.&\u00bf\u3002$+", CharClass.PUNCTUATION),
        ("\u20ac\U0001f600\x85\u2028", CharClass.UNCERTAIN),
        ("a1\u00e9\u4e2d\u0301\u200d", CharClass.WORD),
    ],
)
def test_characters_have_the_class_that_flanking_asks_for(chars: str, expected: CharClass) -> None:
    assert {char_class(char) for char in chars} == {expected}
