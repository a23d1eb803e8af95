"""Share links, from the dialog in which one is made to the guest who comes by it."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import APIResponse, Request, Route, expect

from tests.browser.accounts import content_of, make_document, share, sign_in, take_back, token_for
from tests.browser.conftest import People
from tests.browser.story import Person, Watch
from tests.process import ServerProcess


@pytest.fixture
def host(token_server: ServerProcess, people: People) -> Person:
    """May do everything; guests come by links."""
    host = people("Ana")
    sign_in(host, token_for("ana", {"*": "admin"}, name="Ana Lopez"))
    return host


def _make_link(host: Person, role: str, label: str = "") -> str:
    """By the dialog, which stays open; the address to give away."""
    host.on("share").click()
    host.page.get_by_role("radio", name={"read": "Can read", "write": "Can edit"}[role]).check(force=True)
    host.on("share-label").fill(label)
    host.on("share-make").click()
    expect(host.on("share-address")).to_be_focused()
    return host.on("share-address").input_value()


class _Addresses:
    """What a person's browser asks for, and from where it says that it comes."""

    def __init__(self, person: Person) -> None:
        self.seen: list[str] = []
        person.context.on("request", self._note)

    def _note(self, request: Request) -> None:
        self.seen += [request.url, request.headers.get("referer", "")]


@pytest.mark.parametrize(("name", "kind"), [("walk/letter", "rich"), ("walk/tool.py", "text")])
def test_a_link_is_made_in_the_dialog_and_opens_the_document_read_only(
    host: Person, people: People, name: str, kind: str
) -> None:
    make_document(host, name, kind)
    host.opens(name)
    host.types("from the host")
    host.status_is("saved")
    address = _make_link(host, "read", "The neighbours")
    row = host.on("share-row")
    expect(row).to_contain_text("The neighbours")
    expect(row).to_contain_text("Can read · ends in 7 days")
    expect(row).to_contain_text("made by Ana Lopez, just now")
    host.on("share-close").click()

    guest = people("Cleo")
    addresses = _Addresses(guest)
    guest.page.goto("about:blank")
    path, token = urlsplit(address).path, urlsplit(address).fragment
    guest.visits(f"{path}#{token}")
    expect(guest.page).to_have_url(f"{guest.address}/d/{name}")
    guest.status_is("readonly")
    guest.reads("from the host")
    guest.sees_no_banner()
    expect(guest.editor).not_to_be_editable()
    expect(guest.on("title")).not_to_be_editable()
    expect(guest.on("toolbar")).not_to_be_visible()
    expect(guest.on("share")).not_to_be_visible()

    host.types(" who goes on")
    guest.reads("from the host who goes on")
    expect(guest.on("caret").filter(has_text="Ana Lopez")).to_have_count(1)
    host.sees_people("Ana Lopez", "Cleo (guest)")
    assert content_of(host, name).strip() == "from the host who goes on"

    stored = guest.page.evaluate("() => JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])")
    requested = "".join(url for url in addresses.seen if "#" not in url)
    secret = token.split("_", 2)[2]
    assert secret not in stored + requested
    guest.page.go_back(wait_until="commit")
    assert guest.page.url == "about:blank"


def test_a_link_to_write_lets_a_guest_write(host: Person, people: People) -> None:
    make_document(host, "guests/write.md")
    host.opens("guests/write.md")
    address = urlsplit(_make_link(host, "write"))
    guest = people("Cleo")
    guest.visits(f"{address.path}#{address.fragment}")
    guest.status_is("saved")
    guest.types("from a guest")
    guest.status_is("saved")
    host.reads("from a guest")


def test_the_list_shows_which_documents_are_shared(host: Person) -> None:
    make_document(host, "shared/yes.md")
    make_document(host, "shared/no.md")
    share(host, "shared/yes.md", "read")
    share(host, "shared/yes.md", "write", lasts_s=3600)
    host.visits("/")
    shared = host.page.locator("[data-name='shared/yes.md']").get_by_test_id("shared")
    expect(shared).to_have_attribute("title", "Shared by 2 links")
    expect(host.page.locator("[data-name='shared/no.md']")).to_be_visible()
    expect(host.page.locator("[data-name='shared/no.md']").get_by_test_id("shared")).to_have_count(0)


def test_a_guest_finds_in_the_list_what_was_shared_with_them(host: Person, people: People) -> None:
    make_document(host, "found/yes.md")
    make_document(host, "found/no.md")
    guest = people("Cleo")
    guest.visits(share(host, "found/yes.md", "read"))
    guest.status_is("readonly")
    guest.visits("/")
    expect(guest.on("document-row")).to_have_count(1)
    expect(guest.on("document-row")).to_have_attribute("data-name", "found/yes.md")
    expect(guest.on("new-rich")).not_to_be_visible()


def test_only_who_may_administer_a_document_may_share_it(
    host: Person, token_server: ServerProcess, people: People
) -> None:
    make_document(host, "plain/mine.md")
    ben = people("Ben")
    sign_in(ben, token_for("ben", {"plain/*": "write"}, name="Ben Hur"))
    with ben.page.expect_response(lambda response: "/api/documents/plain" in response.url):
        ben.opens("plain/mine.md")
    expect(ben.on("share")).not_to_be_visible()
    host.opens("plain/mine.md")
    expect(host.on("share")).to_be_visible()


def test_a_link_that_opens_nothing_says_so(host: Person, people: People, watch: Watch) -> None:
    watch.tolerates("status of 401")
    name = "ended/plan.md"
    make_document(host, name)
    taken_back = share(host, name, "read")
    take_back(host, name)
    expired = share(host, name, "read", lasts_s=0.001)
    guest = people("Cleo")
    for path in (taken_back, expired, taken_back[:-4] + "----"):
        guest.page.goto("about:blank")
        guest.visits(path)
        expect(guest.on("share-refused")).to_contain_text("This link does not open a document")
        expect(guest.on("share-refused")).to_contain_text("This link has expired or was taken back: ask for a new one.")
        assert "#" not in guest.page.url


def test_half_a_link_is_told_to_be_half(token_server: ServerProcess, ana: Person) -> None:
    ana.visits("/share")
    expect(ana.on("share-refused")).to_contain_text("This link is not complete")


def test_the_keyboard_begins_at_the_role_and_comes_back_to_the_button(host: Person) -> None:
    make_document(host, "keys/plan.md")
    host.opens("keys/plan.md")
    expect(host.editor).to_be_focused()  # which an empty document takes by itself, whatever had it until then
    expect(host.on("share")).to_be_visible()  # until the server has said so, nobody may share
    host.on("share").focus()
    host.presses("Enter")
    expect(host.on("share-read")).to_be_focused()
    host.presses("ArrowRight", "ArrowRight", "Tab", "Tab", "Tab", "Enter")
    expect(host.on("share-row")).to_contain_text("Can edit · ends in 7 days")
    host.presses("Escape")
    expect(host.on("share-dialog")).to_have_count(0)
    expect(host.on("share")).to_be_focused()


def test_a_link_that_is_made_before_the_list_has_come_stays_in_it(host: Person) -> None:
    make_document(host, "early/plan.md")
    host.opens("early/plan.md")
    late: list[tuple[Route, APIResponse]] = []

    def answer(route: Route) -> None:
        if route.request.method == "GET":
            late.append((route, route.fetch()))
        else:
            route.continue_()

    host.page.route("**/links", answer)
    _make_link(host, "read", "Ben")
    for route, response in late:
        route.fulfill(response=response)
    expect(host.on("share-list")).to_have_attribute("aria-busy", "false")
    expect(host.on("share-row")).to_contain_text("Ben")


def test_escape_keeps_the_link_and_leaves_the_dialog_open(host: Person) -> None:
    make_document(host, "escape/plan.md")
    host.opens("escape/plan.md")
    _make_link(host, "read", "Ben")
    host.on("share-take-back").click()
    expect(host.page.get_by_role("button", name="Keep")).to_be_focused()
    host.presses("Escape")
    expect(host.on("share-confirm")).to_have_count(0)
    expect(host.on("share-take-back")).to_be_focused()
    host.presses("Escape")
    expect(host.on("share-dialog")).to_have_count(0)


def test_a_long_label_stays_within_the_dialog(host: Person, people: People) -> None:
    make_document(host, "wide/plan.md", title="W" * 90)
    host.opens("wide/plan.md")
    _make_link(host, "read", "W" * 100)
    host.on("share-take-back").click()
    host.on("share-confirm").click()
    expect(host.on("share-voice")).to_contain_text("Taken back")
    assert host.on("share-dialog").evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")


def test_a_link_is_taken_back_only_after_a_question(host: Person) -> None:
    make_document(host, "asked/plan.md")
    host.opens("asked/plan.md")
    _make_link(host, "read", "Ben")
    host.on("share-take-back").click()
    expect(host.on("share-row")).to_contain_text("loses access at once")
    host.page.get_by_role("button", name="Keep").click()
    expect(host.on("share-take-back")).to_be_focused()
    host.on("share-take-back").click()
    host.on("share-confirm").click()
    expect(host.on("share-row")).to_have_count(0)
    expect(host.on("share-voice")).to_contain_text("Taken back: the link for Ben")
    expect(host.on("share-empty")).to_be_visible()
