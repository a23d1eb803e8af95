"""Names of documents: what is one, and what is none."""

import pytest

from collabdoc.errors import Malformed
from collabdoc.protocol.names import check_name


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "0",
        "_",
        "~",
        "-",
        ".hidden",
        "a.b",
        "...",
        "a/b/c",
        "-/-",
        "x" * 200,
        "Zürich",
        "日本語",
        "१२३",
        "עברית",
        "\U00020000",
    ],
)
def test_a_name_is_letters_digits_and_a_few_marks(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "x" * 201, "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a/."),
        *("a b", "a\tb", "a\nb", "a\x00", "a\\b", "a%2Fb", "a?b", "a#b", "a:b", "a@b", "a+b", "a*b", "<a>", '"', "'"),
        *("😀", "a\u0301", "½", "Ⅳ", "a\u200db", "\ufeff", "\ud800", "\ue000", "\u2215", "\u202e"),
    ],
    ids=ascii,
)
def test_any_other_name_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        check_name(name)
