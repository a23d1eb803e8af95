"""CommonMark with strikethrough into rich text.

Tables stay as their source in a code block, for the schema has none. Blocks of HTML are read as HTML, and of HTML
within text the tags that stand for marks and `<br>`. An image becomes its description, linked to the image. Line ends
within a paragraph become spaces.

The tree is still to be made valid by `fit`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from collabdoc.content.errors import ContentTooLarge
from collabdoc.content.html_read import read_html
from collabdoc.content.html_tags import MARKS_OF_TAGS
from collabdoc.content.html_tokens import EndTag, StartTag, tokenize
from collabdoc.content.schema import MAX_DEPTH, is_safe_href
from collabdoc.content.tree import HARD_BREAK, AttrValue, Element, Mark, Node, Text

_MAX_NESTING = MAX_DEPTH + 10
"""The parser silently leaves out what is nested deeper; `_check_nesting` says so."""

_BLOCKS = {
    "paragraph": "paragraph",
    "heading": "heading",
    "bullet_list": "bulletList",
    "ordered_list": "orderedList",
    "list_item": "listItem",
    "blockquote": "blockquote",
}
_MARKS = {"strong": "bold", "em": "italic", "s": "strike"}


class _Parser(MarkdownIt):
    """Leaves addresses as they were written: `fit` judges them, and a rewritten one would not come back the same."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"maxNesting": _MAX_NESTING})
        self.enable(["strikethrough", "table"])

    def validateLink(self, url: str) -> bool:
        return True

    def normalizeLink(self, url: str) -> str:
        return url

    def normalizeLinkText(self, link: str) -> str:
        return link


def read_markdown(source: str) -> tuple[Node, ...]:
    """The nodes of the source, not yet valid under the schema. Raises `ContentTooLarge`."""
    tokens = _Parser().parse(source)
    _check_nesting(tokens)
    return tuple(_read_blocks(iter(tokens)))


@dataclass(slots=True)
class _Block:
    type: str
    attrs: dict[str, AttrValue]
    content: list[Node] = field(default_factory=list)


def _check_nesting(tokens: Iterable[Token]) -> None:
    for token in tokens:
        if token.type in ("blockquote_open", "list_item_open") and token.level >= _MAX_NESTING - 1:
            line = token.map[0] + 1 if token.map else 1
            raise ContentTooLarge(f"line {line} is nested deeper than {_MAX_NESTING} blocks")


def _read_blocks(tokens: Iterator[Token]) -> list[Node]:
    blocks = [_Block("doc", {})]
    for token in tokens:
        name = token.type.removesuffix("_open").removesuffix("_close")
        if token.type == "table_open":
            blocks[-1].content.append(_read_table(tokens))
        elif token.type == "inline":
            blocks[-1].content.extend(_InlineReader().read(token.children or ()))
        elif token.type in ("fence", "code_block"):
            language = token.info.split()[0] if token.info.split() else None
            code = Text(token.content.removesuffix("\n"))
            blocks[-1].content.append(Element("codeBlock", {"language": language}, (code,)))
        elif token.type == "hr":
            blocks[-1].content.append(Element("horizontalRule"))
        elif token.type == "html_block":
            blocks[-1].content.extend(read_html(token.content).nodes)
        elif name in _BLOCKS and token.nesting == 1:
            blocks.append(_Block(_BLOCKS[name], _block_attrs(token)))
        elif name in _BLOCKS:
            block = blocks.pop()
            blocks[-1].content.append(Element(block.type, block.attrs, tuple(block.content)))
    return blocks[0].content


def _block_attrs(token: Token) -> dict[str, AttrValue]:
    if token.type == "heading_open":
        return {"level": int(token.tag[1])}
    if token.type == "ordered_list_open":
        return {"start": int(token.attrGet("start") or 0) if "start" in token.attrs else 1}
    return {}


def _read_table(tokens: Iterator[Token]) -> Element:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.content.replace("|", "\\|"))
    rows.insert(1, ["---"] * len(rows[0]))
    return Element("codeBlock", content=(Text("\n".join(f"| {' | '.join(row)} |" for row in rows)),))


class _InlineReader:
    """Reads one block's text; the marks that are open are a list, for HTML may close them in any order."""

    def __init__(self) -> None:
        self._marks: list[tuple[str, Mark]] = []

    def read(self, tokens: Sequence[Token]) -> Iterator[Node]:
        for token in tokens:
            name = token.type.removesuffix("_open").removesuffix("_close")
            if token.type == "text":
                yield self._text(token.content)
            elif token.type == "softbreak":
                yield self._text(" ")
            elif token.type == "hardbreak":
                yield HARD_BREAK
            elif token.type == "code_inline":
                yield self._text(token.content, Mark("code"))
            elif token.type == "image":
                yield self._image(token)
            elif token.type == "html_inline":
                yield from self._html(token.content)
            elif name in _MARKS and token.nesting == 1:
                self._marks.append((name, Mark(_MARKS[name])))
            elif name == "link" and token.nesting == 1:
                self._marks.append((name, Mark("link", _link_attrs(token, "href"))))
            elif token.nesting == -1:
                self._close(name)

    def _text(self, text: str, *more: Mark) -> Text:
        return Text(text, (*(mark for _, mark in self._marks), *more))

    def _image(self, token: Token) -> Text:
        attrs = _link_attrs(token, "src")
        source = str(attrs["href"])
        is_link = is_safe_href(source) and not any(mark.type == "link" for _, mark in self._marks)
        label = token.content or (source if is_link else "")
        return self._text(label, *([Mark("link", attrs)] if is_link else ()))

    def _html(self, markup: str) -> Iterator[Node]:
        for tag in tokenize(markup):
            if isinstance(tag, StartTag) and tag.name == "br":
                yield HARD_BREAK
            elif isinstance(tag, StartTag) and tag.name in MARKS_OF_TAGS:
                self._marks.append((f"<{tag.name}>", MARKS_OF_TAGS[tag.name]))
            elif isinstance(tag, EndTag):
                self._close(f"<{tag.name}>")

    def _close(self, name: str) -> None:
        for index in range(len(self._marks) - 1, -1, -1):
            if self._marks[index][0] == name:
                del self._marks[index]
                return


def _link_attrs(token: Token, address: str) -> dict[str, AttrValue]:
    title = token.attrGet("title")
    return {"href": str(token.attrGet(address) or ""), "title": str(title) if title else None}
