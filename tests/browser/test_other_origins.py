"""A page of another origin can neither open a socket nor write through the API, whatever the browser sends along.

`localhost` is another site than `127.0.0.1`: cookies stay at home. Another port of the same host is another origin but
the same site: cookies go along, and the server has to look at who asks.
"""

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.accounts import content_of, make_document, sign_in, token_for
from tests.browser.proxy import Network
from tests.browser.story import Person, Watch
from tests.process import ServerProcess

NAME = "guarded/plan.md"

_SOCKETS = """(base) => Promise.all(['/ws', '/yjs/guarded', '/hocuspocus'].map((path) => new Promise((resolve) => {
  const socket = new WebSocket(base + path, path === '/ws' ? ['collabdoc.v1'] : [])
  socket.onopen = () => resolve('open')
  socket.onclose = () => resolve('closed')
})))"""

# Each way in which a page may send something without being allowed to read the answer, and some in which it may not.
_ATTACK = """async ([api, name]) => {
  const target = `${api}/documents/${encodeURIComponent(name)}`
  const forged = JSON.stringify({ name: 'guarded/forged', title: 'Forged', kind: 'text' })
  const json = { 'Content-Type': 'application/json' }
  const csrf = { ...json, 'X-Collabdoc-Csrf': '1' }
  const wishes = [
    [`${api}/documents`, { method: 'POST', body: forged, mode: 'no-cors' }],
    [`${api}/documents`, { method: 'POST', body: forged, mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }],
    [`${api}/documents`, { method: 'POST', body: forged, headers: csrf }],
    [target, { method: 'DELETE', mode: 'no-cors' }],
    [target, { method: 'DELETE', headers: csrf }],
    [`${target}/links`, { method: 'POST', body: '{"permission":"write","expires_in_s":null}', mode: 'no-cors' }],
    [`${target}/links`, { method: 'POST', body: '{"permission":"write","expires_in_s":null}', headers: csrf }],
    [`${api}/session`, { method: 'DELETE', headers: csrf }],
    [`${api}/session`, { method: 'POST', body: '{"token":"x"}', mode: 'no-cors' }],
  ]
  const answers = []
  for (const [url, wish] of wishes) {
    const answer = await fetch(url, { credentials: 'include', ...wish }).catch(() => null)
    answers.push(answer === null || answer.type === 'opaque' ? 'unread' : answer.status)
  }
  answers.push(await fetch(target, { credentials: 'include' }).then((answer) => answer.status, () => 'unread'))
  return answers
}"""

# A page in a sandbox is of no origin: it says "null", as pages from a file do.
_FROM_A_SANDBOX = """async ([program, base]) => {
  const frame = document.createElement('iframe')
  frame.sandbox = 'allow-scripts'
  frame.srcdoc = `<script>(${program})('${base}').then((said) => parent.postMessage(said, '*'))</script>`
  const said = new Promise((resolve) => addEventListener('message', ({ data }) => resolve(data), { once: true }))
  document.body.append(frame)
  return said
}"""

# Each kind of page, those that tell of an error among them.
_PAGES = [
    "/",
    "/d/guarded%2Fplan.md",
    "/sign-in",
    "/share",
    "/nothing",
    "/api/documents",
    "/api/documents/guarded%2Fplan.md/content?format=html",
    "/static/favicon.svg",
]
_FRAMES = """(addresses) => Promise.all(addresses.map((address) => new Promise((resolve) => {
  const frame = document.createElement('iframe')
  frame.onload = resolve
  frame.src = address
  document.body.append(frame)
})))"""

# The field's name and value make JSON of what a form sends as text.
_FORM = """([api]) => {
  const form = document.createElement('form')
  Object.assign(form, { method: 'post', action: `${api}/documents`, enctype: 'text/plain' })
  const field = document.createElement('input')
  Object.assign(field, { name: '{"name":"guarded/forged","kind":"text","title":"', value: '"}' })
  form.append(field)
  document.body.append(form)
  form.submit()
}"""


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Elsewhere</title><link rel=icon href=data:,><p>Elsewhere</p>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of somebody else's site."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, name="elsewhere")
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(params=["token", "open"])
def victim(
    request: pytest.FixtureRequest, browser: Browser, network: Network, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Person]:
    """Has a document, on a server with or without accounts; the browser grumbles about what is refused."""
    server: ServerProcess = request.getfixturevalue("token_server" if request.param == "token" else "own_server")
    victim = Person(browser, Watch(), "Ana", network.line(server.port))
    if request.param == "token":
        sign_in(victim, token_for("ana", {"*": "admin"}))
    if victim.context.request.get(f"{victim.address}/api/documents/guarded%2Fplan.md").status == 404:
        make_document(victim, NAME)
    victim.opens(NAME)
    victim.goes_to_the_end()
    victim.presses("ControlOrMeta+a")
    victim.types("mine")
    victim.status_is("saved")
    yield victim
    victim.context.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_of_another_origin_reaches_nothing(victim: Person, elsewhere: int, host: str) -> None:
    api, sockets = f"{victim.address}/api", victim.address.replace("http", "ws")
    # From its own page all of this works, so that a refusal means something.
    assert set(victim.page.evaluate(_SOCKETS, sockets)) == {"open"}

    victim.opens_another_tab()
    victim.page.goto(f"http://{host}:{elsewhere}/")
    assert set(victim.page.evaluate(_SOCKETS, sockets)) == {"closed"}
    assert set(victim.page.evaluate(_FROM_A_SANDBOX, [_SOCKETS, sockets])) == {"closed"}
    assert set(victim.page.evaluate(_ATTACK, [api, NAME])) == {"unread"}
    with victim.page.expect_navigation():
        victim.page.evaluate(_FORM, [api])
    assert '"forbidden"' in victim.page.content()

    assert content_of(victim, NAME).strip() == "mine"
    listed = victim.context.request.get(f"{api}/documents?q=&limit=200").json()["documents"]
    assert not [entry for entry in listed if entry["name"] == "guarded/forged"]
    assert [entry["links"] for entry in listed if entry["name"] == NAME] == [0]
    me = victim.context.request.get(f"{api}/session").json()
    assert me["open"] or me["user"]["id"] == "ana"


def test_no_page_can_be_framed(victim: Person, elsewhere: int) -> None:
    victim.page.goto(f"http://127.0.0.1:{elsewhere}/")
    victim.page.evaluate(_FRAMES, [victim.address + page for page in _PAGES])
    _, *frames = victim.page.frames
    assert len(frames) == len(_PAGES)
    for page, frame in zip(_PAGES, frames, strict=True):
        assert frame.url.startswith("chrome-error:"), page
