"""Rich text as CommonMark with strikethrough, such that `markdown_read` gives the same tree again.

What CommonMark cannot say is lost or changed: empty paragraphs that are not alone in a list's item, attributes of links
but their address and title, the type of an ordered list, and line ends within code spans. Between two lists that touch,
the list marker changes, for that is what parts them.
"""

from collections.abc import Iterable, Sequence

from collabdoc.content.markdown_escape import longest_run
from collabdoc.content.markdown_inline import write_inline
from collabdoc.content.tree import EMPTY_PARAGRAPH, Element, Node, plain_text

_MAX_NUMBER = 999_999_999


def write_markdown(document: Element) -> str:
    """The document's source; it ends with a newline unless it is empty."""
    lines = _write_blocks(document.content)
    return "\n".join(lines) + "\n" if lines else ""


def _write_blocks(blocks: Iterable[Node], *, in_item: bool = False) -> list[str]:
    lines: list[str] = []
    previous: Element | None = None
    is_alternate = False
    for block in blocks:
        if not isinstance(block, Element) or block == EMPTY_PARAGRAPH:
            continue
        is_alternate = previous is not None and previous.type == block.type and not is_alternate
        if previous is not None and not (in_item and _may_interrupt(previous, block)):
            lines.append("")
        lines += _write_block(block, is_alternate=is_alternate)
        previous = block
    return lines


def _may_interrupt(previous: Element, block: Element) -> bool:
    """Whether a list may follow a paragraph without a blank line between."""
    is_list = block.type == "bulletList" or (block.type == "orderedList" and block.attrs.get("start") == 1)
    return previous.type == "paragraph" and is_list and not _begins_empty(block.content[0])


def _begins_empty(item: Node) -> bool:
    return not isinstance(item, Element) or not item.content or item.content[0] == EMPTY_PARAGRAPH


def _write_block(block: Element, *, is_alternate: bool) -> list[str]:
    match block.type:
        case "heading":
            level = block.attrs.get("level")
            marker = "#" * (level if isinstance(level, int) else 1)
            return [f"{marker} {write_inline(block.content, in_heading=True)}".rstrip()]
        case "bulletList":
            marker = "+" if is_alternate else "-"
            return _write_items(block.content, [marker] * len(block.content))
        case "orderedList":
            start = block.attrs.get("start")
            first = start if isinstance(start, int) and 0 <= start <= _MAX_NUMBER else 1
            point = ")" if is_alternate else "."
            numbers = (min(first + index, _MAX_NUMBER) for index in range(len(block.content)))
            return _write_items(block.content, [f"{number}{point}" for number in numbers])
        case "blockquote":
            return [f"> {line}" if line else ">" for line in _write_blocks(block.content) or [""]]
        case "codeBlock":
            return _write_code(block)
        case "horizontalRule":
            return ["---"]
        case _:
            return write_inline(block.content).split("\n")


def _write_items(items: Sequence[Node], markers: Sequence[str]) -> list[str]:
    """The items one below the other, with blank lines between them all if one of them holds a blank line."""
    written = [_write_item(item, marker) for item, marker in zip(items, markers, strict=True)]
    is_loose = any("" in lines for lines in written)
    joined: list[str] = []
    for index, lines in enumerate(written):
        if index and is_loose:
            joined.append("")
        joined += lines
    return joined


def _write_item(item: Node, marker: str) -> list[str]:
    content = item.content if isinstance(item, Element) else ()
    lines = _write_blocks(content, in_item=True)
    if _begins_empty(item) or not lines:
        lines.insert(0, "")
    indent = " " * (len(marker) + 1)
    return [f"{marker} {lines[0]}".rstrip(), *(f"{indent}{line}" if line else "" for line in lines[1:])]


def _write_code(block: Element) -> list[str]:
    text = plain_text(block.content)
    language = block.attrs.get("language")
    info = language.split()[0] if isinstance(language, str) and language.strip() else ""
    fence_character = "~" if "`" in info else "`"
    fence = fence_character * max(3, longest_run(text, fence_character) + 1)
    info = info.replace("\\", "\\\\").replace("&", "\\&")
    return [f"{fence}{info}", *(text.split("\n") if text else ()), fence]
