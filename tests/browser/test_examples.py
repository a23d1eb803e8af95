"""The examples of `@collabdoc/provider` in a browser, each with the tarball in a project of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.proxy import Network
from tests.browser.site import serve_pages
from tests.browser.story import Person, Watch
from tests.clients.project import PROVIDER, Project, run, web_tool
from tests.process import ServerProcess

# Where one writes.
EDITORS = {
    "prosemirror.ts": ".ProseMirror",
    "tiptap.ts": ".ProseMirror",
    "codemirror.ts": ".cm-content",
    "monaco.ts": ".view-lines",
    "quill.ts": ".ql-editor",
    "lexical.tsx": "[contenteditable=true]",
}

_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Example</title>
<link rel="icon" href="data:,">
<body style="height: 400px"><div id="editor"></div><script type="module" src="./{}"></script>
"""


@pytest.fixture(scope="module")
def site(project: Project) -> Iterator[str]:
    """The examples as pages, which take the server's address from their fragment."""
    folder = project.part("pages")
    for name in EDITORS:
        source = (PROVIDER / "examples" / name).read_text()
        assert "'https://docs.example.com'" in source
        (folder / name).write_text(source.replace("'https://docs.example.com'", "location.hash.slice(1)"))
        (folder / name).with_suffix(".html").write_text(_PAGE.format(name))
    pages = [f"{Path(name).stem}.html" for name in EDITORS]
    (folder / "vite.config.js").write_text(
        f"export default {{ base: './', build: {{ target: 'es2022', rolldownOptions: {{ input: {pages} }} }} }}"
    )
    run(web_tool("vite"), "build", cwd=folder)
    with serve_pages(folder / "dist") as origin:
        yield origin


@pytest.mark.parametrize("example", EDITORS)
def test_two_people_write_with_an_example_as_it_is(
    browser: Browser, network: Network, watch: Watch, site: str, tmp_path: Path, example: str
) -> None:
    # Without workers of its own, which are nothing that concerns a provider.
    watch.tolerates("web worker|MonacoEnvironment")
    with ServerProcess(tmp_path / "data", "--allow-origin", site) as server:
        ana, ben = (Person(browser, watch, name, network.line(server.port)) for name in ("Ana", "Ben"))
        for person in (ana, ben):
            person.page.goto(f"{site}/{Path(example).stem}.html#{person.address}")
        expect(ben.page.locator(EDITORS[example])).to_be_visible()
        ana.page.locator(EDITORS[example]).click()
        ana.page.keyboard.type("Good-morning")
        expect(ben.page.locator(EDITORS[example])).to_contain_text("Good-morning")
        ben.page.reload()
        expect(ben.page.locator(EDITORS[example])).to_contain_text("Good-morning")
        for person in (ana, ben):
            person.context.close()
