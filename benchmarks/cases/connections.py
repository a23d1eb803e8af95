"""What a connection costs: idle ones their memory, and many that come back at once the server's time."""

import asyncio
import time
from statistics import median

from benchmarks import texts
from benchmarks.client import Client
from benchmarks.figures import Bench, Case, Figure, Goal, Measured, Value
from benchmarks.load import Load, generating
from benchmarks.server import Failed, Server, running, stop, temporary_folder
from benchmarks.targets import Target

_DOCUMENTS, _CLIENTS = 20, 100
_REJOINING = 100
_SETTLE_S = 3.0
_LASTS_S = 600.0  # the generator is ended before


def _everyone(_: Target) -> bool:
    return True


def _ours(target: Target) -> bool:
    return target.is_ours


def _with_document(target: Target) -> bool:
    return target.is_ours or (target.has_document and not target.persists)


def _measure_idle(bench: Bench, target: Target) -> Measured:
    """Memory that 2,000 connections add to a server that has their 20 documents open already."""
    clients = 5 if bench.is_quick else _CLIENTS
    settle_s = 0.2 if bench.is_quick else _SETTLE_S
    cache = bench.launcher.cache
    few = Load(clients=1, documents=_DOCUMENTS, warmup_s=0, seconds=_LASTS_S)
    many = Load(clients=clients, documents=_DOCUMENTS, warmup_s=0, seconds=_LASTS_S)
    with running(bench.launcher, target) as server, generating(cache, server, few) as first:
        first.wait_for("opened")
        time.sleep(settle_s)
        before = server.memory_bytes()
        with generating(cache, server, many) as generator:
            generator.wait_for("opened")
            time.sleep(settle_s)
            after = server.memory_bytes()
    connections = _DOCUMENTS * clients
    kib = {name: (after[name] - before[name]) / connections / 1024 for name in after}
    return {"idle: memory": Value(kib["Pss"], detail={"connections": connections, **kib})}


def _measure_rejoin(bench: Bench, target: Target) -> Measured:
    """The server's time from the word to open until all have the document, beside that for a single one."""
    clients = 10 if bench.is_quick else _REJOINING
    update = texts.paper(bench.launcher.cache.folder, 2_000 if bench.is_quick else texts.PAPER_EDITS)
    with running(bench.launcher, target) as server:
        single_s, many_s = asyncio.run(_rejoin(bench, server, update, clients))
    detail = {"single_s": single_s, "many_s": many_s, "clients": clients}
    return {
        "rejoin: CPU of 100": Value(1000 * many_s, detail=detail),
        "rejoin: 100 to 1": Value(many_s / single_s),
    }


async def _rejoin(bench: Bench, server: Server, update: bytes, clients: int) -> tuple[float, float]:
    # Who brought the document keeps it open: without persistence, some servers forget what nobody has open.
    async with Client.connect(server, "benchmark-0") as client:
        await client.open()
        await client.put(update)
        single_s = median(_opening_cpu_s(bench, server, 1, len(update)) for _ in range(5))
        return single_s, _opening_cpu_s(bench, server, clients, len(update))


def _measure_rejoin_cold(bench: Bench, target: Target) -> Measured:
    """The same after a restart: the document is on the disk, and nobody has opened it yet."""
    clients = 10 if bench.is_quick else _REJOINING
    update = texts.paper(bench.launcher.cache.folder, 2_000 if bench.is_quick else texts.PAPER_EDITS)
    took_s: dict[int, list[float]] = {1: [], clients: []}
    with temporary_folder(bench.launcher) as folder:
        with running(bench.launcher, target, folder) as server:
            asyncio.run(_write(server, update))
            stop(server)
        for _ in range(1 if bench.is_quick else 3):
            for number, each in took_s.items():
                with running(bench.launcher, target, folder) as server:
                    each.append(_opening_cpu_s(bench, server, number, len(update) // 2))
                    stop(server)
    single_s, many_s = median(took_s[1]), median(took_s[clients])
    detail = {"single_s": single_s, "many_s": many_s, "clients": clients}
    return {
        "rejoin-cold: CPU of 100": Value(1000 * many_s, detail=detail),
        "rejoin-cold: 100 to 1": Value(many_s / single_s),
    }


async def _write(server: Server, update: bytes) -> None:
    async with Client.connect(server, "benchmark-0") as client:
        await client.open()
        await client.put(update)


def _opening_cpu_s(bench: Bench, server: Server, clients: int, size: int) -> float:
    load = Load(clients=clients, warmup_s=0, seconds=1, together=True)
    with generating(bench.launcher.cache, server, load) as generator:
        generator.wait_for("connected")
        before_s = server.cpu_s()
        generator.go_on()
        generator.wait_for("opened")
        took_s = server.settled_cpu_s() - before_s
        got = generator.finish().bytes_opening
    if got < clients * size:
        raise Failed(f"{server.target.name} sent {got} bytes to {clients} clients that lack {size} bytes each")
    return took_s


CASES = (
    Case("idle", (Figure("idle: memory", "KiB", False, (Goal(13),)),), _everyone, _measure_idle),
    Case(
        "rejoin",
        (Figure("rejoin: CPU of 100", "ms", False), Figure("rejoin: 100 to 1", "ratio", False)),
        _with_document,
        _measure_rejoin,
    ),
    Case(
        "rejoin-cold",
        (
            Figure("rejoin-cold: CPU of 100", "ms", False),
            Figure("rejoin-cold: 100 to 1", "ratio", False, (Goal(3),)),
        ),
        _ours,
        _measure_rejoin_cold,
    ),
)
