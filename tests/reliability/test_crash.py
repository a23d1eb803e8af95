"""The short form of `crash.py`."""

import asyncio
from pathlib import Path

from tests.reliability import crash


def test_no_saved_edit_is_missing_after_kills(tmp_path: Path) -> None:
    assert asyncio.run(crash.run(rounds=5, seed=1, data=tmp_path)) == 0
