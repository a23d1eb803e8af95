"""What others may write into a document, a title or a name does nothing in one's own page.

That no page ran a foreign script, opened a dialog or broke the Content-Security-Policy is what `Watch` looks at.
"""

import asyncio
import re
import threading
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.sync_api import expect
from pycrdt import Doc, Map, XmlElement, XmlFragment, XmlText

from collabdoc.client import connect
from collabdoc.content import import_content
from collabdoc.transfer import ServerPlace
from tests.browser.conftest import People
from tests.browser.proxy import Network
from tests.browser.story import PATIENCE_MS, Person, Watch
from tests.process import ServerProcess

MARKUP = "<img src=x onerror=\"alert('run')\"><script>alert('run')</script>"
SCRIPTS = [
    "javascript:alert('run')",
    " java\nscript:alert('run')",
    "data:text/html,<script>alert('run')</script>",
    "JaVaScRiPt:alert('run')",
    "\x01\x1fjavascript:alert('run')",
    "java\t\x00script:alert('run')",
    "\u200b\u202ejavascript:alert('run')",
    "javascript\n:alert('run')",
    "vbscript:msgbox('run')",
    " vb\tscript:msgbox('run')",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgncnVuJyk8L3NjcmlwdD4=",
    "\tDATA:text/html,<script>alert('run')</script>",
    "blob:null/run",
    "file:///etc/passwd",
    "view-source:javascript:alert('run')",
]
HOSTILE_PRESENCE: list[dict[str, Any]] = [
    {"user": {"name": MARKUP, "color": "red;background:url(//x)", "id": MARKUP}},
    {
        "user": {"name": "\u202e" + "x" * 10_000, "color": "#fff\" onload=alert('run')"},
        "cursor": {"anchor": 1, "head": -1},
    },
    {"user": {"name": {"toString": "x"}, "color": ["#ffffff"], "verified": True}, "cursor": "here"},
    {"user": [MARKUP], "cursor": {"anchor": {"type": None, "tname": MARKUP, "item": {}}, "head": None}},
    {"user": {"name": "__proto__", "id": "constructor", "color": "#000000"}, "__proto__": {"x": 1}, "cursor": [1, [2]]},
    {"user": None, "selection": MARKUP},
]


def test_markup_in_a_title_is_shown_as_the_letters_it_is(ana: Person, ben: Person) -> None:
    ana.opens_new("safety/title")
    ben.opens("safety/title")
    ana.on("title").fill(MARKUP)
    expect(ben.on("title")).to_have_value(MARKUP)
    expect(ben.page).to_have_title(f"{MARKUP} · collabdoc")
    ana.status_is("saved")
    ben.visits("/")
    row = ben.page.locator("[data-name='safety/title']")
    expect(row).to_contain_text(MARKUP)
    expect(row.locator("img")).to_have_count(0)
    row.hover()
    row.get_by_test_id("delete").click()
    expect(ben.on("delete-dialog")).to_contain_text(MARKUP)


@pytest.mark.parametrize("kind", ["rich", "text"])
def test_markup_in_a_text_is_shown_as_the_letters_it_is(ana: Person, ben: Person, kind: str) -> None:
    ana.opens_new(f"safety/{kind}", kind=kind)
    ben.opens(f"safety/{kind}")
    ana.page.keyboard.insert_text(MARKUP)
    ben.reads(MARKUP)


def test_markup_in_a_name_is_shown_as_the_letters_it_is(people: People, ana: Person, watch: Watch) -> None:
    watch.tolerates("unsupported color format")
    name = "<img src=x onerror=alert(1)>"
    mallory = people(name, color="red;background:url(//x)")
    ana.opens_new("safety/name")
    mallory.opens("safety/name")
    mallory.types("boo")
    expect(ana.on("caret")).to_contain_text(name)
    ana.sees_people("Ana", name)
    expect(ana.on("avatars").locator("img")).to_have_count(0)
    color = ana.on("caret").evaluate("(caret) => caret.style.getPropertyValue('--person')")
    assert color.startswith("#")


def test_links_to_scripts_lead_nowhere(ana: Person, network: Network, shared_server: ServerProcess) -> None:
    network.run(_write_links(shared_server.url, "safety/links"))
    ana.opens("safety/links")
    links = ana.editor.locator("a")
    expect(links).to_have_text(["click here"] * len(SCRIPTS))
    expect(ana.editor.locator("a[href]")).to_have_count(0)
    for paragraph in ana.editor.locator("p").all():
        for how in ({}, {"modifiers": ["ControlOrMeta"]}, {"button": "middle"}):
            paragraph.click(position={"x": 20, "y": 10}, **how)
    ana.types("still here")
    ana.sees("still here")
    assert len(ana.context.pages) == 1


def test_an_exported_page_runs_nothing_where_the_server_shows_it(
    ana: Person, network: Network, shared_server: ServerProcess, watch: Watch
) -> None:
    watch.tolerates("Applying inline style violates")  # shown by the server, it has no style either
    network.run(_write_links(shared_server.url, "safety/export", MARKUP))
    ana.visits("/api/documents/safety%2Fexport/content?format=html")
    expect(ana.page.locator("body")).to_contain_text(MARKUP)
    expect(ana.page.get_by_text("click here")).to_have_count(len(SCRIPTS))
    expect(ana.page.locator("a, script, img, [onerror]")).to_have_count(0)


def test_presence_of_any_shape_is_shown_as_letters_or_not_at_all(
    ana: Person, network: Network, shared_server: ServerProcess
) -> None:
    ana.opens_new("safety/presence")
    ana.types("words")
    ana.status_is("saved")

    async def be_present() -> None:
        async with AsyncExitStack() as stack:
            for state in HOSTILE_PRESENCE:
                client = await stack.enter_async_context(connect(shared_server.url))
                document = await client.open("safety/presence")
                document.awareness.say(state)
            shown.set()
            await asyncio.to_thread(seen.wait)

    shown, seen = threading.Event(), threading.Event()
    mallory = threading.Thread(target=asyncio.run, args=(be_present(),), name="mallory")
    mallory.start()
    try:
        assert shown.wait(PATIENCE_MS / 1000)
        avatars = ana.on("avatars")
        expect(avatars.locator("[title*='<img src=x']")).to_have_count(1)
        expect(avatars.locator("img, script, [onload], [style*=url]")).to_have_count(0)
        ana.types(" still here")
        ana.sees("words still here")
    finally:
        seen.set()
        mallory.join()


def test_the_link_field_takes_no_script(ana: Person) -> None:
    ana.opens_new("safety/field")
    ana.types("word")
    ana.presses("Control+a", "Control+k")
    field = ana.page.get_by_label("Address of the link").last
    field.fill("javascript:alert('run')")
    ana.presses("Enter")
    expect(ana.page.get_by_text("Links can lead to web pages")).to_be_visible()
    expect(ana.editor.locator("a")).to_have_count(0)


def test_pasted_html_brings_its_words_and_nothing_that_runs(ana: Person, ben: Person, watch: Watch) -> None:
    # What is pasted is read in a document of its own, in which handlers never run; Chromium tells of them all the same.
    watch.tolerates("Executing inline event handler violates")
    ana.opens_new("safety/paste")
    ben.opens("safety/paste")
    ana.types("")
    ana.editor.evaluate(
        """(editor, html) => {
          const data = new DataTransfer()
          data.setData('text/html', html)
          editor.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
        }""",
        f'<p onclick="alert(\'run\')">pasted <strong>words</strong> {MARKUP}<a href="{SCRIPTS[0]}">link</a></p>',
    )
    ben.sees("pasted words")
    expect(ben.editor.locator("strong")).to_have_text("words")
    for person in (ana, ben):
        expect(person.editor.locator("script, [onclick], [onerror], [href^=javascript]")).to_have_count(0)


HOSTILE_HTML = f"""<title>{MARKUP}</title><body onload="alert('run')"><p onclick="alert('run')">imported words</p>
{MARKUP}<svg onload="alert('run')"><a href="javascript:alert('run')">svg</a></svg>
<iframe srcdoc="<script>alert('run')</script>"></iframe>
<a href="{SCRIPTS[0]}">link one</a><a href="{SCRIPTS[2]}">link two</a><math href="{SCRIPTS[0]}">x</math>"""
HOSTILE_MARKDOWN = f"""# imported words\n\n[link one]({SCRIPTS[0]}) [link two](<{SCRIPTS[2]}>) {MARKUP}

![x](x "onerror=alert(1)")\n\n<p onclick="alert('run')">html</p>\n\n<{SCRIPTS[0]}>\n"""


@pytest.mark.parametrize(("format_", "content"), [("html", HOSTILE_HTML), ("markdown", HOSTILE_MARKDOWN)])
def test_an_imported_file_brings_its_words_and_nothing_that_runs(
    ana: Person, shared_server: ServerProcess, network: Network, format_: str, content: str
) -> None:
    name = f"safety/imported-{format_}"
    update = import_content(content.encode(), format_, kind="rich", title=None)
    network.run(ServerPlace(shared_server.url, None).put(name, update))
    ana.opens(name)
    ana.sees("imported words")
    runs = "script, iframe, [onclick], [onerror], [onload], [href^=javascript], [href^=data]"
    expect(ana.editor.locator(runs)).to_have_count(0)
    for link in ana.editor.locator("a").all():
        link.click(modifiers=["ControlOrMeta"])
    exported = network.run(ServerPlace(shared_server.url, None).get(name, "html")).decode()
    assert "imported words" in exported
    assert not re.search(r"""<(script|iframe|svg)|<[^>]* (on\w+=|href="\s*(javascript|data))""", exported)


def test_what_a_newer_editor_wrote_is_shown_and_left_alone(
    ana: Person, network: Network, shared_server: ServerProcess
) -> None:
    network.run(_write_unknown(shared_server.url, "safety/newer"))
    ana.visits("/d/safety/newer")
    ana.banner_says("Made with a newer editor")
    ana.sees("known")
    expect(ana.editor).not_to_be_editable()
    ana.status_is("saved")
    assert "<hologram>" in network.run(_read(shared_server.url, "safety/newer"))


def test_a_document_of_a_newer_schema_is_shown_and_left_alone(
    ana: Person, network: Network, shared_server: ServerProcess
) -> None:
    """Whatever is in it: what this editor does not know of it may be an attribute or a rule."""
    network.run(_write_newer(shared_server.url, "safety/newer-schema"))
    ana.visits("/d/safety/newer-schema")
    ana.banner_says("Made with a newer editor")
    ana.sees("known")
    expect(ana.editor).not_to_be_editable()
    ana.status_is("saved")


async def _write_newer(url: str, name: str) -> None:
    await _write(url, name, XmlElement("paragraph", contents=[XmlText("known")]))
    async with connect(url) as client:
        document = await client.open(name)
        document.doc.get("meta", type=Map).update({"kind": "rich", "schema": 2.0})
        await document.saved()


async def _write_links(url: str, name: str, *texts: str) -> None:
    """Each address in a paragraph of its own, and these texts before."""
    blocks = [XmlElement("paragraph", contents=[XmlText(text)]) for text in (*texts, *["click here"] * len(SCRIPTS))]
    await _write(url, name, *blocks)
    async with connect(url) as client:
        document = await client.open(name)
        paragraphs = list(document.doc.get("default", type=XmlFragment).children)[len(texts) :]
        for paragraph, address in zip(paragraphs, SCRIPTS, strict=True):
            paragraph.children[0].format(0, len("click here"), {"link": {"href": address}})
        await document.saved()


async def _write_unknown(url: str, name: str) -> None:
    known = XmlElement("paragraph", contents=[XmlText("known")])
    await _write(url, name, known, XmlElement("hologram", contents=[XmlText("from the future")]))


async def _write(url: str, name: str, *blocks: XmlElement) -> None:
    async with connect(url) as client:
        document = await client.open(name)
        doc: Doc[XmlFragment] = document.doc
        fragment = doc.get("default", type=XmlFragment)
        for block in blocks:
            fragment.children.append(block)
        await document.saved()


async def _read(url: str, name: str) -> str:
    async with connect(url) as client:
        document = await client.open(name)
        return str(document.doc.get("default", type=XmlFragment))
