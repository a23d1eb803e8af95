"""A file system of its own in memory, small enough to be really full. Needs root, to mount it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from types import TracebackType

_SIZE = 16 * 1024 * 1024
_PAGE = 4096
_LEFT_PAGES = 64


class SmallDisk:
    """`data` is its root, from `with` on."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.data = folder / "data"
        self._ballast = self.data / "ballast"
        self._random = random
        self.environment: Mapping[str, str] = {}

    def __enter__(self) -> "SmallDisk":
        self.data.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(self.data)], check=True, capture_output=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        subprocess.run(["umount", str(self.data)], check=True)

    def fail(self) -> None:
        """Nothing is left but some pages, which the server fills in the middle of something."""
        left = self._random.randrange(_LEFT_PAGES) * _PAGE
        with self._ballast.open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(_PAGE))
        os.truncate(self._ballast, max(0, self._ballast.stat().st_size - left))

    def mend(self) -> None:
        self._ballast.unlink()


def no_small_disk() -> str | None:
    """Why there can be none here."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return "to mount a file system needs root"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with SmallDisk(Path(folder), Random(0)):
                return None
        except subprocess.CalledProcessError as error:
            return f"mounting a file system failed: {error.stderr.decode().strip()}"
