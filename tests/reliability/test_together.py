"""The short form of `together.py`."""

import asyncio
from pathlib import Path

from tests.clients.project import Project
from tests.reliability import together


def test_clients_of_every_dialect_agree_and_see_each_other_leave(project: Project, tmp_path: Path) -> None:
    result = asyncio.run(together.run(project, tmp_path, seconds=5, seed=1))
    assert result.edits > 0
    assert result.troubles > 0
    assert len(result.gone_after_s) == 4
