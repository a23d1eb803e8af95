"""Where the server says no: the page says why, and nothing that was written disappears."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from pycrdt import Map, Text, XmlElement, XmlFragment, XmlText

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.client import connect
from collabdoc.config import load_settings
from collabdoc.errors import NotAllowed, NotAuthenticated
from collabdoc.server.app import Server
from tests.browser.proxy import Network
from tests.browser.story import Person, Watch
from tests.process import ServerProcess


class _Porter:
    """Lets authors write, and others do what the first part of a document's name says."""

    async def authenticate(self, credentials: Credentials, document: str) -> Grant:
        if credentials.token == "author":
            return Grant(User("author"), Permission.WRITE)
        match document.partition("/")[0]:
            case "members":
                raise NotAuthenticated("sign in first")
            case "secret":
                raise NotAllowed("ask the owner")
            case "read":
                return Grant(User(), Permission.READ)
        raise AssertionError(f"nobody asks for {document!r} here")


@pytest.fixture
def guarded_server(network: Network, tmp_path: Path) -> Iterator[Server]:
    """In this process, since no flag of the command chooses who may do what."""
    settings = load_settings({"port": 0, "data": tmp_path / "data"})
    server = Server(settings, authenticator=_Porter())
    network.run(server.__aenter__())
    yield server
    network.run(server.__aexit__())


@pytest.fixture
def visitor(browser: Browser, network: Network, watch: Watch, guarded_server: Server) -> Iterator[Person]:
    visitor = Person(browser, watch, "Cleo", network.line(guarded_server.port))
    yield visitor
    visitor.context.close()


@pytest.mark.parametrize("kind", ["rich", "text"])
def test_a_reader_may_read_and_is_told_so(visitor: Person, network: Network, guarded_server: Server, kind: str) -> None:
    network.run(_write(guarded_server.url, f"read/{kind}", kind))
    visitor.visits(f"/d/read/{kind}")
    visitor.status_is("readonly")
    expect(visitor.on("status")).to_have_text("Read-only")
    visitor.sees_no_banner()
    visitor.reads("for readers")
    expect(visitor.editor).not_to_be_editable()
    expect(visitor.on("title")).not_to_be_editable()
    visitor.editor.click()
    visitor.page.keyboard.type("x")
    visitor.page.reload()
    visitor.reads("for readers")


@pytest.mark.parametrize("name", ["read/blank", "read/blank.md"])
def test_a_reader_makes_nothing_of_a_blank_document(
    visitor: Person, network: Network, guarded_server: Server, name: str
) -> None:
    """Other clients make documents that say nothing of their kind."""
    network.run(_open(guarded_server.url, name))
    visitor.visits(f"/d/{name}")
    visitor.status_is("readonly")
    expect(visitor.page.get_by_role("heading", name="Nothing is written here yet.")).to_be_visible()
    visitor.sees_no_banner()


def test_a_reader_who_comes_first_finds_no_document(visitor: Person) -> None:
    visitor.visits("/d/read/nothing")
    visitor.status_is("refused")
    expect(visitor.on("status")).to_have_text("Not found")
    visitor.banner_says("This document does not exist")


def test_whoever_may_not_come_in_reads_the_reason(visitor: Person) -> None:
    visitor.visits("/d/secret/plan")
    visitor.status_is("refused")
    expect(visitor.on("status")).to_have_text("Not allowed")
    visitor.banner_says("You may not open this document. Ask the owner.")
    expect(visitor.on("skeleton")).to_have_count(0)
    visitor.on("to-list").click()
    expect(visitor.on("document-list")).to_be_visible()


def test_whoever_is_to_sign_in_first_reads_that_where_they_do(visitor: Person) -> None:
    visitor.visits("/d/members/plan")
    expect(visitor.on("sign-in")).to_contain_text("Sign in first.")


@pytest.fixture
def narrow_server(tmp_path: Path) -> Iterator[ServerProcess]:
    config = tmp_path / "narrow.toml"
    config.write_text("[limits]\nupdate_bytes = 2000\nframe_bytes = 8000\n")
    with ServerProcess(tmp_path / "data", "--config", str(config)) as server:
        yield server


@pytest.mark.parametrize("letters", [3_000, 20_000], ids=["update", "frame"])
def test_what_is_too_large_is_refused_and_stays_on_the_page(
    browser: Browser, network: Network, watch: Watch, narrow_server: ServerProcess, letters: int
) -> None:
    ana = Person(browser, watch, "Ana", network.line(narrow_server.port))
    ana.opens("large.md")
    ana.types("small ")
    ana.status_is("saved")
    ana.page.keyboard.insert_text("x" * letters)
    ana.status_is("refused")
    expect(ana.on("status")).to_have_text("Too large")
    ana.banner_says("larger than the server takes")
    # Of a long line the editor draws what can be seen.
    ana.sees("x" * 1_000)
    expect(ana.editor).not_to_be_editable()
    ana.context.close()


def test_a_full_disk_is_told_and_what_was_typed_is_saved_once_there_is_room(
    own_server: ServerProcess, ana: Person, ben: Person
) -> None:
    ana.opens("full.md")
    ben.opens("full.md")
    ana.types("before ")
    ana.status_is("saved")
    process = own_server._process
    assert process is not None
    # No file of the server's may grow: each commit fails as on a full disk.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    ana.types("meanwhile ")
    ana.status_is("unsaveable")
    expect(ana.on("status")).to_have_text("Cannot save right now")
    ana.banner_says("Your edits are kept on this device.")
    ana.types("and on")
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    ana.on("retry-now").click()
    ana.status_is("saved")
    ana.sees_no_banner()
    for person in (ana, ben):
        person.reads("before meanwhile and on")


async def _open(url: str, name: str) -> None:
    async with connect(url, token="author") as client:
        await client.open(name)


async def _write(url: str, name: str, kind: str) -> None:
    async with connect(url, token="author") as client:
        document = await client.open(name)
        if kind == "text":
            document.doc.get("content", type=Text).insert(0, "for readers")
        else:
            fragment = document.doc.get("default", type=XmlFragment)
            fragment.children.append(XmlElement("paragraph", contents=[XmlText("for readers")]))
        document.doc.get("meta", type=Map)["kind"] = kind
        await document.saved()
