"""Rich text and plain text as a complete HTML page.

The page is opened from people's disks and served from the server's own origin, so it can run nothing:

1. Every string of the document passes through `escape`, in text and in attributes alike.
2. Links are written only where `schema.is_safe_href` allows them; there are no images, frames or scripts to write.
3. A Content-Security-Policy in the page forbids what a slip of 1 or 2 would let in.

Line breaks are written as browsers read them: a `<br>` at the end of a block shows nothing there, so a hard break at
the end is written with one more, and an empty paragraph holds one, which gives it its height.
"""

import re
from collections.abc import Iterable, Iterator

from collabdoc.content.schema import MARK_RANK, is_safe_href
from collabdoc.content.tree import Element, Mark, Node, Text, plain_text

MARK_TAGS = {"bold": "strong", "italic": "em", "strike": "s", "underline": "u", "code": "code"}

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; base-uri 'none'; form-action 'none'"

_STYLE = """\
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 2.5rem 1.25rem; max-width: 44rem; overflow-wrap: break-word;
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; margin: 1.6em 0 0.5em; }
p, ul, ol, pre, blockquote { margin: 0 0 0.8em; }
li > p { margin-bottom: 0.2em; }
blockquote { padding-left: 1em; border-left: 3px solid #8886; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 0.9em; }
code { padding: 0.1em 0.3em; border-radius: 4px; background: #8882; }
pre { padding: 0.9em 1em; border-radius: 6px; background: #8882; overflow-x: auto; tab-size: 4; }
pre code { padding: 0; background: none; font-size: inherit; }
pre.whole { padding: 0; background: none; white-space: pre-wrap; }
hr { margin: 2em 0; border: 0; border-top: 1px solid #8886; }"""

_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\r": "&#13;", "\0": "\ufffd"}
)
_NEEDS_PRE_WRAP = re.compile(r"[\t\n\f\r]|  |^ | $")
_NOOPENER = "noopener noreferrer nofollow"


def escape(text: str) -> str:
    """Text that is only text wherever it stands in the page."""
    return text.translate(_ESCAPES)


def write_page(document: Element, title: str | None) -> str:
    return _page(title, "\n".join(_write_blocks(document.content)))


def write_text_page(text: str, title: str | None) -> str:
    # A parser drops one newline after <pre>, so there is always one to drop.
    return _page(title, f'<pre class="whole">\n{escape(text)}</pre>')


def _page(title: str | None, body: str) -> str:
    return (
        "<!DOCTYPE html>\n<html>\n<head>\n"
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title or '')}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _write_blocks(blocks: Iterable[Node]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Element):
            yield _write_block(block)


def _write_block(block: Element) -> str:
    match block.type:
        case "heading":
            return _write_textblock(f"h{block.attrs.get('level')}", block.content)
        case "bulletList":
            return _wrap("ul", "", block.content)
        case "orderedList":
            start, kind = block.attrs.get("start"), block.attrs.get("type")
            attrs = f' start="{start}"' if start != 1 else ""
            attrs += f' type="{escape(kind)}"' if isinstance(kind, str) else ""
            return _wrap("ol", attrs, block.content)
        case "listItem":
            return _wrap("li", "", block.content)
        case "blockquote":
            return _wrap("blockquote", "", block.content)
        case "codeBlock":
            language = block.attrs.get("language")
            attrs = f' class="language-{escape(language)}"' if isinstance(language, str) else ""
            return f"<pre>\n<code{attrs}>{escape(plain_text(block.content))}</code></pre>"
        case "horizontalRule":
            return "<hr>"
        case _:
            return _write_textblock("p", block.content)


def _wrap(tag: str, attrs: str, content: Iterable[Node]) -> str:
    return f"<{tag}{attrs}>" + "\n".join(_write_blocks(content)) + f"</{tag}>"


def _write_textblock(tag: str, content: tuple[Node, ...]) -> str:
    lines = plain_text(node if isinstance(node, Text) else Text("\v") for node in content).split("\v")
    attrs = ' style="white-space: pre-wrap"' if any(map(_NEEDS_PRE_WRAP.search, lines)) else ""
    inline = "".join(_write_inline(content))
    if not content or not isinstance(content[-1], Text):
        inline += "<br>"
    return f"<{tag}{attrs}>{inline}</{tag}>"


def _write_inline(nodes: Iterable[Node]) -> Iterator[str]:
    """Texts with their marks as nested tags; a tag stays open over neighbours that share its mark."""
    open_marks: list[Mark] = []
    for node in nodes:
        marks = sorted(node.marks, key=lambda mark: MARK_RANK[mark.type]) if isinstance(node, Text) else []
        shared = 0
        while shared < min(len(open_marks), len(marks)) and open_marks[shared] == marks[shared]:
            shared += 1
        yield from (_close(mark) for mark in reversed(open_marks[shared:]))
        yield from (_open(mark) for mark in marks[shared:])
        open_marks = marks
        yield escape(node.text) if isinstance(node, Text) else "<br>"
    yield from (_close(mark) for mark in reversed(open_marks))


def _close(mark: Mark) -> str:
    return f"</{MARK_TAGS.get(mark.type, 'a')}>"


def _open(mark: Mark) -> str:
    if mark.type in MARK_TAGS:
        return f"<{MARK_TAGS[mark.type]}>"
    href, target, rel = mark.attrs.get("href"), mark.attrs.get("target"), mark.attrs.get("rel")
    attrs: list[tuple[str, str]] = []
    if isinstance(href, str) and is_safe_href(href):
        attrs.append(("href", href))
    if isinstance(target, str):
        attrs.append(("target", target))
    # Whoever a link opens in a new window must not reach back into the page.
    attrs.append(("rel", rel if isinstance(rel, str) and "noopener" in rel.split() else _NOOPENER))
    attrs += [(name, value) for name in ("class", "title") if isinstance(value := mark.attrs.get(name), str)]
    return "<a" + "".join(f' {name}="{escape(value)}"' for name, value in attrs) + ">"
