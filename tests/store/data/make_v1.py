"""Made v1.sqlite3, once: a database of revision 0001. It is frozen; run this again only into another file.

Times and the epoch are fixed, so that the test knows what to expect.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from collabdoc.document import compact, make_meta, make_update
from collabdoc.store.base import Append, Snapshot
from collabdoc.store.sqlite import SqliteStore
from collabdoc.store.sqlite_folder import FILE_NAME

EPOCH = "0123456789abcdef"


def make(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder), now_ms=lambda: 1_700_000_000_000)
        updates = [make_meta(title="Ein Plan", kind="text"), *(typed(letter) for letter in "abcde")]
        store.create("team/plan", title="Ein Plan", kind="text")
        store.append([Append("team/plan", updates, ("Ein Plan", "text"))])
        store._writer.execute("UPDATE document SET epoch = ?", (EPOCH,))
        store.put_snapshot(
            Snapshot("team/plan", EPOCH, 4, compact(b"\x00\x00", updates[:4])), keep_entries=2, keep_bytes=1000
        )
        store.create("empty")
        store._writer.execute("UPDATE document SET epoch = ? WHERE name = 'empty'", (EPOCH[::-1],))
        store.close()
        shutil.copy(Path(folder) / FILE_NAME, target)


def typed(letter: str) -> bytes:
    from pycrdt import Text

    return make_update(lambda doc: doc.get("content", type=Text).insert(0, letter))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
