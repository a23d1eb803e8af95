"""Thousands who only look on, and thousands who come back at the same moment after a restart.

    python -m tests.reliability.crowd --clients 10000 --seconds 70
    python -m tests.reliability.crowd --clients 5000 --documents 500 --restart kill

All open a document; they answer pings for `--seconds`. With `--restart` the server then ends by SIGTERM and is
started again, or is killed with -9 and its watchdog starts it. Edits were written since they opened, everybody comes
back at once, without a pause or a second try, asks from where they were, and has to get those edits. Meanwhile somebody
new opens a document every quarter of a second. In the end all leave.

Clients are of all dialects in turn, and each comes from an address of its own. The server has the first core, they have
the last. Memory is `Pss` of the server and its watchdog without mapped files; its helper, which makes snapshots, is
not in it. A document that nobody has open leaves memory after 2 s instead of 60. With `--times 2` another crowd comes
when the first has left.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pycrdt import Doc, Text

from benchmarks import machine
from tests.process import WATCHED, ServerProcess
from tests.reliability.fleet import Client, Fleet, raise_file_limit
from tests.reliability.speakers import SPEAKERS, Heard, NativeSpeaker, Speaker

SYNCED_WITHIN_S = 60.0
_EDITS = 100
_UNSAVED = 10
"""Edits of one document that are on their way to the disk at once."""
_MEANWHILE = "<written meanwhile>"
_NEWCOMER_EVERY_S = 0.25
_ROOM_IDLE_S = 2.0
_SETTLED_S = 2 * _ROOM_IDLE_S + 1
_STILL_MIB = 0.5
_MOST_AGAIN = 1.1
"""What the same clients may take after the restart, as a share of what they took."""
_AT_ONCE = 100
"""Handshakes under way where nobody is in a hurry."""


def history() -> list[bytes]:
    """What is written into each document: `_EDITS` edits, and one that comes later."""
    updates: list[bytes] = []
    doc: Doc[Text] = Doc(client_id=1)
    text = doc.get("content", type=Text)
    subscription = doc.observe(lambda event: updates.append(event.update))
    for number in range(_EDITS):
        text += f"line {number} of what everybody knows\n"
    text += _MEANWHILE
    doc.unobserve(subscription)
    return updates


@dataclass(slots=True)
class Figures:
    """What happened; `wrong` holds what was not to happen."""

    synced_s: list[float] = field(default_factory=list)
    resumed: int = 0
    newcomers_s: list[float] = field(default_factory=list)
    memory_mib: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    idle_s: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        said = []
        if self.idle_s:
            said.append(f"did nothing for {self.idle_s:.0f} s, CPU {100 * self.cpu_s / self.idle_s:.1f} %")
        if came := self.synced_s:
            said.append(
                f"{len(came)} back, the first after {came[0]:.1f} s, half after {came[len(came) // 2]:.1f} s, the last "
                f"after {came[-1]:.1f} s, {self.resumed} by their watermark; {len(self.newcomers_s)} others came in, "
                f"the slowest in {max(self.newcomers_s, default=0):.1f} s"
            )
        memory = ", ".join(f"{name} {mib:.1f}" for name, mib in self.memory_mib.items())
        return "; ".join([*said, f"{len(self.wrong)} failed", f"MiB {memory}"])


class Crowd:
    """A server, on the first core, and its clients, on the last."""

    def __init__(self, folder: Path, clients: int, documents: int, *, settled_s: float = _SETTLED_S) -> None:
        """`settled_s` is how long memory is given to fall, again and again until it does not."""
        self.figures = Figures()
        self._updates = history()
        self._names = [f"crowd/{number}" for number in range(documents)]
        environment = {"COLLABDOC_LIMITS__ROOM_IDLE_S": str(_ROOM_IDLE_S)}
        self._log = folder / "log"
        self._server = ServerProcess(
            folder / "data", "--log-level", "warning", program=WATCHED, environment=environment, log=self._log
        )
        self._size = clients
        self._settled_s = settled_s
        self._newcomers = 0
        self._expected: set[Client] = set()
        """Those whose line the restart ends, and has not yet."""
        self._missing: set[Client] = set()
        """Those who came back, and have yet to get what was written meanwhile."""
        self._comes_back_at_once = False

    def run(self, *, idle_s: float, restart: str | None, times: int = 1) -> Figures:
        with ThreadPoolExecutor(1) as self._thread, machine.staying_on(machine.GENERATOR_CORE):
            self._start()
            try:
                with Fleet(self._server.port) as self._fleet:
                    self._fleet.lose = self._lost
                    self._run(idle_s, restart, times)
            finally:
                self._server.kill()
        return self.figures

    def log(self) -> str:
        """What the server had to say."""
        return self._log.read_text()

    def _run(self, idle_s: float, restart: str | None, times: int) -> None:
        writers = self._join([NativeSpeaker(name) for name in self._names], first=0)
        self._write(writers, self._updates[:_EDITS])
        self._leave(writers)
        self._measure("empty")
        for time_ in range(1, times):
            self._leave(self._join_crowd(len(writers)))
            self._measure(f"empty after {time_}")
        crowd = self._join_crowd(len(writers))
        self._measure("full")
        if idle_s:
            self._idle(idle_s)
        if restart is not None:
            for writer in writers:
                writer.comes()
            self._fleet.until(lambda: self._fleet.count["synced"] == len(crowd) + len(writers), within_s=60)
            self._write(writers, self._updates[_EDITS:])
            for writer in writers:
                writer.goes()
            self._restart(crowd, kills=restart == "kill")
            self._measure("full again")
            if self.figures.memory_mib["full again"] > _MOST_AGAIN * self.figures.memory_mib["full"]:
                self._complain("the same clients take more memory than before")
        self._leave(crowd)
        self._measure("empty again")

    def _join_crowd(self, first: int) -> list[Client]:
        kinds = tuple(SPEAKERS.values())
        return self._join(
            [kinds[number % 3](self._names[number % len(self._names)]) for number in range(self._size)], first=first
        )

    def _join(self, speakers: Sequence[Speaker], *, first: int) -> list[Client]:
        clients = self._fleet.launch(speakers, first=first)
        began_s, count = time.monotonic(), self._fleet.count
        for client in clients:
            while count["connecting"] + count["upgrading"] + count["opening"] >= _AT_ONCE:
                self._fleet.turn(0.05)
            client.comes()
        self._fleet.until(lambda: count["synced"] + count["lost"] == len(clients), within_s=SYNCED_WITHIN_S)
        say(f"{count['synced']} of {len(clients)} are in after {time.monotonic() - began_s:.1f} s")
        if count["synced"] < len(clients):
            self._complain(f"of {len(clients)} only {count['synced']} came in")
        return clients

    def _write(self, writers: Sequence[Client], updates: Sequence[bytes]) -> None:
        for number, update in enumerate(updates, start=1):
            for writer in writers:
                writer.says(writer.speaker.edits(update))
            if number % _UNSAVED and update is not updates[-1]:
                continue
            if not self._fleet.until(lambda: min(each.edits_saved for each in writers) >= number, within_s=60):  # noqa: B023
                self._complain("what was written is not saved")
                return

    def _idle(self, seconds: float) -> None:
        before_s = machine.cpu_s(self._server.pid)
        self._fleet.until(lambda: False, within_s=seconds)
        self.figures.idle_s, self.figures.cpu_s = seconds, machine.cpu_s(self._server.pid) - before_s

    def _restart(self, crowd: Sequence[Client], *, kills: bool) -> None:
        self._missing = set(crowd)
        self._expected = set(crowd)
        if kills:
            self._comes_back_at_once = True
            began_s = time.monotonic()
            os.kill(self._served_pid(), signal.SIGKILL)
        else:
            self._comes_back_at_once = False
            stopping = self._thread.submit(self._server.terminate)
            self._fleet.until(stopping.done, within_s=60)
            starting = self._thread.submit(self._start)
            self._fleet.until(starting.done, within_s=60)
            starting.result()
            began_s = time.monotonic()
            for client in crowd:
                self._come_back(client)
        self._wait_with_newcomers(lambda: all(client.state == "synced" for client in crowd) and not self._missing)
        self.figures.synced_s = sorted(client.synced_s - began_s for client in crowd if client.state == "synced")
        self.figures.resumed = sum(client.resumed for client in crowd)
        if len(self.figures.synced_s) < len(crowd):
            self._complain(f"of {len(crowd)} only {len(self.figures.synced_s)} came back")
        if self._missing:
            self._complain(f"{len(self._missing)} have not got what was written meanwhile")

    def _wait_with_newcomers(self, is_so: Callable[[], bool]) -> None:
        ends_s = time.monotonic() + SYNCED_WITHIN_S
        newcomers: list[tuple[Client, float]] = []
        while not is_so() and time.monotonic() < ends_s:
            self._newcomers += 1
            (client,) = self._fleet.launch([NativeSpeaker(f"new/{self._newcomers}")], first=50_000 + self._newcomers)
            newcomers.append((client, time.monotonic()))
            client.comes()
            self._fleet.until(is_so, within_s=_NEWCOMER_EVERY_S)
        self._fleet.until(lambda: all(client.state == "synced" for client, _ in newcomers), within_s=10)
        for client, began_s in newcomers:
            if client.state == "synced":
                self.figures.newcomers_s.append(client.synced_s - began_s)
            else:
                self._complain(f"somebody new did not come in: {client.lost or client.state}")
            client.goes()

    def _come_back(self, client: Client) -> None:
        client.hears = partial(self._hears, client)  # from now on: some heard it live before
        client.comes()

    def _hears(self, client: Client, heard: Heard) -> None:
        if client in self._missing and any(_MEANWHILE.encode() in update for update in heard.updates):
            self._missing.discard(client)

    def _leave(self, clients: Sequence[Client]) -> None:
        for client in clients:
            client.goes()
        before, now = 0.0, self._memory_mib()
        while abs(now - before) > _STILL_MIB:  # documents leave memory one after the other, each with its snapshot
            self._fleet.until(lambda: False, within_s=self._settled_s)
            before, now = now, self._memory_mib()

    def _lost(self, client: Client) -> None:
        if client in self._expected:
            self._expected.discard(client)
            if self._comes_back_at_once:
                self._come_back(client)
        else:
            self._complain(f"a client of {client.speaker.document} was lost: {client.lost}")

    def _start(self) -> None:
        with machine.staying_on(machine.SERVER_CORE):  # this thread alone, and what it starts
            self._server.start()

    def _measure(self, name: str) -> None:
        self.figures.memory_mib[name] = self._memory_mib()
        say(f"memory {name}: {self.figures.memory_mib[name]:.1f} MiB")

    def _memory_mib(self) -> float:
        return sum(pss_bytes(pid) for pid in (self._server.pid, self._served_pid())) / 2**20

    def _served_pid(self) -> int:
        (pid,) = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split()
        return int(pid)

    def _complain(self, what: str) -> None:
        self.figures.wrong.append(what)
        if len(self.figures.wrong) < 10:
            say(f"WRONG: {what}")


def pss_bytes(pid: int) -> int:
    """A process' own memory and its part of what it shares, but for its part of the files of programs and libraries.

    That part is larger where fewer processes have the same ones in memory: it moved by 7 MiB in a day, in steps, as
    other programs in Python began and ended on the machine.
    """
    rows = dict(line.split()[:2] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return (int(rows["Pss:"]) - int(rows["Pss_File:"])) * 1024


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=5000, help="(default: 5000)")
    parser.add_argument("--documents", type=int, default=500, help="that they have open (default: 500)")
    parser.add_argument("--seconds", type=float, default=0, help="for which they do nothing (default: 0)")
    parser.add_argument("--restart", choices=("stop", "kill"), help="how the server ends (default: not at all)")
    parser.add_argument("--times", type=int, default=1, help="how many crowds come, one after the other (default: 1)")
    arguments = parser.parse_args()
    files = raise_file_limit()
    if files < arguments.clients + arguments.documents + 500:
        parser.error(f"this system lets one process have {files} files, and each client needs one on either side")
    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(Path(folder), arguments.clients, arguments.documents)
        try:
            figures = crowd.run(idle_s=arguments.seconds, restart=arguments.restart, times=arguments.times)
        finally:
            say(crowd.log())
    print(f"{arguments.clients} clients, {arguments.documents} documents: {figures}")
    sys.exit(1 if figures.wrong else 0)


if __name__ == "__main__":
    main()
