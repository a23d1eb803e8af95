"""The short form of `life.py`: it looks whether all that came has gone, not whether anything grows over hours."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import skip_without
from tests.reliability import life


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_when_all_have_left_nothing_of_them_is_left(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        skip_without("cc")
    town, samples, wrong = asyncio.run(life.run(hours=1, rate=900, seed=1, folder=tmp_path))
    assert wrong == []
    assert town.made.total() > 0
    assert len(samples) == 1


def test_growth_is_what_a_straight_line_says() -> None:
    assert life.growth([5, 5, 5]) == 0
    assert life.growth([1, 2, 3, 4]) == pytest.approx(3)
    assert life.growth([1, 9, 1, 9, 1]) == 0
