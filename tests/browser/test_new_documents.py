"""Addresses where nothing is yet: what a visit makes of them."""

import pytest
from playwright.sync_api import expect

from tests.browser.story import Person


def test_an_unknown_address_asks_what_the_document_will_be(ana: Person) -> None:
    ana.visits("/d/new/plan")
    expect(ana.on("kind-choice")).to_be_visible()
    ana.on("choose-rich").click()
    expect(ana.on("rich-editor")).to_be_editable()
    ana.types("It begins.")
    ana.status_is("saved")
    ana.page.reload()
    ana.sees("It begins.")


@pytest.mark.parametrize("name", ["new/notes.md", "new/tool.py"])
def test_an_ending_that_is_known_opens_the_text_editor_without_asking(ana: Person, name: str) -> None:
    ana.opens(name)
    expect(ana.on("text-editor")).to_be_visible()
    expect(ana.on("kind-choice")).to_have_count(0)


def test_code_is_coloured_by_the_ending_of_its_name(ana: Person) -> None:
    ana.opens("new/colours.py")
    ana.types("def greet(name):")
    keyword = ana.editor.locator(".cm-line span", has_text="def").first
    plain = ana.editor.evaluate("(editor) => getComputedStyle(editor).color")
    expect(keyword).to_be_visible()
    assert keyword.evaluate("(span) => getComputedStyle(span).color") != plain


def test_who_is_asked_too_follows_the_choice_of_the_other(ana: Person, ben: Person) -> None:
    for person in (ana, ben):
        person.visits("/d/new/both")
        expect(person.on("kind-choice")).to_be_visible()
    ana.on("choose-rich").click()
    for person in (ana, ben):
        expect(person.on("rich-editor")).to_be_editable()
    ana.types("one line")
    for person in (ana, ben):
        person.reads("one line")


def test_two_people_who_choose_differently_at_the_same_moment_end_in_the_same_editor(ana: Person, ben: Person) -> None:
    for person in (ana, ben):
        # The code of the text editor comes when it is first wanted, and not over a line that stalls.
        person.opens("new/rehearsal.md")
        person.visits("/d/new/quarrel")
        expect(person.on("kind-choice")).to_be_visible()
        person.line.stall()
    ana.on("choose-rich").click()
    ben.on("choose-text").click()
    expect(ana.on("rich-editor")).to_be_visible()
    expect(ben.on("text-editor")).to_be_visible()
    for person in (ana, ben):
        person.line.heal()
    for person in (ana, ben):
        person.status_is("saved")
        expect(person.editor).to_have_count(1)
    ana.page.reload()
    expect(ana.editor).to_be_editable()
    expect(ben.on(str(ana.editor.get_attribute("data-testid")))).to_be_editable()
    ana.types("agreed")
    ben.sees("agreed")


def test_two_people_who_open_a_named_text_at_the_same_time_write_one_document(ana: Person, ben: Person) -> None:
    for person in (ana, ben):
        person.visits("/d/new/race.md")
    for person in (ana, ben):
        person.status_is("saved")
        expect(person.editor).to_be_editable()
    ana.types("# Race\n")
    ben.sees("# Race")
    ben.goes_to_the_end()
    ben.types("won")
    for person in (ana, ben):
        person.reads("# Race\nwon")


def test_an_address_that_no_document_can_have_says_why(ana: Person) -> None:
    for path in ("/d/a//b", "/d/..%2Fetc", "/d/a%20b"):
        ana.visits(path)
        expect(ana.page.get_by_role("heading")).to_contain_text("No document can have this address")
        expect(ana.page.get_by_text("letters, digits and the characters")).to_be_visible()
    ana.page.get_by_role("link", name="All documents").click()
    expect(ana.on("document-list")).to_be_visible()


def test_a_name_in_another_script_opens(ana: Person) -> None:
    ana.opens_new("заметки/план", kind="text")
    ana.types("привет")
    ana.status_is("saved")
    ana.page.reload()
    ana.sees("привет")
