"""The short form of `clock.py`."""

import asyncio
import shutil
from pathlib import Path

from tests.conftest import skip_without
from tests.reliability import clock


def test_a_clock_that_jumps_by_a_year_closes_nobody_and_loses_nothing(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        skip_without("cc")
    _, broken = asyncio.run(clock.run(seconds=1.5, seed=1, folder=tmp_path))
    assert broken == []
