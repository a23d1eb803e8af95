"""Trees to test with: short names to write them, and strategies that make any valid one."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from collabdoc.content.fit import fit_document
from collabdoc.content.schema import MARK_RANK
from collabdoc.content.tree import HARD_BREAK, AttrValue, Element, Mark, Node, Text, join_texts

some_trees = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For the tests that take any tree: one takes 50 ms to make."""


def doc(*blocks: Node) -> Element:
    return Element("doc", content=blocks)


def p(*inline: Node | str) -> Element:
    return Element("paragraph", content=_inline(inline))


def h(level: int, *inline: Node | str) -> Element:
    return Element("heading", {"level": level}, _inline(inline))


def ul(*items: Element) -> Element:
    return Element("bulletList", content=items)


def ol(*items: Element, start: int = 1, type: str | None = None) -> Element:
    return Element("orderedList", {"start": start, "type": type}, items)


def li(*blocks: Node) -> Element:
    return Element("listItem", content=blocks)


def quote(*blocks: Node) -> Element:
    return Element("blockquote", content=blocks)


def pre(code: str = "", language: str | None = None) -> Element:
    return Element("codeBlock", {"language": language}, (Text(code),) if code else ())


def t(text: str, *marks: Mark | str) -> Text:
    made = (Mark(mark) if isinstance(mark, str) else mark for mark in marks)
    return Text(text, tuple(sorted(made, key=lambda mark: MARK_RANK[mark.type])))


def link(href: str, title: str | None = None, **attrs: AttrValue) -> Mark:
    return Mark(
        "link",
        {
            "href": href,
            "target": "_blank",
            "rel": "noopener noreferrer nofollow",
            "class": None,
            "title": title,
            **attrs,
        },
    )


hr = Element("horizontalRule")
br = HARD_BREAK


def _inline(nodes: tuple[Node | str, ...]) -> tuple[Node, ...]:
    return tuple(Text(node) if isinstance(node, str) else node for node in nodes)


_AWKWARD = "ab1 \u00a0\t\n*_~`#>-+=|:[]()<>!&;\\/\"'.,e\u0301\u4e2d\u3000\U0001f600\U0001f469\u200d\U00010348\u20ac"
_FOREIGN = "".join(map(chr, (*range(0xA0, 0x180), *range(0x300, 0x310), *range(0x5D0, 0x5EA), *range(0x2000, 0x2070))))
_WORDS = ["&amp;", "&#42;", "1. a", "<u>", "</p>", "http://x.y", "snake_case_name", "---", "```", "    a", "  "]

texts = st.one_of(
    st.text(alphabet=_AWKWARD, min_size=1, max_size=8),
    st.sampled_from(_WORDS),
    st.text(alphabet=_FOREIGN, min_size=1, max_size=6),
)
hrefs = st.sampled_from(
    [
        "http://a.b/c?d=1&copy=2",
        "https://x/(y)_*z*",
        "/a b",
        "mailto:a@b.c",
        "#x",
        "tel:+1",
        "http://\u00e9.x/\\<\"'>&amp;",
    ]
)


@st.composite
def mark_sets(draw: st.DrawFn, *, underline: bool = True) -> tuple[Mark, ...]:
    if draw(st.integers(0, 7)) == 0:
        return (Mark("code"),)
    names = draw(
        st.sets(st.sampled_from(["bold", "italic", "strike", *(["underline"] if underline else [])]), max_size=3)
    )
    marks = [Mark(name) for name in names]
    if draw(st.integers(0, 4)) == 0:
        marks.append(link(draw(hrefs), draw(st.sampled_from([None, 'a "b"\\ &lt;\n<c>']))))
    return tuple(sorted(marks, key=lambda mark: MARK_RANK[mark.type]))


inline_nodes: st.SearchStrategy[Node] = st.one_of(
    st.builds(Text, texts, mark_sets()), st.builds(Text, texts, mark_sets()), st.just(br)
)
inline_contents = st.lists(inline_nodes, max_size=4).map(join_texts)

paragraphs = st.builds(lambda content: Element("paragraph", content=content), inline_contents)
headings = st.builds(
    lambda level, content: Element("heading", {"level": level}, content), st.integers(1, 6), inline_contents
)
code_blocks = st.builds(
    pre,
    st.one_of(st.just(""), texts, st.builds("{}\n{}".format, texts, texts)),
    st.sampled_from([None, "python", "c++", "a`b"]),
)
rules = st.just(hr)


def _containers(blocks: st.SearchStrategy[Element]) -> st.SearchStrategy[Element]:
    items = st.builds(lambda first, rest: li(first, *rest), paragraphs, st.lists(blocks, max_size=3))
    return st.one_of(
        st.builds(lambda items: ul(*items), st.lists(items, min_size=1, max_size=3)),
        st.builds(
            lambda items, start: ol(*items, start=start),
            st.lists(items, min_size=1, max_size=3),
            st.sampled_from([1, 1, 0, 7, 99, 999_999_999]),
        ),
        st.builds(lambda blocks: quote(*blocks), st.lists(blocks, min_size=1, max_size=3)),
    )


blocks: st.SearchStrategy[Element] = st.recursive(
    st.one_of(paragraphs, headings, code_blocks, rules), _containers, max_leaves=6
)
documents = st.lists(blocks, min_size=1, max_size=4).map(lambda blocks: doc(*blocks))


def is_valid_tree(document: Element) -> bool:
    """Whether `fit`, which leaves valid trees alone, leaves this one alone."""
    return fit_document(document.content) == document


def sayable(document: Element) -> Element:
    """The document without what Markdown cannot say."""
    return doc(*(_sayable_blocks(document.content) or [p()]))


def _sayable_blocks(blocks: tuple[Node, ...]) -> list[Element]:
    kept = (_sayable_block(block) for block in blocks if isinstance(block, Element))
    return [block for block in kept if block != p()]


def _sayable_block(block: Element) -> Element:
    match block.type:
        case "paragraph" | "heading":
            nodes = [
                Text(n.text.replace("\n", " "), n.marks) if isinstance(n, Text) and n.mark("code") else n
                for n in block.content
            ]
            return Element(block.type, block.attrs, tuple(nodes))
        case "listItem":
            rest = _sayable_blocks(block.content[1:])
            first = block.content[0]
            assert isinstance(first, Element)
            if first == p() and rest and rest[0].type == "paragraph":
                return li(*rest)
            return li(_sayable_block(first), *rest)
        case "bulletList" | "orderedList":
            return Element(
                block.type, block.attrs, tuple(_sayable_block(i) for i in block.content if isinstance(i, Element))
            )
        case "blockquote":
            return quote(*(_sayable_blocks(block.content) or [p()]))
        case _:
            return block
