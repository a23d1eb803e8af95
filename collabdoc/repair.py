"""A damaged data folder, made anew of what can be read.

1. What is whole stays as it is. Of the rest each edit is taken that is there and fits; what is not taken is kept aside.
2. A document that lacks edits keeps its epoch, but its sequence numbers leap: whoever comes back is compared with it in
   full, and brings along what is lacking.
3. A document with bytes that are not what was written gets a new epoch: nobody's copy is merged with it unseen.
"""

import base64
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO
from zlib import crc32

from collabdoc.document import EMPTY_UPDATE, Document, compact
from collabdoc.errors import CollabdocError, DocumentBroken, Malformed, ProtocolError
from collabdoc.protocol.names import check_name
from collabdoc.store.base import DocumentRow
from collabdoc.store.copies import Rebuilt, rebuilding
from collabdoc.store.damage import Stored
from collabdoc.store.remains import Remains, Ruin
from collabdoc.store.sqlite_folder import lock_folder

LEFT_OUT_NAME = "left-out.jsonl"
_SEQ_LEAP = 1_000_000
"""More edits of one document than a WAL held."""


def repair(folder: Path, on_progress: Callable[[int, int], None]) -> tuple[Path, list[str], bool]:
    """Make the database anew: where the old one was put, what was done, and whether everything is there again.

    Raises `UsageError` where another process holds the folder, `StoreError`, `OSError` where it cannot be done; then
    everything is as it was. `on_progress(done, total)` hears of documents.
    """
    with lock_folder(folder), rebuilding(folder) as (aside, ruin, rebuilt):
        with (aside / LEFT_OUT_NAME).open("w", encoding="utf-8") as left_out:
            work = _Repair(ruin, rebuilt, left_out, behind=ruin.behind(folder))
            ids = ruin.ids()
            for number, document_id in enumerate(ids, start=1):
                work.see_to(document_id)
                on_progress(number, len(ids))
        if beside := rebuilt.take_over(ruin):
            work.report += beside
            work.is_whole = False
    return aside, work.report, work.is_whole


class _Repair:
    """Documents out of the one database into the other."""

    def __init__(self, ruin: Ruin, rebuilt: Rebuilt, left_out: TextIO, *, behind: str | None) -> None:
        self.report = [] if behind is None else [f"{behind}; every document may lack its newest edits"]
        self.is_whole = behind is None
        self._is_behind = behind is not None
        self._ruin = ruin
        self._rebuilt = rebuilt
        self._left_out = left_out
        self._names: set[str] = set()

    def see_to(self, document_id: int) -> None:
        remains = self._ruin.read(document_id)
        if remains is None:
            return
        damage, row = remains.damage(), remains.row
        name = self._name_for(remains)
        if row is not None and row.name == name and damage is None and not self._is_behind:
            self._rebuilt.put(document_id, row, remains.snapshot, remains.log)
            return
        mended = _Mended(remains)
        payload = mended.payload()
        epoch = secrets.token_hex(8) if row is None or mended.doubtful else row.epoch
        meta = mended.document.take_meta()
        now_ms = time.time_ns() // 1_000_000
        seq = mended.last_seq + _SEQ_LEAP
        made = DocumentRow(
            name,
            epoch,
            meta.title if meta and meta.title else row.title if row else "",
            (meta.kind if meta and meta.kind else row.kind if row else "") or "",
            seq,
            row.created_ms if row else now_ms,
            row.changed_ms if row else now_ms,
        )
        self._rebuilt.put(document_id, made, Stored(seq, payload, crc32(payload)), [])
        for what, stored, reason in mended.left_out:
            update = base64.b64encode(stored.payload).decode()
            line = json.dumps({"document": name, "what": what, "reason": reason, "update": update})
            self._left_out.write(f"{line}\n")
        if damage is not None or name != (row and row.name):
            self._tell(name, damage or "another document has its name", mended)

    def _name_for(self, remains: Remains) -> str:
        name = remains.row.name if remains.row else ""
        try:
            check_name(name)
        except CollabdocError:
            name = ""
        if not name or name in self._names:
            name = f"recovered/{remains.id}"
        self._names.add(name)
        return name

    def _tell(self, name: str, damage: str, mended: "_Mended") -> None:
        self.report.append(f"{name}: {damage}")
        lacking, doubtful = mended.lacking, mended.doubtful
        if doubtful:
            self.report.append(
                f"{name}: taken although damaged: {_shortened(doubtful)}. Read it through; to those who have a copy it"
                " is a new document, and their copy is kept aside"
            )
        if lacking:
            self.report.append(f"{name}: lacking: {_shortened(lacking)}. Whoever has the document open brings it back")
        if name.startswith("recovered/"):
            self.report.append(f"{name}: its name is lost")
        elif not doubtful and not lacking:
            self.report.append(f"{name}: restored whole")
        self.is_whole = self.is_whole and not (doubtful or lacking or name.startswith("recovered/"))


class _Mended:
    """A document made of all that is there and fits, in order."""

    def __init__(self, remains: Remains) -> None:
        self.document = Document()
        self.doubtful: list[str] = []
        self.lacking: list[str] = []
        self.left_out: list[tuple[str, Stored, str]] = []
        self._base = EMPTY_UPDATE
        self._updates: list[bytes] = []
        snapshot, log = remains.snapshot, remains.log
        seen_seq = max([0, *(stored.seq for stored in log), *([snapshot.seq] if snapshot else [])])
        said_seq = remains.row.seq if remains.row else 0
        self.last_seq = max(seen_seq, min(said_seq, seen_seq + _SEQ_LEAP))  # it may be what was damaged
        covered_seq = snapshot.seq if snapshot is not None and self._take_snapshot(snapshot) else 0
        taken = {stored.seq for stored in log if stored.seq > covered_seq and self._take(f"edit {stored.seq}", stored)}
        before = covered_seq
        for seq in (*sorted(taken), self.last_seq + 1):
            if seq > before + 1:
                self.lacking.append(f"edit {seq - 1}" if seq == before + 2 else f"edits {before + 1} to {seq - 1}")
            before = seq

    def payload(self) -> bytes:
        """One update that stands for all of it."""
        try:
            return compact(self._base, self._updates)
        except DocumentBroken as error:
            self.lacking.append("everything after its snapshot")
            whole = b"".join(self._updates)
            self.left_out.append(("everything after its snapshot", Stored(0, whole, crc32(whole)), str(error)))
            self.document = Document(self._base)
            return self._base

    def _take_snapshot(self, snapshot: Stored) -> bool:
        if not snapshot.is_intact:
            return self._take("the snapshot", snapshot)
        try:
            self.document = Document(snapshot.payload)
        except DocumentBroken as error:
            self.left_out.append(("the snapshot", snapshot, str(error)))
            return False
        self._base = snapshot.payload
        return True

    def _take(self, what: str, stored: Stored) -> bool:
        try:
            info = self.document.check(stored.payload)
            if not (info.ends or info.deletes):
                raise Malformed("nothing can be read of it")
            self.document.apply(stored.payload, info)
        except (ProtocolError, DocumentBroken) as error:
            if isinstance(error, DocumentBroken):
                self.document = Document(self._base, self._updates)
            self.left_out.append((what, stored, str(error)))
            return False
        self._updates.append(stored.payload)
        if not stored.is_intact:
            self.doubtful.append(what)
        return True


def _shortened(items: list[str]) -> str:
    more = len(items) - 5
    return ", ".join(items[:5]) + (f" and {more} more" if more > 0 else "")
