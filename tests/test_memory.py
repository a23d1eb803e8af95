"""What is freed between what is in use goes back to the system."""

import sys
from pathlib import Path

import pytest

from collabdoc.memory import give_back

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
