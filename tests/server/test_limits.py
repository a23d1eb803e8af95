"""Each limit that a client can meet: just under it all is well, just over it the answer says so.

Those of rates, of time, of queues and of the store have theirs beside what they bound (`tests.limits` finds them).
"""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient

from collabdoc.awareness import Entry, encode
from collabdoc.config import KIB, MIB, Limits
from collabdoc.document import EMPTY_UPDATE
from collabdoc.errors import HelperError
from collabdoc.helper import Helper
from collabdoc.protocol.lib0 import write_state_vector
from collabdoc.protocol.messages import (
    DEFLATE,
    Awareness,
    Closed,
    GoAway,
    Open,
    Opened,
    Ping,
    Pong,
    Rejected,
    Saved,
    Update,
)
from collabdoc.protocol.native import decode_server
from collabdoc.store.base import Append
from collabdoc.store.sqlite import SqliteStore
from tests.conftest import ServerFactory
from tests.limits import bounds
from tests.protocol.crafting import after, first, section, update
from tests.server.test_hocuspocus import HeldStore
from tests.server.wire import Wire, typed

pytestmark = pytest.mark.gen_test(timeout=30)

LIMIT = 200


def of_bytes(size: int) -> bytes:
    update = typed("x" * (size - 20))
    return typed("x" * (size - 20 + size - len(update)))


def of_parts(count: int) -> bytes:
    # A section counts for ten.
    return update(section(1, 0, first("0"), *(after(1, number, "x") for number in range(count - 11))))


def of_clients(count: int) -> bytes:
    return write_state_vector(dict.fromkeys(range(count), 1))


def of_presence(size: int, clock: int) -> bytes:
    return encode([Entry(1, clock, b'{"a":"' + b"x" * (size - 8) + b'"}')])


@bounds("update_bytes", "document_bytes", "update_parts")
@pytest.mark.parametrize(
    ("name", "make", "fits"),
    [("update_bytes", of_bytes, LIMIT), ("document_bytes", of_bytes, LIMIT - 2), ("update_parts", of_parts, LIMIT)],
)
async def test_an_edit_over_its_limit_is_rejected(
    start_server: ServerFactory, name: str, make: Callable[[int], bytes], fits: int
) -> None:
    """A document without content has two bytes."""
    server = await start_server(limits=Limits.model_validate({name: LIMIT}))
    alice, bob = await Wire.connect(server), await Wire.connect(server)
    await alice.opens("under")
    alice.says(Update(1, 1, make(fits)))
    await alice.hears(Saved)
    await bob.opens("over")
    bob.says(Update(1, 1, make(fits + 1)))
    assert (await bob.hears(Rejected)).code == 4413
    assert (await bob.hears(Closed)).code == 4413
    alice.says(Ping(1))
    await alice.hears(Pong)


async def test_a_document_does_not_grow_past_its_limit_by_many_edits(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(document_bytes=LIMIT))
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Update(1, 1, of_bytes(LIMIT - 30)))
    await alice.hears(Saved)
    alice.says(Update(1, 2, typed("x", client_id=2)))
    await alice.hears(Saved)
    alice.says(Update(1, 3, typed("x" * 30, client_id=3)))
    assert (await alice.hears(Rejected)).code == 4413


@bounds("state_vector_clients")
async def test_a_state_vector_over_its_limit_closes_the_channel(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(state_vector_clients=LIMIT))
    alice = await Wire.connect(server)
    alice.says(Open(1, "a", of_clients(LIMIT)), Open(2, "b", of_clients(LIMIT + 1)))
    await alice.hears(Opened)
    closed = await alice.hears(Closed)
    assert (closed.channel, closed.code) == (2, 4400)


@bounds("awareness_bytes")
async def test_presence_over_its_limit_closes_the_channel(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(awareness_bytes=LIMIT))
    alice, bob = await Wire.connect(server), await Wire.connect(server)
    await bob.opens("a")
    await alice.opens("a")
    alice.says(Awareness(1, of_presence(LIMIT, 1)))
    await bob.hears(Awareness)
    alice.says(Awareness(1, of_presence(LIMIT + 1, 2)))
    assert (await alice.hears(Closed)).code == 4400


@bounds("awareness_clients")
async def test_more_clients_than_a_session_may_announce_are_not_taken(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(awareness_clients=3))
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Awareness(1, encode([Entry(client, 1, b"{}") for client in range(3)])), Ping(1))
    await alice.hears(Pong)
    assert server.rooms.dropped_presence == 0
    alice.says(Awareness(1, encode([Entry(client, 1, b"{}") for client in range(4)])), Ping(2))
    await alice.hears(Pong)
    assert server.rooms.dropped_presence == 1


@bounds("frame_bytes")
async def test_a_frame_has_its_limit_to_the_byte(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(frame_bytes=LIMIT))
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says_bytes(b"\x92\x63\xc5" + (LIMIT - 5).to_bytes(2, "big") + bytes(LIMIT - 5))
    alice.says(Ping(1))
    await alice.hears(Pong)
    alice.says_bytes(b"\x92\x63\xc5" + (LIMIT - 4).to_bytes(2, "big") + bytes(LIMIT - 4))
    assert await alice.is_closed() == 1009


@bounds("http_body_bytes")
async def test_a_request_has_its_limit_to_the_byte(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(http_body_bytes=LIMIT))

    async def post(size: int) -> int:
        body = json.dumps({"name": f"of/{size}", "title": "", "kind": "text"})
        answer = await AsyncHTTPClient().fetch(
            f"{server.url}/api/documents", method="POST", body=body.ljust(size), raise_error=False
        )
        return answer.code

    assert await post(LIMIT) == 201
    assert await post(LIMIT + 1) == 400


@bounds("http_header_bytes")
async def test_the_head_of_a_request_has_its_limit_to_the_byte(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(http_header_bytes=LIMIT))

    async def get(size: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Padding: "
        writer.write(head.ljust(size - 4, b"x") + b"\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n")[0]

    assert await get(LIMIT) == b"HTTP/1.1 200 OK"
    assert await get(LIMIT + 1) == b""


@bounds("list_documents")
async def test_a_list_has_its_limit(start_server: ServerFactory) -> None:
    server = await start_server(limits=Limits(list_documents=2))
    for name in "abc":
        await server.rooms.create(name, title="", kind="text")
    for asked, given in ((1, 1), (2, 2), (3, 2)):
        answer = await AsyncHTTPClient().fetch(f"{server.url}/api/documents?limit={asked}")
        assert len(json.loads(answer.body)["documents"]) == given


@bounds("goaway_spread_s")
async def test_clients_are_called_back_within_their_spread(
    start_server: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start_server(limits=Limits(goaway_spread_s=0.1))
    wires = [await Wire.connect(server) for _ in range(2)]
    ends = iter((min, max))
    monkeypatch.setattr("random.randint", lambda *between: next(ends)(between))
    await server.engine.say_goodbye()
    assert {(await wire.hears(GoAway)).retry_after_ms for wire in wires} == {0, 100}


@bounds("deflate_least_bytes", "deflate_bytes")
@pytest.mark.parametrize(("least", "most", "expected"), [(0, 0, True), (1, 2, False), (-1, -1, False)])
async def test_what_a_newcomer_is_sent_is_deflated_between_its_limits(
    start_server: ServerFactory, least: int, most: int, *, expected: bool
) -> None:
    update = typed("x" * 500)
    size = len(update)
    server = await start_server(limits=Limits(deflate_least_bytes=size + least, deflate_bytes=size + most))
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Update(1, 1, update))
    await alice.hears(Saved)
    newcomer = await Wire.connect(server)
    newcomer.says(Open(1, "a", b"\x00", accepts=DEFLATE))
    frame = await newcomer.hears_frame()
    assert frame is not None
    assert (b"encoding" in frame, update in frame) == (expected, not expected)
    opened = decode_server(frame)
    assert isinstance(opened, Opened)
    assert opened.update == update
    newcomer.says(Open(2, "a", b"\x00"))
    assert update in (await newcomer.hears_frame() or b"")


@bounds("drain_s")
@pytest.mark.parametrize("is_committed_just_before", [True, False])
async def test_a_shutdown_waits_for_the_disk_as_long_as_it_may(
    start_server: ServerFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_committed_just_before: bool
) -> None:
    store = HeldStore(tmp_path / "held")
    server = await start_server(limits=Limits(drain_s=10.0), store=store)
    alice = await Wire.connect(server)
    await alice.opens("a")
    store.goes_on.clear()
    try:
        alice.says(Update(1, 1, typed("last words")))
        while not server.rooms._slots["a"].room.uncommitted:
            await asyncio.sleep(0.001)
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        monkeypatch.setattr(loop, "time", lambda: now_s)
        stopping = asyncio.ensure_future(server.engine.say_goodbye())
        await asyncio.sleep(0)
        now_s += 9.999
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(server.context.sockets) == 1
        assert not stopping.done()
        if is_committed_just_before:
            store.goes_on.set()
            assert isinstance(await alice.hears_any(), Saved)
        else:
            now_s += 0.002
        assert isinstance(await alice.hears_any(), GoAway)
        monkeypatch.undo()
        await stopping
    finally:
        store.goes_on.set()


def peak_bytes(pid: int) -> int:
    """The most that a process had, as its limit counts it."""
    (peak,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmPeak")]
    return int(peak.split()[1]) * KIB


@bounds("helper_memory_bytes")
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize(("more_mib", "is_enough"), [(16, True), (-16, False)])
async def test_a_content_that_takes_more_memory_than_there_is_for_it_is_not_given(
    *, more_mib: int, is_enough: bool
) -> None:
    """The margin is half of one copy of the content: the system counts what is kept in store beside it, too."""
    content = typed("x" * (32 * MIB))
    async with Helper(memory_bytes=2**40, timeout_s=60) as helper:
        exported = await helper.export(EMPTY_UPDATE, [content], "text")
        assert helper._process is not None
        memory_bytes = peak_bytes(helper._process.pid) + more_mib * MIB
    async with Helper(
        memory_bytes=Limits(helper_memory_bytes=memory_bytes).helper_memory_bytes, timeout_s=60
    ) as helper:
        if is_enough:
            assert await helper.export(EMPTY_UPDATE, [content], "text") == exported
        else:
            with pytest.raises(HelperError):  # in the words of whatever was refused it
                await helper.export(EMPTY_UPDATE, [content], "text")


async def test_what_takes_too_much_memory_is_answered_by_422(start_server: ServerFactory, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "large")
    store.create("a")
    store.append([Append("a", (typed("x" * (30 * MIB)),), None)])
    server = await start_server(limits=Limits(helper_memory_bytes=128 * MIB), store=store)
    answer = await AsyncHTTPClient().fetch(f"{server.url}/api/documents/a/content?format=text", raise_error=False)
    assert answer.code == 422
