"""Pages with other makers' editors and providers, which know nothing of this server but its address."""

from collections.abc import Iterator
from itertools import count
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.proxy import Network
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
