"""The short form of `backup.py`."""

import asyncio
from pathlib import Path

from tests.reliability import backup


def test_a_backup_of_a_busy_server_is_whole_and_lacks_nothing_saved(tmp_path: Path) -> None:
    assert asyncio.run(backup.run(rounds=3, seed=1, folder=tmp_path)) == []
