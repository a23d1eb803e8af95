"""Cut the power at arbitrary points, and look whether the database opens and holds all that was reported committed.

    python -m tests.reliability.power --rounds 1000 --seed 1

Every change that a store makes of its files is written down (`faults.c`): a new folder, a migration, appends,
snapshots with the log trimmed, deletions, restarts. For a point among these changes the disk is put together as a
power cut could leave it: what was forced to it is there; of what was not, nothing, everything, or any part of it, cut
at any sector; of files made or removed since the folder was forced, the first few. Then the database is opened, looked
through by `verify`, and its documents are compared with what was said to be committed before that point.
"""

import argparse
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pycrdt import Text

from collabdoc.document import EMPTY_UPDATE, Document, compact
from collabdoc.errors import CollabdocError
from collabdoc.store.base import Append, Snapshot
from collabdoc.store.remains import verify
from collabdoc.store.sqlite import SqliteStore
from collabdoc.store.sqlite_folder import FILE_NAME
from tests.reliability import faults
from tests.reliability.damage import Typist

PHASES = ("new folder", "migration", "append", "snapshot", "deletion", "restart")
_OLD = Path(__file__).parents[1] / "store" / "data" / "v1.sqlite3"
_SAID = "said"
_SECTOR = 512
_HEADER = struct.Struct("<cIQQ")


# The work, in a process of its own


def work(folder: Path, seed: int, rounds: int) -> None:
    """Write documents; each commit is said in the file `said`, whose lines the journal keeps among the changes."""
    chance = random.Random(seed)
    said = os.open(folder / _SAID, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(**what: object) -> None:
        os.write(said, json.dumps(what).encode() + b"\n")

    say(phase="migration" if (folder / FILE_NAME).exists() else "new folder")
    store = SqliteStore(folder)
    typists = {f"d{number}": Typist(f"d{number}", number) for number in range(3)}
    epochs = {}
    say(phase="append")
    for name in typists:
        epochs[name] = store.create(name)[0].epoch
    for number in range(rounds):
        say(phase="append")
        appends = []
        for name in chance.sample(sorted(typists), chance.randint(1, 3)):
            updates = typists[name].types(chance.choice([1, 2, 5, 60]))
            say(document=name, begun=len(typists[name].updates), text=str(typists[name].text))
            appends.append(Append(name, updates, (f"title {number}", "text")))
        store.append(appends)
        for append in appends:
            say(document=append.document, committed=len(typists[append.document].updates))
        if number % 4 == 3:
            name = chance.choice(sorted(typists))
            say(phase="snapshot")
            seq = len(typists[name].updates) - chance.choice([0, 1])
            payload = compact(EMPTY_UPDATE, typists[name].updates[:seq])
            store.put_snapshot(Snapshot(name, epochs[name], seq, payload), keep_entries=20, keep_bytes=2_000)
        if number % 9 == 8:
            say(phase="deletion")
            store.create(f"gone{number}")
            store.append([Append(f"gone{number}", Typist(f"gone{number}", 9).types(20))])
            store.delete(f"gone{number}")
            say(deleted=f"gone{number}")
        if number % 13 == 12:
            say(phase="restart")
            store.close()
            store = SqliteStore(folder)
    store.close()


# The journal


@dataclass(frozen=True, slots=True)
class Change:
    op: str
    path: str
    offset: int
    data: bytes


def read_journal(journal: Path) -> list[Change]:
    changes = []
    content = journal.read_bytes()
    at = 0
    while at < len(content):
        op, path_size, offset, size = _HEADER.unpack_from(content, at)
        at += _HEADER.size
        path = Path(content[at : at + path_size].decode()).name
        at += path_size
        changes.append(Change(op.decode(), path, offset, content[at : at + size]))
        at += size
    return changes


class Disk:
    """What is on it for sure, and what is on its way."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._durable = {name: bytearray(content) for name, content in files.items()}
        self._linked = set(files)
        self._pending: dict[str, list[Change]] = {}
        self._names: list[Change] = []

    def take(self, change: Change) -> None:
        match change.op:
            case "w" | "t":
                self._pending.setdefault(change.path, []).append(change)
            case "c" | "u":
                if change.op == "c":  # another file than what had the name before
                    self._durable[change.path] = bytearray()
                    self._pending.pop(change.path, None)
                self._names.append(change)
            case "s":
                for pending in self._pending.pop(change.path, []):
                    _apply(self._durable[change.path], pending)
            case "d":
                self._link(self._linked, self._names)
                self._names = []

    def cut_power(self, chance: random.Random) -> dict[str, bytes]:
        """What is there afterwards."""
        linked = set(self._linked)
        self._link(linked, self._names[: chance.randint(0, len(self._names))])
        files = {}
        for name in linked:
            content = bytearray(self._durable.get(name, b""))
            kept = chance.choice([0.0, 0.5, 0.9, 1.0])
            for pending in self._pending.get(name, []):
                for part in _sectors(pending) if kept < 1 else [pending]:
                    if chance.random() < kept:
                        _apply(content, part)
            files[name] = bytes(content)
        return files

    def _link(self, linked: set[str], names: list[Change]) -> None:
        for change in names:
            if change.op == "c":
                linked.add(change.path)
            else:
                linked.discard(change.path)


def _apply(content: bytearray, change: Change) -> None:
    end = change.offset + len(change.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if change.op == "t":
        del content[change.offset :]
    else:
        content[change.offset : end] = change.data


def _sectors(change: Change) -> Iterator[Change]:
    if change.op == "t":
        yield change
    for at in range(0, len(change.data), _SECTOR):
        yield Change(change.op, change.path, change.offset + at, change.data[at : at + _SECTOR])


# The judgement


class Said:
    """What had been said when the power went."""

    def __init__(self) -> None:
        self.phase = ""
        self.committed: dict[str, int] = {}
        self.texts: dict[str, dict[int, str]] = {}
        self.deleted: set[str] = set()

    def hear(self, line: dict[str, object]) -> None:
        match line:
            case {"phase": str(phase)}:
                self.phase = phase
            case {"document": str(name), "begun": int(count), "text": str(text)}:
                self.texts.setdefault(name, {0: ""})[count] = text
            case {"document": str(name), "committed": int(count)}:
                self.committed[name] = count
            case {"deleted": str(name)}:
                self.deleted.add(name)

    def missing(self, folder: Path) -> list[str]:
        """What was committed and is not there, or is there otherwise than it was written."""
        found = [] if self.phase == "new folder" else [each for each in verify(folder) if isinstance(each, str)]
        store = SqliteStore(folder)
        try:
            for name, texts in self.texts.items():
                loaded = store.load(name)
                if loaded is None:
                    if self.committed.get(name):
                        found.append(f"{name} is not there")
                    continue
                document = Document(loaded.snapshot or EMPTY_UPDATE, [entry.update for entry in loaded.tail])
                text = str(document._doc.get("content", type=Text))
                if loaded.row.seq < self.committed.get(name, 0):
                    found.append(f"{name} has {loaded.row.seq} edits, {self.committed[name]} were committed")
                elif text != texts.get(loaded.row.seq):
                    found.append(f"{name} has another text than it had after {loaded.row.seq} edits")
            found += [f"{name} is there again" for name in self.deleted if store.load(name) is not None]
        finally:
            store.close()
        return found


def run(rounds: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """How many cuts each phase had, and what they broke."""
    library = faults.build(folder)
    cuts: Counter[str] = Counter()
    broken: list[str] = []
    share = -(-rounds // len(PHASES))
    for begins_with, phases in ((None, PHASES[:1]), (_OLD, PHASES[1:])):
        data = folder / f"work{len(phases)}"
        data.mkdir()
        if begins_with is not None:
            shutil.copy(begins_with, data / FILE_NAME)
        files = {path.name: path.read_bytes() for path in data.iterdir()}
        changes = _record(library, data, folder / "journal", seed, 1 if begins_with is None else 60)
        for number, (disk, said) in enumerate(_points(changes, files, phases, share, random.Random(seed))):
            chance = random.Random(f"{seed} {said.phase} {number}")
            shutil.rmtree(left := folder / "left", ignore_errors=True)
            left.mkdir()
            for name, content in disk.cut_power(chance).items():
                (left / name).write_bytes(content)
            (left / _SAID).unlink(missing_ok=True)
            cuts[said.phase] += 1
            try:
                missing = said.missing(left)
            except CollabdocError as error:
                missing = [str(error)]
            broken += [f"{said.phase}, cut {number}: {what}" for what in missing]
    return cuts, broken


def _record(library: Path, data: Path, journal: Path, seed: int, rounds: int) -> list[Change]:
    journal.unlink(missing_ok=True)
    environment = {"LD_PRELOAD": str(library), "FAULTS_FOLDER": str(data), "FAULTS_JOURNAL": str(journal)}
    command = [sys.executable, "-m", "tests.reliability.power", "--work", str(data)]
    command += ["--seed", str(seed), "--rounds", str(rounds)]
    subprocess.run(command, env={**os.environ, **environment}, check=True)
    return read_journal(journal)


def _points(
    changes: list[Change], files: dict[str, bytes], phases: tuple[str, ...], share: int, chance: random.Random
) -> Iterator[tuple[Disk, Said]]:
    """The disk and what was said, at `share` points of each phase."""
    phase, places = "", {each: [] for each in phases}  # type: ignore[var-annotated]
    for place, change in enumerate(changes):
        if change.path == _SAID and change.op == "w":
            phase = json.loads(change.data).get("phase", phase)
        if phase in places:
            places[phase].append(place)
    chosen = Counter(place for each in places.values() for place in chance.choices(each, k=share))
    disk, said = Disk(files), Said()
    for place, change in enumerate(changes):
        if change.path == _SAID and change.op == "w":
            said.hear(json.loads(change.data))
        elif change.path != _SAID:
            disk.take(change)
        for _ in range(chosen[place]):
            yield disk, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, help="how often the power is cut (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="replays the same cuts (default: 1)")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work is not None:
        work(arguments.work, arguments.seed, arguments.rounds)
        return
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        cuts, broken = run(arguments.rounds, arguments.seed, Path(folder))
    print(*broken, sep="\n")
    told = ", ".join(f"{count} in {phase}" for phase, count in cuts.items())
    print(f"{cuts.total()} cuts in {time.monotonic() - started_s:.0f} s ({told}): {len(broken)} broken promises")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
