"""What the generator types is what servers take, and what it counts is what arrived."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pycrdt import merge_updates
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from benchmarks.install import Cache
from benchmarks.load import Load
from tests.process import ServerProcess

LOAD = Load(clients=5, documents=2, rate=400, warmup_s=0.2, seconds=0.8)
EDITS = int(LOAD.rate * (LOAD.warmup_s + LOAD.seconds))
MEASURED = int(LOAD.rate * LOAD.seconds) * (LOAD.clients - 1)
TOO_MUCH = Load(clients=2, documents=50, rate=60_000, warmup_s=0.1, seconds=0.3)


async def generate(cache: Cache, port: int, dialect: str, path: str, load: Load = LOAD) -> dict[str, object]:
    flags = ["--port", str(port), "--dialect", dialect, "--path", path, *load.flags()]
    generator = await asyncio.create_subprocess_exec(
        cache.generator, *flags, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        told, complaint = await generator.communicate()
    assert generator.returncode == 0, complaint.decode()
    outcome: dict[str, object] = json.loads(told.splitlines()[-1])
    return outcome


def get(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        content: bytes = answer.read()
        return content


def test_collabdoc_takes_and_keeps_all_that_is_typed(cache: Cache, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", "--auth", "open") as server:
        outcome = asyncio.run(generate(cache, server.port, "native", "/ws"))
        texts = [get(f"{server.url}/api/documents/benchmark-{n}/content?format=text") for n in range(LOAD.documents)]
        health = json.loads(get(f"{server.url}/healthz"))
    assert outcome["delivered"] == outcome["expected"] == MEASURED
    assert [outcome[name] for name in ("gaps", "strays", "closed", "failure")] == [0, 0, 0, ""]
    assert outcome["saved"]["count"] == outcome["edits"]  # type: ignore[index]
    assert sum(len(text.strip()) for text in texts) == EDITS
    assert health["refused"] == {}


def test_a_generator_that_is_behind_sends_each_edit_once(cache: Cache, tmp_path: Path) -> None:
    """All that an author should have typed goes out at once then."""
    with ServerProcess(tmp_path / "data", "--auth", "open") as server:
        outcome = asyncio.run(generate(cache, server.port, "native", "/ws", TOO_MUCH))
        content = get(f"{server.url}/api/documents/benchmark-7/content?format=text")
    assert outcome["delivered"] == outcome["expected"]
    assert [outcome[name] for name in ("duplicates", "gaps", "strays", "failure")] == [0, 0, 0, ""]
    assert outcome["saved"]["count"] == outcome["edits"]  # type: ignore[index]
    assert len(content.strip()) == TOO_MUCH.rate * (TOO_MUCH.warmup_s + TOO_MUCH.seconds) / TOO_MUCH.documents


class Room:
    """Of a server that keeps what it gets for a moment, and then treats it as its `manner` says."""

    def __init__(self, manner: str) -> None:
        self.manner = manner
        self.members: dict[str, set[Member]] = {}
        self.waiting: dict[str, list[bytes]] = {}

    def take(self, document: str, update: bytes) -> None:
        waiting = self.waiting.setdefault(document, [])
        waiting.append(update)
        if len(waiting) == 1:
            asyncio.get_running_loop().call_later(0.02, self.send, document)

    def send(self, document: str) -> None:
        updates = self.waiting.pop(document)
        merged = merge_updates(*updates) if len(updates) > 1 else updates[0]
        if self.manner == "forgets" and len(updates) > 1:
            merged = merge_updates(*updates[1:]) if len(updates) > 2 else updates[1]
        for member in self.members[document]:
            member.write_message(merged, binary=True)
            if self.manner == "repeats":
                member.write_message(merged, binary=True)


class Member(WebSocketHandler):
    def initialize(self, room: Room) -> None:
        self.room = room

    def open(self, document: str) -> None:
        self.document = document
        self.room.members.setdefault(document, set()).add(self)

    def on_message(self, message: str | bytes) -> None:
        assert isinstance(message, bytes)
        self.room.take(self.document, message)

    def on_close(self) -> None:
        self.room.members[self.document].discard(self)


@contextmanager
def serving(manner: str) -> Iterator[int]:
    """Everybody gets everything, their own included, merged; twice, or without the first of a batch."""
    server = HTTPServer(Application([(r"/(.+)", Member, {"room": Room(manner)})]))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    yield sockets[0].getsockname()[1]
    server.stop()


async def generate_against(cache: Cache, manner: str) -> dict[str, object]:
    with serving(manner) as port:
        return await generate(cache, port, "relay", "/")


@pytest.mark.parametrize("manner", ["merges", "repeats"])
def test_each_edit_counts_once_for_each_peer_though_merged_echoed_or_repeated(cache: Cache, manner: str) -> None:
    outcome = asyncio.run(generate_against(cache, manner))
    assert outcome["delivered"] == outcome["expected"] == MEASURED
    assert (outcome["duplicates"] == 0) == (manner == "merges")
    assert outcome["gaps"] == outcome["strays"] == 0


def test_an_edit_that_was_never_sent_on_is_missed(cache: Cache) -> None:
    outcome = asyncio.run(generate_against(cache, "forgets"))
    assert int(str(outcome["delivered"])) < MEASURED
    assert int(str(outcome["gaps"])) > 0
