"""One browser for all tests of this folder, one context and one line for each person in them."""

import shutil
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.accounts import KEY
from tests.browser.proxy import Network
from tests.browser.story import Person, Watch
from tests.conftest import skip_without
from tests.process import ServerProcess

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

People = Callable[..., Person]


# Not for the session: Playwright's loop counts as running in this thread, and other tests have loops of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        skip_without("chromium")
    if not (resources.files("collabdoc") / "static" / "index.html").is_file():
        skip_without("the built editor (npm run build, in web/)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """For tests that leave the server alone; each uses documents of its own."""
    with ServerProcess(tmp_path_factory.mktemp("shared") / "data") as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """For tests that kill it, or that want an empty one."""
    with ServerProcess(tmp_path / "data") as server:
        yield server


@pytest.fixture(scope="package")
def token_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """For tests about who may do what; each uses documents of its own."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "key").write_text(KEY)
    with ServerProcess(folder / "data", "--auth", "token", "--token-key-file", str(folder / "key")) as server:
        yield server


@pytest.fixture(scope="package")
def network() -> Iterator[Network]:
    with Network() as network:
        yield network


@pytest.fixture
def watch() -> Iterator[Watch]:
    """No page of any story may complain."""
    watch = Watch()
    yield watch
    assert watch.complaints == []


@pytest.fixture
def people(browser: Browser, network: Network, watch: Watch, request: pytest.FixtureRequest) -> Iterator[People]:
    """`people("Ana")` sits at a browser of her own, with a line of her own to the test's server."""
    named = [name for name in ("own_server", "token_server") if name in request.fixturenames]
    server: ServerProcess = request.getfixturevalue(named[0] if named else "shared_server")
    present: list[Person] = []

    def arrive(name: str, **context: Any) -> Person:
        person = Person(browser, watch, name, network.line(server.port), **context)
        present.append(person)
        return person

    yield arrive
    for person in present:
        person.context.close()


@pytest.fixture
def ana(people: People) -> Person:
    return people("Ana")


@pytest.fixture
def ben(people: People) -> Person:
    return people("Ben")
