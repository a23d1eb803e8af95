"""`python -m benchmarks.beside ../other`: this collabdoc and another one at once, on one core, under a light load.

On a shared machine one version differs by 15 % and more from minute to minute, and from start to start. At once both
have the same minutes: equal versions differed by 1 % in each of six runs. Their rates differ by a twentieth, for else
one's edits come behind the other's after the same time in all of a run, and find the caches as that leaves them: equal
versions differed by 17 % then.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from benchmarks import machine
from benchmarks.install import Cache, say
from benchmarks.load import Load, Outcome, generating
from benchmarks.run import DEFAULT_CACHE
from benchmarks.server import running
from benchmarks.targets import TARGETS, Launcher

_ASIDE = 1.05
_THIS = Path(__file__).parent.parent
_FIGURES = "CPU {:,.0f} us an edit, p50 {:.2f} ms, p99 {:.2f} ms"
_RATIOS = "CPU {:.3f}, p50 {:.3f}, p99 {:.3f} times the other's"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print this one's figures as multiples of the other's, for each run and the median of all."""
    asked = _parser().parse_args(arguments)
    if not (asked.other / "collabdoc").is_dir():
        sys.exit(f"there is no collabdoc in {asked.other}: give the folder of a checkout")
    cache = Cache(asked.cache.expanduser())
    machine.raise_file_limit()
    ratios: list[tuple[float, ...]] = []
    with machine.staying_on(machine.GENERATOR_CORE):
        for run in range(asked.runs):
            folders = [_THIS, asked.other.resolve()]
            rates = [asked.rate, asked.rate * _ASIDE][:: -1 if run % 2 else 1]
            loads = [
                Load(asked.clients, rate=rate, documents=asked.documents, seconds=asked.seconds, warmup_s=2.0)
                for rate in rates
            ]
            this, other = (_figures(outcome) for outcome in at_once(cache, folders, loads))
            ratios.append(tuple(a / b for a, b in zip(this, other, strict=True)))
            say(f"this: {_FIGURES.format(*this)}; the other: {_FIGURES.format(*other)}")
            print(f"run {run + 1}: {_RATIOS.format(*ratios[-1])}", flush=True)
    print(f"median: {_RATIOS.format(*map(statistics.median, zip(*ratios, strict=True)))}")


def at_once(cache: Cache, folders: Sequence[Path], loads: Sequence[Load]) -> list[Outcome]:
    """What each folder's collabdoc did under its load."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running(Launcher(cache, environment={"PYTHONPATH": str(folder)}), TARGETS["collabdoc"]))
            for folder in folders
        ]
        generators = [
            stack.enter_context(generating(cache, server, load)) for server, load in zip(servers, loads, strict=True)
        ]
        for generator in generators:
            generator.wait_for("opened")
        with ThreadPoolExecutor(len(generators)) as pool:
            return list(pool.map(lambda generator: generator.finish(), generators))


def _figures(outcome: Outcome) -> tuple[float, ...]:
    """As `_FIGURES` has them."""
    return 1e6 * outcome.server_cpu_s / outcome.edits, outcome.latency.p50_ms, outcome.latency.p99_ms


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.beside", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, help="folder of another checkout, with its libfanout.so if this has one")
    parser.add_argument("--runs", type=int, default=3, help="default 3")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run (default 8)")
    parser.add_argument("--clients", type=int, default=100, help="of each document (default 100)")
    parser.add_argument("--documents", type=int, default=1, help="of each server (default 1)")
    parser.add_argument("--rate", type=float, default=60.0, help="edits a second of each server (default 60)")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help=f"default: {DEFAULT_CACHE}")
    return parser


if __name__ == "__main__":
    main()
