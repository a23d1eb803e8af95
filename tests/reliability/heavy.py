"""Who takes much of a server, honest or not: one kind each, for ever, as it follows from a seed."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

from pycrdt import Doc, Text

from collabdoc.awareness import Entry, encode
from collabdoc.document import merge
from collabdoc.errors import ProtocolError
from collabdoc.protocol import native, yjs
from collabdoc.protocol.messages import Awareness, Closed, Open, Opened, Ping, Rejected, Saved, Update
from collabdoc.server.frames import CLOSE
from collabdoc.store.base import Append, Snapshot
from collabdoc.store.sqlite import SqliteStore
from tests.protocol.crafting import ROOT, after, first, section, string, uint, update
from tests.reliability.attackers import frame, handshake, read_frame
from tests.reliability.recordings import load, write_offline

HOT = "hot"
"""The document that most of them are in."""
LARGE, HUGE = 200_000, 4_000_000
"""Structs of documents: 1.4 MB and 29 MB."""
_CROWD = 140_000
_COLD = 20
_BATCH = 200


class Peer:
    """A connection that says whatever it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int, path: str = "/ws", subprotocol: str | None = native.SUBPROTOCOL) -> "Peer":
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
        writer.write(handshake(path, subprotocol))
        await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    async def says(self, *messages: bytes) -> None:
        self._writer.write(b"".join(map(frame, messages)))
        await self._writer.drain()

    async def hears(self) -> bytes:
        """The next message. Raises `EOFError` once the server has closed."""
        opcode, message = await read_frame(self._reader)
        if opcode == CLOSE:
            raise EOFError
        return message

    async def hears_any(self, *kinds: type[object]) -> Any:
        """The next message of these kinds; raises where the channel is closed."""
        while True:
            message = native.decode_server(await self.hears())
            if isinstance(message, kinds):
                return message
            if isinstance(message, Closed):
                raise EOFError(message.reason)

    async def opens(self, document: str, channel: int = 1, state_vector: bytes = b"\x00") -> None:
        await self.says(native.encode_client(Open(channel, document, state_vector)))
        await self.hears_any(Opened)

    async def listens(self) -> None:
        """Hear it all, and heed nothing."""
        while await self._reader.read(2**20):
            pass

    def leaves(self) -> None:
        self._writer.transport.abort()


@dataclass(slots=True)
class Attack:
    """`done` counts what was brought about."""

    port: int
    random: Random
    recording: Path | None
    done: int = 0
    peers: list[Peer] = field(default_factory=list)

    async def connect(self, path: str = "/ws", subprotocol: str | None = native.SUBPROTOCOL) -> Peer:
        peer = await Peer.connect(self.port, path, subprotocol)
        self.peers.append(peer)
        return peer

    async def pastes(self, make: Callable[[int], list[bytes]]) -> None:
        """Updates that belong together, each once the one before is saved; a few times in one document."""
        for document in (HOT, f"{HOT}/{self.done}"):
            peer = await self.connect()
            await peer.opens(document)
            number = 0
            for _ in range(3):
                for edit in make(self.random.randrange(2**28, 2**30)):
                    number += 1
                    await peer.says(native.encode_client(Update(1, number, edit)))
                    if isinstance(await peer.hears_any(Saved, Rejected), Saved):
                        self.done += 1
            peer.leaves()


def backwards(client: int, structs: int) -> bytes:
    """Letters typed each before the one before, in a text of its own: none can be joined with another."""
    own = uint(client)
    rest = (b"\x44" + own + uint(number) + b"\x01a" for number in range(structs - 1))
    return update(section(client, 0, b"\x04\x01" + string(f"by {client}") + b"\x01a", *rest))


def _one_string(client: int) -> list[bytes]:
    return [update(section(client, 0, first("a" * (8 * 2**20 - 100))))]


def _pieces(client: int) -> list[bytes]:
    return [backwards(client, 149_000)]


def _deletes(client: int) -> list[bytes]:
    letters = 148_000
    every_other = update(deletes={client: [(clock, 1) for clock in range(0, letters, 2)]})
    return [update(section(client, 0, first("a" * letters))), every_other]


@cache
def _offline(recording: Path | None) -> bytes:
    """A day's work of somebody who was not connected."""
    if recording is not None:
        return merge([edit for _, edit in write_offline(load(recording))])
    random = Random(1)
    doc: Doc[Any] = Doc(client_id=1)
    text = doc.get("content", type=Text)
    size = place = 0
    for _ in range(26_000):
        if random.random() < 0.05:
            place = random.randint(0, size)
        if place and random.random() < 0.2:
            del text[place - 1 : place]
            size, place = size - 1, place - 1
        else:
            text.insert(place, random.choice("abcdefgh "))
            size, place = size + 1, place + 1
    return doc.get_update()


async def _brings_a_day(attack: Attack) -> None:
    while True:
        peer = await attack.connect()
        await peer.opens(f"{HOT}/{attack.done}" if attack.done else HOT)
        await peer.says(native.encode_client(Update(1, 1, _offline(attack.recording))))
        await peer.hears_any(Saved)
        attack.done += 1
        peer.leaves()


async def _opens_cold(attack: Attack, names: list[str]) -> None:
    peers = [await attack.connect() for _ in names]
    await asyncio.gather(*(peer.opens(name) for peer, name in zip(peers, names, strict=True)))
    attack.done += len(names)
    for peer in peers:
        peer.leaves()
    await asyncio.sleep(2)  # until the server has let go of them


async def _pings(attack: Attack) -> None:
    peer = await attack.connect()
    listening = asyncio.create_task(peer.listens())
    frames = [native.encode_client(Ping(1))] * 10_000
    while not listening.done():
        await peer.says(*frames)
        attack.done += len(frames)


async def _opens_channels(attack: Attack) -> None:
    peer = await attack.connect()
    await peer.says(*(native.encode_client(Open(1 + channel, f"c/{channel}", b"\x00")) for channel in range(256)))
    for _ in range(256):
        await peer.hears_any(Opened)
        attack.done += 1
    peer.leaves()


async def _asks_for_differences(attack: Attack) -> None:
    peer = await attack.connect(f"/yjs/{HOT}", None)
    listening = asyncio.create_task(peer.listens())
    while not listening.done():
        clock = attack.random.randrange(LARGE - 100, LARGE)
        await peer.says(yjs.encode_step_1(b"\x01\x01" + uint(clock)))
        attack.done += 1
        await asyncio.sleep(0)


async def _is_present(attack: Attack) -> None:
    peer = await attack.connect()
    await peer.opens(HOT)
    listening = asyncio.create_task(peer.listens())
    client = attack.random.randrange(2**28, 2**30)
    clock = 0
    while not listening.done():
        entries = [encode([Entry(client, clock + number, b'{"at":%d}' % number)]) for number in range(_BATCH)]
        await peer.says(*(native.encode_client(Awareness(1, entry)) for entry in entries))
        clock += _BATCH
        attack.done += _BATCH
        await asyncio.sleep(0)


async def _requests(attack: Attack) -> None:
    paths = (f"/api/documents/{HOT}/content?format=text", "/api/documents?limit=200", "/healthz", f"/d/{HOT}")

    async def request() -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", attack.port)
            path = attack.random.choice(paths)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            await reader.read()
            attack.done += 1
            writer.close()

    await asyncio.gather(*(request() for _ in range(8)))


async def _sends_slow_edits(attack: Attack, structs: Sequence[bytes], together: int = 1) -> None:
    """Each is of these structs, by another client, and comes before all that is there or most of it."""
    peer = await attack.connect()
    await peer.opens(HOT, state_vector=b"\x01\x01" + uint(_CROWD))
    listening = asyncio.create_task(peer.listens())
    for number in range(1, 1000, together):
        updates = [update(section(attack.random.randrange(2**28, 2**30), 0, *structs)) for _ in range(together)]
        await peer.says(*(native.encode_client(Update(1, *numbered)) for numbered in enumerate(updates, number)))
        attack.done += together
        await asyncio.sleep(0)
        if listening.done():
            return
    peer.leaves()


@dataclass(frozen=True, slots=True)
class Kind:
    """`hot` is what the document is before that most of them are in; `documents` are the others, by their names."""

    run: Callable[[Attack], Awaitable[None]]
    hot: Callable[[], bytes] | None = None
    documents: Mapping[str, int] = field(default_factory=dict)


def crowd(size: int = _CROWD) -> bytes:
    """Values each of which stands behind the one before: who comes in between is compared with all of them."""
    rest = (b"\x85" + uint(1) + uint(number) + string("1") for number in range(size - 1))
    return update(section(1, 0, b"\x05" + ROOT + string("1"), *rest))


_COLD_NAMES = [f"cold/{number}" for number in range(_COLD)]
_COLD_DOCUMENTS = dict.fromkeys(_COLD_NAMES, LARGE)

KINDS: Mapping[str, Kind] = {
    "one string of 8 MiB": Kind(lambda attack: attack.pastes(_one_string)),
    "150,000 pieces": Kind(lambda attack: attack.pastes(_pieces)),
    "74,000 deletes": Kind(lambda attack: attack.pastes(_deletes)),
    "a day offline": Kind(_brings_a_day),
    "one cold open of 29 MB": Kind(partial(_opens_cold, names=["cold/huge"]), documents={"cold/huge": HUGE}),
    "20 cold opens of 1.4 MB": Kind(partial(_opens_cold, names=_COLD_NAMES), documents=_COLD_DOCUMENTS),
    "10,000 pings at once": Kind(_pings),
    "256 channels at once": Kind(_opens_channels),
    "differences of 1.4 MB": Kind(_asks_for_differences, lambda: backwards(1, LARGE)),
    "presence": Kind(_is_present),
    "HTTP": Kind(_requests, lambda: backwards(1, LARGE)),
    "edits of 65 bytes and 0.25 s": Kind(partial(_sends_slow_edits, structs=[first("a")] * 10), crowd),
    "16 letters of 25 ms at once": Kind(partial(_sends_slow_edits, structs=[after(1, 0, "a")], together=16), crowd),
}


def prepare(kind: str, data: Path) -> None:
    """The documents that a kind needs, in a data folder."""
    store = SqliteStore(data)
    contents = {name: backwards(1, structs) for name, structs in KINDS[kind].documents.items()}
    if (hot := KINDS[kind].hot) is not None:
        contents[HOT] = hot()
    for name, content in contents.items():
        store.create(name)
        (seq,) = store.append([Append(name, (b"\x00\x00",), None)])
        row = store.get(name)
        assert row is not None
        assert seq is not None
        store.put_snapshot(Snapshot(name, row.epoch, seq, content), keep_entries=0, keep_bytes=0)
    store.close()


def attack(kind: str, port: int, seed: int, seconds: float, recording: Path | None) -> int:
    """In a process of its own, behind the one that measures; how often it was done."""
    os.nice(10)
    if KINDS[kind].run is _brings_a_day:
        _offline(recording)  # which takes its time
    attacking = Attack(port, Random(f"{seed} {kind}"), recording)
    asyncio.run(_attack(KINDS[kind].run, attacking, seconds))
    return attacking.done


async def _attack(run: Callable[[Attack], Awaitable[None]], attacking: Attack, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(OSError, EOFError, ProtocolError):
                    await run(attacking)
                for peer in attacking.peers:
                    peer.leaves()
                attacking.peers.clear()
                await asyncio.sleep(0.01)
    for peer in attacking.peers:
        peer.leaves()
