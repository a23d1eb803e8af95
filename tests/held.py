"""`python -m tests.held serve ...`: a server whose disk stands still while the file `hold` is beside its data."""

import time
from collections.abc import Sequence
from pathlib import Path

from collabdoc.cli import main
from collabdoc.server import engine
from collabdoc.store.base import Append
from collabdoc.store.sqlite import SqliteStore


def hold_of(data: Path) -> Path:
    return data.with_name("hold")


class HeldStore(SqliteStore):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._hold = hold_of(folder)

    def append(self, appends: Sequence[Append]) -> list[int | None]:
        while self._hold.exists():
            time.sleep(0.001)
        return super().append(appends)


if __name__ == "__main__":
    vars(engine)["SqliteStore"] = HeldStore
    main()
