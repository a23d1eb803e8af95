import pytest
from hypothesis import given

from collabdoc.content.fit import fit_document
from collabdoc.content.markdown_read import read_markdown
from collabdoc.content.markdown_write import write_markdown
from collabdoc.content.tree import Element, Node
from tests.content.trees import (
    br,
    doc,
    documents,
    h,
    hr,
    li,
    ol,
    p,
    pre,
    quote,
    sayable,
    some_trees,
    t,
    ul,
)


@given(documents.map(sayable))
@some_trees
def test_a_tree_written_and_read_is_the_same(document: Element) -> None:
    assert fit_document(read_markdown(write_markdown(document))) == document


@pytest.mark.parametrize(
    ("blocks", "source"),
    [
        ([h(2, "a"), p("b"), hr, p("c", br, "d")], "## a\n\nb\n\n---\n\nc\\\nd\n"),
        ([h(1)], "#\n"),
        ([ul(li(p("a")), li(p("b")))], "- a\n- b\n"),
        ([ul(li(p("a"), ul(li(p("b"), ol(li(p("c")))))))], "- a\n  - b\n    1. c\n"),
        ([ul(li(p("a"), p("b")), li(p("c")))], "- a\n\n  b\n\n- c\n"),
        ([ul(li(p("a"), ol(li(p("b")), start=2)))], "- a\n\n  2. b\n"),
        ([ul(li(p("a"), ul(li(p()))))], "- a\n\n  -\n"),
        ([ul(li(p(), h(1, "a")))], "-\n  # a\n"),
        ([ul(li(p())), ul(li(p("a"))), ul(li(p("b")))], "-\n\n+ a\n\n- b\n"),
        ([ol(li(p("a")), li(p("b")), start=9), ol(li(p("c")))], "9. a\n10. b\n\n1) c\n"),
        ([ol(li(p("a")), start=-3)], "1. a\n"),
        ([ol(li(p("a")), li(p("b")), start=999_999_999)], "999999999. a\n999999999. b\n"),
        ([quote(p("a"), quote(p("b"))), quote(p())], "> a\n>\n> > b\n\n>\n"),
        ([pre("a\n\n b\n", "py")], "```py\na\n\n b\n\n```\n"),
        ([pre()], "```\n```\n"),
        ([pre("```\n", "x`y z")], "~~~x`y\n```\n\n~~~\n"),
        ([pre("````")], "`````\n````\n`````\n"),
        ([ul(li(p("a"), pre("b\n\nc")))], "- a\n\n  ```\n  b\n\n  c\n  ```\n"),
        ([p(), p("a"), p(), p()], "a\n"),
        ([p()], ""),
        ([p(t("a", "bold")), p("1. b")], "**a**\n\n1\\. b\n"),
    ],
)
def test_blocks(blocks: list[Node], source: str) -> None:
    assert write_markdown(doc(*blocks)) == source
