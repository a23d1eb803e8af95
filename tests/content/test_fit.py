import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabdoc.content.fit import fit_document, fit_marks
from collabdoc.content.prosemirror import read_document, write_node
from collabdoc.content.schema import MAX_DEPTH, NODES
from collabdoc.content.tree import Element, Mark, Node, Text, plain_text
from tests.content.trees import (
    br,
    doc,
    documents,
    h,
    hr,
    li,
    link,
    mark_sets,
    ol,
    p,
    pre,
    quote,
    some_trees,
    t,
    texts,
    ul,
)


def wild(name: str, *content: Node) -> Element:
    return Element(name, {}, content)


@given(documents)
@some_trees
def test_a_valid_tree_comes_back_equal(document: Element) -> None:
    assert fit_document(document.content) == document


names = st.sampled_from([*NODES, "callout", "mention", "text"])
wild_trees: st.SearchStrategy[Node] = st.recursive(
    st.one_of(st.builds(Text, texts, mark_sets()), st.builds(Element, names)),
    lambda nodes: st.builds(
        Element,
        names,
        st.dictionaries(st.sampled_from(["level", "start"]), st.integers()),
        st.lists(nodes, max_size=3).map(tuple),
    ),
    max_leaves=10,
)


@given(st.lists(wild_trees, max_size=4))
@some_trees
def test_any_tree_becomes_valid_and_keeps_its_text(nodes: list[Node]) -> None:
    document = fit_document(nodes)
    assert read_document(write_node(document)) == document
    assert plain_text([document]).replace("\n", "") == plain_text(nodes).replace("\n", "")


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([], [p()]),
        ([t("a"), br, t("b")], [p("a", br, "b")]),
        ([wild("callout", p("a"), hr)], [p("a"), hr]),
        ([wild("title", t("a")), wild("title", t("b"))], [p("a"), p("b")]),
        ([p(t("a"), wild("mention", t("b")))], [p("ab")]),
        ([li(p("a")), li(p("b")), p("c")], [ul(li(p("a")), li(p("b"))), p("c")]),
        ([ul(li(p("a")), ul(li(p("b"))))], [ul(li(p("a"), ul(li(p("b")))))]),
        ([ul(p("a"))], [ul(li(p("a")))]),
        ([ul()], [p()]),
        ([ul(li(h(1, "a")))], [ul(li(p(), h(1, "a")))]),
        ([quote()], [quote(p())]),
        ([wild("codeBlock", t("a", "bold"), br, t("b"))], [pre("a\nb")]),
        ([Element("heading", {"level": "7", "x": 1})], [h(6)]),
        ([wild("orderedList", li(p("a")))], [ol(li(p("a")))]),
        ([wild("doc", p("a"))], [p("a")]),
    ],
)
def test_what_does_not_belong_is_wrapped_unwrapped_or_completed(nodes: list[Node], expected: list[Node]) -> None:
    assert fit_document(nodes) == doc(*expected)


def test_marks_are_known_once_and_in_the_order_of_the_editor() -> None:
    marks = [Mark("italic"), Mark("glow"), Mark("bold"), Mark("bold"), Mark("link", {"href": "/x", "onclick": "y"})]
    assert fit_marks(marks) == (link("/x"), Mark("bold"), Mark("italic"))


def test_code_bears_no_other_mark() -> None:
    assert fit_marks([Mark("bold"), Mark("code"), link("/x")]) == (Mark("code"),)


def test_a_link_that_is_not_safe_is_no_link() -> None:
    assert fit_marks([link("javascript:alert(1)"), Mark("bold")]) == (Mark("bold"),)


def test_what_is_nested_too_deep_becomes_paragraphs() -> None:
    tree: Element = p("deep")
    for _ in range(3000):
        tree = ul(li(p("x"), tree))
    document = fit_document([tree])
    assert read_document(write_node(document)) == document
    assert plain_text([document]) == "x" * 3000 + "deep"
    assert MAX_DEPTH == 100
