"""The list of documents, and the menu of one."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect
from pycrdt import Doc, Text

from tests.browser.conftest import People
from tests.browser.story import Person
from tests.process import ServerProcess


def _create(person: Person, name: str, title: str, kind: str = "rich") -> None:
    answer = person.context.request.post(
        f"{person.address}/api/documents", data={"name": name, "title": title, "kind": kind}
    )
    assert answer.status == 201


def _rows(person: Person) -> list[str | None]:
    return [row.get_attribute("data-name") for row in person.on("document-row").all()]


def test_an_empty_list_invites_to_begin(own_server: ServerProcess, ana: Person) -> None:
    ana.visits("/")
    expect(ana.on("document-list")).to_contain_text("A blank page is waiting")


def test_a_document_is_begun_with_one_click(ana: Person) -> None:
    ana.visits("/")
    ana.on("new-text").click()
    expect(ana.on("text-editor")).to_be_editable()
    ana.types("begun")
    ana.status_is("saved")


def test_a_document_is_begun_with_a_title_that_becomes_its_address(ana: Person) -> None:
    ana.visits("/")
    ana.on("new-title").fill("Plan für Mai!")
    ana.on("new-rich").click()
    expect(ana.on("rich-editor")).to_be_editable()
    expect(ana.page).to_have_url(re.compile(r"/d/Plan-f%C3%BCr-Mai$"))
    expect(ana.on("title")).to_have_value("Plan für Mai!")


def test_a_title_with_an_ending_and_enter_makes_a_text(ana: Person) -> None:
    ana.visits("/")
    ana.on("new-title").fill("setup.py")
    ana.on("new-title").press("Enter")
    expect(ana.on("text-editor")).to_be_editable()


def test_the_list_narrows_as_one_types(ana: Person) -> None:
    for name, title in (("a", "Budget of Rome"), ("b", "Holidays in Rome"), ("c", "Budget of Rome, reviewed")):
        _create(ana, f"narrow/{name}", title)
    ana.visits("/")
    expect(ana.page.locator("[data-name='narrow/a']")).to_be_visible()
    ana.presses("/")
    ana.page.keyboard.type("rome")
    expect(ana.on("document-row")).to_have_count(3)
    ana.on("search").fill("budget of rome")
    expect(ana.on("document-row")).to_have_count(2)
    ana.page.keyboard.type(", rev")
    expect(ana.on("document-row")).to_have_count(1)
    expect(ana.on("document-row")).to_contain_text("Budget of Rome, reviewed")
    ana.page.keyboard.type("x")
    expect(ana.on("document-list")).to_contain_text("Nothing found")
    ana.on("search").clear()
    expect(ana.page.locator("[data-name='narrow/b']")).to_be_visible()


def test_a_long_list_shows_more_when_asked(own_server: ServerProcess, ana: Person) -> None:
    for number in range(53):
        _create(ana, f"doc-{number}", f"Document {number}")
    ana.visits("/")
    expect(ana.on("document-row")).to_have_count(50)
    ana.page.get_by_role("button", name="Show more (3)").click()
    expect(ana.on("document-row")).to_have_count(53)
    assert len(set(_rows(ana))) == 53
    assert _rows(ana)[0] == "doc-52"


def test_a_document_is_deleted_only_after_a_question(ana: Person) -> None:
    _create(ana, "deleted/keep", "Keep me")
    _create(ana, "deleted/drop", "Drop me")
    ana.visits("/")
    row = ana.page.locator("[data-name='deleted/drop']")
    row.hover()
    row.get_by_test_id("delete").click()
    expect(ana.on("delete-dialog")).to_contain_text("Drop me")
    ana.presses("Escape")
    expect(ana.on("delete-dialog")).to_have_count(0)
    row.hover()
    row.get_by_test_id("delete").click()
    ana.on("confirm-delete").click()
    expect(row).to_have_count(0)
    ana.page.reload()
    expect(ana.page.locator("[data-name='deleted/keep']")).to_be_visible()
    expect(row).to_have_count(0)


def test_a_list_that_cannot_be_had_says_so_and_can_be_asked_for_again(ana: Person) -> None:
    _create(ana, "there", "There it is")
    ana.visits("/")
    expect(ana.page.locator("[data-name=there]")).to_be_visible()
    ana.line.cut()
    ana.on("search").fill("there it")
    expect(ana.page.get_by_role("alert").filter(has_text="could not be loaded")).to_be_visible()
    ana.line.heal()
    ana.page.get_by_role("button", name="Try again").click()
    expect(ana.on("document-row")).to_have_count(1)


def test_the_theme_goes_round_and_is_remembered(people: People) -> None:
    ana = people("Ana", color_scheme="light")
    ana.visits("/")
    page = ana.page.locator("html")
    expect(ana.on("theme")).to_be_visible()
    light = str(page.evaluate("(page) => getComputedStyle(page).backgroundColor"))
    ana.on("theme").click()
    expect(page).to_have_css("background-color", light)
    ana.on("theme").click()
    expect(ana.on("theme")).to_have_attribute("title", "Theme: dark")
    expect(page).not_to_have_css("background-color", light)
    ana.page.reload()
    expect(ana.on("theme")).to_have_attribute("title", "Theme: dark")
    expect(page).not_to_have_css("background-color", light)


def test_rich_text_is_downloaded_in_each_format(ana: Person) -> None:
    ana.opens_new("export/rich")
    ana.on("title").fill("Exported")
    ana.types("# Heading")
    ana.presses("Enter")
    ana.types("with **bold** words")
    ana.status_is("saved")
    files = {format: _download(ana, format) for format in ("markdown", "html", "text", "json", "yjs")}
    assert files["markdown"].name == "Exported.md"
    assert "# Heading\n\nwith **bold** words" in files["markdown"].read_text()
    assert "<h1>Heading</h1>" in files["html"].read_text()
    assert "<strong>bold</strong>" in files["html"].read_text()
    assert files["text"].read_text().split() == ["Heading", "with", "bold", "words"]
    assert "heading" in json.dumps(json.loads(files["json"].read_text()))
    Doc().apply_update(files["yjs"].read_bytes())


def test_plain_text_is_downloaded_as_it_is(ana: Person) -> None:
    ana.opens("export/tool.py")
    ana.types("print('hi')")
    ana.status_is("saved")
    file = _download(ana, "text")
    assert file.name == "tool.py"
    assert file.read_text() == "print('hi')"
    doc: Doc[Text] = Doc()
    doc.apply_update(_download(ana, "yjs").read_bytes())
    assert str(doc.get("content", type=Text)) == "print('hi')"


def test_a_download_that_fails_says_why_in_the_menu(ana: Person) -> None:
    ana.opens("export/failing.md")
    ana.line.cut()
    ana.on("menu").click()
    ana.on("export-text").click()
    expect(ana.page.get_by_role("alert")).to_contain_text("The server cannot be reached.")


def _download(person: Person, format: str) -> Path:
    person.on("menu").click()
    with person.page.expect_download() as download:
        person.on(f"export-{format}").click()
    path = Path(download.value.path())
    return path.rename(path.with_name(download.value.suggested_filename))
