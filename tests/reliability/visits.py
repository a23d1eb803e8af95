"""What people do in a day: visits to a running server in every dialect, and what others do to it.

A visit takes its time by the server's clock, which may go faster than this process's.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Any
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClosedError

from collabdoc.awareness import Entry, encode
from collabdoc.client import LiveDocument, Refused, connect
from collabdoc.content import FORMATS
from collabdoc.protocol import native, yjs
from collabdoc.protocol.messages import Open
from collabdoc.tokens import sign_token
from tests.browser.proxy import Line
from tests.process import ServerProcess
from tests.reliability.attackers import Attackers, frame, handshake
from tests.reliability.dialects import DIALECTS
from tests.server.hocuspocus_wire import HocuspocusWire, Typist
from tests.server.wire import Wire
from tests.server.yjs_wire import YjsWire

KEY = "s" * 32
PEOPLE = 40
_LONG = 2_000
"""Characters about which more is deleted than written."""
_WORDS = ("a ", "of ", "tree ", "together ", "日本 ", "\n")
_TOKEN_S = 1_800
_THINKING_S = 15.0
_OVER = (Refused, OSError, EOFError, AssertionError, TimeoutError, HTTPError, WebSocketClosedError)
"""How a visit may end that was cut short: the document was deleted, the line broke."""


_CUT_OFF = 599
"""Tornado's word for a connection that ended before the answer."""


class Clock:
    """The server's."""

    def __init__(self, rate: float, start_s: float) -> None:
        self.rate = rate
        self._start_s = start_s

    def now_s(self) -> float:
        return self._start_s + (time.time() - self._start_s) * self.rate

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.rate)


class Town:
    """Who visits, and the documents that are there; `made` counts visits by kind, `short` those that were cut short."""

    def __init__(self, server: ServerProcess, line: Line, clock: Clock, seed: int) -> None:
        self.documents: list[str] = []
        self.made: Counter[str] = Counter()
        self.short: Counter[str] = Counter()
        self.edits = 0
        self._server = server
        self._line = line
        self._clock = clock
        self._number = 0
        self._random = Random(seed)
        self._attackers = Attackers(server.port, seed, self.token())
        self._kinds: dict[str, tuple[Callable[[], Awaitable[None]], float]] = {
            "native": (self._writes, 30),
            "reconnecting": (self._reconnects, 10),
            "y-websocket": (self._speaks_yjs, 20),
            "hocuspocus": (self._speaks_hocuspocus, 20),
            "reading": (self._reads, 10),
            "making and deleting": (self._makes, 3),
            "sharing": (self._shares, 3),
            "signing in and out": (self._signs, 2),
            "slow": (self._reads_slowly, 0.3),
            "hostile": (self._is_hostile, 1.7),
        }

    async def visit(self) -> None:
        """One, of any kind."""
        kind = self._random.choices(list(self._kinds), [weight for _, weight in self._kinds.values()])[0]
        await self.visit_as(kind)

    async def visit_as(self, kind: str) -> None:
        self.made[kind] += 1
        try:
            await self._kinds[kind][0]()
        except _OVER:
            self.short[kind] += 1

    async def make_documents(self, count: int) -> None:
        for _ in range(count):
            await self._make()

    def token(self, lasts_s: float = 100_000) -> str:
        self._number += 1
        user = self._number % PEOPLE
        claims = {"sub": f"person-{user}", "name": f"Person {user}", "jti": str(self._number), "docs": {"*": "admin"}}
        return sign_token(KEY.encode(), {**claims, "exp": int(self._clock.now_s() + lasts_s)})

    async def fetch(self, method: str, path: str, body: object = None, **headers: str) -> HTTPResponse:
        """As somebody who shows a token, where `headers` show nothing else."""
        request = HTTPRequest(
            f"{self._server.url}{path}",
            method=method,
            body=None if body is None else json.dumps(body),
            headers=headers or {"Authorization": f"Bearer {self.token(_TOKEN_S)}"},
            request_timeout=60,
            allow_nonstandard_methods=True,
        )
        return await AsyncHTTPClient().fetch(request, raise_error=False)

    async def ask(self, path: str) -> bytes:
        """What is there. It comes, if need be at the second time: a minute without a byte is over soon."""
        while (answer := await self.fetch("GET", path)).code != 200:
            assert answer.code == _CUT_OFF, answer.body
        return answer.body

    # Visits

    async def _writes(self) -> None:
        async with connect(self._server.url, token=self.token(_TOKEN_S), max_backoff_s=0.2) as client:
            names = self._random.sample(self.documents, min(self._random.choice((1, 1, 1, 3)), len(self.documents)))
            for document in [await client.open(name) for name in names]:
                await self._write(document)
                await _within(document.saved())

    async def _reconnects(self) -> None:
        url = f"http://127.0.0.1:{self._line.port}"
        async with connect(url, token=self.token(_TOKEN_S), max_backoff_s=0.2) as client:
            document = await _within(client.open(self._any()))
            await self._write(document)
            await asyncio.to_thread(self._line.drop)
            await self._write(document)
            document.authenticate(self.token(_TOKEN_S))
            await self._write(document)
            await _within(document.saved())

    async def _write(self, document: LiveDocument) -> None:
        """About ten edits, and where the cursor is."""
        text = document.text()
        for _ in range(self._random.randint(1, 20)):
            at = self._random.randint(0, len(text))
            deletes = self._random.random() < (0.3 if len(text) < _LONG else 0.9)
            end = min(at + self._random.randint(1, 12), len(text)) if deletes else at
            text.replace(at, end, self._random.choice(_WORDS))
            document.awareness.say({"user": {"name": "somebody"}, "cursor": {"anchor": at, "head": at}})
            self.edits += 1
            await self._thinks()

    async def _speaks_yjs(self) -> None:
        name, author = self._any(), Typist(self._random.getrandbits(31))
        wire = await YjsWire.connect(self._server, quote(name), query=f"?token={self.token(_TOKEN_S)}")
        async with _hung_up(wire.wire):
            author.doc.apply_update(await wire.syncs())
            wire.says(yjs.encode_awareness(_presence(author)), b"\x03")
            async with _listening(wire.wire):
                for _ in range(self._random.randint(1, 20)):
                    wire.says(yjs.encode_update(self._edit(author)))
                    await self._thinks()

    async def _speaks_hocuspocus(self) -> None:
        name, author = self._any(), Typist(self._random.getrandbits(31))
        wire = await HocuspocusWire.dials(self._server)
        async with _hung_up(wire):
            wire.shows(self.token(_TOKEN_S), at=name)
            wire.has(at=name)
            while (heard := await wire.gets()).kind != "step 2":
                assert heard.kind not in ("denied", "closed"), heard
            author.doc.apply_update(heard.value)
            wire.brings(at=name)
            wire.is_present(_presence(author), at=name)
            async with _listening(wire):
                for _ in range(self._random.randint(1, 20)):
                    wire.edits(self._edit(author), at=name)
                    wire.tells("hello", at=name)
                    await self._thinks()
                wire.leaves(at=name)
                await self._thinks()

    async def _reads(self) -> None:
        await self.fetch("GET", "/api/documents?q=notes&limit=20")
        path = f"/api/documents/{self._any()}"
        await self.fetch("GET", path)
        await self.fetch("GET", f"{path}/content?format={self._random.choice(list(FORMATS))}")
        await self.fetch("GET", "/")

    async def _makes(self) -> None:
        await self._make()
        gone = self.documents.pop(self._random.randrange(len(self.documents)))
        await self.fetch("DELETE", f"/api/documents/{gone}")

    async def _shares(self) -> None:
        """With a guest, who has it open when the link ends."""
        links = f"/api/documents/{self._any()}/links"
        lasts_s = self._random.choice((300, 3_600))
        wish = {"permission": "write", "label": "for you", "expires_in_s": lasts_s}
        made = json.loads((await self.fetch("POST", links, wish)).body)
        assert "path" in made, made
        link = made["path"].partition("#")[2]
        async with connect(self._server.url, token=link, max_backoff_s=0.2) as guest:
            document = await _within(guest.open(links.removeprefix("/api/documents/").removesuffix("/links")))
            await self._write(document)
            await self.fetch("DELETE", f"{links}/{made['id']}")
            async with asyncio.timeout(60):
                while document.status.kind != "refused":
                    await asyncio.sleep(0.01)

    async def _signs(self) -> None:
        token, csrf = self.token(_TOKEN_S), {"X-Collabdoc-Csrf": "1"}
        number = self._number
        answer = await self.fetch("POST", "/api/session", {"token": token}, **csrf)
        assert answer.code == 200, answer.body
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        await self.fetch("GET", "/api/documents", Cookie=cookie)
        await self.fetch("DELETE", "/api/session", Cookie=cookie, **csrf)
        await self.fetch("POST", "/api/revocations", {"token_id": str(number)})
        await self.fetch("GET", "/api/documents", Cookie=cookie)

    async def _reads_slowly(self) -> None:
        """Somebody opens a document and reads nothing while much is written to it."""
        name = self._any()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        try:
            writer.write(handshake("/ws", native.SUBPROTOCOL, self.token(_TOKEN_S)))
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame(native.encode_client(Open(1, name, b"\x00"))))
            async with connect(self._server.url, token=self.token(_TOKEN_S), max_backoff_s=0.2) as client:
                document = await _within(client.open(name))
                text = document.text()
                for _ in range(60):
                    text.insert(0, "x" * 50_000)
                    await asyncio.sleep(0)
                    text.replace(0, 50_000, "")
                    self.edits += 2
                    await _within(document.saved())
            await _within(reader.read(2**16))
        finally:
            writer.transport.abort()

    async def _is_hostile(self) -> None:
        if self._random.random() < 0.3:
            await self._attackers.request(self._random)
        else:
            await self._attackers.speak(self._random.choice(list(DIALECTS.values())), self._random)

    def _any(self) -> str:
        return self._random.choice(self.documents)

    def _edit(self, author: Typist) -> bytes:
        self.edits += 1
        if len(author.text) > _LONG:
            return author.deletes(0, 40)
        return author.types(self._random.choice(_WORDS))

    async def _make(self) -> None:
        self._number += 1
        name = f"notes/{self._number}"
        made = await self.fetch("POST", "/api/documents", {"name": name, "title": f"Notes {name}", "kind": "text"})
        assert made.code == 201, made.body
        self.documents.append(name)

    async def _thinks(self) -> None:
        await self._clock.sleep(self._random.expovariate(1 / _THINKING_S))


@contextlib.asynccontextmanager
async def _hung_up(wire: Wire) -> AsyncIterator[None]:
    """At the end, whichever it is."""
    try:
        yield
    finally:
        Wire.connected.remove(wire)
        wire.socket.close()


@contextlib.asynccontextmanager
async def _listening(wire: Wire) -> AsyncIterator[None]:
    """Reads what comes, so that it is no slow reader."""

    async def listen() -> None:
        while await wire.socket.read_message() is not None:
            pass

    task = asyncio.create_task(listen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _presence(author: Typist) -> bytes:
    return encode([Entry(author.doc.client_id, 1, b'{"user":{"name":"somebody"}}')])


async def _within(work: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(work, 60)
