"""The short form of `handshakes.py`."""

from pathlib import Path

from tests.reliability import handshakes
from tests.reliability.quick import run_quickly


def test_a_line_that_ends_at_any_byte_of_the_handshake_costs_nothing_that_stays(tmp_path: Path) -> None:
    ended, errors = run_quickly(handshakes.run(tmp_path, step=89))
    assert errors == []
    assert min(ended.values()) > 0
