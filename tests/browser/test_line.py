"""The line to the server: what the status says of it, and that writing goes on whatever it does."""

import re

from playwright.sync_api import expect

from tests.browser.story import COMES_BACK_MS, Person, everybody_has

# A half-open line is asked after 5 s of silence and given up 5 s later.
HALF_OPEN_MS = 12_500


def test_saved_is_said_only_after_the_server_has_said_so(ana: Person, ben: Person) -> None:
    ana.opens_new("line/saved", kind="text")
    ana.line.stall_answers()
    ana.types("on its way")
    ana.status_is("saving")
    # The server has it and committed it, as Ben can read; Ana's page has no word of that.
    ben.opens("line/saved")
    ben.reads("on its way")
    expect(ana.on("status")).to_have_text("Saving…")
    ana.line.heal()
    ana.status_is("saved")


def test_a_line_that_is_cut_counts_down_and_typing_goes_on(ana: Person, ben: Person) -> None:
    # Each delay is drawn at random up to a ceiling; at the ceiling there is time to press the button.
    ana.context.add_init_script("Math.random = () => 0.99")
    ana.opens_new("line/cut")
    ben.opens("line/cut")
    ana.types("before ")
    ben.sees("before")
    with ana.stays_on_this_page():
        ana.line.cut()
        ana.status_is("reconnecting")
        ana.types("meanwhile ")
        ana.banner_says("Your edits are kept on this device.")
        ana.banner_says(re.compile(r"Reconnecting in [5-9] s"), within_ms=30_000)
        ben.types("elsewhere ")
        ben.status_is("saved")
        ana.line.heal()
        ana.on("retry-now").click()
        ana.status_is("saved")
        ana.sees_no_banner()
        everybody_has([ana, ben], ["before", "meanwhile"], ["elsewhere"])


def test_a_line_that_is_cut_comes_back_by_itself(ana: Person, ben: Person) -> None:
    ana.opens_new("line/alone", kind="text")
    ben.opens("line/alone")
    with ana.stays_on_this_page(), ben.stays_on_this_page():
        ana.keeps_typing("ana")
        ben.keeps_typing("ben")
        for person in (ana, ben, ana):
            person.loses_the_line()
            person.status_is("saving", within_ms=COMES_BACK_MS)
        everybody_has([ana, ben], ana.stops_typing("ana"), ben.stops_typing("ben"))


def test_a_half_open_line_is_found_within_seconds(ana: Person, ben: Person) -> None:
    ana.opens_new("line/half-open")
    ben.opens("line/half-open")
    ana.line.stall()
    ana.types("into the void ")
    ana.status_is("saving")
    # It is tried anew at once, into the same void.
    expect(ana.on("status")).to_have_attribute(
        "data-status", re.compile("reconnecting|connecting"), timeout=HALF_OPEN_MS
    )
    ana.types("and on ")
    ana.line.heal()
    ana.status_is("saved", within_ms=COMES_BACK_MS)
    ben.sees("into the void and on")
    ana.reads("into the void and on ")


def test_a_line_that_sleeps_and_is_gone_on_waking_comes_back(ana: Person, ben: Person) -> None:
    """A lid that closes: nothing flows, nobody is told, and what there was of a connection is gone."""
    ana.opens_new("line/lid", kind="text")
    ben.opens("line/lid")
    ana.types("before sleep ")
    ben.sees("before sleep")
    ana.line.stall()
    ben.types("while she slept ")
    ben.status_is("saved")
    ana.line.drop()
    ana.line.heal()
    ana.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    ana.sees("while she slept")
    ana.status_is("saved")
    ana.types("awake")
    ben.sees("awake")


def test_a_sleeper_leaves_no_caret_behind(ana: Person, ben: Person) -> None:
    ana.opens_new("line/gone")
    ben.opens("line/gone")
    ana.types("here")
    ben.sees_caret_of(ana)
    ana.line.cut()
    expect(ben.on("caret")).to_have_count(0)
    ben.sees_people("Ben")
    ana.line.heal()
    ana.status_is("saved", within_ms=COMES_BACK_MS)
    ben.sees_caret_of(ana)
    ben.sees_people("Ana", "Ben")


def test_a_device_without_network_says_offline_and_keeps_what_is_typed(ana: Person, ben: Person) -> None:
    ana.opens_new("line/offline")
    ben.opens("line/offline")
    ana.context.set_offline(True)
    ana.line.cut()
    ana.status_is("offline")
    expect(ana.on("status")).to_have_text("Offline")
    ana.types("on the train")
    expect(ana.on("status")).to_have_text("Offline: edits kept on this device")
    ana.banner_says("You are offline.")
    ana.line.heal()
    ana.context.set_offline(False)
    ana.status_is("saved")
    ana.sees_no_banner()
    ben.sees("on the train")
