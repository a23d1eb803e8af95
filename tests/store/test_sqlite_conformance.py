"""The SQLite store does what every Store does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from collabdoc.store.base import Store
from collabdoc.store.sqlite import SqliteStore
from tests.store.conformance import Clock, Opener, StoreConformance


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def reopen(self, clock: Clock, tmp_path: Path) -> Iterator[Opener]:
        opened: list[Store] = []

        def open_() -> Store:
            while opened:
                opened.pop().close()
            opened.append(SqliteStore(tmp_path, now_ms=clock))
            return opened[0]

        yield open_
        while opened:
            opened.pop().close()
