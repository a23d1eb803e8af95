"""A reader that stops reading while much is written to its document: what it costs the server, and others.

    python -m tests.reliability.stopped --mebibytes 1024 --dialect yjs
    python -m tests.reliability.stopped --mebibytes 1024 --target hocuspocus-sqlite

The same twice, in a document each: without that reader, and with it. One client replaces the document's text again and
again, `--rate` MiB/s in edits of 32 KiB, so that the document stays small while so many mebibytes pass; a bystander
hears all of it, and its delay counts from when an edit was due. Then the reader reads again and has to have the text;
where it was cut off meanwhile, it connects anew.

Told are the server's memory (`Pss` of its process without helpers, before the reader reads again, once it has come to
rest), what the system keeps for the reader's socket, and the bystander's delays. collabdoc has two limits raised here:
it gives up on nobody (`silence_s`), for else a reader that took nothing for 60 s would be cut off, and a log may be
long before there is time for a snapshot (`document_bytes`). Another server is stopped where it has grown by 2 GiB.
"""

import argparse
import contextlib
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from pycrdt import Doc, Text

from benchmarks import machine
from benchmarks.install import Cache
from benchmarks.run import DEFAULT_CACHE
from benchmarks.server import running
from benchmarks.targets import TARGETS, Launcher
from tests.process import ServerProcess
from tests.reliability.crowd import pss_bytes
from tests.reliability.fleet import Client, Fleet
from tests.reliability.speakers import SPEAKERS, HocuspocusSpeaker, NativeSpeaker, Speaker, YjsSpeaker

MOST_GROWN_MIB = 8.0
OTHERS = ("hocuspocus", "hocuspocus-sqlite", "y-websocket", "y-websocket-leveldb", "pycrdt-websocket")
_MIB = 2**20
_EDIT_BYTES = 32 * 1024
_AHEAD_BYTES = 8 * _MIB
"""What the writer is ahead of the bystander at most, and of the disk where it is told."""
_RECEIVE_BYTES = 64 * 1024
_SAMPLE_S = 0.25
_REST_S, _RESTING_S = 4.0, 0.1
"""It rests when it took so little of the processor in this time."""
_TOO_MUCH_BYTES = 2048 * _MIB
_AGREES_WITHIN_S = 60.0
_NUMBER = re.compile(rb"<(\d{8})>")


@dataclass(frozen=True, slots=True)
class Subject:
    """A running server; `speaks` makes a client of its dialect, `writes` one that writes."""

    pid: int
    port: int
    speaks: Callable[[str], Speaker]
    writes: Callable[[str], Speaker]
    is_ours: bool


@dataclass(slots=True)
class Figures:
    """Of one time that it was all written."""

    written: int = 0
    rest_mib: float = 0.0
    highest_mib: float = 0.0
    system_mib: float = 0.0
    delays_ms: list[float] = field(default_factory=list)
    ended: str = ""
    """Why it did not come to its end."""
    lost: str = ""
    """How the reader was cut off."""
    read_mib: float = 0.0
    agrees: bool = True

    def delays(self) -> str:
        ordered = sorted(self.delays_ms)
        return f"p50 {statistics.median(ordered):.1f} ms, p99 {ordered[int(len(ordered) * 0.99)]:.1f} ms"


class Replacing:
    """A text that each edit replaces as a whole."""

    def __init__(self) -> None:
        self.doc: Doc[Text] = Doc()
        self._text = self.doc.get("content", type=Text)
        self._made: list[bytes] = []
        self._subscription = self.doc.observe(lambda event: self._made.append(event.update))

    def next(self, number: int) -> bytes:
        with self.doc.transaction():
            self._text.clear()
            self._text += f"<{number:08}>".ljust(_EDIT_BYTES, "x")
        return self._made.pop()


class Bystander:
    """Notes how late each edit comes. Of several that come as one, the last speaks for all."""

    def __init__(self) -> None:
        self.due_s: list[float] = []
        self.delays_ms: list[float] = []

    @property
    def lacks(self) -> int:
        return len(self.due_s) - len(self.delays_ms)

    def hears(self, heard: Any) -> None:
        now_s = time.monotonic()
        for update in heard.updates:
            for number in _NUMBER.findall(update):
                while len(self.delays_ms) <= int(number):
                    self.delays_ms.append(1000 * (now_s - self.due_s[len(self.delays_ms)]))


class Reading:
    """What the reader got."""

    def __init__(self) -> None:
        self.doc: Doc[Text] = Doc()
        self.size = 0
        self._text = self.doc.get("content", type=Text)

    def hears(self, heard: Any) -> None:
        for update in heard.updates:
            self.size += len(update)
            self.doc.apply_update(update)


def write(subject: Subject, mebibytes: int, rate_mib_s: float, *, with_reader: bool) -> Figures:
    """Write it all, with or without a reader that has stopped."""
    with Fleet(subject.port) as fleet:
        return _write(fleet, subject, mebibytes, rate_mib_s, with_reader=with_reader)


def _write(fleet: Fleet, subject: Subject, mebibytes: int, rate_mib_s: float, *, with_reader: bool) -> Figures:
    figures = Figures()
    replacing, bystander, reading = Replacing(), Bystander(), Reading()
    document = "with-reader" if with_reader else "without-reader"
    writer, hearing, reader = fleet.launch(
        [subject.writes(document), subject.speaks(document), subject.speaks(document)]
    )
    reader.receive_bytes = _RECEIVE_BYTES
    hearing.hears, reader.hears = bystander.hears, reading.hears
    cut: list[str] = []

    def lose(client: Client) -> None:
        if client is not reader:
            cut.append(f"the {'writer' if client is writer else 'bystander'} was cut off ({client.lost})")

    def ahead() -> int:
        return max(bystander.lacks, len(bystander.due_s) - writer.edits_saved if subject.is_ours else 0)

    fleet.lose = lose
    come = [writer, hearing, *([reader] if with_reader else [])]
    for client in come:  # one after the other: some servers lose those that make a document at once
        client.comes()
        if not fleet.until(lambda: client.state == "synced", within_s=10):  # noqa: B023
            _fail(f"the document did not open: {client.state}")
    if with_reader:
        place = _place_in_proc(reader)
        reader.stops_reading()
    count = mebibytes * _MIB // _EDIT_BYTES
    step_s = _EDIT_BYTES / _MIB / rate_mib_s
    began_s = time.monotonic()
    sampled_s, first_bytes = began_s, pss_bytes(subject.pid)
    for number in range(count):
        due_s = began_s + number * step_s
        bystander.due_s.append(due_s)
        while (now_s := time.monotonic()) < due_s or ahead() * _EDIT_BYTES > _AHEAD_BYTES:
            fleet.turn(min(due_s - now_s, 0.05) if now_s < due_s else 0.05)
            if cut:
                break
        if cut:
            figures.ended = f"{cut[0]} after {number * _EDIT_BYTES / _MIB:.0f} MiB"
            break
        writer.says(writer.speaker.edits(replacing.next(number)))
        fleet.turn(0)
        if now_s >= sampled_s + _SAMPLE_S:
            sampled_s = now_s
            used_bytes = pss_bytes(subject.pid)
            figures.highest_mib = max(figures.highest_mib, used_bytes / _MIB)
            if used_bytes > first_bytes + _TOO_MUCH_BYTES:
                figures.ended = f"stopped at 2 GiB after {(number + 1) * _EDIT_BYTES / _MIB:.0f} MiB"
                break
    figures.written = len(bystander.due_s)
    fleet.until(lambda: not bystander.lacks or bool(cut), within_s=_AGREES_WITHIN_S)
    figures.delays_ms = bystander.delays_ms
    figures.rest_mib = _memory_at_rest(fleet, subject.pid) / _MIB
    if with_reader:
        figures.system_mib = _queued_bytes(place) / _MIB
    if with_reader and not figures.ended:
        _read_again(fleet, reader, reading, replacing, figures)
    return figures


def _memory_at_rest(fleet: Fleet, pid: int) -> int:
    """Once it does nothing: what was on its way to the disk, or to a snapshot, is there."""
    used_s = -1.0
    while machine.cpu_s(pid) - used_s > _RESTING_S:
        used_s = machine.cpu_s(pid)
        fleet.until(lambda: False, within_s=_REST_S)
    return pss_bytes(pid)


def _read_again(fleet: Fleet, reader: Client, reading: Reading, replacing: Replacing, figures: Figures) -> None:
    def agrees() -> bool:
        if reader.state == "lost":
            figures.lost = reader.lost
            reader.comes()
        return reading.doc.get_state() == replacing.doc.get_state()

    reader.reads_again()
    figures.agrees = fleet.until(agrees, within_s=_AGREES_WITHIN_S) and _text(reading.doc) == _text(replacing.doc)
    figures.read_mib = reading.size / _MIB


def _text(doc: Doc[Text]) -> str:
    return str(doc.get("content", type=Text))


def _place_in_proc(client: Client) -> list[str]:
    """How `/proc/net/tcp` names the server's end of a client's line."""
    return [_as_in_proc(*address) for address in (client.socket.getpeername(), client.socket.getsockname())]


def _queued_bytes(place: list[str]) -> int:
    """What the system has taken from the server there, and could not yet hand on."""
    for line in Path("/proc/net/tcp").read_text().splitlines():
        fields = line.split()
        if fields[1:3] == place:
            return int(fields[4].partition(":")[0], 16)
    return 0


def _as_in_proc(host: str, port: int) -> str:
    return "".join(f"{int(part):02X}" for part in reversed(host.split("."))) + f":{port:04X}"


def _fail(what: str) -> NoReturn:
    raise SystemExit(what)


@contextlib.contextmanager
def ours(dialect: str, folder: Path) -> Iterator[Subject]:
    environment = {"COLLABDOC_LIMITS__SILENCE_S": "3600", "COLLABDOC_LIMITS__DOCUMENT_BYTES": str(1024 * _MIB)}
    with machine.staying_on(machine.SERVER_CORE):
        server = ServerProcess(folder, environment=environment)
        server.start()
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        yield Subject(server.pid, server.port, SPEAKERS[dialect], NativeSpeaker, True)


@contextlib.contextmanager
def another(name: str) -> Iterator[Subject]:
    target = TARGETS[name]

    def speaks(document: str) -> Speaker:
        speaker = HocuspocusSpeaker if target.dialect == "hocuspocus" else YjsSpeaker
        return speaker(document, target.path)

    with running(Launcher(Cache(DEFAULT_CACHE.expanduser())), target) as server:
        yield Subject(server.pid, server.port, speaks, speaks, False)


def run(subject: Subject, mebibytes: int, rate_mib_s: float) -> str:
    """The line of figures; raises `SystemExit` where something went wrong."""
    without, figures = (write(subject, mebibytes, rate_mib_s, with_reader=with_reader) for with_reader in (False, True))
    grown_mib, most_mib = figures.rest_mib - without.rest_mib, figures.highest_mib - without.highest_mib
    told = (
        f"{figures.written * _EDIT_BYTES / _MIB:.0f} MiB: the server {grown_mib:+.1f} MiB (highest {most_mib:+.1f}), "
        f"the system {figures.system_mib:.1f} MiB; bystander {without.delays()} without, {figures.delays()} with; "
    )
    if figures.ended:
        told += figures.ended
    else:
        told += f"read {figures.read_mib:.1f} MiB then, " + ("the same text" if figures.agrees else "ANOTHER TEXT")
    if without.ended:
        told += f"; without the reader: {without.ended}"
    if figures.lost:
        told += f", cut off ({figures.lost})"
    if subject.is_ours and (without.ended or figures.ended or not figures.agrees or grown_mib > MOST_GROWN_MIB):
        _fail(f"wrong: {told}")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=1024, help="that are written (default: 1024)")
    parser.add_argument("--rate", type=float, default=20.0, help="MiB of them in a second (default: 20)")
    parser.add_argument("--dialect", choices=list(SPEAKERS), default="native", help="of the reader (default: native)")
    parser.add_argument("--target", choices=OTHERS, help="another server")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if arguments.target:
            subject = stack.enter_context(another(arguments.target))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            subject = stack.enter_context(ours(arguments.dialect, Path(folder)))
        stack.enter_context(machine.staying_on(machine.GENERATOR_CORE))
        told = run(subject, arguments.mebibytes, arguments.rate)
    print(f"{arguments.target or arguments.dialect}: {told}", flush=True)


if __name__ == "__main__":
    main()
