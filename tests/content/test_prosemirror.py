from typing import Any

import pytest
from hypothesis import given

from collabdoc.content import prosemirror
from collabdoc.content.errors import ContentTooLarge, InvalidContent
from collabdoc.content.prosemirror import read_document, write_node
from collabdoc.content.tree import Element
from tests.content.trees import br, doc, documents, h, li, link, p, quote, some_trees, t, ul


def wrap(*blocks: object) -> dict[str, Any]:
    return {"type": "doc", "content": list(blocks)}


def para(*inline: object) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(inline)}


@given(documents)
@some_trees
def test_a_tree_written_and_read_is_the_same(document: Element) -> None:
    assert read_document(write_node(document)) == document


def test_the_json_is_that_of_prosemirror() -> None:
    assert write_node(doc(h(2, t("a", "bold"), br))) == wrap(
        {
            "type": "heading",
            "attrs": {"level": 2},
            "content": [{"type": "text", "text": "a", "marks": [{"type": "bold"}]}, {"type": "hardBreak"}],
        }
    )


def test_attributes_left_out_have_their_defaults_and_marks_of_breaks_are_dropped() -> None:
    mark = {"type": "link", "attrs": {"href": "/x"}}
    value = wrap(
        {"type": "heading"},
        para({"type": "text", "text": "a", "marks": [mark]}, {"type": "hardBreak", "marks": [mark]}),
    )
    assert read_document(value) == doc(h(1), p(t("a", link("/x")), br))


def test_a_whole_float_is_a_whole_number() -> None:
    level = read_document(wrap({"type": "heading", "attrs": {"level": 2.0}})).content[0]
    assert isinstance(level, Element)
    assert type(level.attrs["level"]) is int


TEXT = {"type": "text", "text": "a"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "doc is missing, expected an object"),
        ([], "doc is [], expected an object"),
        (para(), "doc.type is 'paragraph', expected 'doc'"),
        (wrap(), "doc.content is empty, but a doc holds one or more blocks"),
        ({"type": "doc", "content": "x"}, "doc.content is 'x', expected a list of nodes"),
        (wrap(para(TEXT), {"type": "table"}), "doc.content[1].type is 'table', expected one of text, doc"),
        (wrap({"type": ["x"]}), "doc.content[0].type is ['x'], expected"),
        (wrap(TEXT), "doc.content[0] is a text, but a doc holds one or more blocks"),
        (wrap(wrap(para())), "doc.content[0] is a doc, but"),
        (wrap(para(para())), "doc.content[0].content[0] is a paragraph, but a paragraph holds text and hardBreak"),
        (wrap({"type": "bulletList", "content": [para()]}), "but a bulletList holds one or more listItem nodes"),
        (wrap({"type": "bulletList"}), "doc.content[0].content is empty"),
        (wrap({"type": "horizontalRule", "content": [TEXT]}), "but a horizontalRule holds no content"),
        (
            wrap({"type": "heading", "attrs": {"level": "2"}}),
            "doc.content[0].attrs.level is '2', expected a whole number",
        ),
        (wrap({"type": "heading", "attrs": {"level": 7}}), "doc.content[0].attrs.level is 7, expected"),
        (wrap({"type": "heading", "attrs": {"level": True}}), "attrs.level is True, expected"),
        (wrap({"type": "heading", "attrs": {"level": {}}}), "attrs.level is {}, expected"),
        (wrap({"type": "heading", "attrs": {"size": 7}}), "doc.content[0].attrs has 'size', expected only level"),
        (wrap({"type": "paragraph", "attrs": {"x": 1}}), "doc.content[0].attrs has 'x', expected only nothing"),
        (wrap({"type": "paragraph", "style": "x"}), "doc.content[0] has 'style', expected only attrs"),
        (wrap(para({"type": "text", "text": ""})), "doc.content[0].content[0].text is '', expected a string"),
        (
            wrap(para({"type": "text", "text": "a\ud800"})),
            "content[0].text has half of a surrogate pair at character 1",
        ),
        (wrap(para({**TEXT, "marks": [{"type": "glow"}]})), "content[0].marks[0].type is 'glow', expected one of link"),
        (wrap(para({**TEXT, "marks": "bold"})), "content[0].marks is 'bold', expected a list of marks"),
        (
            wrap(para({**TEXT, "marks": [{"type": "code"}, {"type": "bold"}]})),
            "content[0].marks holds code, bold, which one text cannot bear together",
        ),
        (
            wrap(para({**TEXT, "marks": [{"type": "link", "attrs": {"href": "javascript:alert(1)"}}]})),
            "marks[0].attrs.href is 'javascript:alert(1)', expected a relative link",
        ),
        (
            wrap({"type": "codeBlock", "content": [{**TEXT, "marks": [{"type": "bold"}]}]}),
            "doc.content[0].content[0].marks is not empty, but the text of a codeBlock has no marks",
        ),
    ],
)
def test_what_the_schema_does_not_know_is_refused_with_its_place(value: object, message: str) -> None:
    with pytest.raises(InvalidContent) as caught:
        read_document(value)
    assert message in str(caught.value)


def test_a_list_item_begins_with_a_paragraph() -> None:
    with pytest.raises(InvalidContent, match="but a listItem holds a paragraph and then blocks"):
        read_document(write_node(doc(ul(li(h(1))))))


def test_nesting_is_bounded() -> None:
    tree: Element = p("a")
    for _ in range(98):
        tree = quote(tree)
    assert read_document(write_node(doc(tree))) == doc(tree)
    with pytest.raises(ContentTooLarge, match=r"nested deeper than 100"):
        read_document(write_node(doc(quote(quote(tree)))))


def test_the_number_of_nodes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prosemirror, "MAX_NODES", 10)
    read_document(wrap(*[para()] * 9))
    with pytest.raises(ContentTooLarge, match="more than 10 nodes"):
        read_document(wrap(*[para()] * 10))
