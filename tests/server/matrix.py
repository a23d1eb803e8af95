"""Who x by which means x dialect x deed, as data: what the test of permissions walks through, cell by cell.

A dialect is a class whose methods carry out deeds over the wire and say what came of each; one more dialect is one more
column in `DIALECTS`. What is to come of a deed stands in `TABLE`, and in nothing that the server itself reads.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Generic, Literal, Protocol, TypeVar
from urllib.parse import quote

from collabdoc.auth import Permission
from collabdoc.awareness import Entry, encode
from collabdoc.errors import NotAllowed
from collabdoc.links import split_token
from collabdoc.protocol import yjs
from collabdoc.protocol.messages import Awareness, Closed, Open, Opened, Ping, Pong, Rejected, Saved, Update, Updates
from collabdoc.server.app import Server
from collabdoc.server.context import LINK_COOKIE, SESSION_COOKIE
from tests.server.hocuspocus_wire import HocuspocusWire
from tests.server.people import CSRF, link_to, token
from tests.server.test_api import Http
from tests.server.wire import Wire, text_of, typed
from tests.server.yjs_wire import YjsWire


class Outcome(Enum):
    DONE = "done"
    NOT_AUTHENTICATED = "not authenticated"
    NOT_ALLOWED = "not allowed"
    NO_SUCH_DOCUMENT = "no such document"
    CONFLICT = "makes no sense on an open server"


OUTCOME_OF_CODE = {
    **dict.fromkeys((200, 201, 204), Outcome.DONE),
    **dict.fromkeys((401, 4401), Outcome.NOT_AUTHENTICATED),
    **dict.fromkeys((403, 4403), Outcome.NOT_ALLOWED),
    **dict.fromkeys((404, 4404), Outcome.NO_SUCH_DOCUMENT),
    409: Outcome.CONFLICT,
}


# Who


Means = Literal["said", "header", "cookie"]


@dataclass(frozen=True)
class Person:
    """Somebody, by what they show. `permission` is what it grants in `team/*`, or by a link in one document."""

    name: str
    means: Means = "said"
    permission: Permission | None = None
    is_known: bool = False
    """Whether the server knows who it is, so that a refusal says "not allowed" and not "sign in"."""
    everywhere: bool = False
    by_link: bool = False
    is_open: bool = False
    """On an open server, where nobody shows anything."""

    def __str__(self) -> str:
        return f"{self.name} by {'link ' if self.by_link else ''}{self.means}"

    async def shows(self, server: Server, document: str) -> tuple[str | None, dict[str, str]]:
        """A token that is said in the dialect, and headers."""
        if self.is_open or self.name == "nobody":
            return None, {}
        secret = await self._secret(server, document)
        match self.means:
            case "said":
                return secret, {}
            case "header":
                return None, {"Authorization": f"Bearer {secret}"}
            case "cookie":
                link_id, value = split_token(secret) or ("", secret)
                return None, {"Cookie": f"{LINK_COOKIE + link_id if link_id else SESSION_COOKIE}={value}"}

    async def _secret(self, server: Server, document: str) -> str:
        if self.by_link:
            assert self.permission is not None
            return await link_to(server, document, self.permission)
        if self.permission is None:
            return token("stranger", "admin", "other/*") if self.is_known else "forged"
        return token(self.name, self.permission.name.lower(), "*" if self.everywhere else "team/*")


def _everybody() -> list[Person]:
    people = [Person("nobody"), Person("anybody", is_open=True, permission=Permission.ADMIN, everywhere=True)]
    means: tuple[Means, ...] = ("said", "header", "cookie")
    for each in means:
        people += [Person("forger", each), Person("stranger", each, is_known=True)]
        people += [Person(role.name.lower(), each, role, is_known=True) for role in Permission]
        people += [Person("chief", each, Permission.ADMIN, is_known=True, everywhere=True)]
        people += [
            Person(role.name.lower(), each, role, by_link=True) for role in Permission if role < Permission.ADMIN
        ]
    return people


EVERYBODY = _everybody()


# What


@dataclass(frozen=True)
class Deed:
    """`target` is what it is done to; `needs` the least permission there."""

    target: Literal["document", "new document", "server"]
    needs: Permission


TABLE: Mapping[str, Deed] = {
    "open": Deed("document", Permission.READ),
    "read": Deed("document", Permission.READ),
    "describe": Deed("document", Permission.READ),
    "find in the list": Deed("document", Permission.READ),
    "be present": Deed("document", Permission.READ),
    "write": Deed("document", Permission.WRITE),
    "create": Deed("new document", Permission.WRITE),
    "delete": Deed("document", Permission.ADMIN),
    "list links": Deed("document", Permission.ADMIN),
    "make a link": Deed("document", Permission.ADMIN),
    "take a link back": Deed("document", Permission.ADMIN),
    "take a sign-in back": Deed("server", Permission.ADMIN),
}


def expected(person: Person, dialect: str, name: str) -> Outcome:
    deed = TABLE[name]
    if person.is_open:
        return Outcome.CONFLICT if name in ("make a link", "take a sign-in back") else Outcome.DONE
    permission = person.permission
    if deed.target == "new document" and person.by_link:
        permission = None
    if deed.target == "server" and not person.everywhere:
        permission = None
    if permission is None:
        return Outcome.NOT_ALLOWED if person.is_known else Outcome.NOT_AUTHENTICATED
    if permission >= deed.needs:
        return Outcome.DONE
    # OPEN does not ask to create: who may only read is told that there is nothing to read.
    return Outcome.NO_SUCH_DOCUMENT if dialect != "http" and name == "create" else Outcome.NOT_ALLOWED


# How


@dataclass
class Cell:
    """One deed of one person, to a document of its own, which holds the text "hello"."""

    server: Server
    person: Person
    document: str

    async def wire(self) -> tuple[Wire, str | None]:
        said, headers = await self.person.shows(self.server, self.document)
        return await Wire.connect(self.server, headers=headers), said

    async def watcher(self) -> tuple[Wire, str]:
        """Somebody else in the document, and what they read there."""
        wire = await Wire.connect(self.server)
        opened = await wire.opens(self.document, token=token("watcher", "read"))
        return wire, text_of(opened.update)

    async def goes_on_for(self, watcher: Wire) -> None:
        """The rest of the room notices nothing of a refused edit."""
        assert (await self.watcher())[1] == "hello"
        watcher.says(Ping(1))
        assert await watcher.hears(Pong) == Pong(1)


Deeds = Mapping[str, Callable[[Cell], Awaitable[Outcome]]]


class Dialect(Protocol):
    deeds: Deeds


class Refusal(Exception):
    """What the server said no with."""

    def __init__(self, code: int) -> None:
        self.outcome = OUTCOME_OF_CODE[code]


_Entered = TypeVar("_Entered")


class SocketDialect(ABC, Generic[_Entered]):
    """The deeds of those who speak over a socket; a dialect says how each is done, until it is done or refused."""

    def __init__(self) -> None:
        deeds = {
            "open": self._open,
            "read": self._read,
            "be present": self._be_present,
            "write": self._write,
            "create": self._create,
        }
        self.deeds: Deeds = {name: partial(self._outcome, deed) for name, deed in deeds.items()}

    async def _outcome(self, deed: Callable[[Cell], Awaitable[None]], cell: Cell) -> Outcome:
        try:
            await deed(cell)
        except Refusal as refusal:
            return refusal.outcome
        return Outcome.DONE

    @abstractmethod
    async def _enter(self, cell: Cell, name: str) -> _Entered:
        """Open a document."""

    @abstractmethod
    async def _open(self, cell: Cell) -> None: ...

    @abstractmethod
    async def _read(self, cell: Cell) -> None: ...

    @abstractmethod
    async def _write(self, cell: Cell) -> None: ...

    @abstractmethod
    def _show_presence(self, cell: Cell, entered: _Entered, presence: bytes) -> None: ...

    async def _be_present(self, cell: Cell) -> None:
        watcher, _ = await cell.watcher()
        entered = await self._enter(cell, cell.document)
        self._show_presence(cell, entered, encode([Entry(5, 1, b"{}")]))
        await watcher.hears(Awareness)

    async def _create(self, cell: Cell) -> None:
        name = cell.document + "-new"
        try:
            await self._enter(cell, name)
        except Refusal:
            assert await cell.server.rooms.get(name) is None
            raise
        assert await cell.server.rooms.get(name) is not None


class NativeSocket(SocketDialect[tuple[Wire, Opened]]):
    async def _enter(self, cell: Cell, name: str) -> tuple[Wire, Opened]:
        wire, said = await cell.wire()
        wire.says(Open(1, name, b"\x00", said))
        answer = await wire.hears_any()
        if isinstance(answer, Closed):
            assert len(answer.reason) > 10, "a reason that a person understands"
            raise Refusal(answer.code)
        assert isinstance(answer, Opened), answer
        return wire, answer

    async def _open(self, cell: Cell) -> None:
        _, opened = await self._enter(cell, cell.document)
        may_write = expected(cell.person, "native", "write") is Outcome.DONE
        assert opened.mode == ("write" if may_write else "read")

    async def _read(self, cell: Cell) -> None:
        _, opened = await self._enter(cell, cell.document)
        assert text_of(opened.update) == "hello"

    def _show_presence(self, cell: Cell, entered: tuple[Wire, Opened], presence: bytes) -> None:
        entered[0].says(Awareness(1, presence))

    async def _write(self, cell: Cell) -> None:
        watcher, _ = await cell.watcher()
        wire, _ = await self._enter(cell, cell.document)
        wire.says(Update(1, 1, typed("mine ")))
        answer = await wire.hears_any()
        if isinstance(answer, Saved):
            assert "mine" in (await cell.watcher())[1]
            return
        assert isinstance(answer, Rejected), answer
        assert (answer.id, "reading" in answer.reason) == (1, True)
        await cell.goes_on_for(watcher)
        wire.says(Ping(1))  # it stays open
        assert await wire.hears(Pong) == Pong(1)
        raise Refusal(answer.code)


class Yjs(SocketDialect[YjsWire]):
    """y-websocket's dialect, which says a token in the address."""

    async def _enter(self, cell: Cell, name: str) -> YjsWire:
        said, headers = await cell.person.shows(cell.server, cell.document)
        wire = await YjsWire.connect(cell.server, name, query=f"?token={said}" if said else "", headers=headers)
        kind, payload = await wire.hears_any()
        if kind == "denied":
            assert len(payload) > 10, "a reason that a person understands"
            kind, payload = await wire.hears_any()
        if kind == "close":
            raise Refusal(int(payload[:4]))
        assert kind == "step 1", kind
        return wire

    async def _open(self, cell: Cell) -> None:
        await self._enter(cell, cell.document)

    async def _read(self, cell: Cell) -> None:
        wire = await self._enter(cell, cell.document)
        wire.says(yjs.encode_step_1(b"\x00"))
        assert text_of(await wire.hears("step 2")) == "hello"

    def _show_presence(self, cell: Cell, entered: YjsWire, presence: bytes) -> None:
        entered.says(yjs.encode_awareness(presence))

    async def _write(self, cell: Cell) -> None:
        watcher, _ = await cell.watcher()
        wire = await self._enter(cell, cell.document)
        wire.says(yjs.encode_update(typed("mine ")), yjs.encode_step_1(b"\x00"))
        kind, payload = await wire.hears_any()
        if kind == "step 2":
            assert "mine" in text_of(*(await watcher.hears(Updates)).updates)
            return
        assert (kind, b"reading" in payload) == ("denied", True)
        assert text_of(await wire.hears("step 2")) == "hello", "it stays open"
        await cell.goes_on_for(watcher)
        raise Refusal(NotAllowed.code)


class Hocuspocus(SocketDialect[tuple[HocuspocusWire, str]]):
    """The dialect of Hocuspocus, in which a refusal has a reason and no code."""

    async def _enter(self, cell: Cell, name: str) -> tuple[HocuspocusWire, str]:
        """With the scope that is told; a refusal is what the server counts it as."""
        said, headers = await cell.person.shows(cell.server, cell.document)
        wire = await HocuspocusWire.dials(cell.server, headers=headers)
        refused = cell.server.context.refused.copy()
        wire.shows(said or "", at=name)
        wire.has(at=name)
        answer = await wire.gets()
        if answer.kind == "denied":
            assert len(answer.value) > 10, "a reason that a person understands"
            [code] = cell.server.context.refused - refused
            raise Refusal(code)
        assert answer.kind == "authenticated", answer
        return wire, answer.value

    async def _open(self, cell: Cell) -> None:
        _, scope = await self._enter(cell, cell.document)
        may_write = expected(cell.person, "hocuspocus", "write") is Outcome.DONE
        assert scope == ("read-write" if may_write else "readonly")

    async def _read(self, cell: Cell) -> None:
        wire, _ = await self._enter(cell, cell.document)
        await wire.gets_a("step 1", at=cell.document)
        assert text_of(await wire.gets_a("step 2", at=cell.document)) == "hello"

    def _show_presence(self, cell: Cell, entered: tuple[HocuspocusWire, str], presence: bytes) -> None:
        entered[0].is_present(presence, at=cell.document)

    async def _write(self, cell: Cell) -> None:
        watcher, _ = await cell.watcher()
        wire, _ = await self._enter(cell, cell.document)
        for kind in ("step 1", "step 2"):
            await wire.gets_a(kind, at=cell.document)
        wire.edits(typed("mine "), at=cell.document)
        if await wire.gets_a("status", at=cell.document):
            assert "mine" in (await cell.watcher())[1]
            return
        await wire.nothing_comes()
        await cell.goes_on_for(watcher)
        raise Refusal(NotAllowed.code)


class HttpApi:
    def __init__(self) -> None:
        self.deeds: Deeds = {
            "describe": self._describe,
            "read": self._read,
            "find in the list": self._find,
            "create": self._create,
            "delete": self._delete,
            "list links": self._list_links,
            "make a link": self._make_link,
            "take a link back": self._revoke_link,
            "take a sign-in back": self._revoke_sign_in,
        }

    async def _ask(self, cell: Cell, method: str, path: str, body: Any = None) -> tuple[Outcome, Any]:
        said, headers = await cell.person.shows(cell.server, cell.document)
        if said is not None:
            headers = {"Authorization": f"Bearer {said}"}
        response = await Http(cell.server).fetch(method, path, body, **headers, **CSRF)
        outcome = OUTCOME_OF_CODE[response.code]
        if outcome is not Outcome.DONE:
            assert len(json.loads(response.body)["error"]["message"]) > 10, "a reason that a person understands"
        return outcome, response.body

    def _path(self, cell: Cell, rest: str = "") -> str:
        return f"/api/documents/{quote(cell.document, safe='')}{rest}"

    async def _describe(self, cell: Cell) -> Outcome:
        outcome, body = await self._ask(cell, "GET", self._path(cell))
        if outcome is Outcome.DONE:
            told = json.loads(body)
            assert cell.person.permission is not None
            assert told["permission"] == cell.person.permission.name.lower()
            assert ("shared_with" in told) is (cell.person.permission is Permission.ADMIN)
        return outcome

    async def _read(self, cell: Cell) -> Outcome:
        outcome, body = await self._ask(cell, "GET", self._path(cell, "/content?format=text"))
        assert (b"hello" in body) is (outcome is Outcome.DONE)
        return outcome

    async def _find(self, cell: Cell) -> Outcome:
        outcome, body = await self._ask(cell, "GET", f"/api/documents?q={quote(cell.document)}")
        if outcome is not Outcome.DONE:
            return outcome
        names = [row["name"] for row in json.loads(body)["documents"]]
        assert json.loads(body)["total"] == len(names)
        return Outcome.DONE if cell.document in names else Outcome.NOT_ALLOWED

    async def _create(self, cell: Cell) -> Outcome:
        name = cell.document + "-new"
        outcome, _ = await self._ask(cell, "POST", "/api/documents", {"name": name})
        assert (await cell.server.rooms.get(name) is not None) is (outcome is Outcome.DONE)
        return outcome

    async def _delete(self, cell: Cell) -> Outcome:
        outcome, _ = await self._ask(cell, "DELETE", self._path(cell))
        assert (await cell.server.rooms.get(cell.document) is None) is (outcome is Outcome.DONE)
        return outcome

    async def _list_links(self, cell: Cell) -> Outcome:
        return (await self._ask(cell, "GET", self._path(cell, "/links")))[0]

    async def _make_link(self, cell: Cell) -> Outcome:
        before = len(await cell.server.context.links.of(cell.document)) + cell.person.by_link
        outcome, _ = await self._ask(
            cell, "POST", self._path(cell, "/links"), {"permission": "read", "expires_in_s": 60}
        )
        made = len(await cell.server.context.links.of(cell.document)) - before
        assert made == (outcome is Outcome.DONE)
        return outcome

    async def _revoke_link(self, cell: Cell) -> Outcome:
        made = await link_to(cell.server, cell.document)
        (link_id, _) = split_token(made) or ("", "")
        outcome, _ = await self._ask(cell, "DELETE", self._path(cell, f"/links/{link_id}"))
        assert bool(await cell.server.context.links.find([made])) is (outcome is not Outcome.DONE)
        return outcome

    async def _revoke_sign_in(self, cell: Cell) -> Outcome:
        outcome, _ = await self._ask(cell, "POST", "/api/revocations", {"user": "carol"})
        assert cell.server.context.revocations.covers("carol", None, 0) is (outcome is Outcome.DONE)
        return outcome


DIALECTS: Mapping[str, Dialect] = {
    "native": NativeSocket(),
    "yjs": Yjs(),
    "hocuspocus": Hocuspocus(),
    "http": HttpApi(),
}
