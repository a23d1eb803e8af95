"""What this device keeps: closed tabs, reloads, and documents that end on the server meanwhile."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.story import COMES_BACK_MS, Person, everybody_has
from tests.process import ServerProcess

KINDS = pytest.mark.parametrize("kind", ["rich", "text"])


@KINDS
def test_what_was_written_offline_survives_closing_the_tab(ana: Person, ben: Person, kind: str) -> None:
    ana.opens_new(f"offline/tab-{kind}", kind=kind)
    ben.opens(f"offline/tab-{kind}")
    ana.types("online ")
    ben.sees("online")
    ana.line.cut()
    ana.types("offline ")
    ana.status_is("reconnecting")
    ana.types("and closed")
    ana.waits_until_it_is_kept()
    ana.closes_the_tab()
    ana.line.heal()
    ben.types("")
    ben.reads("online ")
    ana.opens(f"offline/tab-{kind}")
    for person in (ana, ben):
        person.reads("online offline and closed")
        person.status_is("saved")


def test_what_was_written_offline_survives_a_server_that_was_killed_meanwhile(
    own_server: ServerProcess, ana: Person, ben: Person
) -> None:
    ana.opens_new("killed", kind="text")
    ana.types("online ")
    ana.status_is("saved")
    own_server.kill()
    ana.types("offline")
    ana.waits_until_it_is_kept()
    ana.closes_the_tab()
    own_server.start()
    ana.opens("killed")
    ben.opens("killed")
    for person in (ana, ben):
        person.reads("online offline")


def test_a_deletion_made_offline_survives_closing_the_tab(ana: Person, ben: Person) -> None:
    ana.opens_new("offline/deletion", kind="text")
    ana.types("keep drop")
    ben.opens("offline/deletion")
    ana.line.cut()
    ana.presses(*["Backspace"] * len(" drop"))
    ana.waits_until_it_is_kept()
    ana.closes_the_tab()
    ana.line.heal()
    ana.opens("offline/deletion")
    for person in (ana, ben):
        person.reads("keep")


@KINDS
def test_a_reload_in_the_middle_of_typing_loses_nothing(ana: Person, ben: Person, kind: str) -> None:
    ana.opens_new(f"offline/reload-{kind}", kind=kind)
    ben.opens(f"offline/reload-{kind}")
    ana.keeps_typing("ana")
    ana.has_typed("ana", at_least=30)
    ana.page.reload()
    ana.status_is("saved")
    everybody_has([ana, ben], ana.has_typed("ana"))


def test_a_reload_finds_on_this_device_what_never_reached_the_server(ana: Person, ben: Person) -> None:
    ana.opens_new("offline/unsent", kind="text")
    ben.opens("offline/unsent")
    ana.line.stall()
    ana.keeps_typing("ana")
    words = ana.stops_typing("ana", after=30)
    ana.waits_until_it_is_kept()
    ana.line.drop()
    ana.line.heal()
    ana.page.reload()
    ana.status_is("saved", within_ms=COMES_BACK_MS)
    everybody_has([ana, ben], words)


@pytest.mark.parametrize(("kind", "begun_anew"), [("rich", False), ("text", True)])
def test_a_document_that_ended_meanwhile_leaves_a_copy_and_a_fresh_start(
    ana: Person, ben: Person, kind: str, begun_anew: bool
) -> None:
    name = f"offline/ended-{kind}-{begun_anew}"
    ana.opens_new(name, kind=kind)
    ana.types("online ")
    ana.status_is("saved")
    ana.line.cut()
    ana.types("offline")
    address = f"{ben.address}/api/documents/{name.replace('/', '%2F')}"
    assert ben.context.request.delete(address).status == 204
    if begun_anew:
        ben.opens_new(name, kind=kind)
        ben.types("new life")
        ben.status_is("saved")
    with ana.stays_on_this_page():
        ana.line.heal()
        ana.status_is("replaced", within_ms=COMES_BACK_MS)
        ana.banner_says("replaced on the server. What you see is your own copy: download it before you leave.")
        ana.reads("online offline")
        expect(ana.editor).not_to_be_editable()
        with ana.page.expect_download() as download:
            ana.on("download-copy").click()
        assert Path(download.value.path()).read_text().strip() == "online offline"
        ana.on("open-fresh").click()
        if begun_anew:
            ana.reads("new life")
        else:
            ana.on(f"choose-{kind}").click()
            expect(ana.editor).to_be_editable()
            ana.reads("")
        ana.goes_to_the_end()
        ana.types("!")
        ana.status_is("saved")
        ana.sees_no_banner()
    ana.page.reload()
    ana.reads("new life!" if begun_anew else "!")
    if begun_anew:
        ben.reads("new life!")


def test_a_document_deleted_under_its_readers_says_so_at_once(ana: Person, ben: Person) -> None:
    ana.opens_new("offline/under", kind="text")
    ana.types("words")
    ben.opens("offline/under")
    ana.visits("/")
    row = ana.page.locator("[data-name='offline/under']")
    row.hover()
    row.get_by_test_id("delete").click()
    ana.on("confirm-delete").click()
    ben.status_is("replaced")
    ben.reads("words")
