import pytest

from collabdoc.content.errors import ContentTooLarge
from collabdoc.content.fit import fit_document
from collabdoc.content.markdown_read import read_markdown
from collabdoc.content.tree import Element, Node, plain_text
from tests.content.trees import br, doc, h, hr, li, link, ol, p, pre, quote, t, ul


def read(source: str) -> Element:
    return fit_document(read_markdown(source))


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("# a\n\nb\nc\n===\n\n***", [h(1, "a"), h(1, "b c"), hr]),
        ("- a\n- b\n  1. c\n\n3) d", [ul(li(p("a")), li(p("b"), ol(li(p("c"))))), ol(li(p("d")), start=3)]),
        ("0. a", [ol(li(p("a")), start=0)]),
        ("> a\nb\n\nc", [quote(p("a b")), p("c")]),
        ("```py x=1\na\n\nb\n```\n\n    c\n", [pre("a\n\nb", "py"), pre("c")]),
        ("| a | b\\|c |\n|---|---|\n| **d** | e |", [pre("| a | b\\|c |\n| --- | --- |\n| **d** | e |")]),
        ("<div>\n<h2>a</h2>\n<script>x</script></div>\n\nb", [h(2, "a"), p("b")]),
        ("<!-- a -->\n\nb", [p("b")]),
        ("- [ ] a", [ul(li(p("[ ] a")))]),
        ("[a]: /x\n\n[a]", [p(t("a", link("/x")))]),
        ("", [p()]),
    ],
)
def test_blocks(source: str, blocks: list[Node]) -> None:
    assert read(source) == doc(*blocks)


@pytest.mark.parametrize(
    ("source", "inline"),
    [
        (
            "**a _b_** ~~c~~ `d`",
            [t("a ", "bold"), t("b", "bold", "italic"), t(" "), t("c", "strike"), t(" "), t("d", "code")],
        ),
        ("a  \nb\\\nc<br/>d\ne", [t("a"), br, t("b"), br, t("c"), br, t("d e")]),
        ("[a **b**](/x 'y')", [t("a ", link("/x", "y")), t("b", link("/x", "y"), "bold")]),
        (
            "<http://x.y/\u00e9> <a@b.c>",
            [t("http://x.y/\u00e9", link("http://x.y/\u00e9")), t(" "), t("a@b.c", link("mailto:a@b.c"))],
        ),
        (
            "a <u>b *c</u> d* <x>e</x>",
            [t("a "), t("b ", "underline"), t("c", "italic", "underline"), t(" d", "italic"), t(" e")],
        ),
        ("![a *b*](/x.png)", [t("a *b*", link("/x.png"))]),
        ("![](/x.png)![](javascript:x)", [t("/x.png", link("/x.png"))]),
        ("[![a](/x.png)](/y)", [t("a", link("/y"))]),
        ("&copy; &#97; \\*", [t("\u00a9 a *")]),
        ("http://x.y www.x.y", [t("http://x.y www.x.y")]),
    ],
)
def test_marks(source: str, inline: list[Node]) -> None:
    assert read(source) == doc(p(*inline))


@pytest.mark.parametrize(
    "source",
    [
        "[a](javascript:alert(1))",
        "[a](<java&#10;script:alert(1)>)",
        "[a](data:text/html,x)",
        "[a][x]\n\n[x]: JAVASCRIPT:alert(1)",
        "<div><a href='javascript:alert(1)' onclick=x>a</a></div>",
        "a<script src=x></script>",
    ],
)
def test_nothing_that_could_run_is_kept(source: str) -> None:
    assert read(source) == doc(p("a"))


def test_what_is_nested_too_deep_is_refused_rather_than_left_out() -> None:
    assert plain_text([read("> " * 100 + "a")]) == "a"
    with pytest.raises(ContentTooLarge, match="line 3 is nested deeper than 110 blocks"):
        read_markdown("a\n\n" + "> " * 200 + "a")
    with pytest.raises(ContentTooLarge, match="nested deeper"):
        read_markdown("- " * 200 + "a")
