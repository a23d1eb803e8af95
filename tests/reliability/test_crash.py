"""The short form of `crash.py`."""

import asyncio
from pathlib import Path

from tests.reliability import crash


def test_nothing_that_a_client_of_any_dialect_was_told_is_saved_is_missing_after_kills(tmp_path: Path) -> None:
    assert asyncio.run(crash.run(rounds=4, seed=1, folder=tmp_path, clients=15)) == 0
