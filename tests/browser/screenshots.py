"""Takes the README's pictures: `python -m tests.browser.screenshots docs/images`.

They show the real pages of a real server, with people who really type; only the times in the list are made up, since
documents that are all a minute old look like nobody's.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Route, sync_playwright

from tests.browser.accounts import CSRF, KEY, share, sign_in, token_for
from tests.browser.conftest import FLAGS
from tests.browser.proxy import Network
from tests.browser.story import COLORS, Person, Watch
from tests.process import ServerProcess

CONTENT = Path(__file__).parent / "content"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# A bare Linux has no font that a desktop would take for its own; of those it has, this one comes closest.
FONT = ":root { --font: 'Liberation Sans', sans-serif }"

HUT, TIDES = "hut/summer-2026", "harbour/tides.py"
OTHERS = (
    # name, title, kind, age
    ("minutes-2026-05", "Minutes of the May meeting", "rich", timedelta(hours=2)),
    ("packing-list", "Packing list", "text", timedelta(hours=5)),
    ("newsletter", "Newsletter: the bridge is back", "rich", timedelta(days=1, hours=3)),
    ("recipes/soup.md", "Soup for forty", "text", timedelta(days=1, hours=9)),
)
AGES = {HUT: timedelta(minutes=4), TIDES: timedelta(minutes=35)} | {name: age for name, _, _, age in OTHERS}


class Studio:
    """A server with some documents, and people who come in and are photographed."""

    def __init__(
        self, browser: Browser, network: Network, server: ServerProcess, folder: Path, *, has_accounts: bool = False
    ) -> None:
        self._browser = browser
        self._network = network
        self._server = server
        self._folder = folder
        self._has_accounts = has_accounts
        self._watch = Watch()

    def fill(self) -> None:
        self._import("hut.html", HUT)
        self._import("tides.py", TIDES)
        host = self.person("Ana")
        for name, title, kind, _ in OTHERS:
            wish = {"name": name, "title": title, "kind": kind}
            assert host.context.request.post(f"{host.address}/api/documents", data=wish, headers=CSRF).status == 201
        host.context.close()

    def renew(self) -> None:
        """The long document as it was before the last picture."""
        host = self.person("Ana")
        url = f"{host.address}/api/documents/{quote(HUT, safe='')}"
        assert host.context.request.delete(url, headers=CSRF).status == 204
        host.context.close()
        self._import("hut.html", HUT)

    def _import(self, file: str, name: str) -> None:
        command = [sys.executable, "-m", "collabdoc", "import", str(CONTENT / file), "--to", name]
        environment = {**os.environ, "COLLABDOC_TOKEN": _token("Ana")} if self._has_accounts else None
        subprocess.run(
            [*command, "--url", self._server.url], check=True, timeout=60, stdout=subprocess.DEVNULL, env=environment
        )

    def person(self, name: str, **context: Any) -> Person:
        person = self.guest(name, **context)
        if self._has_accounts:
            sign_in(person, _token(name))
        return person

    def guest(self, name: str, **context: Any) -> Person:
        line = self._network.line(self._server.port)
        return Person(
            self._browser, self._watch, name, line, **{"viewport": DESKTOP, "color_scheme": "light", **context}
        )

    def write_together(self, **context: Any) -> Person:
        """Ana's view, in which Ben is writing and Cleo has marked something."""
        self.renew()
        ana, ben, cleo = self.person("Ana", **context), self.person("Ben"), self.person("Cleo")
        for person in (ana, ben, cleo):
            person.opens(HUT)
        _click_behind(ben, "where the snow came down.")
        ben.types(" I have a ladder, and time on")
        _mark(cleo, "still open")
        ana.sees("and time on")
        ana.sees_caret_of(ben)
        ana.sees_caret_of(cleo)
        return ana

    def photograph(self, person: Person, name: str) -> None:
        person.page.add_style_tag(content=FONT)
        person.page.mouse.move(0, 0)
        path = self._folder / f"{name}.png"
        person.page.screenshot(path=path)
        print(f"{path}: {path.stat().st_size // 1024} KB")
        for context in self._browser.contexts:
            context.close()


def take_list(studio: Studio) -> None:
    ana = studio.person("Ana")
    ana.page.route("**/api/documents?*", _age)
    ana.visits("/")
    ana.on("document-row").nth(len(AGES) - 1).wait_for()
    studio.photograph(ana, "list")


def take_editor(studio: Studio) -> None:
    studio.photograph(studio.write_together(), "editor")


def take_code(studio: Studio) -> None:
    ana, ben = studio.person("Ana"), studio.person("Ben")
    for person in (ana, ben):
        person.opens(TIDES)
    _click_behind(ana, "return self.amplitude_m * cos(tau * turns)")
    _click_behind(ben, 'Constituent("K1", 0.12')
    ana.sees_caret_of(ben)
    studio.photograph(ana, "code")


def take_offline(studio: Studio) -> None:
    studio.renew()
    ana = studio.person("Ana")
    ana.opens(HUT)
    ana.context.set_offline(True)
    ana.line.cut()
    ana.status_is("offline")
    _click_behind(ana, "Ben and his sister")
    ana.types(" (if the road is clear)")
    ana.banner_says("Your edits are kept on this device.")
    studio.photograph(ana, "offline")


def take_dark(studio: Studio) -> None:
    studio.photograph(studio.write_together(color_scheme="dark"), "dark")


def take_phone(studio: Studio) -> None:
    ana = studio.write_together(viewport=PHONE, is_mobile=True, has_touch=True)
    studio.photograph(ana, "phone")


def take_sign_in(studio: Studio) -> None:
    guest = studio.guest("Cleo")
    guest.visits("/sign-in")
    guest.on("token").wait_for()
    studio.photograph(guest, "sign-in")


def take_share(studio: Studio) -> None:
    ana = studio.person("Ana")
    share(ana, HUT, "read", label="Everybody at the hut")
    ana.opens(HUT)
    ana.on("share").click()
    ana.on("share-row").wait_for()
    ana.page.get_by_role("radio", name="Can edit").check(force=True)
    ana.on("share-label").fill("The roofers")
    ana.on("share-make").click()
    ana.on("share-row").nth(1).wait_for()
    studio.photograph(ana, "share")


def take_read_only(studio: Studio) -> None:
    ana, ben = studio.person("Ana"), studio.person("Ben")
    guest = studio.guest("Cleo")
    guest.visits(share(ana, HUT, "read"))
    guest.status_is("readonly")
    for person in (ana, ben):
        person.opens(HUT)
    _click_behind(ben, "where the snow came down.")
    ben.types(" I have a ladder")
    _click_behind(ana, "Ben and his sister")
    guest.sees("I have a ladder")
    guest.sees_caret_of(ana)
    guest.sees_caret_of(ben)
    studio.photograph(guest, "read-only")


PICTURES: tuple[Callable[[Studio], None], ...] = (
    take_list,
    take_editor,
    take_code,
    take_offline,
    take_dark,
    take_phone,
)
PICTURES_WITH_ACCOUNTS: tuple[Callable[[Studio], None], ...] = (take_sign_in, take_share, take_read_only)


def _token(name: str) -> str:
    return token_for(name.lower(), {"*": "admin"}, name=name, color=COLORS[name])


def _age(route: Route) -> None:
    answer = route.fetch()
    listing = answer.json()
    for entry in listing["documents"]:
        entry["updated_at"] = (datetime.now(UTC) - AGES[entry["name"]]).isoformat()
    listing["documents"].sort(key=lambda entry: AGES[entry["name"]])
    route.fulfill(response=answer, body=json.dumps(listing))


def _click_behind(person: Person, words: str) -> None:
    """Put the caret behind `words`, as a click there would."""
    _select(person, words, start=len(words))


def _mark(person: Person, words: str) -> None:
    _select(person, words, start=0)


def _select(person: Person, words: str, *, start: int) -> None:
    person.editor.evaluate(
        """(editor, [words, start]) => {
          editor.focus()
          const line = [...editor.querySelectorAll('p, .cm-line')].find((line) => line.textContent.includes(words))
          const at = line.textContent.indexOf(words)
          const place = (offset) => {
            const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT)
            while (walker.nextNode()) {
              if (offset <= walker.currentNode.length) return [walker.currentNode, offset]
              offset -= walker.currentNode.length
            }
          }
          getSelection().setBaseAndExtent(...place(at + start), ...place(at + words.length))
        }""",
        [words, start],
    )


@contextmanager
def _folder_with_key() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "key").write_text(KEY)
        yield folder


def main(folder: Path) -> None:
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is not on the path"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _folder_with_key() as data,
        ServerProcess(Path(data) / "data") as server,
        ServerProcess(Path(data) / "accounts", "--auth", "token", "--token-key-file", f"{data}/key") as with_accounts,
        Network() as network,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=[*FLAGS]) as browser,
    ):
        studio = Studio(browser, network, server, folder)
        studio.fill()
        for take in PICTURES:
            take(studio)
        guarded = Studio(browser, network, with_accounts, folder, has_accounts=True)
        guarded.fill()
        for take in PICTURES_WITH_ACCOUNTS:
            take(guarded)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
