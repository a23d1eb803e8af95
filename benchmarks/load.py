"""The generator: what it is told, and what it says."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from benchmarks import machine
from benchmarks.install import Cache
from benchmarks.server import Failed, Server

BUSY_SHARE = 0.9
"""A generator that used more of its core may have been what was slow."""


@dataclass(frozen=True, slots=True)
class Load:
    """`clients` and `writers` are per document; `rate` is edits per second over all documents."""

    clients: int
    rate: float = 0.0
    documents: int = 1
    writers: int | None = None
    warmup_s: float = 1.0
    seconds: float = 2.0
    document: str = "benchmark"
    first_client_id: int = 2**30
    together: bool = False

    def flags(self) -> list[str]:
        values = {
            "clients": self.clients,
            "documents": self.documents,
            "writers": self.writers or self.clients,
            "rate": self.rate,
            "warmup": self.warmup_s,
            "seconds": self.seconds,
            "document": self.document,
            "first-client-id": self.first_client_id,
        }
        together = ["--together"] if self.together else []
        return [part for name, value in values.items() for part in (f"--{name}", str(value))] + together


@dataclass(frozen=True, slots=True)
class Latency:
    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the generator counted, and who used the server's core in the measured seconds: it, and all others."""

    seconds: float
    edits: int
    expected: int
    delivered: int
    delivered_in_window: int
    duplicates: int
    gaps: int
    strays: int
    saved_in_window: int
    backlog_middle: int
    backlog_end: int
    bytes_opening: int
    latency: Latency
    saved: Latency
    opening: Latency
    lateness: Latency
    generator_cpu_share: float
    failure: str
    server_cpu_s: float
    others_cpu_s: float

    @property
    def generator_was_busy(self) -> bool:
        return self.generator_cpu_share > BUSY_SHARE

    @property
    def delivered_per_s(self) -> float:
        """Never more than was asked for: what arrived late from the warm-up is no rate that can be kept."""
        return min(self.delivered_in_window, self.expected) / self.seconds

    @property
    def saved_per_s(self) -> float:
        return min(self.saved_in_window, self.edits) / self.seconds


class Generator:
    """One process of it, that is read line by line."""

    def __init__(self, process: "subprocess.Popen[str]", server: Server) -> None:
        self._process = process
        self._server = server

    def wait_for(self, word: str) -> None:
        line = self._stdout.readline().strip()
        if line != word:
            _, said = self._process.communicate()
            raise Failed(f"{self._server.target.name}: the generator said {line!r}, expected {word!r}: {said.strip()}")

    def go_on(self) -> None:
        """After `connected`: open the documents."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def finish(self) -> Outcome:
        """Wait for the measured seconds to pass."""
        self.wait_for("begin")
        before_s, busy_before_s = self._server.cpu_s(), machine.core_busy_s(machine.SERVER_CORE)
        self.wait_for("end")
        server_cpu_s = self._server.cpu_s() - before_s
        others_cpu_s = machine.core_busy_s(machine.SERVER_CORE) - busy_before_s - server_cpu_s
        return _outcome(json.loads(self._stdout.readline()), server_cpu_s, max(0.0, others_cpu_s))

    @property
    def _stdout(self) -> TextIO:
        assert self._process.stdout is not None
        return self._process.stdout  # type: ignore[return-value]  # text=True makes it one


@contextmanager
def generating(cache: Cache, server: Server, load: Load) -> Iterator[Generator]:
    """Start the generator on its core; it ends with its clients' connections."""
    target = server.target
    command = [str(cache.generator), "--port", str(server.port), "--dialect", target.dialect, "--path", target.path]
    with subprocess.Popen(
        [*command, *load.flags()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=machine.pinned_to(machine.GENERATOR_CORE),
    ) as process:
        try:
            yield Generator(process, server)
        finally:
            process.kill()


def generate(cache: Cache, server: Server, load: Load) -> Outcome:
    """All of it: open, type, measure."""
    with generating(cache, server, load) as generator:
        generator.wait_for("opened")
        return generator.finish()


def _outcome(told: dict[str, Any], server_cpu_s: float, others_cpu_s: float) -> Outcome:
    values = {name: told[name] for name in Outcome.__dataclass_fields__ if name in told}
    latencies = {name: Latency(**values.pop(name)) for name in ("latency", "saved", "opening", "lateness")}
    every: dict[str, Any] = {**values, **latencies}
    return Outcome(**every, server_cpu_s=server_cpu_s, others_cpu_s=others_cpu_s)
