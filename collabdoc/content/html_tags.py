"""What each HTML tag means for content."""

from collections.abc import Mapping

from collabdoc.content.tree import Mark


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MARKS_OF_TAGS: Mapping[str, Mark] = {
    **dict.fromkeys(("b", "strong"), Mark("bold")),
    **dict.fromkeys(("i", "em", "cite", "dfn", "var"), Mark("italic")),
    **dict.fromkeys(("s", "del", "strike"), Mark("strike")),
    **dict.fromkeys(("u", "ins"), Mark("underline")),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), Mark("code")),
}

BLOCKS: Mapping[str, str] = {
    "p": "paragraph",
    **{f"h{level}": "heading" for level in range(1, 7)},
    "ul": "bulletList",
    "menu": "bulletList",
    "dir": "bulletList",
    "ol": "orderedList",
    "li": "listItem",
    "blockquote": "blockquote",
    "pre": "codeBlock",
    "xmp": "codeBlock",
}
TEXTBLOCKS = frozenset({"paragraph", "heading", "codeBlock"})
HEADINGS = frozenset(f"h{level}" for level in range(1, 7))
TRANSPARENT_BLOCKS = _names(
    "address article aside body caption center dd details dialog div dl dt fieldset figcaption figure footer form "
    "head header hgroup html legend main nav optgroup option section summary table tbody tfoot thead tr search"
)
CELLS = frozenset({"td", "th"})
DROPPED = _names(
    "script style template noscript iframe noembed noframes object svg math textarea select audio video canvas "
    "datalist title"
)
VOID = _names("area base br col embed frame hr img input link meta param source track wbr")
FOREIGN = frozenset({"svg", "math"})
LISTS = frozenset({"ul", "ol", "menu", "dir"})
CLOSES_SIBLING: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), LISTS),
    "dd": (frozenset({"dd", "dt"}), frozenset({"dl"})),
    "dt": (frozenset({"dd", "dt"}), frozenset({"dl"})),
    "tr": (frozenset({"tr"}), frozenset({"table"})),
}
"""Blocks that end the one before them of their kind, and the tags within which that one must lie."""
