"""What is granted ends while people type: by expiry, revocation, a link taken back, or the operator's own answer.

Within 5 s the channel is closed with a reason; what was SAVED is in the store, and what was not is told apart.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.errors import NotAllowed, StoreError
from collabdoc.links import Wish, split_token
from collabdoc.protocol.messages import Auth, Close, Closed, Open, Opened, Ping, Pong, Rejected, Saved, Update, Updates
from collabdoc.server.app import Server
from collabdoc.server.context import LINK_COOKIE
from collabdoc.tokens import LEEWAY_S, sign_token
from tests.conftest import ServerFactory
from tests.server.test_api import Http
from tests.server.wire import Wire, text_of, typed

pytestmark = pytest.mark.gen_test(timeout=60)

SECRET = "s" * 32
WITHIN_S = 5.0


def token(sub: str = "ana", permission: str = "write", **claims: Any) -> str:
    return sign_token(SECRET.encode(), {"sub": sub, "docs": {"*": permission}, **claims})


async def with_tokens(start_server: ServerFactory) -> Server:
    return await start_server(auth="token", token_key=SECRET)


async def link_to(
    server: Server, name: str, permission: Permission, *, lasts_s: float | None = None
) -> tuple[str, str]:
    """A new link's id and token."""
    row, link_token = await server.context.links.make(name, Wish(permission, "", "boss", lasts_s))
    return row.id, link_token


async def revoke(server: Server, body: dict[str, str]) -> None:
    boss = token("boss", "admin")
    response = await Http(server).fetch("POST", "/api/revocations", body, Authorization=f"Bearer {boss}")
    assert response.code == 200, response.body


class Typist:
    """Somebody who types without a pause, and keeps account of what was SAVED and what was not."""

    def __init__(self, wire: Wire, *, client_id: int) -> None:
        self.wire = wire
        self.client_id = client_id
        self.sent: list[bytes] = []
        self.saved = 0
        self.closed: Closed | None = None

    async def types_until_closed(self) -> None:
        """One edit on its way, or five, at any time."""
        while self.closed is None:
            while len(self.sent) - self.saved < 5:
                number = len(self.sent) + 1
                self.sent.append(typed(f"<{self.client_id}:{number}>", client_id=self.client_id * 1_000_000 + number))
                self.wire.says(Update(1, number, self.sent[-1]))
            match await self.wire.hears_any():
                case Saved(_, id_):
                    self.saved = id_
                case Closed() as closed:
                    self.closed = closed
                case Updates():
                    pass
                case other:
                    raise AssertionError(f"heard {other}")


Ending = Callable[[Server, str], Awaitable[None]]


async def _by_user(server: Server, _: str) -> None:
    await revoke(server, {"user": "ana"})


async def _by_token_id(server: Server, _: str) -> None:
    await revoke(server, {"token_id": "ana's"})


async def _by_link(server: Server, link_id: str) -> None:
    boss = token("boss", "admin")
    path = f"/api/documents/a/links/{link_id}"
    assert (await Http(server).fetch("DELETE", path, Authorization=f"Bearer {boss}")).code == 204


async def _by_time(server: Server, _: str) -> None:
    """It ends by itself."""


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        pytest.param(_by_user, "taken back", id="user"),
        pytest.param(_by_token_id, "taken back", id="token id"),
        pytest.param(_by_link, "no link of yours", id="link"),
        pytest.param(_by_time, "has expired", id="expiry"),
    ],
)
async def test_in_the_middle_of_typing(start_server: ServerFactory, ending: Ending, says: str) -> None:
    server = await with_tokens(start_server)
    peer = await Wire.connect(server)
    await peer.opens("a", token=token("peer"))
    link_id, link_token = await link_to(server, "a", Permission.WRITE)
    if ending is _by_link:
        credentials = link_token
    elif ending is _by_time:
        credentials = token(exp=time.time() - LEEWAY_S + 2)
    else:
        credentials = token(jti="ana's", iat=time.time() - 5)
    ana = Typist(await Wire.connect(server), client_id=2)
    await ana.wire.opens("a", token=credentials)
    typing = asyncio.ensure_future(ana.types_until_closed())
    while ana.saved < 50 and ana.closed is None:
        await asyncio.sleep(0)
    ends_s = time.monotonic() + (2 if ending is _by_time else 0)
    await ending(server, link_id)
    await typing
    assert time.monotonic() - ends_s < WITHIN_S
    assert ana.closed is not None
    assert ana.closed.code == 4401
    assert says in ana.closed.reason
    # Everything SAVED is in the store; what is not SAVED was answered by the CLOSED.
    reader = f"Bearer {token('peer')}"
    text = (await Http(server).fetch("GET", "/api/documents/a/content", Authorization=reader)).body.decode()
    assert not [number for number in range(1, ana.saved + 1) if f"<2:{number}>" not in text]
    # Nobody else notices.
    peer.says(Ping(1))
    while not isinstance(heard := await peer.hears_any(), Pong):
        assert isinstance(heard, Updates)
    peer.says(Update(1, 1, typed("on", client_id=9)))
    await peer.hears(Saved)
    # And there is no way back with the same credentials.
    ana.wire.says(Open(2, "a", b"\x00", credentials))
    assert (await ana.wire.hears(Closed)).code == 4401


async def test_edits_behind_the_end_are_ignored_and_the_socket_stays(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    ana = await Wire.connect(server)
    await ana.opens("a", token=token(iat=time.time() - 5))
    await revoke(server, {"user": "ana"})
    assert (await ana.hears(Closed)).code == 4401
    ana.says(Update(1, 1, typed("too late")), Ping(3))
    assert await ana.hears(Pong) == Pong(3)
    boss = await Wire.connect(server)
    assert text_of((await boss.opens("a", token=token("boss"))).update) == ""
    await ana.opens("a", channel=2, token=token(iat=time.time() + 1))


async def test_who_may_still_do_something_by_other_means_is_told_to_open_again(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    await server.rooms.create("a", title="", kind="text")
    link_id, link_token = await link_to(server, "a", Permission.WRITE)
    (_, secret) = split_token(link_token) or ("", "")
    ana = await Wire.connect(server, headers={"Cookie": f"{LINK_COOKIE}{link_id}={secret}"})
    assert (await ana.opens("a", token=token(permission="read"))).mode == "write"
    await _by_link(server, link_id)
    assert (await ana.hears(Closed)).code == 1012
    assert (await ana.opens("a", channel=2, token=token(permission="read"))).mode == "read"


async def test_a_revocation_leaves_other_users_and_links_alone(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    await server.rooms.create("a", title="", kind="text")
    wires = [await Wire.connect(server) for _ in range(3)]
    _, link_token = await link_to(server, "a", Permission.WRITE)
    for wire, credentials in zip(wires, (token("bob"), token(jti="other"), link_token), strict=True):
        await wire.opens("a", token=credentials)
    await revoke(server, {"user": "carol"})
    await revoke(server, {"token_id": "carol's"})
    other_id, _ = await link_to(server, "a", Permission.READ)
    await _by_link(server, other_id)
    for wire in wires:
        wire.says(Ping(1))
        await wire.hears(Pong)


async def test_a_document_that_is_deleted_takes_its_links_with_it(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    await server.rooms.create("a", title="", kind="text")
    _, link_token = await link_to(server, "a", Permission.WRITE)
    guest = await Wire.connect(server)
    await guest.opens("a", token=link_token)
    await server.rooms.delete("a")
    assert (await guest.hears(Closed)).code == 4404
    guest.says(Open(2, "a", b"\x00", link_token))
    assert (await guest.hears(Closed)).code == 4401, "it is not made anew by a link"
    await server.rooms.create("a", title="", kind="text")
    guest.says(Open(3, "a", b"\x00", link_token))
    assert (await guest.hears(Closed)).code == 4401


# Races


class Gate:
    """An operator's authenticator whose answers wait until the test lets them through."""

    def __init__(self) -> None:
        self.answer: Grant | Exception = Grant(User("ana"), Permission.WRITE)
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self.waits = asyncio.Event()

    async def authenticate(self, credentials: Credentials, document: str) -> Grant:
        self.asked += 1
        answer = self.answer
        self.waits.set()
        await self.open.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def shut(self) -> None:
        self.open.clear()
        self.waits.clear()


async def test_an_open_that_was_allowed_before_a_revocation_does_not_slip_in_behind_it(
    start_server: ServerFactory,
) -> None:
    server = await with_tokens(start_server)
    await server.rooms.create("a", title="", kind="text")
    ana = await Wire.connect(server)
    held, load = asyncio.Event(), server.rooms.open
    reached = asyncio.Event()

    async def slow(name: str, *, create: bool) -> Any:
        reached.set()
        await held.wait()
        return await load(name, create=create)

    server.rooms.open = slow  # type: ignore[method-assign]
    ana.says(Open(1, "a", b"\x00", token(iat=time.time() - 5)))
    await reached.wait()
    await revoke(server, {"user": "ana"})
    held.set()
    assert (await ana.hears(Closed)).code == 4401


@pytest.mark.parametrize("is_made_anew", [True, False])
async def test_a_link_that_was_followed_before_its_document_was_deleted_opens_and_makes_no_other(
    start_server: ServerFactory, is_made_anew: bool
) -> None:
    server = await with_tokens(start_server)
    await server.rooms.create("a", title="", kind="text")
    _, link_token = await link_to(server, "a", Permission.WRITE)
    guest = await Wire.connect(server)
    held, reached, load = asyncio.Event(), asyncio.Event(), server.rooms.open

    async def slow(name: str, *, create: bool) -> Any:
        reached.set()
        await held.wait()
        return await load(name, create=create)

    server.rooms.open = slow  # type: ignore[method-assign]
    guest.says(Open(1, "a", b"\x00", link_token))
    await reached.wait()
    boss = f"Bearer {token('boss', 'admin')}"
    assert (await Http(server).fetch("DELETE", "/api/documents/a", Authorization=boss)).code == 204
    if is_made_anew:
        server.rooms.open = load  # type: ignore[method-assign]
        await server.rooms.create("a", title="secret", kind="text")
    held.set()
    assert (await guest.hears(Closed)).code == (4401 if is_made_anew else 4404)
    assert (await server.rooms.get("a") is not None) is is_made_anew


async def test_a_question_that_was_asked_before_a_revocation_is_asked_again_behind_it(
    start_server: ServerFactory,
) -> None:
    gate = Gate()
    server = await start_server(authenticator=gate, recheck_s=600)
    ana = await Wire.connect(server)
    await ana.opens("a")
    gate.shut()
    ana.says(Auth(1, "new"))
    await gate.waits.wait()
    gate.answer = NotAllowed("you may not open this document any more")  # known only to who asks from now on
    server.context.recheck(lambda _: True)
    gate.open.set()
    assert (await ana.hears(Closed)).code == 4403


async def test_a_channel_that_is_left_while_it_is_asked_about_is_not_answered(start_server: ServerFactory) -> None:
    gate = Gate()
    server = await start_server(authenticator=gate)
    ana = await Wire.connect(server)
    await ana.opens("a")
    gate.shut()
    gate.answer = NotAllowed("no")
    server.context.recheck(lambda _: True)
    await gate.waits.wait()
    ana.says(Close(1), Ping(1))
    assert await ana.hears(Pong) == Pong(1)
    gate.open.set()
    ana.says(Ping(2))
    assert await ana.hears(Pong) == Pong(2)
    gate.answer = Grant(User("ana"), Permission.READ)
    assert (await ana.opens("a")).mode == "read"


async def test_a_socket_that_closes_while_it_is_asked_about_leaves_nothing_behind(start_server: ServerFactory) -> None:
    gate = Gate()
    server = await start_server(authenticator=gate)
    ana = await Wire.connect(server)
    await ana.opens("a")
    (socket,) = server.context.sockets
    gate.shut()
    server.context.recheck(lambda _: True)
    await gate.waits.wait()
    ana.socket.close()
    await server.context.emptied.wait()
    gate.open.set()
    (slot,) = server.rooms._slots.values()
    assert not slot.room.sessions
    await asyncio.gather(*socket._tasks.values(), return_exceptions=True)
    assert not socket._tasks


# The operator's own authenticator


async def test_an_operators_authenticator_is_asked_again_and_its_answer_counts_within_5_s(
    start_server: ServerFactory,
) -> None:
    gate = Gate()
    server = await start_server(authenticator=gate)  # with recheck_s as it is by default
    ana = Typist(await Wire.connect(server), client_id=2)
    await ana.wire.opens("a")
    typing = asyncio.ensure_future(ana.types_until_closed())
    while not ana.saved:
        await asyncio.sleep(0)
    began_s = time.monotonic()
    gate.answer = NotAllowed("ana has left the team")
    await typing
    assert time.monotonic() - began_s < WITHIN_S
    assert ana.closed == Closed(1, 4403, "ana has left the team")


async def test_an_authenticator_that_fails_ends_nothing_and_is_asked_until_it_answers(
    start_server: ServerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    server = await start_server(authenticator=gate)
    ana = await Wire.connect(server)
    await ana.opens("a", token="a-secret-token")
    gate.answer = OSError("the directory does not know a-secret-token today")
    asked = gate.asked
    with caplog.at_level(logging.DEBUG):
        server.context.recheck(lambda _: True)
        while gate.asked < asked + 3:
            await asyncio.sleep(0.01)
        ana.says(Update(1, 1, typed("on")))
        assert await ana.hears(Saved) == Saved(1, 1)
        gate.answer = NotAllowed("no more")
        assert (await ana.hears(Closed)).code == 4403
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, "said once, not every second"
    assert "a-secret-token" not in caplog.text


async def test_a_store_that_cannot_look_a_link_up_is_asked_again(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    await server.rooms.create("a", title="", kind="text")
    link_id, link_token = await link_to(server, "a", Permission.WRITE)
    guest = await Wire.connect(server)
    await guest.opens("a", token=link_token)
    store = server.context.links._store
    find, failures = store.find_links, []

    def fail(ids: Any) -> Any:
        failures.append(ids)
        raise StoreError("no disk")

    store.find_links = fail  # type: ignore[method-assign,assignment]
    await _by_link(server, link_id)
    while not failures:
        await asyncio.sleep(0.01)
    store.find_links = find  # type: ignore[method-assign]
    assert (await guest.hears(Closed)).code == 4401


async def test_what_cannot_be_asked_ends_at_its_time_and_no_later(start_server: ServerFactory) -> None:
    gate = Gate()
    gate.answer = Grant(User("ana"), Permission.WRITE, time.time() + 1)
    server = await start_server(authenticator=gate)
    ana = await Wire.connect(server)
    await ana.opens("a")
    gate.answer = OSError("no directory")
    closed = await ana.hears(Closed)
    assert (closed.code, "expired" in closed.reason) == (4401, True)


# AUTH


async def test_auth_renews_with_many_edits_in_flight_and_none_is_lost_or_rejected(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    ana, peer = await Wire.connect(server), await Wire.connect(server)
    await ana.opens("a", token=token(exp=time.time() + 100))
    await peer.opens("a", token=token("peer"))
    count = 300
    for number in range(1, count + 1):
        ana.says(Update(1, number, typed(f"<{number}>", client_id=number + 1)))
        if number % 10 == 0:
            ana.says(Auth(1, token(exp=time.time() + 600 + number)))
    saved = 0
    while saved < count:
        saved = (await ana.hears(Saved)).id
    heard: list[bytes] = []
    while text_of(*heard).count("<") < count:
        heard += (await peer.hears(Updates)).updates
    (session,) = (each for each in server.rooms._slots["a"].room.sessions if each.grant.user.id == "ana")
    while (session.grant.expires or 0) < time.time() + 500:  # the last AUTH was answered
        await asyncio.sleep(0.01)


async def test_after_a_renewal_the_first_tokens_end_is_no_end(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    ana = await Wire.connect(server)
    await ana.opens("a", token=token(exp=time.time() + 100))
    ana.says(Auth(1, token(exp=time.time() + 600)))
    (socket,) = server.context.sockets
    (session,) = socket._sessions.values()
    while (session.grant.expires or 0) < time.time() + 500:
        await asyncio.sleep(0.01)
    socket.end_expired(time.time() + 300)
    ana.says(Update(1, 1, typed("on")))
    await ana.hears(Saved)


async def test_auth_as_somebody_else_opens_again(start_server: ServerFactory) -> None:
    """Presence, and what history will say, stand under a name: it does not change in the middle."""
    server = await with_tokens(start_server)
    ana = await Wire.connect(server)
    await ana.opens("a", token=token())
    ana.says(Auth(1, token("bob")))
    assert (await ana.hears(Closed)).code == 1012
    assert isinstance(await ana.opens("a", channel=2, token=token("bob")), Opened)


async def test_auth_that_lowers_what_one_may_do_is_told_before_the_next_edit_is_refused(
    start_server: ServerFactory,
) -> None:
    server = await with_tokens(start_server)
    ana = await Wire.connect(server)
    await ana.opens("a", token=token())
    ana.says(Auth(1, token(permission="read")))
    assert (await ana.hears(Closed)).code == 1012
    assert (await ana.opens("a", channel=2, token=token(permission="read"))).mode == "read"
    ana.says(Update(2, 1, typed("no")))
    assert (await ana.hears(Rejected)).code == 4403


async def test_auth_with_a_token_that_is_none_closes_the_channel(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    ana = await Wire.connect(server)
    await ana.opens("a", token=token())
    ana.says(Auth(1, "forged"))
    assert (await ana.hears(Closed)).code == 4401
