"""Plain text in and out: UTF-8, lines ended by a newline, blank lines between the blocks of rich text."""

from collections.abc import Iterable, Iterator

from collabdoc.content.errors import InvalidContent
from collabdoc.content.tree import HARD_BREAK, Element, Node, Text, plain_text


def decode_text(data: bytes) -> str:
    """The text of UTF-8 bytes, without a byte order mark and with newlines as line ends. Raises `InvalidContent`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidContent(_utf8_fault(data)) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def write_plain(document: Element) -> str:
    """The document as a person would type it without markup; it ends with a newline unless it is empty."""
    text = "\n".join(_write_blocks(document.content))
    return f"{text}\n" if text else ""


def read_plain(text: str) -> tuple[Node, ...]:
    """One paragraph for each stretch of lines without a blank one between."""
    paragraphs: list[list[Node]] = [[]]
    for line in text.split("\n"):
        if not line.strip():
            paragraphs.append([])
            continue
        if paragraphs[-1]:
            paragraphs[-1].append(HARD_BREAK)
        paragraphs[-1].append(Text(line))
    return tuple(Element("paragraph", content=tuple(lines)) for lines in paragraphs if lines)


def _utf8_fault(data: bytes) -> str:
    # Decoded again as plain UTF-8: utf-8-sig counts offsets from after the mark.
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start} is 0x{data[error.start]:02x}, which is not UTF-8 there ({error.reason})"
    raise AssertionError("utf-8 took what utf-8-sig refused")


def _write_blocks(blocks: Iterable[Node]) -> Iterator[str]:
    for index, block in enumerate(blocks):
        if index:
            yield ""
        if isinstance(block, Element):
            yield from _write_block(block)


def _write_block(block: Element) -> Iterator[str]:
    match block.type:
        case "bulletList":
            for item in block.content:
                yield from _indent(_write_item(item), "- ")
        case "orderedList":
            start = block.attrs.get("start")
            for number, item in enumerate(block.content, start if isinstance(start, int) else 1):
                yield from _indent(_write_item(item), f"{number}. ")
        case "blockquote":
            for line in _write_blocks(block.content):
                yield f"> {line}".rstrip()
        case "horizontalRule":
            yield "---"
        case _:
            yield from plain_text(block.content).split("\n")


def _write_item(item: Node) -> Iterator[str]:
    """An item's lines, with no blank one before a list that follows a paragraph."""
    previous: str | None = None
    for block in item.content if isinstance(item, Element) else ():
        if not isinstance(block, Element):
            continue
        if previous is not None and (previous, block.type.endswith("List")) != ("paragraph", True):
            yield ""
        yield from _write_block(block)
        previous = block.type


def _indent(lines: Iterable[str], marker: str) -> Iterator[str]:
    for index, line in enumerate(lines):
        yield ((marker if index == 0 else " " * len(marker)) + line).rstrip() if line.strip() or not index else ""
