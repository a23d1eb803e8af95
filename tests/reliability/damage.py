"""Damage a data folder at random, and look whether it heals or is found, and what `repair` makes of it.

    python -m tests.reliability.damage --rounds 1000 --seed 1

Every kind (truncated, flipped, zeroed, missing) meets every place (log, snapshot, index, WAL, the whole database file)
equally often. After each, a document may be served as it was, or refused; never empty, shorter or otherwise. What is
refused has to be found by `verify`. After `repair` the folder has to be well, and whatever was not touched as it was.
"""

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import product
from pathlib import Path

from pycrdt import Doc, Text

from collabdoc.document import EMPTY_UPDATE, Document, compact
from collabdoc.errors import StoreError, UsageError
from collabdoc.repair import repair
from collabdoc.store.base import Append, Snapshot
from collabdoc.store.remains import verify
from collabdoc.store.sqlite import SqliteStore
from collabdoc.store.sqlite_folder import FILE_NAME

KINDS = ("truncated", "flipped", "zeroed", "missing")
PLACES = ("log", "snapshot", "index", "wal", "file")
_DOCUMENTS = ("notes", "plans/2026", "journal")
_INDEX = "sqlite_autoindex_document_1"


class Typist:
    """Writes into one document, an update a word."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.doc: Doc[Text] = Doc(client_id=number + 1)
        self.text = self.doc.get("content", type=Text)
        self.updates: list[bytes] = []
        self.doc.observe(lambda event: self.updates.append(event.update))

    def types(self, words: int) -> list[bytes]:
        """The updates of so many more words; every seventh goes again."""
        begun = len(self.updates)
        for _ in range(words):
            word = f"{self.name}-{len(self.updates)} "
            if len(self.updates) % 7 == 6:
                del self.text[: len(word) // 2]
            else:
                self.text += word
        return self.updates[begun:]


def build(closed: Path, killed: Path) -> dict[str, str]:
    """One folder as a server leaves it that stopped, one as after kill -9 with a WAL; the texts in both."""
    store = SqliteStore(closed)
    typists = [Typist(name, number) for number, name in enumerate(_DOCUMENTS)]
    for typist in typists:
        row, _ = store.create(typist.name, title=typist.name, kind="text")
        store.append([Append(typist.name, typist.types(200))])
        payload = compact(EMPTY_UPDATE, typist.updates[:150])
        store.put_snapshot(Snapshot(typist.name, row.epoch, 150, payload), keep_entries=30, keep_bytes=100_000)
    for _ in range(10):
        for typist in typists:
            store.append([Append(typist.name, typist.types(3))])
    shutil.copytree(closed, killed)
    store.close()
    return {typist.name: str(typist.text) for typist in typists}


def damage(folder: Path, kind: str, place: str, chance: random.Random) -> str:
    """Do it; where it was."""
    path = folder / (f"{FILE_NAME}-wal" if place == "wal" else FILE_NAME)
    if place in ("wal", "file"):
        if kind == "missing":
            path.unlink()
            return path.name
        return change(path, kind, 0, path.stat().st_size, chance)
    if kind in ("truncated", "missing"):
        return change_row(path, kind, place, chance)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        name = _INDEX if place == "index" else place
        pages = db.execute("SELECT pageno, unused, pagetype FROM dbstat WHERE name = ?", (name,)).fetchall()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)  # of reading; it was empty
    page, unused, type_ = chance.choice(pages)
    start = 0 if type_ == "overflow" else unused  # cells stand at a page's end
    return change(path, kind, (page - 1) * size + start, size - unused, chance)


def change(path: Path, kind: str, start: int, size: int, chance: random.Random) -> str:
    data = bytearray(path.read_bytes())
    at = start + chance.randrange(size)
    match kind:
        case "truncated":
            del data[at:]
        case "flipped":
            data[at] ^= 1 << chance.randrange(8)
        case "zeroed":
            end = min(at + chance.choice([1, 16, 512, 4096]), start + size)
            data[at:end] = bytes(end - at)
    path.write_bytes(data)
    return f"{path.name} at {at}"


def change_row(path: Path, kind: str, place: str, chance: random.Random) -> str:
    """By SQL, as nobody but another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        table = "document" if place == "index" else place
        key = "id, 0" if table == "document" else "document_id, seq"
        number, seq = chance.choice(db.execute(f"SELECT {key} FROM {table}").fetchall())
        where = f"id = {number}" if table == "document" else f"document_id = {number} AND seq = {seq}"
        if kind == "missing":
            db.execute(f"DELETE FROM {table} WHERE {where}")
        elif table == "document":
            db.execute(f"UPDATE document SET seq = seq - 1 - {chance.randrange(20)} WHERE {where}")
        else:
            (payload,) = db.execute(f"SELECT payload FROM {table} WHERE {where}").fetchone()
            db.execute(f"UPDATE {table} SET payload = ? WHERE {where}", (payload[: chance.randrange(len(payload))],))
    return f"{table} {number}/{seq}"


def serve(folder: Path) -> dict[str, str | None]:
    """The text of each document as a server would have it; None where it would refuse."""
    texts: dict[str, str | None] = dict.fromkeys(_DOCUMENTS)
    try:
        store = SqliteStore(folder)
    except UsageError:
        return texts
    try:
        for name in _DOCUMENTS:
            try:
                loaded = store.load(name)
            except StoreError:
                continue
            if loaded is None:
                texts[name] = ""
                continue
            document = Document(loaded.snapshot or EMPTY_UPDATE, [entry.update for entry in loaded.tail])
            texts[name] = str(document._doc.get("content", type=Text))
    finally:
        with suppress(StoreError):
            store.close()
    return texts


def findings(folder: Path) -> list[str]:
    return [finding for finding in verify(folder) if isinstance(finding, str)]


class Rounds:
    """`outcomes` counts by kind and place, `faults` are broken promises."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.outcomes: dict[tuple[str, str], Counter[str]] = {each: Counter() for each in product(KINDS, PLACES)}
        self.faults: list[str] = []
        self._seed = seed
        self._folder = folder
        self._expected = build(folder / "closed", folder / "killed")

    def run(self, number: int) -> None:
        pairs = list(self.outcomes)
        kind, place = pairs[number % len(pairs)]
        chance = random.Random(f"{self._seed} {number}")
        damaged = self._copy(self._folder / ("killed" if place == "wal" else "closed"), "damaged")
        where = damage(damaged, kind, place, chance)

        def fail(what: str) -> None:
            self.faults.append(f"round {number}, {kind} {place} ({where}): {what}")

        found = findings(damaged)
        served = serve(self._copy(damaged, "served"))
        for name, text in served.items():
            if text is not None and text != self._expected[name]:
                fail(f"{name} was served with {len(text)} characters of {len(self._expected[name])}, or others")
        refused = [name for name, text in served.items() if text is None]
        if refused and not found:
            fail(f"{refused} were refused, and verify found nothing")
        outcome = "found" if found else "healed"
        if found:
            outcome += f", {self._repair(damaged, fail)}"
        self.outcomes[kind, place][outcome] += 1

    def _repair(self, damaged: Path, fail: Callable[[str], None]) -> str:
        try:
            _, report, is_whole = repair(damaged, lambda done, total: None)
        except (StoreError, UsageError):
            return "not repaired"
        if left := findings(damaged):
            fail(f"after repair: {left}")
        texts = serve(damaged)
        same = [name for name in _DOCUMENTS if texts[name] == self._expected[name]]
        told = " ".join(report)
        if is_whole and len(same) < len(_DOCUMENTS):
            fail(f"repair said that all is there, {set(_DOCUMENTS) - set(same)} differ")
        for name in set(_DOCUMENTS) - set(same):
            if name not in told and "recovered/" not in told and "every document" not in told:
                fail(f"repair changed {name} and said nothing of it")
        return "restored" if len(same) == len(_DOCUMENTS) else "restored in part"

    def _copy(self, source: Path, name: str) -> Path:
        shutil.rmtree(target := self._folder / name, ignore_errors=True)
        shutil.copytree(source, target)
        return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, help="how often something is damaged (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="replays the same damage (default: 1)")
    parser.add_argument("--only", type=int, metavar="ROUND", help="one round of them")
    arguments = parser.parse_args()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(arguments.seed, Path(folder))
        for number in range(arguments.rounds) if arguments.only is None else [arguments.only]:
            rounds.run(number)
    for (kind, place), outcomes in rounds.outcomes.items():
        print(f"{place:9} {kind:10} {', '.join(f'{count} {outcome}' for outcome, count in sorted(outcomes.items()))}")
    print(*rounds.faults, sep="\n")
    took_s = time.monotonic() - started_s
    print(f"{arguments.rounds} times damaged in {took_s:.0f} s, {len(rounds.faults)} broken promises")
    sys.exit(1 if rounds.faults else 0)


if __name__ == "__main__":
    main()
