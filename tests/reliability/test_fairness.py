"""The short form of `fairness.py`: nobody loses anything; how long it takes is for the long form to say."""

import asyncio
from pathlib import Path

import pytest

from tests.reliability import fairness


@pytest.mark.parametrize("kind", ["150,000 pieces", "edits of 65 bytes and 0.25 s"])
def test_bystanders_of_one_who_takes_much_lose_nothing(kind: str, tmp_path: Path) -> None:
    wrong, _ = asyncio.run(fairness.run(kind, seconds=1, seed=1, folder=tmp_path))
    assert wrong == []
