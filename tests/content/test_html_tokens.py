import time

import pytest

from collabdoc.content.html_tokens import Characters, EndTag, StartTag, Token, tokenize


@pytest.mark.parametrize(
    ("markup", "tokens"),
    [
        ("a<b>c</b>", [Characters("a"), StartTag("b", {}), Characters("c"), EndTag("b")]),
        ("<A HREF=x Title='y z' x = \"1>2\" d>", [StartTag("a", {"href": "x", "title": "y z", "x": "1>2", "d": ""})]),
        ("<a b=1 b=2>", [StartTag("a", {"b": "1"})]),
        ("<br/><br / ><a b=c/>", [StartTag("br", {}, True), StartTag("br", {}), StartTag("a", {"b": "c/"})]),
        ("<a/b//c>", [StartTag("a", {"b": "", "c": ""})]),
        ("<a =b>", [StartTag("a", {"=b": ""})]),
        ("<p\n>x</p \n y>", [StartTag("p", {}), Characters("x"), EndTag("p")]),
        ("1 < 2 <3", [Characters("1 "), Characters("<"), Characters(" 2 "), Characters("<"), Characters("3")]),
        ("a</", [Characters("a"), Characters("</")]),
        ("a</>b</ c>d", [Characters("a"), Characters("b"), Characters("d")]),
        ("<!DOCTYPE html>a<!-- <b> -->b<!-->c<!--->d<?xml x?>e<![CDATA[x]]>f", [Characters(c) for c in "abcdef"]),
        ("a<!-- b", [Characters("a")]),
        ("a<b c='", [Characters("a")]),
        ("a<b c", [Characters("a")]),
        (
            "<script>a<b></scripty></SCRIPT >c",
            [StartTag("script", {}), Characters("a<b></scripty>"), EndTag("script"), Characters("c")],
        ),
        ("<title>a &amp; <b></title>", [StartTag("title", {}), Characters("a & <b>"), EndTag("title")]),
        ("<style>&amp;", [StartTag("style", {}), Characters("&amp;")]),
        (
            "&lt;&copy &notit; &#65;&#x41; &#128; &amp;amp; &x; &",
            [Characters("<\u00a9 \u00acit; AA \u20ac &amp; &x; &")],
        ),
        ("&#xD800;&#99999999999999;&#0;", [Characters("\ufffd\ufffd\ufffd")]),
        ("<a h='?a&copy=1&lt=2&copy;&copy&copyx&amp;='>", [StartTag("a", {"h": "?a&copy=1&lt=2\u00a9\u00a9&copyx&="})]),
    ],
)
def test_markup_is_read_as_browsers_read_it(markup: str, tokens: list[Token]) -> None:
    assert list(tokenize(markup)) == tokens


@pytest.mark.parametrize(
    "part",
    [
        *(
            "<",
            "<!--",
            "<a ",
            "<![CDATA[",
            "&",
            '<a href="',
            "<!",
            "</",
            "</a ",
            "<?",
            "<a b=c ",
            "<script>",
            "</script ",
        ),
        *("<textarea>", "&#", "<a b='", "<a/", "<a =", "&#x1", "--!", "<a\n"),
    ],
)
def test_the_time_grows_with_the_length_alone(part: str) -> None:
    def seconds(count: int) -> float:
        markup = part * count
        start = time.process_time()
        for _ in tokenize(markup):
            pass
        return time.process_time() - start

    # In the square it would be 100 times as long.
    assert seconds(50_000) < 40 * max(seconds(5_000), 0.002)
