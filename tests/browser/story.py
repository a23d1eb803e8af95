"""The words in which the tests of this folder tell what people do and see.

A `Person` is one browser context: a name, a line to the server, and tabs. Verbs act on the person's current tab.
Whatever a page complains about is written down by its `Watch`, and a story that ends with a complaint fails.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, expect

from tests.browser.proxy import Line

PATIENCE_MS = 10_000
# A backoff may have grown to its cap of 30 s.
COMES_BACK_MS = 35_000
_POLL_MS = 40
_TYPING_MS = 25

# What a browser itself says of a line that a test has cut.
_LINE_IS_DOWN = re.compile(
    r"net::ERR_|WebSocket connection to .* failed|WebSocket is (closed before|already in CLOSING)"
)

_PROFILE = """([id, name, color]) => {
  if (location.protocol === 'http:' && self.origin !== 'null' && localStorage.getItem('collabdoc.profile') === null)
    localStorage.setItem('collabdoc.profile', JSON.stringify({ id, name, color }))
}"""

# Others' carets stand in the text with their names, and are no part of it.
_READ = """(editor) => {
  const copy = editor.cloneNode(true)
  for (const extra of copy.querySelectorAll('.caret, .cm-placeholder, .ProseMirror-separator')) extra.remove()
  const lines = editor.dataset.testid === 'text-editor' ? copy.querySelectorAll('.cm-line') : copy.children
  return [...lines].map((line) => line.textContent).join('\\n')
}"""

# Typing that goes on by itself, so that several people type at the same moment, and while the test does something else.
# The count stands in the session's storage, which a reload keeps.
_KEEP_TYPING = """([stem, everyMs]) => {
  let count = 0
  window.typing = setInterval(() => {
    document.execCommand('insertText', false, `${stem}${count} `)
    count += 1
    sessionStorage.setItem('typed', count)
  }, everyMs)
}"""
_TYPED = "() => Number(sessionStorage.getItem('typed'))"
_STOP_TYPING = "() => clearInterval(window.typing)"

_T = TypeVar("_T")

# A transaction over the same stores begins only when those before it have ended, whichever connection made them.
_KEPT = """async () => {
  for (const { name } of await indexedDB.databases()) {
    if (!name.startsWith('collabdoc:')) continue
    const database = await new Promise((resolve) => {
      const request = indexedDB.open(name)
      request.onsuccess = () => resolve(request.result)
    })
    const transaction = database.transaction(database.objectStoreNames, 'readwrite')
    await new Promise((resolve) => (transaction.oncomplete = resolve))
    database.close()
  }
}"""

COLORS = {"Ana": "#2f62d9", "Ben": "#c2480c", "Cleo": "#2f7d32"}


class Watch:
    """What the pages of a story complained about: errors, dialogs, violations of the Content-Security-Policy."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._tolerated = [_LINE_IS_DOWN]

    def tolerates(self, pattern: str) -> None:
        """For a test in which the browser itself, or a library, rightly grumbles."""
        self._tolerated.append(re.compile(pattern))

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("page", lambda page: page.on("crash", lambda _: self.complaints.append(f"crashed: {page.url}")))
        context.on("dialog", self._dismiss)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(known.search(message.text) for known in self._tolerated):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _dismiss(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


class Person:
    """One browser context: a name, a line to the server, and tabs."""

    def __init__(
        self, browser: Browser, watch: Watch, name: str, line: Line, color: str | None = None, **context: Any
    ) -> None:
        self.name = name
        self.line = line
        self.context = browser.new_context(**{"locale": "en-GB", "reduced_motion": "reduce", **context})
        self.context.set_default_timeout(PATIENCE_MS)
        watch.follow(self.context)
        profile = [f"id of {name}", name, color or COLORS.get(name, "#7350d8")]
        self.context.add_init_script(f"({_PROFILE})({json.dumps(profile)})")
        self.page: Page = self.context.new_page()

    # Where they are

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.line.port}"

    def visits(self, path: str) -> None:
        self.page.goto(self.address + path, wait_until="commit")

    def opens(self, document: str, *, status: str = "saved") -> None:
        """Go to the document, and wait until it is there to be written in."""
        self.visits(f"/d/{document}")
        self.status_is(status)
        expect(self.editor).to_be_editable()

    def opens_new(self, document: str, *, kind: str = "rich") -> None:
        """Go to an address where nothing is yet, and choose what it will be."""
        self.visits(f"/d/{document}")
        self.on(f"choose-{kind}").click()
        self.status_is("saved")
        expect(self.editor).to_be_editable()

    def opens_another_tab(self) -> None:
        self.page = self.context.new_page()

    def closes_the_tab(self) -> None:
        """The tab is gone at once; the person has a blank one."""
        closing = self.page
        self.page = self.context.new_page()
        closing.close()

    # What is on the page

    def on(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    @property
    def editor(self) -> Locator:
        return self.page.locator("[data-testid=rich-editor], [data-testid=text-editor]")

    @property
    def text(self) -> str:
        return str(self.editor.evaluate(_READ))

    # What they do

    def types(self, text: str) -> None:
        """Key by key, where the caret is; at the end of the document when they come to it anew."""
        if not self.editor.evaluate("(editor) => editor === document.activeElement"):
            self.goes_to_the_end()
        self.page.keyboard.type(text)

    def goes_to_the_start(self) -> None:
        self.editor.focus()
        self.presses("ControlOrMeta+Home")

    def goes_to_the_end(self) -> None:
        self.editor.focus()
        self.presses("ControlOrMeta+End")

    def presses(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def commands(self, name: str) -> None:
        """Press a button of the toolbar."""
        self.page.locator(f"[data-command={name}]").click()

    def keeps_typing(self, stem: str) -> None:
        """Type "stem0 stem1 ..." from now on, also while the test does something else."""
        self.types("")
        self.page.evaluate(_KEEP_TYPING, [stem, _TYPING_MS])

    def has_typed(self, stem: str, *, at_least: int = 0) -> list[str]:
        """The words typed since `keeps_typing`, which may go on."""
        count = eventually(lambda: self._typed, lambda typed: typed >= at_least, f"{at_least} words are typed", self)
        return [f"{stem}{number}" for number in range(count)]

    @property
    def _typed(self) -> int:
        return int(self.page.evaluate(_TYPED))

    def stops_typing(self, stem: str, *, after: int = 0) -> list[str]:
        """All the words typed since `keeps_typing`, at least `after` of them."""
        self.has_typed(stem, at_least=after)
        self.page.evaluate(_STOP_TYPING)
        return self.has_typed(stem)

    def waits_until_it_is_kept(self) -> None:
        """Until this device has stored what was typed: a browser aborts the writes that its closing tab has queued."""
        self.page.evaluate(_KEPT)

    def loses_the_line(self) -> None:
        """Every connection ends; when this returns, the page has come back with a new one."""
        taken = self.line.taken
        self.line.drop()
        eventually(lambda: self.line.taken, lambda now: now > taken, "a new connection", self, within_ms=COMES_BACK_MS)

    # What they see

    def sees(self, *parts: str) -> None:
        eventually(
            lambda: self.text, lambda text: all(part in text for part in parts), f"{self.name} sees {parts}", self
        )

    def reads(self, text: str) -> None:
        """The whole text, as it is."""
        eventually(lambda: self.text, lambda now: now == text, f"{self.name} reads {text!r}", self)

    def status_is(self, kind: str, *, within_ms: int = PATIENCE_MS) -> None:
        expect(self.on("status")).to_have_attribute("data-status", kind, timeout=within_ms)

    def banner_says(self, words: str | re.Pattern[str], *, within_ms: int = PATIENCE_MS) -> None:
        expect(self.on("banner")).to_contain_text(words, timeout=within_ms)

    def sees_no_banner(self) -> None:
        expect(self.on("banner")).to_have_count(0)

    def sees_caret_of(self, other: "Person") -> Locator:
        caret = self.on("caret").filter(has_text=other.name)
        expect(caret).to_have_count(1)
        return caret

    def sees_people(self, *names: str) -> None:
        """Exactly these, oneself included, as round avatars."""
        titles = [re.compile(f"^{re.escape(name)}") for name in names]
        expect(self.on("avatar")).to_have_count(len(names))
        for title in titles:
            expect(self.page.get_by_test_id("avatars").get_by_title(title)).to_have_count(1)

    def stays_on_this_page(self) -> "Stay":
        return Stay(self)


class Stay:
    """`with ana.stays_on_this_page():` fails where the page was loaded anew meanwhile."""

    def __init__(self, *people: Person) -> None:
        self._people = people

    def __enter__(self) -> None:
        for person in self._people:
            person.page.evaluate("() => { window.stayed = true }")

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is None:
            for person in self._people:
                assert person.page.evaluate("() => window.stayed === true"), f"{person.name}'s page was loaded anew"


def eventually(
    look: Callable[[], _T], is_so: Callable[[_T], bool], what: str, person: Person, *, within_ms: int = PATIENCE_MS
) -> _T:
    """Look until it is so: the pages forbid `eval`, which Playwright's own waiting for a function needs."""
    give_up = time.monotonic() + within_ms / 1000
    while not is_so(seen := look()):
        assert time.monotonic() < give_up, f"not within {within_ms} ms: {what}; last seen: {seen!r}"
        person.page.wait_for_timeout(_POLL_MS)
    return seen


def everybody_has(people: Sequence[Person], *spoken: Sequence[str]) -> None:
    """All read the same text: every word once, and each person's words in the order in which they were typed."""
    for person in people:
        person.status_is("saved")
    texts = eventually(
        lambda: [person.text for person in people], lambda texts: len(set(texts)) == 1, "all read the same", people[0]
    )
    words = texts[0].split()
    for own in spoken:
        assert [word for word in words if word in set(own)] == list(own)
    assert Counter(words) == Counter(word for own in spoken for word in own)
