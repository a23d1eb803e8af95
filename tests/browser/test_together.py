"""Two people in one document: letters, carets, avatars, undo, title, formatting."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.story import COLORS, Person, eventually, everybody_has

KINDS = pytest.mark.parametrize("kind", ["rich", "text"])


@KINDS
def test_two_people_type_at_the_same_time_and_read_the_same(ana: Person, ben: Person, kind: str) -> None:
    ana.opens_new(f"together/{kind}", kind=kind)
    ben.opens(f"together/{kind}")
    ana.keeps_typing("ana")
    ben.keeps_typing("ben")
    everybody_has([ana, ben], ana.stops_typing("ana", after=40), ben.stops_typing("ben", after=40))


@KINDS
def test_keys_pressed_in_turn_arrive_letter_by_letter(ana: Person, ben: Person, kind: str) -> None:
    ana.opens_new(f"letters/{kind}", kind=kind)
    ben.opens(f"letters/{kind}")
    ana.types("Dear Ben,")
    ana.presses("Enter")
    ben.sees("Dear Ben,")
    ben.goes_to_the_end()
    ben.types("Dear Ana, ")
    ana.sees("Dear Ana,")
    ana.goes_to_the_start()
    ana.types("To: ")
    ben.types("thanks.")
    for person in (ana, ben):
        person.reads("To: Dear Ben,\nDear Ana, thanks.")


# Others' carets come and go while their owners move: null where there is none at the moment.
_BEFORE_CARET = """() => {
  const caret = document.querySelector('.caret')
  if (caret === null) return null
  const range = document.createRange()
  range.setStart(document.querySelector('[data-testid=rich-editor], [data-testid=text-editor]'), 0)
  range.setEndBefore(caret)
  return range.toString()
}"""


@KINDS
def test_everyone_sees_the_others_by_name_colour_and_caret(ana: Person, ben: Person, kind: str) -> None:
    ana.opens_new(f"carets/{kind}", kind=kind)
    ana.types("one two three")
    ben.opens(f"carets/{kind}")
    ben.types("")
    caret = ana.sees_caret_of(ben)
    assert caret.evaluate("(caret) => caret.style.getPropertyValue('--person')") == COLORS["Ben"]
    ben.sees_caret_of(ana)
    ana.sees_people("Ana", "Ben")
    ben.sees_people("Ana", "Ben")
    ben.goes_to_the_start()
    eventually(lambda: ana.page.evaluate(_BEFORE_CARET), lambda text: text == "", "Ben's caret is at the start", ana)
    ben.context.close()
    expect(ana.on("caret")).to_have_count(0)
    ana.sees_people("Ana")


def test_a_new_name_is_seen_by_the_others_at_once_and_kept(ana: Person, ben: Person) -> None:
    ana.opens_new("names")
    ben.opens("names")
    ben.types("here")
    ben.on("avatar").first.click()
    ben.on("own-name").fill("Benedikt Ø.")
    ben.presses("Enter")
    ana.sees_people("Ana", "Benedikt Ø.")
    ben.types("!")
    expect(ana.on("caret")).to_contain_text("Benedikt Ø.")
    ben.page.reload()
    ben.status_is("saved")
    ana.sees_people("Ana", "Benedikt Ø.")


@KINDS
def test_undo_takes_back_only_what_one_wrote_oneself(ana: Person, ben: Person, kind: str) -> None:
    ana.opens_new(f"undo/{kind}", kind=kind)
    ben.opens(f"undo/{kind}")
    ana.types("from Ana. ")
    ben.sees("from Ana.")
    ben.goes_to_the_end()
    ben.types("by Ben. ")
    ana.sees("by Ben.")
    ana.presses("Control+z")
    for person in (ana, ben):
        person.reads("by Ben. ")
    ana.commands("redo")
    for person in (ana, ben):
        person.reads("from Ana. by Ben. ")
    ben.commands("undo")
    for person in (ana, ben):
        person.reads("from Ana. ")


def test_the_title_is_shared_and_stands_in_the_list(ana: Person, ben: Person) -> None:
    ana.opens_new("minutes")
    ben.opens("minutes")
    ana.on("title").fill("Minutes of May")
    expect(ben.on("title")).to_have_value("Minutes of May")
    expect(ben.page).to_have_title(re.compile("Minutes of May"))
    ben.on("title").press("End")
    ben.on("title").press_sequentially(", draft")
    expect(ana.on("title")).to_have_value("Minutes of May, draft")
    ana.status_is("saved")
    ben.status_is("saved")
    ana.on("back").click()
    expect(ana.page.locator("[data-name=minutes]")).to_contain_text("Minutes of May, draft")


def test_formatting_from_the_toolbar_reaches_the_others(ana: Person, ben: Person) -> None:
    ana.opens_new("formatting")
    ben.opens("formatting")
    ana.types("Agenda")
    ana.commands("heading2")
    ana.presses("Enter")
    ana.commands("bold")
    ana.types("urgent")
    ana.commands("bold")
    ana.types(" things")
    ana.presses("Enter")
    ana.commands("bulletList")
    ana.types("coffee")
    expect(ben.editor.locator("h2")).to_have_text("Agenda")
    expect(ben.editor.locator("strong")).to_have_text("urgent")
    expect(ben.editor.locator("ul > li > p")).to_contain_text("coffee")
    ben.editor.locator("h2").click()
    expect(ben.page.locator("[data-command=heading2]")).to_have_attribute("aria-pressed", "true")
    ben.commands("paragraph")
    expect(ana.editor.locator("h2")).to_have_count(0)
    ana.sees("Agenda")


def test_a_link_is_made_from_the_selection_and_reaches_the_others(ana: Person, ben: Person) -> None:
    ana.opens_new("links")
    ben.opens("links")
    ana.types("our page")
    ana.presses("Shift+Control+ArrowLeft", "Control+k")
    ana.page.get_by_label("Address of the link").last.fill("example.org/plan")
    ana.presses("Enter")
    expect(ben.editor.locator("a")).to_have_attribute("href", "https://example.org/plan")
    expect(ben.editor.locator("a")).to_contain_text("page")


def test_a_link_is_made_from_what_was_selected_just_now(ana: Person) -> None:
    """A busy browser tells of a selection late, and the next keys may come before it does."""
    ana.opens_new("links/quick")
    ana.types("our page")
    asked = ana.editor.evaluate(
        """(editor) => {
          getSelection().modify('extend', 'backward', 'word')
          const key = { key: 'k', ctrlKey: true, bubbles: true, cancelable: true }
          editor.dispatchEvent(new KeyboardEvent('keydown', key))
          return document.activeElement.ariaLabel
        }"""
    )
    assert asked == "Address of the link", "the next key goes there, and not over the selected text"
    ana.page.get_by_label("Address of the link").last.fill("example.org/plan")
    ana.presses("Enter")
    expect(ana.editor.locator("a")).to_have_text("page")
    ana.reads("our page")


# As where it is too busy to tell in time.
_THE_BROWSER_TELLS_NOTHING = """() => {
  addEventListener('selectionchange', (event) => event.isTrusted && event.stopImmediatePropagation(), true)
}"""


def test_what_was_selected_just_now_stays_when_another_comes_into_the_text(ana: Person, ben: Person) -> None:
    ana.opens_new("selecting")
    ana.types("our page")
    ana.status_is("saved")
    ben.opens("selecting")
    ana.sees_people("Ana", "Ben")
    ana.page.evaluate(_THE_BROWSER_TELLS_NOTHING)
    ana.page.evaluate("() => getSelection().modify('extend', 'backward', 'word')")
    ben.goes_to_the_start()
    ana.sees_caret_of(ben)
    assert ana.page.evaluate("() => getSelection().toString()") == "page"
    ana.types("house")
    ben.reads("our house")


def test_what_is_typed_right_after_a_click_on_anothers_caret_arrives_whole(ana: Person, ben: Person) -> None:
    """Such a click selects within the caret, where keys do nothing until the editor has heard of it."""
    ana.opens_new("clicking")
    ana.types("Hello from one. ")
    ben.opens("clicking")
    ben.sees_caret_of(ana)
    ben.page.evaluate(_THE_BROWSER_TELLS_NOTHING)
    ben.editor.click()
    ben.page.keyboard.type("And two.")
    ana.reads("Hello from one. And two.")


def test_two_tabs_of_one_person_count_as_one_and_share_what_is_kept(ana: Person) -> None:
    """They share one IndexedDB: what both keep there offline must come out once."""
    ana.opens_new("tabs", kind="text")
    first = ana.page
    ana.opens_another_tab()
    ana.opens("tabs")
    second = ana.page
    expect(ana.on("avatar")).to_have_count(1)
    expect(ana.on("avatar")).to_have_text(re.compile("2"))
    spoken: list[str] = []

    def write(rounds: range) -> None:
        for number in rounds:
            ana.page = (first, second)[number % 2]
            ana.presses("Control+End")
            ana.types(f"w{number} ")
            spoken.append(f"w{number}")

    ana.page = first
    ana.types("")
    ana.page = second
    ana.types("")
    for number in range(6):
        write(range(number, number + 1))
        ana.page = (first, second)[(number + 1) % 2]
        ana.sees(f"w{number} ")
    ana.line.cut()
    for tab in (first, second):
        ana.page = tab
        ana.status_is("reconnecting")
    write(range(6, 12))
    ana.line.heal()
    for tab in (first, second):
        ana.page = tab
        ana.status_is("saved", within_ms=20_000)
        ana.sees(*spoken)
        assert sorted(ana.text.split()) == sorted(spoken)
    ana.page.reload()
    ana.status_is("saved")
    ana.sees(*spoken)
    assert sorted(ana.text.split()) == sorted(spoken)
