"""What is freed between what is in use goes back to the system, and when that is worth looking after."""

import sys
from pathlib import Path

import pytest

from collabdoc.memory import Ebb, give_back, let_go

MEGABYTE = 2**20


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc that keeps memory")
def test_memory_between_documents_is_given_back() -> None:
    blocks = [bytes([number % 256]) * 30_000 for number in range(4_000)]  # small enough to share the heap
    kept = blocks[::40]
    del blocks
    before = resident_bytes()
    give_back()
    assert resident_bytes() < before - 50 * MEGABYTE
    assert len(kept) == 100


class Looked:
    pass


def test_names_that_were_looked_up_are_let_go() -> None:
    names = [f"absent_{number}" for number in range(1_000)]
    before = sum(map(sys.getrefcount, names))
    for name in names:
        getattr(Looked, name, None)
    del name
    let_go()
    assert sum(map(sys.getrefcount, names)) == before


@pytest.mark.parametrize(
    ("counts", "over"),
    [
        ([10_000, 10_000, 4_000, 700, 700], [4]),
        ([10_000, 500, 500, 500, 0, 0, 0], [2, 5]),
        ([10_000, 5_000, 5_000, 1_001, 1_001], []),
        ([99, 0, 0], []),
        ([100, 0, 0, 100, 100, 0, 0], [2, 6]),
    ],
    ids=["when no more leave", "then their documents", "too many stay", "no crowd", "once for each"],
)
def test_a_crowd_has_left(counts: list[int], over: list[int]) -> None:
    ebb = Ebb()
    assert [place for place, count in enumerate(counts) if ebb.is_over(count)] == over
