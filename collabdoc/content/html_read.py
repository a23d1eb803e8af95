"""HTML as people have it, from pages, mails and word processors, into rich text.

1. Blocks and marks that the schema has are kept; other tags are unwrapped; what is not text (scripts, styles, forms'
   fields, drawings) is dropped with its content. An image becomes its alternative text, linked to the image.
2. White space collapses as browsers collapse it, but within `<pre>` and `white-space: pre-wrap`; one `<br>` at the end
   of a block is dropped, for it shows nothing there.
3. Any input gives a tree: tags left open or closed in the wrong order are put right much as a browser would.

The tree is still to be made valid by `fit`: a list may hold paragraphs here, and a paragraph lists.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from collabdoc.content.html_tags import (
    BLOCKS,
    CELLS,
    CLOSES_SIBLING,
    DROPPED,
    FOREIGN,
    HEADINGS,
    LISTS,
    MARKS_OF_TAGS,
    TEXTBLOCKS,
    TRANSPARENT_BLOCKS,
    VOID,
)
from collabdoc.content.html_tokens import Characters, EndTag, StartTag, tokenize
from collabdoc.content.schema import MARKS, MAX_DEPTH, is_safe_href
from collabdoc.content.tree import HARD_BREAK, AttrValue, Element, Mark, Node, Text

_MAX_OPEN_INLINE = 100
"""Inline tags open at once, as many as are ever nested on purpose; each text looks through all of them."""

_SPACE = re.compile(r"[ \t\n\f\r]+")
_PRE_WRAP = re.compile(r"white-space\s*:\s*(?:pre|pre-wrap|break-spaces)\s*(?:;|$)", re.IGNORECASE)
_STYLED_MARKS = (
    ("bold", re.compile(r"font-weight\s*:\s*(?:bold|bolder|[6-9]00)\b", re.IGNORECASE)),
    ("italic", re.compile(r"font-style\s*:\s*(?:italic|oblique)\b", re.IGNORECASE)),
    ("strike", re.compile(r"text-decoration(?:-line)?\s*:[^;]*\bline-through\b", re.IGNORECASE)),
    ("underline", re.compile(r"text-decoration(?:-line)?\s*:[^;]*\bunderline\b", re.IGNORECASE)),
)
_NOT_BOLD = re.compile(r"font-weight\s*:\s*(?:normal|lighter|[1-5]00)\b", re.IGNORECASE)
_MAX_STYLE_CHARACTERS = 1000
"""Of a style attribute, what is looked at: the patterns take the square of its length."""

_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The nodes of a page, and its `<title>` if it has one."""

    nodes: tuple[Node, ...]
    title: str | None


def read_html(markup: str) -> Parsed:
    """What the page shows. The nodes are not yet valid under the schema."""
    builder = _Builder()
    for token in tokenize(markup):
        match token:
            case StartTag():
                builder.receive_start(token)
            case EndTag(name):
                builder.receive_end(name)
            case Characters(text):
                builder.receive_text(text)
    return builder.take_parsed()


@dataclass(slots=True)
class _Frame:
    """A block that is open."""

    tag: str
    type: str | None
    attrs: dict[str, AttrValue] = field(default_factory=dict)
    keeps_space: bool = False
    content: list[Node] = field(default_factory=list)


class _Builder:
    """Takes tags and text, and holds the blocks and inline tags that are open where they stand."""

    def __init__(self) -> None:
        self._frames = [_Frame("", None)]
        self._inline: list[tuple[str, tuple[Mark, ...]]] = []
        self._run: list[Node] = []
        self._dropping: list[str] = []
        self._title: str | None = None
        self._in_title = False
        self._after_pre = False

    def receive_start(self, start: StartTag) -> None:
        tag, attrs = start.name, start.attrs
        self._after_pre = False
        if self._dropping or tag in DROPPED:
            self._in_title = tag == "title" and not self._dropping and self._title is None
            if (not self._dropping or tag in self._dropping) and not (start.self_closing and tag in FOREIGN):
                self._dropping.append(tag)
        elif tag == "br":
            self._run.append(HARD_BREAK)
        elif tag == "hr":
            self._close_paragraph()
            self._flush()
            self._frames[-1].content.append(Element("horizontalRule"))
        elif tag == "img":
            self._add_image(attrs)
        elif tag == "input":
            if attrs.get("type", "").lower() == "checkbox":
                self._run.append(Text("[x] " if "checked" in attrs else "[ ] "))
        elif tag in BLOCKS or tag in TRANSPARENT_BLOCKS:
            self._start_block(tag, attrs)
        elif tag in CELLS:
            self._start_cell()
        elif tag not in VOID:
            self._start_inline(tag, attrs)

    def receive_end(self, tag: str) -> None:
        self._in_title = self._after_pre = False
        if self._dropping:
            if tag in self._dropping:
                while self._dropping.pop() != tag:
                    pass
        elif tag == "br":
            self._run.append(HARD_BREAK)
        elif tag in HEADINGS:
            self._close_through(HEADINGS)  # whichever level the end tag names
        elif tag in BLOCKS or tag in TRANSPARENT_BLOCKS:
            self._close_through({tag})
        else:
            self._end_inline(tag)

    def receive_text(self, text: str) -> None:
        if self._in_title:
            self._title = _SPACE.sub(" ", text).strip(" ")
        elif not self._dropping:
            if self._after_pre:
                text = text.removeprefix("\n")
            self._run.append(Text(text, self._marks()))
        self._after_pre = False

    def take_parsed(self) -> Parsed:
        while len(self._frames) > 1:
            self._close()
        self._flush()
        return Parsed(tuple(self._frames[0].content), self._title or None)

    def _add_image(self, attrs: Mapping[str, str]) -> None:
        source = attrs.get("src", "")
        is_link = source.strip() != "" and is_safe_href(source)
        label = attrs.get("alt", source if is_link else "").strip()
        if label:
            link = (Mark("link", {"href": source}),) if is_link else ()
            self._run.append(Text(label, link + self._marks()))

    def _marks(self) -> tuple[Mark, ...]:
        return tuple(mark for _, marks in self._inline for mark in marks)

    def _start_block(self, tag: str, attrs: Mapping[str, str]) -> None:
        self._close_paragraph()
        if tag in HEADINGS and self._frames[-1].tag in HEADINGS:
            self._close()
        if tag in CLOSES_SIBLING:
            siblings, within = CLOSES_SIBLING[tag]
            self._close_through(siblings, within)
        self._flush()
        if len(self._frames) < MAX_DEPTH:
            keeps_space = self._frames[-1].keeps_space or _PRE_WRAP.search(_style(attrs)) is not None
            self._frames.append(_Frame(tag, BLOCKS.get(tag), _block_attrs(tag, attrs), keeps_space))
            self._after_pre = tag == "pre"

    def _start_cell(self) -> None:
        """The cells of a row stand in one line as far as they hold nothing but text."""
        self._close_paragraph()
        if not _is_blank(self._run):
            self._run.append(Text(" | "))

    def _start_inline(self, tag: str, attrs: Mapping[str, str]) -> None:
        if tag == "a":
            self._end_inline("a")
        frame = self._frames[-1]
        if tag == "code" and frame.tag == "pre" and frame.attrs["language"] is None:
            frame.attrs["language"] = _language(attrs)
        if len(self._inline) < _MAX_OPEN_INLINE:
            self._inline.append((tag, tuple(_inline_marks(tag, attrs))))

    def _end_inline(self, tag: str) -> None:
        for index in range(len(self._inline) - 1, -1, -1):
            if self._inline[index][0] == tag:
                del self._inline[index]
                return

    def _close_paragraph(self) -> None:
        self._close_through({"p"}, LISTS | {"table", "blockquote"})

    def _close_through(self, tags: Set[str], within: Set[str] = frozenset()) -> None:
        """Close the innermost block of these tags and all in it, unless it lies outside one of `within`."""
        for index in range(len(self._frames) - 1, 0, -1):
            if self._frames[index].tag in tags:
                while len(self._frames) > index:
                    self._close()
                return
            if self._frames[index].tag in within:
                return

    def _close(self) -> None:
        self._flush()
        frame = self._frames.pop()
        if frame.type is None:
            self._frames[-1].content.extend(frame.content)
        else:
            self._frames[-1].content.append(Element(frame.type, frame.attrs, tuple(frame.content)))

    def _flush(self) -> None:
        """Give the text since the last block to the block that it stands in."""
        frame, run = self._frames[-1], self._run
        self._run = []
        if frame.type == "codeBlock":
            frame.content.extend(run)
        elif frame.type in TEXTBLOCKS:
            frame.content.extend(_finish_run(run, keeps_space=frame.keeps_space))
        elif not _is_blank(run):
            content = _finish_run(run, keeps_space=frame.keeps_space)
            frame.content.append(Element("paragraph", content=content))


def _style(attrs: Mapping[str, str]) -> str:
    return attrs.get("style", "")[:_MAX_STYLE_CHARACTERS]


def _block_attrs(tag: str, attrs: Mapping[str, str]) -> dict[str, AttrValue]:
    if tag in HEADINGS:
        return {"level": int(tag[1])}
    if tag == "ol":
        start = _NUMBER.match(attrs.get("start", ""))
        return {"start": int(start[0]) if start else 1, "type": attrs.get("type") or None}
    if tag == "pre":
        return {"language": _language(attrs)}
    return {}


def _language(attrs: Mapping[str, str]) -> str | None:
    for name in attrs.get("class", "").split():
        if name.startswith("language-") and name != "language-":
            return name.removeprefix("language-")
    return None


def _inline_marks(tag: str, attrs: Mapping[str, str]) -> Iterator[Mark]:
    style = _style(attrs)
    mark = MARKS_OF_TAGS.get(tag)
    # Word processors wrap whole documents into <b style="font-weight: normal">.
    if mark is not None and not (mark.type == "bold" and _NOT_BOLD.search(style)):
        yield mark
    if tag == "a" and "href" in attrs:
        yield Mark("link", {name: attrs[name] for name in MARKS["link"].attrs if name in attrs})
    for name, pattern in _STYLED_MARKS if style else ():
        if pattern.search(style):
            yield Mark(name)


def _is_blank(run: Iterable[Node]) -> bool:
    return all(isinstance(node, Text) and not node.text.strip(" \t\n\f\r") for node in run)


def _finish_run(run: Iterable[Node], *, keeps_space: bool) -> tuple[Node, ...]:
    """A block's text as a browser shows it: white space collapsed, no `<br>` at the end."""
    nodes = list(run) if keeps_space else _collapse(run)
    if nodes and nodes[-1] == HARD_BREAK:
        nodes.pop()
    return tuple(nodes)


def _collapse(run: Iterable[Node]) -> list[Node]:
    collapsed: list[Node] = []
    after_space = True
    for node in run:
        if isinstance(node, Text):
            text = _SPACE.sub(" ", node.text)
            if after_space:
                text = text.removeprefix(" ")
            if text:
                collapsed.append(Text(text, node.marks))
                after_space = text.endswith(" ")
        else:
            _strip_end(collapsed)
            collapsed.append(node)
            after_space = True
    _strip_end(collapsed)
    return collapsed


def _strip_end(nodes: list[Node]) -> None:
    if nodes and isinstance(last := nodes[-1], Text) and last.text.endswith(" "):
        nodes[-1:] = [Text(last.text[:-1], last.marks)] if last.text != " " else []
