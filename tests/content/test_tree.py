from collabdoc.content.tree import Element, Mark, Node, Text, join_texts, plain_text
from tests.content.trees import br, p, t


def test_neighbouring_texts_of_the_same_marks_become_one() -> None:
    nodes = (t("a", "bold"), t("b", "bold"), t(""), t("c"), br, t("d"))
    assert join_texts(nodes) == (t("ab", "bold"), t("c"), br, t("d"))


def test_a_text_tells_its_mark() -> None:
    assert t("a", "bold").mark("bold") == Mark("bold")
    assert t("a", "bold").mark("italic") is None


def test_plain_text_is_read_at_any_depth() -> None:
    tree: Node = Text("deep")
    for _ in range(5000):
        tree = Element("blockquote", content=(tree,))
    assert plain_text([p("a", br, "b"), tree]) == "a\nbdeep"
