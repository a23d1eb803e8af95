import json
from pathlib import Path

import pytest
from hypothesis import given
from pycrdt import Doc, Text, XmlElement, XmlFragment, XmlText

from collabdoc.content.fit import fit_document
from collabdoc.content.fragment import loading_fault, make_rich, make_text, read_update
from collabdoc.content.prosemirror import write_node
from collabdoc.content.tree import Element
from collabdoc.errors import DocumentBroken
from collabdoc.protocol.update import check_update
from tests.content.trees import br, doc, documents, h, hr, link, p, some_trees, t

FROZEN = {case["name"]: case for case in json.loads((Path(__file__).parent / "data" / "ytiptap.json").read_text())}


def frozen(name: str) -> bytes:
    return bytes.fromhex(FROZEN[name]["update"])


@given(documents)
@some_trees
def test_a_tree_stored_and_read_is_the_same(document: Element) -> None:
    update = make_rich(document, "Title")
    check_update(update, {})
    stored = read_update(update)
    assert (stored.kind, stored.title, stored.schema) == ("rich", "Title", 1)
    assert fit_document(stored.nodes) == document


@pytest.mark.parametrize("name", ["every node", "every mark", "characters of every width", "two people at once"])
def test_what_the_editor_stored_is_read_as_the_editor_reads_it(name: str) -> None:
    assert write_node(fit_document(read_update(frozen(name)).nodes)) == FROZEN[name]["doc"]


def test_of_unknown_nodes_and_marks_the_text_is_kept() -> None:
    stored = read_update(frozen("unknown nodes and marks"))
    assert fit_document(stored.nodes) == doc(p("beware"), hr, p(t("ask Ann"), t("!", "bold")), p(t("twice", "italic")))


def test_nodes_out_of_place_and_things_within_text_are_read_past() -> None:
    stored = read_update(frozen("nothing in its place"))
    assert fit_document(stored.nodes) == doc(h(3, t("inner "), t("w", "bold"), t("ords")), p("loose"))


def test_attributes_are_stored_with_their_types_and_without_nulls() -> None:
    doc_: Doc[XmlFragment] = Doc()
    doc_.apply_update(make_rich(doc(h(2, "a"), Element("codeBlock", {"language": None})), None))
    heading, code = doc_.get("default", type=XmlFragment).children
    assert not isinstance(heading, XmlText | XmlFragment)
    assert not isinstance(code, XmlText | XmlFragment)
    # A float is what lib0 writes as a JavaScript number; an integer could become a BigInt.
    assert repr(heading.attributes["level"]) == "2.0"
    assert len(code.attributes) == 0


def test_a_mark_is_stored_as_the_map_of_all_its_attributes() -> None:
    doc_: Doc[XmlFragment] = Doc()
    doc_.apply_update(make_rich(doc(p(t("a", "bold"), t("b", link("/x")), br, t("c"))), None))
    (paragraph,) = doc_.get("default", type=XmlFragment).children
    assert not isinstance(paragraph, XmlText)
    first, _, last = paragraph.children
    assert isinstance(first, XmlText)
    assert isinstance(last, XmlText)
    assert first.diff() == [("a", {"bold": {}}), ("b", {"link": link("/x").attrs})]
    assert last.diff() == [("c", None)]


@pytest.mark.parametrize("text", ["", "plain", "\U0001f600e\u0301\n\u4e2d\U00010348", "a" * 100_000])
def test_plain_text_is_stored_in_one_piece(text: str) -> None:
    update = make_text(text, "Title")
    check_update(update, {})
    stored = read_update(update)
    assert (stored.kind, stored.title, stored.text) == ("text", "Title", text)


def test_a_document_without_kind_is_rich_where_it_has_nodes() -> None:
    rich: Doc[XmlFragment] = Doc()
    rich.get("default", type=XmlFragment).children.append("a")
    plain: Doc[Text] = Doc()
    plain.get("content", type=Text).insert(0, "a")
    assert read_update(rich.get_update()).kind == "rich"
    assert read_update(plain.get_update()).kind == "text"
    assert read_update(b"\x00\x00").kind == "text"


def test_a_title_that_is_not_given_is_not_stored() -> None:
    assert read_update(make_text("a", None)).title is None


def test_every_document_is_made_by_another_client_of_32_bits() -> None:
    clients = {next(iter(check_update(make_text("a", None), {}).ends)) for _ in range(8)}
    assert len(clients) == 8
    assert max(clients) < 2**32


def test_bytes_that_are_no_update_have_a_fault_and_are_not_read() -> None:
    assert loading_fault(make_text("a", None)) is None
    assert loading_fault(b"") is not None
    assert loading_fault(b"\x07garbage") is not None
    with pytest.raises(DocumentBroken):
        read_update(b"\x07garbage")


def test_half_an_update_has_a_fault() -> None:
    ours: Doc[Text] = Doc()
    text = ours.get("content", type=Text)
    text.insert(0, "one")
    state = ours.get_state()
    text.insert(3, "two")
    assert loading_fault(ours.get_update(state)) is not None


def test_a_deep_tree_of_another_editor_is_read_to_the_bottom() -> None:
    ours: Doc[XmlFragment] = Doc()
    with ours.transaction():
        place: XmlFragment | XmlElement = ours.get("default", type=XmlFragment)
        for _ in range(1000):
            place = place.children.append(XmlElement("blockquote"))
        place.children.append("deep")
    (node,) = fit_document(read_update(ours.get_update()).nodes).content
    while isinstance(node, Element):
        (node,) = node.content
    assert node == t("deep")
