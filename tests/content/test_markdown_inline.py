import pytest

from collabdoc.content.markdown_inline import write_inline
from collabdoc.content.tree import Node
from tests.content.trees import br, link, t


@pytest.mark.parametrize(
    ("nodes", "source"),
    [
        ([t("a "), t("b", "bold"), t(" "), t("c", "italic"), t(" "), t("d", "strike")], "a **b** *c* ~~d~~"),
        ([t("a", "bold"), t("b", "bold", "italic"), t("c", "bold")], "**a*b*c**"),
        ([t("a", "bold", "italic")], "**_a_**"),
        ([t("a", "bold"), t("b", "bold", "italic"), t("c", "italic")], "**a_b_**_c_".replace("a_", "&#97;_")),
        ([t("fo"), t("ob", "italic"), t("ar")], "fo*ob*ar"),
        ([t("a b ", "bold"), t("c")], "**a b&#32;**&#99;"),
        ([t("a.", "bold"), t("b")], "**a.**&#98;"),
        ([t("a"), t("(b)", "bold"), t(" c")], "&#97;**(b)** c"),
        ([t("\U0001f600"), t("*", "bold")], "&#128512;**\\***"),
        ([t("a", "code"), t(" b")], "`a` b"),
        ([t("a", link("/x")), t("b", link("/x"), "bold"), t("c", link("/y"))], "[a**b**](/x)[c](/y)"),
        ([t("wow!"), t("a", link("/x"))], "wow\\![a](/x)"),
        ([t("a", "underline"), t("b", "underline", "bold")], "<u>a**b**</u>"),
        ([t("a"), br, t("- b"), br, br, t("c ")], "a\\\n\\- b\\\n\\\nc&#32;"),
        ([t("a"), br], "a<br>"),
        ([br], "<br><!-- -->"),
        ([t("a", "bold"), br, t("b", "bold")], "**a**\\\n**b**"),
        ([], ""),
    ],
)
def test_marks_become_delimiters_that_hold(nodes: list[Node], source: str) -> None:
    assert write_inline(nodes) == source


def test_a_heading_is_one_line_and_keeps_its_last_number_signs() -> None:
    assert write_inline([t("a"), br, t("b ##")], in_heading=True) == "a<br>b #\\#"


def test_many_marks_take_no_more_than_their_number_of_steps() -> None:
    nodes: list[Node] = [t("x", *(["bold"] if index % 2 else ["bold", "italic"])) for index in range(20_000)]
    assert len(write_inline(nodes)) > 40_000
