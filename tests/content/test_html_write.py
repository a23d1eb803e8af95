import re

import pytest
from hypothesis import given

from collabdoc.content.fit import fit_document
from collabdoc.content.html_read import read_html
from collabdoc.content.html_tokens import StartTag, tokenize
from collabdoc.content.html_write import escape, write_page, write_text_page
from collabdoc.content.tree import Element, Mark, Node, Text
from tests.content.trees import br, doc, documents, h, hr, li, link, ol, p, pre, quote, some_trees, t, ul


def body(document: Element) -> str:
    page = write_page(document, None)
    return page[page.index("<body>\n") + 7 : page.index("\n</body>")]


@given(documents)
@some_trees
def test_a_tree_written_and_read_is_the_same(document: Element) -> None:
    assert fit_document(read_html(write_page(document, None)).nodes) == document


def test_the_page_is_complete() -> None:
    page = write_page(doc(p("a")), "A <Title> & more")
    assert page.startswith('<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n')
    assert "<title>A &lt;Title&gt; &amp; more</title>" in page
    assert "default-src &#39;none&#39;" in page
    assert read_html(page).title == "A <Title> & more"


@pytest.mark.parametrize(
    ("block", "html"),
    [
        (h(3, "a"), "<h3>a</h3>"),
        (p("a", br, "b", br), "<p>a<br>b<br><br></p>"),
        (p(), "<p><br></p>"),
        (p("a  b"), '<p style="white-space: pre-wrap">a  b</p>'),
        (p("a", br, " b"), '<p style="white-space: pre-wrap">a<br> b</p>'),
        (ul(li(p("a")), li(p("b"), hr)), "<ul><li><p>a</p></li>\n<li><p>b</p>\n<hr></li></ul>"),
        (ol(li(p()), start=2, type="a"), '<ol start="2" type="a"><li><p><br></p></li></ol>'),
        (quote(p("a")), "<blockquote><p>a</p></blockquote>"),
        (pre("a<b\n", "c++"), '<pre>\n<code class="language-c++">a&lt;b\n</code></pre>'),
        (p(t("a", "bold", "italic"), t("b", "bold")), "<p><strong><em>a</em>b</strong></p>"),
        (p(t("a", "code"), t("b", "strike", "underline")), "<p><code>a</code><s><u>b</u></s></p>"),
        (
            p(t("a", link('/x?a=1&b="2"', "t", **{"class": "c"}))),
            '<p><a href="/x?a=1&amp;b=&quot;2&quot;" target="_blank" rel="noopener noreferrer nofollow" class="c" '
            'title="t">a</a></p>',
        ),
        (p(t("a", link("/x", target=None, rel="me"))), '<p><a href="/x" rel="noopener noreferrer nofollow">a</a></p>'),
    ],
)
def test_blocks_and_marks(block: Node, html: str) -> None:
    assert body(doc(block)) == html


ATTACKS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title></style></pre></p><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onmouseover='alert(1)' x='",
    "--><svg onload=alert(1)>",
    "\x00<\x00script>",
    "&lt;script&gt;",
    "]]><script>",
]


def is_harmless(page: str) -> bool:
    tags = [token for token in tokenize(page) if isinstance(token, StartTag)]
    allowed = {
        *("html", "head", "meta", "title", "style", "body", "p", "h1", "pre", "code", "a", "ol", "li", "br", "strong"),
    }
    attrs = {"charset", "http-equiv", "content", "name", "class", "href", "target", "rel", "title", "style", "type"}
    return all(tag.name in allowed and set(tag.attrs) <= attrs for tag in tags) and not any(
        re.match(r"\s*(javascript|data|vbscript)", tag.attrs.get("href", ""), re.IGNORECASE) for tag in tags
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_string_of_the_document_leaves_its_place(attack: str) -> None:
    evil = Mark("link", {"href": f"/{attack}", "target": attack, "rel": attack, "class": attack, "title": attack})
    document = doc(
        h(1, attack),
        p(Text(attack, (evil, Mark("bold"))), t(attack, "code")),
        pre(attack, attack),
        ol(li(p(attack)), type=attack),
    )
    assert is_harmless(write_page(document, attack))
    assert is_harmless(write_text_page(attack, attack))


@pytest.mark.parametrize("href", ["javascript:alert(1)", "data:text/html,<script>", "java\nscript:x", " vbscript:x"])
def test_a_link_that_is_not_safe_leads_nowhere_even_in_a_tree_that_nobody_fitted(href: str) -> None:
    page = write_page(doc(p(t("a", link(href)))), None)
    assert is_harmless(page)
    assert "href" not in page.partition("<body>")[2]


def test_plain_text_is_shown_as_it_is() -> None:
    page = write_text_page("\na <b>\n  c", None)
    assert '<pre class="whole">\n\na &lt;b&gt;\n  c</pre>' in page
    assert fit_document(read_html(page).nodes) == doc(pre("\na <b>\n  c"))


def test_every_character_with_a_meaning_is_escaped() -> None:
    assert escape("<>&\"'\r\0") == "&lt;&gt;&amp;&quot;&#39;&#13;\ufffd"
