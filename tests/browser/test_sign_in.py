"""Signing in: where one is led to it, how one comes back, and what others see of it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.accounts import KEY, make_document, sign_in, sign_in_by_page, token_for
from tests.browser.conftest import People
from tests.browser.proxy import Network
from tests.browser.story import Person, Watch
from tests.process import ServerProcess

COLOR = "#0b7a75"


def _token(docs: str) -> str:
    return token_for("ana", {docs: "admin"}, name="Ana Lopez", color=COLOR)


def _keeps_no(person: Person, token: str) -> None:
    """Neither the address nor the history nor a storage that scripts can read holds the token."""
    stored = person.page.evaluate(
        "() => JSON.stringify([location.href, document.cookie, {...localStorage}, {...sessionStorage}, history.state])"
    )
    assert token not in stored


def test_whoever_is_not_signed_in_is_led_to_sign_in_and_comes_back(token_server: ServerProcess, ana: Person) -> None:
    token = _token("signed/*")
    ana.visits("/d/signed/plan.md")
    expect(ana.on("token")).to_be_focused()
    expect(ana.on("sign-in")).to_contain_text("Sign in to open this document.")
    sign_in_by_page(ana, token)
    expect(ana.page).to_have_url(f"{ana.address}/d/signed/plan.md")
    ana.status_is("saved")
    ana.types("signed in")
    ana.status_is("saved")
    _keeps_no(ana, token)


def test_whoever_signs_in_elsewhere_meanwhile_comes_to_the_document_that_they_asked_for(
    token_server: ServerProcess, ana: Person
) -> None:
    ana.visits("/d/signed/tabs.md")
    expect(ana.on("sign-in")).to_be_visible()
    asked = ana.page
    ana.opens_another_tab()
    ana.visits("/sign-in")
    sign_in_by_page(ana, _token("signed/*"))
    ana.page = asked
    ana.status_is("saved")


def test_the_list_is_shown_to_whoever_is_signed_in_until_they_sign_out(
    token_server: ServerProcess, ana: Person, watch: Watch
) -> None:
    watch.tolerates("status of 401")
    ana.visits("/")
    expect(ana.on("sign-in-invitation")).to_contain_text("Sign in to see your documents")
    expect(ana.on("new-rich")).not_to_be_visible()
    ana.on("sign-in-link").click()
    sign_in_by_page(ana, _token("listed/*"))
    expect(ana.page).to_have_url(f"{ana.address}/")
    make_document(ana, "listed/one.md", title="The first")
    ana.page.reload()
    expect(ana.on("document-row")).to_have_count(1)
    expect(ana.on("account")).to_have_text("AL")
    ana.on("account").click()
    expect(ana.page.get_by_text("Ana Lopez")).to_be_visible()
    ana.on("sign-out").click()
    expect(ana.on("sign-in-invitation")).to_be_visible()
    assert ana.context.cookies() == []


def test_whoever_may_not_make_a_document_is_told_that(token_server: ServerProcess, ana: Person, watch: Watch) -> None:
    watch.tolerates("status of 403")
    sign_in(ana, token_for("ana", {"mine/*": "write"}))
    ana.visits("/")
    ana.on("new-text").click()
    expect(ana.page.get_by_role("alert")).to_have_text("Your sign-in does not let you make a document of this name.")


def test_whoever_may_make_no_document_is_offered_none(token_server: ServerProcess, ana: Person) -> None:
    sign_in(ana, token_for("ana", {"nowhere/*": "comment"}))
    ana.visits("/")
    expect(ana.on("document-list")).to_contain_text("There is nothing for you to read yet")
    expect(ana.on("new-rich")).to_have_count(0)


def test_a_token_that_is_not_taken_is_said_why(token_server: ServerProcess, ana: Person, watch: Watch) -> None:
    watch.tolerates("status of 401")
    ana.visits("/sign-in")
    for token, says in (
        ("no token at all", "The server does not take this token. Your sign-in is not valid"),
        (token_for("ana", {"*": "write"}, ends_in_s=-60), "Your sign-in has expired"),
        ("cds_0123456789abcdef_" + "x" * 32, "This link has expired or was taken back"),
    ):
        sign_in_by_page(ana, token)
        expect(ana.page.get_by_role("alert")).to_contain_text(says)
        expect(ana.on("token")).to_be_focused()


def test_signing_in_never_leads_to_another_site(token_server: ServerProcess, ana: Person) -> None:
    ana.visits("/sign-in?next=//example.org/x")
    sign_in_by_page(ana, _token("elsewhere/*"))
    expect(ana.page).to_have_url(re.compile(f"^{re.escape(ana.address)}/(?!sign-in)"))


@pytest.fixture
def operated_server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "key").write_text(KEY)
    config = tmp_path / "operated.toml"
    config.write_text(
        'sign_in_url = "https://accounts.example.org/login?app=docs"\n'
        f'auth = "token"\ntoken_key_file = "{tmp_path / "key"}"\n'
    )
    with ServerProcess(tmp_path / "data", "--config", str(config)) as server:
        yield server


def test_an_operator_may_have_people_sign_in_elsewhere(
    browser: Browser, network: Network, watch: Watch, operated_server: ServerProcess
) -> None:
    watch.tolerates("status of 401")
    ana = Person(browser, watch, "Ana", network.line(operated_server.port))
    ana.visits("/")
    href = ana.page.get_by_test_id("sign-in-link").get_attribute("href")
    assert href is not None
    assert href.startswith("https://accounts.example.org/login?app=docs&next=http%3A%2F%2F127.0.0.1")
    # And back, with what the operator's page gives along.
    token = _token("operated/*")
    ana.visits(f"/d/operated/plan.md#token={token}")
    ana.status_is("saved")
    expect(ana.page).to_have_url(f"{ana.address}/d/operated/plan.md")
    ana.sees_people("Ana Lopez")
    _keeps_no(ana, token)
    ana.context.close()


def test_nobody_is_made_somebody_else_by_an_address(token_server: ServerProcess, ana: Person) -> None:
    sign_in(ana, _token("mine/*"))
    ana.visits(f"/#token={token_for('mallory', {'*': 'read'})}")
    expect(ana.on("sign-in")).to_contain_text("You are signed in as Ana Lopez")
    ana.on("go-on").click()
    expect(ana.on("account")).to_have_text("AL")


def test_a_server_without_accounts_shows_nothing_of_them(ana: Person) -> None:
    ana.opens("open/plan.md")
    ana.on("avatar").click()
    expect(ana.on("own-name")).to_be_enabled()
    for part in ("share", "sign-out", "to-sign-in"):
        expect(ana.on(part)).not_to_be_visible()
    ana.visits("/")
    expect(ana.on("new-rich")).to_be_visible()
    for part in ("sign-in-link", "account"):
        expect(ana.on(part)).to_have_count(0)
    ana.visits("/sign-in")
    expect(ana.on("sign-in")).to_contain_text("Nobody needs to sign in here")


def test_names_and_colours_of_those_who_signed_in_come_from_their_token(
    token_server: ServerProcess, people: People
) -> None:
    ana, ben = people("Ana"), people("Ben")
    sign_in(ana, _token("named/*"))
    sign_in(ben, token_for("ben", {"named/*": "write"}, name="Ben Hur"))
    ana.opens("named/plan.md")
    ben.opens("named/plan.md")
    ana.types("here")
    ben.sees_people("Ben Hur", "Ana Lopez")
    caret = ben.on("caret").filter(has_text="Ana Lopez")
    expect(caret).to_have_attribute("style", re.compile(COLOR))
    ana.page.get_by_test_id("avatar").first.click()
    expect(ana.on("own-name")).to_be_disabled()
    expect(ana.on("name-remark")).to_contain_text("come from your sign-in")
    expect(ana.page.get_by_role("radio")).to_have_count(0)
    # A colour that the token leaves open is one's own.
    ben.page.get_by_test_id("avatar").first.click()
    expect(ben.page.get_by_role("radio")).not_to_have_count(0)
