"""The short form of `power.py`, and that it would notice."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import skip_without
from tests.reliability import power
from tests.reliability.power import Change, Disk


@pytest.fixture(autouse=True)
def compiler() -> None:
    if shutil.which("cc") is None:
        skip_without("cc")


def test_what_was_committed_survives_a_power_cut_at_any_point(tmp_path: Path) -> None:
    cuts, broken = power.run(rounds=90, seed=1, folder=tmp_path)
    assert broken == []
    assert set(cuts) == set(power.PHASES)


def test_commits_that_are_not_forced_to_the_disk_are_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(journal: Path, read_all: Callable[[Path], list[Change]] = power.read_journal) -> list[Change]:
        return [change for change in read_all(journal) if not (change.op == "s" and change.path.endswith("-wal"))]

    monkeypatch.setattr(power, "read_journal", read)
    _, broken = power.run(rounds=90, seed=1, folder=tmp_path)
    assert any("were committed" in what or "older than" in what for what in broken)


def test_a_disk_keeps_what_was_forced_to_it_and_any_part_of_the_rest() -> None:
    left = set()
    for seed in range(50):
        disk = Disk({})
        for change in (
            Change("c", "a", 0, b""),
            Change("w", "a", 0, b"12"),
            Change("s", "a", 0, b""),
            Change("d", ".", 0, b""),
            Change("w", "a", 1, b"34"),
            Change("c", "b", 0, b""),
        ):
            disk.take(change)
        left.add(tuple(sorted(disk.cut_power(random.Random(seed)).items())))
    assert left == {(("a", a), *b) for a in (b"12", b"134") for b in ((), (("b", b""),))}
