"""Access that ends in the middle of typing: what was saved is on the server, what was not is offered here."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accounts import (
    content_of,
    make_document,
    refusals,
    share,
    sign_in,
    sign_in_by_page,
    take_back,
    take_back_user,
    token_for,
)
from tests.browser.conftest import People
from tests.browser.story import Person, Watch, eventually
from tests.process import ServerProcess

LOCKED_WITHIN_S = 5.0


@pytest.fixture
def host(token_server: ServerProcess, people: People) -> Person:
    host = people("Ana")
    sign_in(host, token_for("ana", {"*": "admin"}, name="Ana Lopez"))
    return host


def _lock_out(host: Person, name: str) -> None:
    """Take back a link that somebody has the document open by; the server has locked them out when this returns."""
    before = refusals(host)
    take_back(host, name)
    _wait_for_refusal(host, before)


def _wait_for_refusal(host: Person, before: int) -> None:
    eventually(lambda: refusals(host), lambda now: now > before, "the server locks somebody out", host)


def _downloaded(person: Person) -> str:
    with person.page.expect_download() as download:
        person.on("download-copy").click()
    return Path(download.value.path()).read_text()


def _nothing_vanished(person: Person, host: Person, name: str, words: list[str]) -> None:
    """All that was typed is on the page; the server has its beginning, and where that is not all, it is offered."""
    person.sees(words[-1])
    assert person.text.split() == words
    saved = content_of(host, name).split()
    assert saved == words[: len(saved)]
    assert len(saved) > 0
    if person.on("discard").count() == 0:
        assert saved == words
    else:
        assert _downloaded(person).split() == words


def test_a_guest_who_is_typing_is_locked_at_once_when_their_link_is_taken_back(host: Person, people: People) -> None:
    name = "lost/typing.md"
    make_document(host, name)
    host.opens(name)
    guest = people("Cleo")
    guest.visits(share(host, name, "write"))
    guest.status_is("saved")
    guest.keeps_typing("w")
    guest.has_typed("w", at_least=10)
    host.sees("w5")
    host.on("share").click()
    host.on("share-take-back").click()
    host.on("share-confirm").click()
    began = time.monotonic()
    guest.status_is("refused")
    assert time.monotonic() - began < LOCKED_WITHIN_S
    expect(guest.editor).not_to_be_editable()
    guest.banner_says("You no longer have access.")
    guest.stops_typing("w")
    _nothing_vanished(guest, host, name, guest.text.split())
    assert guest.text.split() == [f"w{number}" for number in range(len(guest.text.split()))]


@pytest.mark.parametrize(("name", "kind"), [("lost/rich", "rich"), ("lost/text.md", "text")])
def test_what_was_not_saved_is_offered_also_after_a_reload_until_it_is_discarded(
    host: Person, people: People, name: str, kind: str
) -> None:
    make_document(host, name, kind)
    guest = people("Cleo", permissions=["clipboard-read", "clipboard-write"])
    guest.visits(share(host, name, "write"))
    guest.status_is("saved")
    guest.types("saved, ")
    guest.status_is("saved")
    guest.line.stall()
    guest.types("and not sent")
    guest.status_is("saving")
    _lock_out(host, name)
    guest.line.heal()
    guest.status_is("refused")
    guest.banner_says("You no longer have access.")
    guest.banner_says("What you typed is kept on this device.")
    assert content_of(host, name).strip() == "saved,"

    guest.waits_until_it_is_kept()
    guest.page.reload()
    guest.status_is("refused")
    guest.banner_says("What you typed is kept on this device.")
    guest.reads("saved, and not sent")
    expect(guest.editor).not_to_be_editable()
    assert _downloaded(guest).strip() == "saved, and not sent"
    guest.on("copy-text").click()
    expect(guest.on("copy-text")).to_have_text("Copied")
    assert str(guest.page.evaluate("() => navigator.clipboard.readText()")).strip() == "saved, and not sent"

    guest.on("discard").click()
    guest.presses("Escape")
    guest.reads("saved, and not sent")
    guest.on("discard").click()
    guest.on("confirm-discard").click()
    expect(guest.on("sign-in")).to_contain_text(
        "No link of yours opens this document now: ask for a new one, or sign in."
    )
    guest.page.reload()
    expect(guest.on("sign-in")).to_be_visible()


def _locked_out_unsaved(host: Person, people: People, name: str) -> Person:
    """A guest whose link was taken back before "not sent" was saved."""
    make_document(host, name)
    guest = people("Cleo")
    guest.visits(share(host, name, "write"))
    guest.status_is("saved")
    guest.line.stall()
    guest.types("not sent")
    _lock_out(host, name)
    guest.line.heal()
    guest.status_is("refused")
    return guest


def test_what_was_not_saved_is_sent_when_a_new_link_is_opened(host: Person, people: People) -> None:
    name = "lost/again.md"
    guest = _locked_out_unsaved(host, people, name)
    locked = guest.page
    guest.opens_another_tab()
    guest.visits(share(host, name, "write"))
    guest.status_is("saved")
    guest.reads("not sent")
    guest.page = locked
    guest.on("try-again").click()
    guest.status_is("saved")
    guest.sees_no_banner()
    assert content_of(host, name).strip() == "not sent"


def test_a_guest_who_signs_in_takes_along_what_was_not_saved(host: Person, people: People) -> None:
    name = "lost/heir.md"
    guest = _locked_out_unsaved(host, people, name)
    guest.on("to-sign-in").click()
    sign_in_by_page(guest, token_for("cleo", {"lost/*": "write"}, name="Cleo"))
    guest.status_is("saved")
    guest.reads("not sent")
    assert content_of(host, name).strip() == "not sent"


def test_whoever_signs_out_with_something_unsaved_is_told_first(host: Person) -> None:
    name = "left/unsaved.md"
    make_document(host, name)
    host.opens(name)
    host.line.stall()
    host.types("not sent")
    host.page.get_by_test_id("avatar").first.click()
    host.on("sign-out").click()
    expect(host.page.get_by_role("alert").filter(has_text="It stays on this device")).to_be_visible()
    host.line.heal()
    host.on("sign-out").click()
    expect(host.on("sign-in")).to_be_visible()
    sign_in_by_page(host, token_for("ana", {"*": "admin"}, name="Ana Lopez"))
    host.status_is("saved")
    host.reads("not sent")
    assert content_of(host, name).strip() == "not sent"


def test_a_sign_in_that_expires_in_the_middle_of_typing_loses_nothing(host: Person, people: People) -> None:
    name = "expired/plan.md"
    make_document(host, name)
    ben = people("Ben")
    docs = {"expired/*": "write"}
    sign_in(ben, token_for("ben", docs, ends_in_s=4, name="Ben Hur"))
    ben.opens(name)
    ben.keeps_typing("w")
    ben.status_is("refused")
    ben.banner_says("Your sign-in has expired: sign in again.")
    ben.stops_typing("w")
    words = ben.text.split()
    _nothing_vanished(ben, host, name, words)
    ben.on("to-sign-in").click()
    sign_in_by_page(ben, token_for("ben", docs, name="Ben Hur"))
    ben.status_is("saved")
    expect(ben.editor).to_be_editable()
    ben.types("and on")
    ben.status_is("saved")
    assert content_of(host, name).split() == [*words, "and", "on"]


def test_signing_in_again_in_another_tab_lets_this_one_go_on(host: Person, people: People) -> None:
    name = "expired/tabs.md"
    make_document(host, name)
    ben = people("Ben")
    docs = {"expired/*": "write"}
    sign_in(ben, token_for("ben", docs, ends_in_s=3))
    ben.opens(name)
    ben.status_is("refused")
    locked = ben.page
    ben.opens_another_tab()
    ben.visits("/sign-in")
    sign_in_by_page(ben, token_for("ben", docs, ends_in_s=3_600))
    expect(ben.on("document-list")).to_be_visible()
    ben.page = locked
    ben.status_is("saved")
    ben.types("back")
    ben.status_is("saved")


def test_a_user_who_is_taken_back_is_locked_out_and_keeps_what_was_not_saved(host: Person, people: People) -> None:
    name = "revoked/plan.md"
    make_document(host, name)
    ben = people("Ben")
    sign_in(ben, token_for("ben-revoked", {"revoked/*": "write"}, iat=int(time.time()) - 60))
    ben.opens(name)
    ben.types("saved ")
    ben.status_is("saved")
    ben.line.stall()
    ben.types("not sent")
    before = refusals(host)
    take_back_user(host, "ben-revoked")
    _wait_for_refusal(host, before)
    ben.line.heal()
    ben.status_is("refused", within_ms=int(LOCKED_WITHIN_S * 1000))
    ben.banner_says("What you typed is kept on this device.")
    assert _downloaded(ben).strip() == "saved not sent"
    assert content_of(host, name).strip() == "saved"


def test_whoever_may_only_read_from_now_on_is_told_and_keeps_what_was_not_saved(host: Person, people: People) -> None:
    name = "reduced/plan.md"
    make_document(host, name)
    ben = people("Ben")
    sign_in(ben, token_for("ben", {"reduced/*": "read"}, name="Ben Hur"))
    ben.visits(share(host, name, "write"))
    ben.status_is("saved")
    ben.types("saved ")
    ben.status_is("saved")
    ben.line.stall()
    ben.types("not sent")
    _lock_out(host, name)
    ben.line.heal()
    ben.status_is("readonly")
    ben.banner_says("You may only read this document now: your last changes were not saved.")
    expect(ben.editor).not_to_be_editable()
    assert _downloaded(ben).strip() == "saved not sent"
    host.opens(name)
    host.types("and live")
    ben.sees("and live")
    ben.on("discard").click()
    ben.on("confirm-discard").click()
    ben.reads("saved and live")
    ben.sees_no_banner()
    ben.status_is("readonly")


def test_signing_out_in_one_tab_ends_the_others(host: Person, watch: Watch) -> None:
    watch.tolerates("status of 401")
    name = "left/plan.md"
    make_document(host, name)
    host.opens(name)
    stays = host.page
    host.opens_another_tab()
    host.visits("/")
    host.on("account").click()
    host.on("sign-out").click()
    eventually(lambda: host.context.cookies(), lambda cookies: cookies == [], "the cookie is gone", host)
    host.page = stays
    expect(host.on("sign-in")).to_be_visible()
    expect(host.editor).to_have_count(0)
