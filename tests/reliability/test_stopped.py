"""The short form of `stopped.py`."""

from pathlib import Path

import pytest

from tests.reliability import stopped
from tests.reliability.speakers import SPEAKERS

MEBIBYTES = 12
"""More than the system takes for a reader, and `outbox_bytes` with it."""


@pytest.mark.parametrize("dialect", SPEAKERS)
def test_a_reader_that_stopped_gets_the_text_without_all_that_it_was(tmp_path: Path, dialect: str) -> None:
    with stopped.ours(dialect, tmp_path) as server:
        figures = stopped.write(server, MEBIBYTES, 12, with_reader=True)
    assert not figures.ended
    assert figures.agrees
    assert not figures.lost
    assert figures.read_mib < MEBIBYTES / 2
