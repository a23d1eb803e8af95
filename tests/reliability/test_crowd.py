"""The short form of `crowd.py`."""

from pathlib import Path

import pytest

from tests.reliability.crowd import Crowd

CLIENTS, DOCUMENTS = 60, 10


@pytest.mark.parametrize("restart", ["stop", "kill"])
def test_all_who_come_back_at_once_get_what_was_written_meanwhile(tmp_path: Path, restart: str) -> None:
    figures = Crowd(tmp_path, CLIENTS, DOCUMENTS, settled_s=0.1).run(idle_s=0, restart=restart)
    assert figures.wrong == []
    assert len(figures.synced_s) == CLIENTS
    assert figures.resumed == CLIENTS / 3, "all who speak the native dialect"
