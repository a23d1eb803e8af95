"""What one edit costs the server as a document, the number of documents and the log grow. collabdoc alone."""

import asyncio
import time
from dataclasses import replace

from benchmarks import texts
from benchmarks.client import Client
from benchmarks.figures import Bench, Case, Figure, Goal, Measured, Value
from benchmarks.load import Load, generate
from benchmarks.server import Failed, Server, running
from benchmarks.targets import Target

_SIZES = {"1 KB": 1_000, "100 KB": 100_000, "1 MB": 1_000_000, "10 MB": 10_000_000}
_DOCUMENTS = (1, 100, 1_000, 10_000)
_LOG_EDITS = (0, 10_000, 50_000)
_RATE, _LOG_RATE = 500.0, 2_000.0
_IDLE_SHARE = 0.05
_GOAL = (Goal(1.5),)


def _ours(target: Target) -> bool:
    return target.is_ours


def _measure_size(bench: Bench, target: Target) -> Measured:
    """Two clients type into a document that holds a text already."""
    found = {}
    sizes = dict(list(_SIZES.items())[: 2 if bench.is_quick else None])
    for name, size in sizes.items():
        parts = texts.alternating(size)
        with running(bench.launcher, target) as server:
            asyncio.run(_put(server, parts))
            # The first letters find that a snapshot of such a text is due, once.
            _cost(bench, server, Load(clients=2, rate=_RATE, seconds=1), number=1)
            _wait_until_idle(server)
            found[f"growth: edit at {name}"] = _cost(bench, server, Load(clients=2, rate=_RATE, seconds=4))
    return {**found, "growth: most to least, size": _spread(found)}


def _measure_documents(bench: Bench, target: Target) -> Measured:
    """The same rate of edits over more and more documents with one client each, all of them open."""
    found = {}
    for documents in _DOCUMENTS[: 2 if bench.is_quick else None]:
        with running(bench.launcher, target) as server:
            load = Load(clients=1, documents=documents, rate=_RATE, warmup_s=2, seconds=4)
            found[f"growth: edit of {documents:,} documents"] = _cost(bench, server, load)
    return {**found, "growth: most to least, documents": _spread(found)}


def _measure_log(bench: Bench, target: Target) -> Measured:
    """The same document, after more and more edits; its snapshots are in the cost."""
    found = {}
    with running(bench.launcher, target) as server:
        typed = 0
        for edits in _LOG_EDITS[: 2 if bench.is_quick else None]:
            wanted = edits // 20 if bench.is_quick else edits
            if wanted > typed:
                _cost(bench, server, Load(clients=2, rate=_LOG_RATE, seconds=(wanted - typed) / _LOG_RATE), typed)
            measured = Load(clients=2, rate=_LOG_RATE, warmup_s=1, seconds=3)
            found[f"growth: edit after {edits:,}"] = _cost(bench, server, measured, wanted + 1)
            typed = wanted
    return {**found, "growth: most to least, log": _spread(found)}


def _cost(bench: Bench, server: Server, load: Load, number: int = 0) -> Value:
    """Microseconds of the server's CPU for each edit. `number` keeps the authors of several loads apart."""
    if bench.is_quick:
        load = replace(load, warmup_s=0.2, seconds=0.5)
    load = replace(load, first_client_id=2**29 + 1000 * number)
    outcome = generate(bench.launcher.cache, server, load)
    if outcome.saved.count < outcome.edits:
        raise Failed(f"{server.target.name} acknowledged {outcome.saved.count} of {outcome.edits} edits")
    return Value(1e6 * outcome.server_cpu_s / outcome.edits)


def _wait_until_idle(server: Server) -> None:
    used_s = -1.0
    while server.cpu_s() - used_s > _IDLE_SHARE:
        used_s = server.cpu_s()
        time.sleep(1)


def _spread(found: dict[str, Value]) -> Value:
    costs = [value.value for value in found.values()]
    return Value(max(costs) / min(costs))


async def _put(server: Server, parts: list[bytes]) -> None:
    async with Client.connect(server, "benchmark-0") as client:
        await client.open()
        for part in parts:
            await client.put(part)


def _figures(names: list[str], last: str) -> tuple[Figure, ...]:
    each = (Figure(f"growth: edit {name}", "us", more_is_better=False) for name in names)
    return (*each, Figure(f"growth: most to least, {last}", "ratio", more_is_better=False, goals=_GOAL))


CASES = (
    Case("growth-size", _figures([f"at {name}" for name in _SIZES], "size"), _ours, _measure_size),
    Case(
        "growth-documents",
        _figures([f"of {count:,} documents" for count in _DOCUMENTS], "documents"),
        _ours,
        _measure_documents,
    ),
    Case("growth-log", _figures([f"after {edits:,}" for edits in _LOG_EDITS], "log"), _ours, _measure_log),
)
