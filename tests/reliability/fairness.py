"""What two who write in another document, and two in the same one, notice of somebody who takes much of the server.

    python -m tests.reliability.fairness --seconds 10 --seed 1

Each kind of `heavy.py` on a server of its own: how long an edit takes from one to the other, before and meanwhile, and
how long the loop was away from its sockets at most. Nobody may lose the document or an edit, and all is saved. Where
there are two cores, the server has one.
"""

import argparse
import asyncio
import concurrent.futures
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired

from collabdoc.protocol import native
from collabdoc.protocol.messages import Closed, Open, Opened, Saved, Update, Updates
from collabdoc.protocol.structs import read_structs
from collabdoc.protocol.values import UNLIMITED, Parts
from tests.process import ServerProcess
from tests.protocol.crafting import after, section, string, uint, update
from tests.reliability.attackers import apart_from
from tests.reliability.heavy import HOT, KINDS, Peer, attack, prepare
from tests.reliability.turns import PROGRAM, Turns

LONGEST_TURN_MS = 250.0
_EVERY_S = 0.02
_ALONE_S = 2.0
_SETTLED_S = 20.0


@dataclass(slots=True)
class Figures:
    """Times from an edit to the other one, in milliseconds."""

    times: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        times = sorted(self.times)
        if not times:
            return "none came"
        p50, p99, longest = statistics.median(times), times[int(len(times) * 0.99)], times[-1]
        return f"{p50:.1f}, {p99:.1f}, {longest:.0f}"


class Bystander:
    """One who types a letter now and then, and notes when those of the other come."""

    def __init__(self, client: int) -> None:
        self._client = client
        self.figures = Figures()
        self.sent: list[float] = []
        self.heard = self.saved = 0
        self.lost: object = None

    async def connect(self, port: int, document: str) -> None:
        self._peer = await Peer.connect(port)
        await self._peer.says(native.encode_client(Open(1, document, b"\x00")))
        await self._peer.hears_any(Opened)

    async def types(self) -> None:
        number = len(self.sent)
        start = b"\x04\x01" + string(f"of {self._client}") + string("a")
        letter = after(self._client, number - 1, "a") if number else start
        self.sent.append(time.monotonic())
        edit = update(section(self._client, number, letter))
        await self._peer.says(native.encode_client(Update(1, number + 1, edit)))

    def count_letters(self, edit: bytes) -> int:
        """How many of its own are in it: those that reached the server together come as one."""
        if not edit.startswith(b"\x01\x01" + uint(self._client)):
            return 0
        (found,) = read_structs(edit, {}, Parts(UNLIMITED), with_cuts=False)[0].sections
        return found.end - found.start

    async def hears(self, other: "Bystander") -> None:
        """Until the server closes."""
        try:
            while True:
                match native.decode_server(await self._peer.hears()):
                    case Updates(updates=updates):
                        now_s, before = time.monotonic(), self.heard
                        self.heard += sum(map(other.count_letters, updates))
                        self.figures.times += [1000 * (now_s - sent_s) for sent_s in other.sent[before : self.heard]]
                    case Saved(id=id_):
                        self.saved = id_
                    case Closed() as closed:
                        self.lost = closed
                        return
        except (OSError, EOFError):
            self.lost = "the connection"

    def leaves(self) -> None:
        self._peer.leaves()


class Pair:
    """Two bystanders of one document."""

    def __init__(self, document: str, first_client: int) -> None:
        self.document = document
        self.both = Bystander(first_client), Bystander(first_client + 1)

    async def connect(self, port: int) -> None:
        for one in self.both:
            await one.connect(port, self.document)
        one, other = self.both
        self._hearing = [asyncio.create_task(one.hears(other)), asyncio.create_task(other.hears(one))]

    async def types(self) -> None:
        for one in self.both:
            if not one.lost:
                await one.types()

    def take_figures(self) -> Figures:
        """Of all since the last time; what has not come counts as if it came now."""
        times = [each for one in self.both for each in one.figures.times]
        now_s = time.monotonic()
        for one, other in (self.both, self.both[::-1]):
            times += [1000 * (now_s - sent_s) for sent_s in one.sent[other.heard :]]
        for one in self.both:
            one.figures = Figures()
        return Figures(times)

    @property
    def is_settled(self) -> bool:
        one, other = self.both
        return one.saved == len(one.sent) == other.heard and other.saved == len(other.sent) == one.heard

    def wrong(self) -> list[str]:
        """What went wrong."""
        wrong = []
        for one, other in (self.both, self.both[::-1]):
            if one.lost:
                wrong.append(f"{self.document}: a bystander lost {one.lost}")
            elif one.saved < len(one.sent) or one.heard < len(other.sent):
                wrong.append(f"{self.document}: {one.saved} of {len(one.sent)} edits are saved")
                wrong.append(f"{self.document}: {one.heard} of {len(other.sent)} edits came")
        return wrong

    async def leaves(self) -> None:
        for one in self.both:
            one.leaves()
        await asyncio.gather(*self._hearing)


async def run(
    kind: str, seconds: float, seed: int, folder: Path, recording: Path | None = None
) -> tuple[list[str], float]:
    """What went wrong, and the longest turn in milliseconds of the processor."""
    data = folder / "data"
    data.mkdir()
    prepare(kind, data)
    turns = Turns(folder / "turns")
    environment = {**turns.environment, "COLLABDOC_LIMITS__ROOM_IDLE_S": "1"}
    with ServerProcess(data, program=PROGRAM, environment=environment) as server, apart_from(server.pid):
        pairs = Pair("quiet", 10), Pair(HOT, 20)
        for pair in pairs:
            await pair.connect(server.port)

        async def type_until(is_over: "asyncio.Future[int] | None", until_s: float) -> None:
            while time.monotonic() < until_s and not (is_over is not None and is_over.done()):
                await asyncio.gather(*(pair.types() for pair in pairs))
                await asyncio.sleep(_EVERY_S)

        await type_until(None, time.monotonic() + min(_ALONE_S, seconds))
        alone = [pair.take_figures() for pair in pairs]
        turns.take()
        with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            attacking = asyncio.get_running_loop().run_in_executor(
                pool, attack, kind, server.port, seed, seconds, recording
            )
            await type_until(attacking, time.monotonic() + 10 * seconds + 60)
            done = await attacking
            until_s = time.monotonic() + _SETTLED_S
            while time.monotonic() < until_s and not all(pair.is_settled for pair in pairs):
                await asyncio.sleep(_EVERY_S)
            turn = turns.take()
            # Within the pool: to wait for its process would hold up those who listen here.
            meanwhile = [pair.take_figures() for pair in pairs]
        wrong = [each for pair in pairs for each in pair.wrong()]
        print(
            f"{kind}: {done} times; p50, p99 and longest in ms: in another document {meanwhile[0]} (alone {alone[0]}), "
            f"in the same {meanwhile[1]} (alone {alone[1]}); longest turn {turn}, {turn.took_ms:.0f} ms by the clock",
            flush=True,
        )
        for pair in pairs:
            await pair.leaves()
        try:
            stopped = server.terminate() == 0
        except TimeoutExpired:
            stopped = False
        if not stopped:
            wrong.append("the server did not stop in order")
    return [f"{kind}: {each}" for each in wrong], turn.busy_ms


def run_all(kinds: Sequence[str], seconds: float, seed: int, recording: Path | None) -> list[str]:
    wrong: list[str] = []
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            found, busy_ms = asyncio.run(run(kind, seconds, seed, Path(folder), recording))
        wrong += found
        if busy_ms > LONGEST_TURN_MS:
            wrong.append(f"{kind}: a turn of {busy_ms:.0f} ms")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each kind (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="the same again (default: 1)")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="(default: all)")
    parser.add_argument("--recording", type=Path, help="a day's work offline, as `recordings` reads it")
    arguments = parser.parse_args()
    wrong = run_all(arguments.only, arguments.seconds, arguments.seed, arguments.recording)
    print("\n".join(wrong) or "nothing went wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
