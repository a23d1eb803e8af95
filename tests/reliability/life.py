"""A day of a team on one server, told in some minutes: does anything grow that should not?

    python -m tests.reliability.life --hours 24 --seed 1

The server's clocks go faster than ours (`--rate`, `faults.c`), so that all that it does by time is done as often as in
so many hours: documents leave memory, tokens and links end, silent sockets are pinged, keep-alives go out. People visit
in every dialect (`visits.py`); some read slowly, some are hostile. Every hour all leave, and when the last document has
left memory it is looked at what is left: memory, sockets, descriptors, threads, objects of our own, the data folder
against what documents hold. After the first hours, in which what is kept is filled, none of it may grow.

What takes the processor its time takes as long as ever, so the limits on that are as much longer by the server's clock;
so is, by some, the time that clients have to answer a ping.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from collabdoc.config import Limits
from tests.browser.proxy import Network
from tests.process import ServerProcess
from tests.reliability import faults
from tests.reliability.attackers import DOCUMENTS
from tests.reliability.backup import back_up
from tests.reliability.crowd import pss_bytes
from tests.reliability.visits import KEY, Clock, Town

RATE = 144
VISITS_AN_HOUR = 200
WARM_HOURS = 6
"""Of a day: by then caches are full, such as that of 1,000 tokens whose signature was looked at."""
GROWS_AT_MOST = {"memory": 4 * 2**20, "helper": 4 * 2**20, "descriptors": 2, "threads": 0.5, "tasks": 1, "objects": 100}
"""From the end of those hours to the end of the day, by a straight line through what was seen."""
FOLDER_AT_MOST = 3
"""Times what the documents in it hold, beside the edits that are kept for those who come back."""
_LIMITS = Limits()
_PATIENCE = 10
_DOCUMENTS = 40
_BUSY_SHARE = 0.9
_BACKUP_HOURS = 4
_EMPTIED_S = 20.0
_SHORT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server had when everybody had left."""

    memory: int
    helper: int
    descriptors: int
    threads: int
    tasks: int
    objects: int
    folder: int
    content: int
    classes: Counter[str]
    """The same objects, by class."""

    def __str__(self) -> str:
        return (
            f"{self.memory / 2**20:.1f} MiB and {self.helper / 2**20:.1f} MiB in its helper,"
            f" {self.descriptors} descriptors, {self.threads} threads, {self.tasks} tasks, {self.objects} objects,"
            f" folder {self.folder / 2**20:.1f} MiB for {self.content / 2**20:.2f} MiB"
        )


async def run(hours: int, rate: int, seed: int, folder: Path) -> tuple[Town, list[Sample], list[str]]:
    """What was done, what was seen at the end of each hour, and what was left there or could not be backed up."""
    data = folder / "data"
    machine = faults.Faults(faults.build(folder), data, folder / "control")
    start_s = int(time.time())
    machine.set(clock_rate=rate, clock_start_s=start_s)
    clock = Clock(rate, start_s)
    samples: list[Sample] = []
    wrong: list[str] = []
    async with AsyncExitStack() as stack:
        server = stack.enter_context(
            ServerProcess(
                data,
                *("--auth", "token", "--no-watchdog"),
                program=("-m", "tests.reliability.census", "serve"),
                environment={**machine.environment, **_settings(rate)},
            )
        )
        line = stack.enter_context(Network()).line(server.port)
        town = Town(server, line, clock, seed)
        await town.make_documents(_DOCUMENTS)
        for hour in range(1, hours + 1):
            await _live(town, clock, Random(f"{seed} {hour}"))
            if hour % _BACKUP_HOURS == 0:
                made = await asyncio.to_thread(back_up, data, folder / f"{hour}.sqlite3")
                wrong += [] if made.returncode == 0 else [f"the backup of hour {hour}: {made.stdout} {made.stderr}"]
            for name in set(DOCUMENTS):
                await town.fetch("DELETE", f"/api/documents/{name}")
            wrong += await _until_empty(town, hour)
            samples.append(await _look(town, server.pid, data))
            print(f"hour {hour}: {samples[-1]}", file=sys.stderr, flush=True)
    return town, samples, wrong


def _settings(rate: int) -> dict[str, str]:
    longer = {
        **{name: getattr(_LIMITS, name) * rate for name in ("max_commit_lag_s", "helper_s", "drain_s")},
        "silence_s": _LIMITS.silence_s * _PATIENCE,
    }
    return {
        "COLLABDOC_TOKEN_KEY": KEY,
        **{f"COLLABDOC_LIMITS__{name.upper()}": str(value) for name, value in longer.items()},
    }


async def _live(town: Town, clock: Clock, chance: Random) -> None:
    """An hour of visits, the last of which has ended."""
    ends_s = clock.now_s() + _BUSY_SHARE * 3600
    async with asyncio.TaskGroup() as group:
        while clock.now_s() < ends_s:
            group.create_task(town.visit())
            await clock.sleep(chance.expovariate(VISITS_AN_HOUR / 3600))


async def _until_empty(town: Town, hour: int) -> list[str]:
    """Until the last document has left memory; what has not left in time."""
    gives_up_s = time.monotonic() + _EMPTIED_S
    while True:
        health = json.loads(await town.ask("/healthz"))
        left = {what: health[what] for what in ("sockets", "rooms") if health[what]}
        if not left:
            return []
        if time.monotonic() > gives_up_s:
            return [f"hour {hour}: {left} are left"]
        await asyncio.sleep(0.05)


async def _look(town: Town, pid: int, data: Path) -> Sample:
    content = 0
    for name in town.documents:
        content += len(await town.ask(f"/api/documents/{name}/content?format=yjs"))
    memory, helper = pss_bytes(pid), sum(map(pss_bytes, _children(pid)))
    descriptors = _descriptors(pid)
    census = json.loads(await town.ask("/census"))
    classes = Counter(census["objects"])
    counts = (descriptors, census["threads"], census["tasks"], classes.total())
    return Sample(memory, helper, *counts, _folder_bytes(data), content, classes)


def _children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _folder_bytes(data: Path) -> int:
    return sum(path.stat().st_size for path in data.rglob("*") if path.is_file())


def growth(values: Sequence[float]) -> float:
    """From the first to the last of these, by the straight line that is next to all of them."""
    mean_x, mean_y = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((x - mean_x) ** 2 for x in range(len(values)))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in enumerate(values)) / spread if spread else 0.0
    return slope * (len(values) - 1)


def judge(town: Town, samples: Sequence[Sample]) -> list[str]:
    """What grew, and whether people could work."""
    flat = samples[WARM_HOURS:]
    wrong = [
        f"{what} grew by {grown:,.1f}, expected at most {most:,}"
        for what, most in GROWS_AT_MOST.items()
        if len(flat) > 1 and (grown := growth([getattr(sample, what) for sample in flat])) > most
    ]
    visits, short = town.made.total(), town.short.total()
    if short > visits * _SHORT_SHARE:
        wrong.append(f"{short} of {visits} visits were cut short: {dict(town.short)}")
    last = samples[-1]
    if last.folder > FOLDER_AT_MOST * last.content + _DOCUMENTS * _LIMITS.resume_bytes + 2**20:
        wrong.append(f"the data folder has {last.folder:,} bytes for documents of {last.content:,}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24, help="by the server's clock (default: 24)")
    parser.add_argument("--rate", type=int, default=RATE, help=f"its seconds in one of ours (default: {RATE})")
    parser.add_argument("--seed", type=int, default=1, help="repeats who does what (default: 1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        town, samples, wrong = asyncio.run(run(arguments.hours, arguments.rate, arguments.seed, Path(folder)))
    wrong += judge(town, samples)
    more = (samples[-1].classes - samples[0].classes).most_common(5)
    print(*wrong, f"more than in the first hour: {more}", sep="\n", file=sys.stderr)
    flat = samples[WARM_HOURS:] or samples
    grown = ", ".join(f"{what} {growth([getattr(sample, what) for sample in flat]):+,.1f}" for what in GROWS_AT_MOST)
    print(
        f"{arguments.hours} hours, {town.made.total()} visits ({town.short.total()} cut short), {town.edits} edits;"
        f" at the end {samples[-1]}; growth after the first {WARM_HOURS} hours: {grown}; {len(wrong)} faults"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
