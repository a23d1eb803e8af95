import pytest

from collabdoc.content.fit import fit_document
from collabdoc.content.html_read import read_html
from collabdoc.content.tree import Element, Mark, Node
from tests.content.trees import br, doc, h, hr, li, link, ol, p, pre, quote, t, ul


def read(markup: str) -> Element:
    return fit_document(read_html(markup).nodes)


@pytest.mark.parametrize(
    ("markup", "blocks"),
    [
        ("<h1>a</h1><h6>b</h6><p>c</p><hr>", [h(1, "a"), h(6, "b"), p("c"), hr]),
        ("<ul><li>a<li><p>b</p><p>c</p></ul>", [ul(li(p("a")), li(p("b"), p("c")))]),
        ("<ol start=3 type=a><li>a</ol><ol start=x><li>b</ol>", [ol(li(p("a")), start=3, type="a"), ol(li(p("b")))]),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", [ul(li(p("a"), ul(li(p("b")))), li(p("c")))]),
        ("<ul><li>a</li><ul><li>b</li></ul></ul>", [ul(li(p("a"), ul(li(p("b")))))]),
        ("<blockquote>a<p>b</blockquote>c", [quote(p("a"), p("b")), p("c")]),
        ("<pre>\na  b\n\tc</pre>", [pre("a  b\n\tc")]),
        ("<pre><code class='x language-py'>\na &lt; <b>b</b>\n</code></pre>", [pre("\na < b\n", "py")]),
        ("<pre class=language-js>a<br>b</pre>", [pre("a\nb", "js")]),
        ("<p>a<br>b<br></p>", [p("a", br, "b")]),
        ("<p><br></p><p></p>", [p(), p()]),
        ("<p>a<p>b<div>c</div>d", [p("a"), p("b"), p("c"), p("d")]),
        ("<h1>a<h2>b</h1>c", [h(1, "a"), h(2, "b"), p("c")]),
        ("<dl><dt>a<dd>b<dt>c</dl>", [p("a"), p("b"), p("c")]),
        ("<section><article><custom-tag>a</custom-tag></article></section>", [p("a")]),
        (
            "<table><caption>t</caption><tr><th>a<th>b<tr><td>c</td> <td>d</td></table>",
            [p("t"), p("a | b"), p("c | d")],
        ),
        ("<input type=checkbox checked> done <input type=checkbox>to do<input>", [p("[x] done [ ] to do")]),
        ("a</p></div></b></ul>b", [p("ab")]),
        ("", [p()]),
        (" \n ", [p()]),
        ("<li>a<li>b", [ul(li(p("a")), li(p("b")))]),
        ("<html><head><title>x</title><meta charset=utf-8><body>a", [p("a")]),
        (
            "<template>x</template><noscript>y</noscript><svg><text>z</text></svg><svg/>a<select><option>b</select>c",
            [p("ac")],
        ),
    ],
)
def test_blocks(markup: str, blocks: list[Node]) -> None:
    assert read(markup) == doc(*blocks)


@pytest.mark.parametrize(
    ("markup", "inline"),
    [
        ("<b>a</b><strong>b</strong>", [t("ab", "bold")]),
        ("<i>a<u>b</i>c</u>", [t("a", "italic"), t("b", "italic", "underline"), t("c", "underline")]),
        ("<s>a</s><del>b</del><ins>c</ins><kbd>d</kbd>", [t("ab", "strike"), t("c", "underline"), t("d", "code")]),
        ("<b>a<code>b</code></b>", [t("a", "bold"), t("b", "code")]),
        ("<b style='font-weight:normal'>a</b><span style='font-weight: 700'>b</span>", [t("a"), t("b", "bold")]),
        (
            "<span style='font-style:italic;text-decoration: underline line-through'>a</span>",
            [t("a", "italic", "strike", "underline")],
        ),
        ("<a href=/x title=y>a</a>", [t("a", link("/x", "y"))]),
        ("<a href=/x>a<a href=/y>b</a>c", [t("a", link("/x")), t("b", link("/y")), t("c")]),
        ("<a name=x>a</a><a href=''>b</a>", [t("ab")]),
        (
            "<a href=/x target=_self rel=me class=c>a</a>",
            [t("a", link("/x", target="_self", rel="me", **{"class": "c"}))],
        ),
        ("<img src=/x.png alt='a b'>", [t("a b", link("/x.png"))]),
        ("<img src=http://x/y.png>", [t("http://x/y.png", link("http://x/y.png"))]),
        ("a<img src=/x.png alt=''><img src=javascript:x alt=b>", [t("ab")]),
        ("<a href=/y><img src=/x.png alt=a></a>", [t("a", link("/y"))]),
    ],
)
def test_marks(markup: str, inline: list[Node]) -> None:
    assert read(markup) == doc(p(*inline))


def test_marks_left_open_go_on_in_the_next_block() -> None:
    assert read("<p><b>a<p>b</b>c") == doc(p(t("a", "bold")), p(t("b", "bold"), t("c")))


@pytest.mark.parametrize(
    ("markup", "inline"),
    [
        ("<p>\n  a \t\n b  </p>", [t("a b")]),
        ("<p>a <b> b </b> c</p>", [t("a "), t("b ", "bold"), t("c")]),
        ("<p>a <br> b</p>", [t("a"), br, t("b")]),
        ("<p>a\u00a0 \u00a0b</p>", [t("a\u00a0 \u00a0b")]),
        ("<p style='white-space: pre-wrap'> a  b\n</p>", [t(" a  b\n")]),
        ("<div style='color:red;white-space:break-spaces;'>\n<p>a  b</p>\n</div>", [t("a  b")]),
        ("<p style='white-space: nowrap'>a  b</p>", [t("a b")]),
    ],
)
def test_white_space_collapses_as_in_browsers(markup: str, inline: list[Node]) -> None:
    assert read(markup) == doc(p(*inline))


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>a",
        "<SCRIPT SRC=//x></SCRIPT>a",
        "<style>*{}</style>a",
        "<iframe srcdoc='<script>x</script>'></iframe>a",
        "<a href='javascript:alert(1)'>a</a>",
        "<a href='jav&#x09;ascript:alert(1)'>a</a>",
        "<a href=' &#1;JAVASCRIPT&colon;alert(1)'>a</a>",
        "<a href='data:text/html,<script>x</script>'>a</a>",
        "<img src=x onerror=alert(1) alt=''>a",
        "<p onclick='x'>a</p>",
        "<svg onload=x><script>x</script><a xlink:href='javascript:x'>y</a></svg>a",
        "<object data=x>y</object><!--[if IE]><script>x</script><![endif]-->a",
    ],
)
def test_nothing_that_could_run_is_kept(markup: str) -> None:
    assert read(markup) == doc(p("a"))


def test_the_title_of_the_page_is_read_once() -> None:
    page = read_html("<svg><title>no</title></svg><title>\n A &amp;\n B </title><title>C</title>x")
    assert page.title == "A & B"
    assert read_html("<p>x</p>").title is None


def test_nesting_without_end_keeps_its_text() -> None:
    document = read("<div>" * 5000 + "<blockquote>" * 5000 + "<b>" * 5000 + "a")
    (node,) = document.content
    while isinstance(node, Element):
        (node,) = node.content
    assert node == t("a", Mark("bold"))
