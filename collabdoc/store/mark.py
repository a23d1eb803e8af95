"""The file `committed`: the last commit of an append, noted beside the database (docs/storage-format.md).

SQLite takes a WAL that was lost, cut off or damaged for one that ends earlier, and says nothing. The mark tells: what
it names has to be in the database.

1. It is written after the commit and not forced to the disk, so that it is never ahead of the database.
2. It is cleared before what it names may go. A mark that cannot be read promises nothing.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from collabdoc.errors import StoreError

FILE_NAME = "committed"
_SIZE_BYTES = 64  # of one sector, which is written as a whole


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry of the log that was committed."""

    document_id: int
    epoch: str
    seq: int


class MarkFile:
    """The mark of a folder that this process holds; its being there says that the folder has had a database."""

    def __init__(self, folder: Path) -> None:
        """Raises `OSError`."""
        self._fd = os.open(folder / FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)

    def write(self, mark: Mark) -> None:
        """Note a commit. Where that fails the older mark stays, which is as true."""
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, _encode(mark), 0)

    def clear(self) -> None:
        """Promise nothing, also after a power cut. Raises `StoreError`."""
        try:
            os.pwrite(self._fd, bytes(_SIZE_BYTES), 0)
            os.fsync(self._fd)
        except OSError as error:
            raise StoreError(f"the file {FILE_NAME!r} cannot be written: {error.strerror}") from error


def read_mark(folder: Path) -> Mark | None:
    """The last commit that is known of; None where none is."""
    try:
        record = (folder / FILE_NAME).read_bytes()[:_SIZE_BYTES]
        document_id, epoch, seq, _ = record.decode("ascii").split()
        mark = Mark(int(document_id), epoch, int(seq))
    except (FileNotFoundError, ValueError):
        return None
    return mark if _encode(mark) == record else None


def remove_mark(folder: Path) -> None:
    """Raises `OSError`."""
    (folder / FILE_NAME).unlink(missing_ok=True)
    sync(folder)


def sync(path: Path) -> None:
    """Force a file, or which files a folder has, to the disk. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def had_database(folder: Path) -> bool:
    return (folder / FILE_NAME).exists()


def _encode(mark: Mark) -> bytes:
    text = f"{mark.document_id} {mark.epoch} {mark.seq}".encode()
    return text.ljust(_SIZE_BYTES - 10) + b" %08x\n" % crc32(text)
