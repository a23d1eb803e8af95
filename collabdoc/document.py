"""A document's content: the only place, with content/fragment.py, that touches pycrdt.

1. Only updates that pass `check_update` reach pycrdt, so a Doc here never holds pending structs or deletes.
2. pycrdt may panic (a BaseException). After any failure inside it the Document raises `DocumentBroken` and is to be
   thrown away.
3. A Document belongs to the thread that made it.
"""

import logging
import math
import os
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

os.environ.setdefault("RUST_BACKTRACE", "0")  # a first panic with a backtrace costs 50 MB

from pycrdt import Doc, Map, Text, TransactionEvent, get_update, merge_updates

from collabdoc.characters import CharacterText
from collabdoc.errors import CollabdocError, DocumentBroken, Malformed, ProtocolError, TooSlow
from collabdoc.protocol.deletes import is_within, read_deletes
from collabdoc.protocol.lib0 import read_state_vector, write_state_vector
from collabdoc.protocol.update import (
    UNLIMITED,
    Across,
    Pairs,
    UpdateInfo,
    check_update,
    cut_taken,
    find_pairs,
    find_place,
)

log = logging.getLogger(__name__)

Kind = Literal["rich", "text"]

SCHEMA_VERSION = 1
MAX_TITLE_CHARACTERS = 500
_MAX_META_KEYS = 1_000
"""A map with more is not looked at: pycrdt lists all keys to find one."""
EMPTY_UPDATE = b"\x00\x00"
_MERGE_WIDTH = 100
"""Updates merged at once: 50,000 in one go took 15 s, in a tree of this width 0.25 s."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What a list of documents shows."""

    title: str = ""
    kind: Kind | None = None


class _pycrdt:  # read as `with _pycrdt("loading")`
    """Turns whatever pycrdt raises into `DocumentBroken`. A class: a generator's would cost as much as a small edit."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            raise _as_broken(error, self._doing) from None


def _as_broken(error: BaseException, doing: str) -> BaseException:
    # pyo3's PanicException is no Exception.
    if isinstance(error, (KeyboardInterrupt, SystemExit, CollabdocError)):
        return error
    return DocumentBroken(f"pycrdt failed while {doing}: {type(error).__name__}: {error!s:.200}")


class Document:
    """One live replica."""

    __slots__ = ("_doc", "_meta", "_pairs", "_told", "clocks")

    def __init__(self, snapshot: bytes = EMPTY_UPDATE, tail: Sequence[bytes] = ()) -> None:
        """Load a snapshot and the updates after it."""
        with _pycrdt("loading"):
            self._doc = _load(snapshot, ())
            self._meta: Map[Any] = self._doc.get("meta", type=Map)
            self.clocks = _clocks(self._doc)
        self._pairs: dict[int, array[int]] = {}
        self._note_pairs(find_pairs(snapshot))
        self._told: Meta | None = None
        for _ in self.replay(tail):
            pass

    def replay(self, tail: Sequence[bytes]) -> Iterator[None]:
        """Load the updates after the snapshot in short steps; before the last there is nothing to be done with it."""
        steps = _replay(self._doc, tail)
        more = True
        while more:
            with _pycrdt("loading"):
                more = next(steps, False)
                self.clocks = self.clocks if more else _clocks(self._doc)
            yield
        for update in tail:
            self._note_pairs(find_pairs(update))

    def check(self, update: bytes, *, max_parts: int = UNLIMITED) -> UpdateInfo:
        """See whether `apply` would take this update; raises as `check_update` does."""
        info = check_update(update, self.clocks, self._pairs, max_parts=max_parts)
        for across in info.across:
            self._compare(across)
        return info

    def _compare(self, across: Across) -> None:
        """See that a struct which the document has in part stands where that part does."""
        before = write_state_vector({**self.clocks, across.client: across.clock})
        with _pycrdt("comparing an update"):
            place = find_place(self._doc.get_update(before), across.client)
        if None not in (place, across.place) and place != across.place:
            raise Malformed(
                f"an update puts the edit {across.clock} of client {across.client} elsewhere than the document has it"
            )

    def apply(
        self, update: bytes, info: UpdateInfo, *, max_s: float = math.inf, cpu_s: Callable[[], float] = lambda: 0.0
    ) -> bool:
        """Apply an update that passed `check`; False where it held nothing new.

        Raises `TooSlow` where one that is taken in pieces takes longer than `max_s` by the clock `cpu_s`.
        """
        clocks = self.clocks
        is_new = False
        for client, end in info.ends.items():
            if end > clocks.get(client, 0):
                is_new = True
        try:
            if not is_new and info.deletes:
                return self._apply_deletes(update)
            if info.plan is None:
                self._apply(update)
            else:
                until_s = cpu_s() + max_s
                for piece in info.plan.cut(update):
                    self._apply(piece)
                    if cpu_s() > until_s:
                        raise TooSlow(f"an update takes more than {max_s:g} s to apply: send it in parts")
        except BaseException as error:  # noqa: BLE001  # not by `_pycrdt`, which takes as long as pycrdt for a key press
            raise _as_broken(error, "applying an update") from None
        if info.pairs:
            self._note_pairs(info.pairs)
        if is_new:
            for client, end in info.ends.items():
                if end > clocks.get(client, 0):
                    clocks[client] = end
        return is_new

    def _apply(self, update: bytes) -> None:
        # As `Doc.apply_update` does, without its care for models and observers: that takes as long again.
        doc = self._doc._doc
        transaction = doc.create_transaction()
        try:
            doc.apply_update(transaction, update)
            transaction.commit()
        finally:
            transaction.drop()

    def _apply_deletes(self, update: bytes) -> bool:
        # Only pycrdt can tell whether they are new; asking it costs as much as applying, so it is not asked otherwise.
        told: list[object] = []
        subscription = self._doc.observe(told.append)
        try:
            self._doc.apply_update(update)
        finally:
            self._doc.unobserve(subscription)
        return bool(told)

    def state_vector(self) -> bytes:
        with _pycrdt("reading the state"):
            return self._doc.get_state()

    def diff(self, state_vector: bytes) -> bytes:
        """What a replica at this state vector lacks. For that one replica only: it carries the whole delete set."""
        with _pycrdt("making a difference"):
            return self._doc.get_update(state_vector)

    def holds(self, update: bytes) -> bool:
        """Whether an update is one that `apply` would take and find nothing new in."""
        try:
            info = self.check(update)
        except ProtocolError:
            return False
        if any(end > self.clocks.get(client, 0) for client, end in info.ends.items()):
            return False
        if not info.deletes:
            return True
        with _pycrdt("reading the deletions"):
            state = self._doc.get_state()
            return is_within(read_deletes(get_update(update, state)), read_deletes(self._doc.get_update(state)))

    def take_meta(self) -> Meta | None:
        """Title and kind if they changed since the last call."""
        # Not observed: the event of a map makes pycrdt read all that a client put there, and panic over some of it.
        # In one transaction, past `Map`, which takes several: this is done for every batch of edits.
        with _pycrdt("reading the title"), self._doc.transaction() as transaction:
            raw, txn = self._meta.integrated, transaction._txn
            if raw.len(txn) > _MAX_META_KEYS:
                return None
            title, kind = (raw.get(txn, key) if raw.has(txn, key) else None for key in ("title", "kind"))
        meta = Meta(
            title[:MAX_TITLE_CHARACTERS] if isinstance(title, str) else "",
            kind if kind in ("rich", "text") else None,
        )
        if meta == self._told:
            return None
        self._told = meta
        return meta

    def _note_pairs(self, pairs: Pairs) -> None:
        for client, halves in pairs.items():
            known = self._pairs.setdefault(client, array("I"))
            known.extend(halves[bisect_right(halves, known[-1]) :] if known else halves)


class Replica:
    """A client's replica: `doc` is for its owner to edit, `on_edit(update)` hears of each edit that is the owner's."""

    def __init__(self, on_edit: Callable[[bytes], None]) -> None:
        self.doc: Doc[Any] = Doc()
        self._applying = False
        self._on_edit = on_edit
        self._subscription = self.doc.observe(self._note)

    def apply(self, update: bytes, *, origin: object = None) -> None:
        """Take an edit of others; the owner's observers find `origin` in their transaction."""
        self._applying = True
        try:
            with _pycrdt("applying an update"):
                for piece in cut_taken(update, self.clocks):
                    self._apply_piece(piece, origin)
        finally:
            self._applying = False

    def text(self, name: str = "content") -> CharacterText:
        """A `Y.Text` of the document, edited in characters."""
        return CharacterText(self.doc.get(name, type=Text))

    def clocks(self) -> dict[int, int]:
        return _clocks(self.doc)

    def state_vector(self) -> bytes:
        return self.doc.get_state()

    def diff(self, state_vector: bytes) -> bytes:
        """What a replica at this state vector lacks; the deletions are always all of them."""
        return self.doc.get_update(state_vector)

    def _apply_piece(self, piece: bytes, origin: object) -> None:
        try:
            with self.doc.transaction(origin=origin):
                self.doc.apply_update(piece)
        except ExceptionGroup:  # of the owner's observers: the piece was applied before they were told
            log.exception("an observer of a document failed")

    def _note(self, event: TransactionEvent) -> None:
        if not self._applying:
            self._on_edit(event.update)


def has_structs(update: bytes) -> bool:
    """Whether an update inserts anything, or only deletes."""
    return update[:1] != b"\x00"


def has_deletes(update: bytes) -> bool:
    """Whether an update deletes anything: its delete set stands at its end, and only an empty one ends with 0."""
    return update[-1:] != b"\x00"


def state_vector_before(clocks: Mapping[int, int], infos: Iterable[UpdateInfo]) -> bytes:
    """The state vector that a document with `clocks` had before it took these updates."""
    before = dict(clocks)
    for info in infos:
        for client, start in info.starts.items():
            before[client] = min(before.get(client, 0), start)
    return write_state_vector({client: clock for client, clock in before.items() if clock})


def merge(updates: Sequence[bytes]) -> bytes:
    """One update that says what all of these say, in the order given."""
    if not updates:
        return EMPTY_UPDATE
    with _pycrdt("merging updates"):
        level = list(updates)
        while len(level) > 1:
            level = [
                merge_updates(*level[start : start + _MERGE_WIDTH]) for start in range(0, len(level), _MERGE_WIDTH)
            ]
        return level[0]


def compact(snapshot: bytes, updates: Sequence[bytes]) -> bytes:
    """A snapshot that stands for `snapshot` and all `updates` after it.

    `Doc.get_update` drops what waits for dependencies, so its bytes are taken only where the merged log says no more
    than they do; else the merged log is. Whatever is taken was loaded again and compared; raises `DocumentBroken`
    where that fails, and then the log must stay as it is.
    """
    with _pycrdt("compacting"):
        doc = _load(snapshot, updates)
        state, compacted = doc.get_state(), doc.get_update()
        merged = merge([snapshot, *updates])
        waits = _says_more(merged, compacted, state)
        again = _load(merged if waits else compacted, ())
        if _clocks(again) != _clocks(doc):
            raise DocumentBroken("a new snapshot does not load to the state it was made from")
        if get_update(again.get_update(), state) != get_update(compacted, state):
            raise DocumentBroken("a new snapshot does not load to the deletions it was made from")
        if waits and again.get_update() != compacted:
            # Two edits that claim the same clocks: the document has the first, merging may take the other.
            raise DocumentBroken("a new snapshot does not load to the content it was made from")
        return merged if waits else compacted


def _says_more(merged: bytes, compacted: bytes, state: bytes) -> bool:
    """Whether a merged log holds what the document made of it does not.

    That one deletes more than the log says, such as the values that lost where two set the same key of a map at once.
    """
    left = get_update(merged, state)
    return has_structs(left) or not is_within(read_deletes(left), read_deletes(get_update(compacted, state)))


def _load(snapshot: bytes, tail: Iterable[bytes]) -> "Doc[Any]":
    """A Doc that took the updates after a snapshot one by one, and in the same pieces, as the live one did.

    In one transaction nothing is collected until the end, and yrs then refuses an edit below what was deleted where
    it took the same edit live: a document that was served could not be loaded again.
    """
    doc: Doc[Any] = Doc()
    doc.apply_update(snapshot)  # whole: what pycrdt could join in it, it joined when it was made
    for _ in _replay(doc, tail):
        pass
    return doc


def _replay(doc: "Doc[Any]", tail: Iterable[bytes]) -> Iterator[bool]:
    for update in tail:
        for piece in cut_taken(update, lambda: _clocks(doc)):
            doc.apply_update(piece)
            yield True


def _clocks(doc: "Doc[Any]") -> dict[int, int]:
    return read_state_vector(doc.get_state(), max_clients=2**31)


def make_update(edit: Callable[[Doc[Any]], None]) -> bytes:
    """The update that an edit of an empty document makes."""
    doc: Doc[Any] = Doc()
    with doc.transaction():
        edit(doc)
    return doc.get_update()


def make_meta(*, title: str, kind: Kind) -> bytes:
    """The update that makes an empty document of a kind."""

    def edit(doc: Doc[Any]) -> None:
        meta: Map[Any] = doc.get("meta", type=Map)
        meta["title"] = title
        meta["kind"] = kind
        meta["schema"] = float(SCHEMA_VERSION)

    return make_update(edit)
