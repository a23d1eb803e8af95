"""`python -m benchmarks.run`: install the peers, measure all, print one table."""

import argparse
import fnmatch
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from benchmarks import machine
from benchmarks.cases import CASES
from benchmarks.figures import Bench, Case, Measured
from benchmarks.install import HERE, Cache, Missing, say
from benchmarks.report import Results, table
from benchmarks.server import Failed
from benchmarks.targets import TARGETS, Launcher, Target

DEFAULT_CACHE = Path("~/.cache/collabdoc-benchmarks")
_Kind = TypeVar("_Kind")
QUICK_TARGETS = ("collabdoc", "relay")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the arguments ask for; the exit code is 1 where something could not be measured."""
    asked = _parser().parse_args(arguments)
    cases = _chosen("case", CASES, asked.case)
    targets = _chosen("target", TARGETS, asked.target or (QUICK_TARGETS if asked.quick else None))
    cache = Cache(asked.cache.expanduser())
    launcher = Launcher(cache, asked.collabdoc_python, dict(asked.collabdoc_env))
    machine.raise_file_limit()
    bench = Bench(launcher, is_quick=asked.quick)
    started = datetime.now(UTC)
    facts = machine.facts()
    try:
        prepare(launcher, targets)
        with machine.staying_on(machine.GENERATOR_CORE):
            results, failures = measure(bench, cases, targets, 1 if asked.quick else asked.runs)
    except Missing as missing:
        say(str(missing))
        return 1
    report = {
        "started": started.isoformat(timespec="seconds"),
        "runs": 1 if asked.quick else asked.runs,
        "is_quick": asked.quick,
        "machine": facts,
        "versions": versions(launcher, targets),
        "failures": failures,
        "results": {
            case: {target: [_plain(run) for run in runs] for target, runs in by_target.items()}
            for case, by_target in results.items()
        },
    }
    written = json.dumps(report, indent=1)
    asked.results.mkdir(parents=True, exist_ok=True)
    place = asked.results / f"{started:%Y-%m-%d-%H%M%S}.json"
    place.write_text(written + "\n")
    print(written if asked.json else table(results, cases))
    if asked.quick:
        say("a quick run shows that it works; its figures say little")
    say(f"written to {place}")
    for failure in failures:
        say(f"not measured: {failure}")
    return 1 if failures else 0


def prepare(launcher: Launcher, targets: Sequence[Target]) -> None:
    """Install and compile all before the first measurement, so that what is missing shows at once."""
    say(f"generator: {launcher.cache.generator}")
    for target in targets:
        say(f"{target.name}: {' '.join(launcher.launch(target, 0, launcher.cache.folder).command)}")


def measure(bench: Bench, cases: Sequence[Case], targets: Sequence[Target], runs: int) -> tuple[Results, list[str]]:
    """Each case against one target after the other, and all of that `runs` times: A B C A B C.

    Ctrl-C ends it with what there is.
    """
    results: Results = {}
    failures: list[str] = []
    rounds = [
        (case, run, target)
        for case in cases
        for run in range(1, runs + 1)
        for target in targets
        if case.applies_to(target)
    ]
    for case, run, target in rounds:
        say(f"{case.name}, run {run} of {runs}: {target.name}")
        began_s = time.monotonic()
        try:
            found = case.measure(bench, target)
        except Failed as failed:
            failures.append(f"{case.name} of {target.name}: {failed}")
            say(f"  {failed}")
            continue
        except KeyboardInterrupt:
            failures.append(f"{case.name} of {target.name} and what follows: interrupted")
            break
        results.setdefault(case.name, {}).setdefault(target.name, []).append(found)
        told = ", ".join(f"{name} {value.value:,.2f}" for name, value in found.items())
        say(f"  {told} ({time.monotonic() - began_s:.0f} s)")
    return results, failures


def versions(launcher: Launcher, targets: Sequence[Target]) -> dict[str, str]:
    """Of what ran."""
    asked = {"collabdoc": [launcher.python, "-m", "collabdoc", "--version"], "cc": ["cc", "--version"]}
    if any(target.name in {"pycrdt-websocket", "tornado"} for target in targets):
        asked["python peers"] = [str(launcher.cache.python), "-m", "pip", "freeze"]
    if any(target.name.startswith(("y-websocket", "hocuspocus")) for target in targets):
        asked["node"] = ["node", "--version"]
        asked["node peers"] = ["npm", "ls", "--prefix", str(launcher.cache.node), "--depth=0"]
    found = {}
    for name, command in asked.items():
        if shutil.which(command[0]) is not None:
            done = subprocess.run(command, cwd=launcher.cache.folder, capture_output=True, text=True)
            found[name] = done.stdout.strip()
    return found


def _plain(measured: Measured) -> dict[str, object]:
    return {name: asdict(value) for name, value in measured.items()}


def _chosen(kind: str, known: dict[str, _Kind], patterns: Sequence[str] | None) -> list[_Kind]:
    if not patterns:
        return list(known.values())
    chosen = [name for name in known if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    if not chosen:
        sys.exit(f"no {kind} is called {' or '.join(patterns)}; there are: {', '.join(known)}")
    return [known[name] for name in chosen]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--case", action="append", metavar="NAME", help=f"one of {', '.join(CASES)}, or fanout-*")
    parser.add_argument("--target", action="append", metavar="NAME", help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("--runs", type=int, default=3, help="the table shows medians of so many (default 3)")
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds, to see that it works; its figures say little"
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help=f"default: {DEFAULT_CACHE}")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for the JSON of each run")
    parser.add_argument("--collabdoc-python", default=sys.executable, metavar="PATH", help="measure another checkout's")
    parser.add_argument(
        "--collabdoc-env",
        action="append",
        default=[],
        type=lambda text: tuple(text.split("=", 1)),
        metavar="NAME=VALUE",
        help="for the collabdoc that is measured; may be repeated",
    )
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, so that no server is left behind
    sys.exit(main())
