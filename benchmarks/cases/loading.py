"""Documents that are loaded: how long it takes, what a client that comes back is sent, and what memory they hold."""

import asyncio
import json
import subprocess
from contextlib import AsyncExitStack
from functools import partial

from benchmarks import machine, texts
from benchmarks.client import Client, Known, Opened
from benchmarks.figures import Bench, Case, Figure, Goal, Measured, Value
from benchmarks.install import HERE
from benchmarks.server import Failed, Server, running, stop, temporary_folder
from benchmarks.targets import Target

_BEHIND = 100
_LOADED_DOCUMENTS = 20
_LOADED_BYTES = 100_000
_SETTLE_S = 3.0
_WRITTEN_WITHIN_S = 3.0
"""y-websocket does not say when LevelDB has an edit, and does not finish its writes when it is told to stop."""
_DOCUMENT = "long"


def _persisting(target: Target) -> bool:
    return target.persists


def _with_document(target: Target) -> bool:
    return target.is_ours or (target.has_document and not target.persists)


def _documented(target: Target) -> bool:
    return target.has_document


def _paper(bench: Bench) -> bytes:
    return texts.paper(bench.launcher.cache.folder, 2_000 if bench.is_quick else texts.PAPER_EDITS)


def _measure_open(bench: Bench, target: Target) -> Measured:
    """A server that has just started opens a document from its disk, and bare pycrdt loads the same update."""
    update = _paper(bench)
    with temporary_folder(bench.launcher) as folder:
        with running(bench.launcher, target, folder) as server:
            asyncio.run(_put(server, {_DOCUMENT: [update]}))
            stop(server)
        with running(bench.launcher, target, folder) as server:
            opened, cpu_s = asyncio.run(_open_cold(server, len(update) // 2))
    if len(opened.update) < len(update) / 2:
        raise Failed(f"{target.name} lost the document: {len(opened.update)} of {len(update)} bytes came back")
    bare = _bare("open", [update], bench)
    return {
        "open: time": Value(1000 * opened.took_s, detail={"cpu_s": cpu_s, "bare_s": bare["took_s"]}),
        "open: CPU": Value(1000 * cpu_s),
        "open: time to bare pycrdt": Value(opened.took_s / bare["took_s"]),
    }


async def _open_cold(server: Server, least_bytes: int) -> tuple[Opened, float]:
    async with Client.connect(server, "something-else") as other, Client.connect(server, _DOCUMENT) as client:
        await other.open()
        before_s = server.cpu_s()
        opened = await client.open(least_bytes=least_bytes)
        return opened, server.settled_cpu_s() - before_s


def _measure_resync(bench: Bench, target: Target) -> Measured:
    """Bytes that a client is sent which was away for 100 edits of one character each."""
    update = _paper(bench)
    missed = texts.typed_after(update, _BEHIND)
    with running(bench.launcher, target) as server:
        answer_bytes = asyncio.run(_resync(server, update, missed))
    edits_bytes = sum(map(len, missed))
    return {
        "resync: bytes": Value(answer_bytes, detail={"edits_bytes": edits_bytes}),
        "resync: bytes to the edits'": Value(answer_bytes / edits_bytes),
    }


async def _resync(server: Server, update: bytes, missed: list[bytes]) -> int:
    connect = partial(Client.connect, server, _DOCUMENT)
    # Who is away stays connected and deaf: pycrdt-websocket drops everybody when one leaves while others type.
    async with connect() as writer, connect() as away:
        await writer.open()
        await writer.put(update)
        opened = await away.open()
        for each in missed:
            await writer.put(each)
        known = Known(texts.state_vector(opened.update), opened.epoch, opened.seq)
        async with connect() as back:
            return (await back.open(known)).answer_bytes


def _measure_loaded(bench: Bench, target: Target) -> Measured:
    """Memory that each document of 100 KB adds, of 20 that are opened; read from the disk where the target has one."""
    documents = 3 if bench.is_quick else _LOADED_DOCUMENTS
    settle_s = 0.2 if bench.is_quick else _SETTLE_S
    updates = {f"text-{number}": texts.alternating(_LOADED_BYTES) for number in range(documents)}
    with temporary_folder(bench.launcher) as folder:
        if target.persists:
            with running(bench.launcher, target, folder) as server:
                asyncio.run(_put(server, updates))
                stop(server)
        with running(bench.launcher, target, folder) as server:
            grown = asyncio.run(_grow(server, updates, settle_s))
    bare = _bare("loaded", [part for parts in updates.values() for part in parts], bench)
    per_document = grown / documents
    return {
        "loaded: memory": Value(per_document / 1e6, detail={"bare": bare["bytes"] / documents}),
        "loaded: memory to bare pycrdt": Value(per_document * documents / bare["bytes"]),
    }


async def _grow(server: Server, updates: dict[str, list[bytes]], settle_s: float) -> int:
    async with AsyncExitStack() as clients:
        first = await clients.enter_async_context(Client.connect(server, "warm"))
        await first.open()
        await first.put(texts.alternating(1000)[0])
        await asyncio.sleep(settle_s)
        before = server.memory_bytes()["Pss"]
        for document, parts in updates.items():
            client = await clients.enter_async_context(Client.connect(server, document))
            opened = await client.open(least_bytes=_LOADED_BYTES if server.target.persists else 0)
            if len(opened.update) < _LOADED_BYTES and server.target.persists:
                raise Failed(f"{server.target.name} lost a document: {len(opened.update)} bytes came back")
            if not server.target.persists:
                for part in parts:
                    await client.put(part)
        await asyncio.sleep(settle_s)
        return server.memory_bytes()["Pss"] - before


async def _put(server: Server, updates: dict[str, list[bytes]]) -> None:
    for document, parts in updates.items():
        async with Client.connect(server, document) as client:
            await client.open()
            for part in parts:
                await client.put(part)
    if not server.target.acknowledges:
        await asyncio.sleep(_WRITTEN_WITHIN_S)


def _bare(what: str, updates: list[bytes], bench: Bench) -> dict[str, float]:
    """What pycrdt takes by itself, in a process of its own on the servers' core."""
    with temporary_folder(bench.launcher) as folder:
        names = []
        for number, update in enumerate(updates):
            names.append(folder / f"{number}.yjs")
            names[-1].write_bytes(update)
        done = subprocess.run(
            [bench.launcher.python, str(HERE / "bare.py"), what, *map(str, names)],
            stdout=subprocess.PIPE,
            check=True,
            preexec_fn=machine.pinned_to(machine.SERVER_CORE),
        )
    told: dict[str, float] = json.loads(done.stdout)
    return told


CASES = (
    Case(
        "open",
        (
            Figure("open: time", "ms", False),
            Figure("open: CPU", "ms", False),
            Figure("open: time to bare pycrdt", "ratio", False, (Goal(1.2),)),
        ),
        _persisting,
        _measure_open,
    ),
    Case(
        "resync",
        (Figure("resync: bytes", "B", False), Figure("resync: bytes to the edits'", "ratio", False, (Goal(2),))),
        _with_document,
        _measure_resync,
    ),
    Case(
        "loaded",
        (
            Figure("loaded: memory", "MB", False),
            Figure("loaded: memory to bare pycrdt", "ratio", False, (Goal(1.2),)),
        ),
        _documented,
        _measure_loaded,
    ),
)
