"""Pages with other makers' editors and providers, which know nothing of this server but its address."""

from collections.abc import Iterator
from itertools import count
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Locator, expect
from pycrdt import Assoc, Text

from collabdoc.client import connect
from tests.browser.proxy import Line, Network
from tests.browser.site import serve_pages
from tests.browser.story import COMES_BACK_MS, Person, Watch
from tests.clients.project import CLIENTS, run, web_tool
from tests.process import ServerProcess

# Where one writes, and the name at another's caret.
EDITORS = {
    "prosemirror": (".ProseMirror", ".ProseMirror-yjs-cursor"),
    "codemirror": (".cm-content", ".cm-ySelectionInfo"),
    "quill": (".ql-editor", ".ql-cursor-name"),
}
Y_WEBSOCKET, HOCUSPOCUS = "y-websocket", "hocuspocus"

_documents = count(1)


@pytest.fixture(scope="module")
def site(node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the pages are, built as their makers' users would."""
    folder = tmp_path_factory.mktemp("pages")
    run(web_tool("vite"), "build", CLIENTS / "pages", "--outDir", folder, cwd=CLIENTS)
    with serve_pages(folder) as origin:
        yield origin


@pytest.fixture(scope="module")
def server(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data", "--allow-origin", site) as server:
        yield server


class Writer:
    """Somebody at one of these pages."""

    def __init__(self, person: Person, site: str, editor: str) -> None:
        self.person = person
        self._site = site
        self._editor = editor

    def opens(self, document: str, provider: str) -> None:
        asked = {
            "server": self.person.address.replace("http", "ws"),
            "document": document,
            "provider": provider,
            "user": self.person.name,
        }
        self.person.page.goto(f"{self._site}/{self._editor}.html?{urlencode(asked)}")

    @property
    def text(self) -> Locator:
        return self.person.page.locator(EDITORS[self._editor][0])

    @property
    def caret_of_another(self) -> Locator:
        return self.person.page.locator(EDITORS[self._editor][1])

    def types(self, text: str) -> None:
        self.text.focus()
        self.person.presses("ControlOrMeta+End")
        self.person.page.keyboard.type(text)

    def sees(self, text: str, *, within_ms: int = 5_000) -> None:
        expect(self.text).to_contain_text(text, timeout=within_ms)


@pytest.fixture(params=EDITORS)
def writers(
    request: pytest.FixtureRequest,
    browser: Browser,
    network: Network,
    watch: Watch,
    server: ServerProcess,
    site: str,
) -> Iterator[tuple[Writer, Writer]]:
    people = [Person(browser, watch, name, network.line(server.port)) for name in ("Ana", "Ben")]
    ana, ben = (Writer(person, site, request.param) for person in people)
    yield ana, ben
    for person in people:
        person.context.close()


@pytest.mark.parametrize(
    ("anas", "bens"),
    [(Y_WEBSOCKET, Y_WEBSOCKET), (HOCUSPOCUS, HOCUSPOCUS), (Y_WEBSOCKET, HOCUSPOCUS)],
    ids=["y-websocket", "hocuspocus", "both"],
)
def test_two_people_write_in_one_document_and_find_it_again(
    writers: tuple[Writer, Writer], server: ServerProcess, anas: str, bens: str
) -> None:
    ana, ben = writers
    document = f"usual/{next(_documents)}"
    ana.opens(document, anas)
    ben.opens(document, bens)
    ana.types("Dear Ben, ")
    ben.sees("Dear Ben,")
    expect(ben.caret_of_another).to_contain_text("Ana")
    ben.types("dear Ana.")
    ana.sees("dear Ana.")
    expect(ana.caret_of_another).to_contain_text("Ben")

    ben.person.page.goto("about:blank")
    expect(ana.caret_of_another).to_have_count(0)
    ana.person.page.reload()
    ana.sees("Dear Ben, ")
    ana.sees("dear Ana.")

    ben.opens(document, bens)
    ben.sees("dear Ana.")
    server.kill()
    ana.types(" Late.")
    server.start()
    ben.sees("Late.", within_ms=COMES_BACK_MS)


class Robot:
    """A Python program with a cursor, on the loop of the lines."""

    name = "Robot"

    def __init__(self, network: Network, line: Line, document: str) -> None:
        self.line = line
        self._network = network
        self._client = connect(f"http://127.0.0.1:{line.port}")
        network.run(self._client.__aenter__())
        self._note = network.run(self._client.open(document))

    def types(self, text: str) -> None:
        async def write() -> None:
            self._note.text().append(text)
            content = self._note.doc.get("content", type=Text)
            head = content.sticky_index(len(content), Assoc.BEFORE).to_json()
            user = {"name": self.name, "color": "#7350d8"}
            self._note.awareness.say({"user": user, "cursor": {"anchor": head, "head": head}})
            await self._note.saved()

        self._network.run(write())

    def sees(self, text: str) -> None:
        async def look() -> None:
            while text not in str(self._note.text()):
                await self._note.changed()

        self._network.run(look())

    def sees_carets_of(self, *names: str) -> None:
        async def look() -> None:
            others = self._note.awareness.others
            while {state["user"]["name"] for state in others.values() if state.get("cursor")} != set(names):
                await self._note.changed()

        self._network.run(look())

    def leaves(self) -> None:
        self._network.run(self._client.__aexit__(None, None, None))


def test_pages_of_every_dialect_and_a_python_program_write_in_one_document(
    browser: Browser, network: Network, watch: Watch, server: ServerProcess, site: str
) -> None:
    ana, ben, cleo = (Person(browser, watch, name, network.line(server.port)) for name in ("Ana", "Ben", "Cleo"))
    document = f"usual/{next(_documents)}"
    cleo.opens_new(document, kind="text")
    cleo.types("Cleo was first. ")
    pages = {Y_WEBSOCKET: Writer(ana, site, "codemirror"), HOCUSPOCUS: Writer(ben, site, "codemirror")}
    for provider, page in pages.items():
        page.opens(document, provider)
        page.sees("Cleo was first.")
        page.types(f"{page.person.name} as well. ")
    robot = Robot(network, network.line(server.port), document)
    robot.types("A program, too. ")
    robot.sees("Cleo was first. Ana as well. Ben as well. A program, too.")
    robot.sees_carets_of("Ana", "Ben", "Cleo")
    cleo.reads("Cleo was first. Ana as well. Ben as well. A program, too. ")
    carets = [(page.person.name, page.caret_of_another) for page in pages.values()] + [("Cleo", cleo.on("caret"))]
    for _, others in carets:
        expect(others).to_have_count(3)

    lines = {"Robot": robot.line, "Ben": ben.line, "Ana": ana.line}
    for already, (gone, line) in enumerate(lines.items(), start=1):
        line.cut()
        carets = [(name, others) for name, others in carets if name != gone]
        for _, others in carets:
            expect(others).to_have_count(3 - already)
    for page in pages.values():
        page.types(f"{page.person.name} was away. ")
    cleo.types("Cleo was alone. ")
    for line in lines.values():
        line.heal()
    for part in ("Ana was away.", "Ben was away.", "Cleo was alone."):
        for page in pages.values():
            page.sees(part, within_ms=COMES_BACK_MS)
        cleo.sees(part)
        robot.sees(part)
    robot.leaves()
    for person in (ana, ben, cleo):
        person.context.close()
