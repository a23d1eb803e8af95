"""Updates over which the server stood still or died, and documents that it could not read: a folder in the data folder.

1. One file an event, written by the watchdog between two lives of the server. The server reads them when it starts;
   an operator lifts one by deleting its file and starting the server again. Those of a document go with it.
2. An update is known again by the edits in it, not by its bytes: its author sends it once more as part of a larger
   difference, but a client's clocks never mean another edit.
3. A document over which the server stood still `standstills_per_document` times is read only; one whose reading it
   did not survive so often is not loaded.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from collabdoc.errors import Malformed, NotAllowed, Unreadable, UsageError
from collabdoc.protocol.structs import read_structs
from collabdoc.protocol.update import UpdateInfo
from collabdoc.protocol.values import UNLIMITED, Parts
from collabdoc.underway import Work

log = logging.getLogger(__name__)

FOLDER = "quarantine"
_UNFINISHED = ".part"
_MAX_FILES = 100
"""They are read at each start, and may have 11 MB each; past this many they are told in the log alone."""


@dataclass(slots=True)
class Quarantined:
    """What of one document is in quarantine."""

    most: int
    updates: set[bytes] = field(default_factory=set)
    """Their hashes."""
    edits: list[tuple[int, int, int]] = field(default_factory=list)
    """Client, first clock, clock behind the last."""
    readings: int = 0

    def check_reading(self) -> None:
        """Raise `Unreadable` where the document is not to be loaded any more."""
        if self.readings >= self.most:
            raise Unreadable("the server stood still while it read this document, its operator has to look at it")

    def check_writing(self) -> None:
        """Raise `NotAllowed` where no edit is to be taken any more."""
        if reason := self.read_only:
            raise NotAllowed(reason)

    @property
    def read_only(self) -> str | None:
        """Why no edit is to be taken any more; None where edits are."""
        if len(self.updates) < self.most:
            return None
        return "edits made the server stand still here: the document is read only until its operator looks"

    def check(self, update: bytes, info: UpdateInfo, clocks: Mapping[int, int]) -> None:
        """Raise `Malformed` where an update is not to be taken: as it is, or in one of the pieces that are applied."""
        is_known = any(_hash(each) in self.updates for each in (update, *info.cut(update)))
        for client, first, end in self.edits:
            new = max(info.starts.get(client, 0), clocks.get(client, 0))
            is_known = is_known or (new < end and info.ends.get(client, 0) > max(first, new))
        if is_known:
            raise Malformed("the server stood still over edits in this update: they are in quarantine")

    def add(self, work: Work) -> None:
        if work.update is None:
            self.readings += 1
            return
        self.updates.add(_hash(work.update))
        structs, _ = read_structs(work.update, {}, Parts(UNLIMITED), with_cuts=False)
        self.edits += [(section.client, section.start, section.end) for section in structs.sections]


class Quarantine:
    """All that is in the folder of a data folder."""

    def __init__(self, data: Path, most: int) -> None:
        self._folder = data / FOLDER
        self._most = most
        self._documents: dict[str, Quarantined] = {}
        self._paths: dict[str, list[Path]] = {}

    def load(self) -> None:
        """Read the folder. Raises `UsageError` for a file that is not as it was written."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                update = None if content["update"] is None else base64.b64decode(content["update"], validate=True)
                self._add(Work(content["document"], update), path)
            except (OSError, ValueError, LookupError, TypeError, Malformed) as error:
                raise UsageError(f"{path} cannot be read, mend or delete it: {error}") from None

    def of(self, document: str) -> Quarantined | None:
        return self._documents.get(document)

    def put(self, work: Work) -> Path | None:
        """Keep it; the file in which it is, None where it could not be written."""
        content = {
            "document": work.document,
            "update": None if work.update is None else base64.b64encode(work.update).decode(),
        }
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.json"
        try:
            self._folder.mkdir(exist_ok=True)
            for unfinished in self._folder.glob(f"*{_UNFINISHED}"):
                unfinished.unlink()
            if len(list(self._folder.iterdir())) >= _MAX_FILES:
                log.error("%s holds %d files: nothing more is put in quarantine", self._folder, _MAX_FILES)
                return None
            # Under another name first: half a file would keep the server from starting.
            begun = path.with_suffix(_UNFINISHED)
            begun.write_text(json.dumps(content), encoding="utf-8")
            begun.rename(path)
        except OSError as error:
            log.error("%s cannot be written: %s", path, error.strerror)
            return None
        return path

    def lift(self, document: str) -> None:
        """Forget a document that was deleted, with its files: another one may get its name."""
        self._documents.pop(document, None)
        for path in self._paths.pop(document, []):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.error("%s cannot be deleted, and counts again at the next start: %s", path, error.strerror)

    def _add(self, work: Work, path: Path) -> None:
        self._documents.setdefault(work.document, Quarantined(self._most)).add(work)
        self._paths.setdefault(work.document, []).append(path)


def _hash(update: bytes) -> bytes:
    return hashlib.sha256(update).digest()
