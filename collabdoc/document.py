"""A document's content: the only place, with content/fragment.py, that touches pycrdt.

1. Only updates that pass `check_update` reach pycrdt, so a Doc here never holds pending structs or deletes.
2. pycrdt may panic (a BaseException). After any failure inside it the Document raises `DocumentBroken` and is to be
   thrown away.
3. A Document belongs to the thread that made it.
"""

import os
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

os.environ.setdefault("RUST_BACKTRACE", "0")  # a first panic with a backtrace costs 50 MB

from pycrdt import Doc, Map, get_state, get_update, merge_updates

from collabdoc.errors import CollabdocError, DocumentBroken, ProtocolError
from collabdoc.protocol.deletes import is_within, read_deletes
from collabdoc.protocol.keystroke import join_keystrokes, read_keystroke
from collabdoc.protocol.lib0 import read_state_vector
from collabdoc.protocol.nans import may_have_nans
from collabdoc.protocol.pieces import SNAPSHOT_JUMPS
from collabdoc.protocol.update import (
    Pairs,
    UpdateInfo,
    check_across,
    check_in_steps,
    check_known,
    check_update,
    find_pairs,
    has_structs,
    is_whole,
    plan_taken,
)
from collabdoc.protocol.values import UNLIMITED
from collabdoc.steps import Steps, finish

Kind = Literal["rich", "text"]

SCHEMA_VERSION = 1
MAX_TITLE_CHARACTERS = 500
_MAX_META_KEYS = 1_000
"""A map with more is not looked at: pycrdt lists all keys to find one."""
EMPTY_UPDATE = b"\x00\x00"
AT_ONCE_BYTES = 512 * 1024
"""A snapshot of no more is loaded in one go: 75,000 structs take 60 ms, and in pieces three times that."""
_END = object()
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
        self._doc: Doc[Any] = Doc()
        self._pairs: dict[int, array[int]] = {}
        self._told: Meta | None = None
        finish(self.load(snapshot, tail))

    def load(self, snapshot: bytes, tail: Sequence[bytes]) -> Steps[None]:
        """Load what was stored into a document that is empty, in short steps; before the end nothing else is done."""
        steps = _load_in_steps(self._doc, snapshot, tail)
        while True:
            with _pycrdt("loading"):
                if next(steps, _END) is _END:
                    break
            yield
        with _pycrdt("loading"):
            self._meta: Map[Any] = self._doc.get("meta", type=Map)
            self.clocks = _clocks(self._doc)
        for update in (snapshot, *tail):
            self._note_pairs((yield from find_pairs(update)))
            yield  # 1,000 short ones take 9 ms

    def check(self, update: bytes, *, max_parts: int = UNLIMITED) -> UpdateInfo:
        """See whether `apply` would take this update; raises as `check_update` does."""
        info = check_update(update, self.clocks, self._pairs, max_parts=max_parts)
        if info.across:
            check_across(info.across, self._read_clocks(), self.diff)
        return info

    def check_in_steps(self, update: bytes, *, max_parts: int = UNLIMITED) -> Steps[UpdateInfo]:
        """The same in short steps, between which others may be applied; and whether who gets it whole can take it."""
        info = yield from check_in_steps(update, self.clocks, self._pairs, max_parts=max_parts)
        yield from check_known(info, self._read_clocks, self.diff)
        return info

    def apply(self, update: bytes, info: UpdateInfo) -> bool:
        """Apply an update that passed `check`; False where it held nothing new."""
        is_new = self._adds(info)
        try:
            if not is_new and info.deletes:
                return self._apply_deletes(update)
            if info.plan is None:
                _apply(self._doc, (update,))
            else:
                for piece in info.plan.cut(update):
                    _apply(self._doc, (piece,))
        except BaseException as error:  # noqa: BLE001  # not by `_pycrdt`, which takes as long as pycrdt for a key press
            raise _as_broken(error, "applying an update") from None
        self._note(info)
        return is_new

    def apply_keystrokes(
        self, updates: Sequence[bytes], begin: Callable[[bytes], bool]
    ) -> tuple[int, list[bytes], UpdateInfo]:
        """Apply these up to the first that is no key press, or not new, or that `begin` denies.

        How many that were, the updates that say the same, for letters that are one text are one, and what they hold.
        In one transaction, which takes half as long. After a failure none was taken.
        """
        clocks, starts, applied, count = self.clocks, dict[int, int](), list[bytes](), 0

        def to_apply() -> Iterator[bytes]:
            nonlocal count
            while count < len(updates):
                keystroke = read_keystroke(updates[count], clocks, self._pairs)
                if keystroke is None:
                    return
                client, start, end = keystroke
                if start < clocks.get(client, 0):
                    return
                joined, update, end = join_keystrokes(updates[count:], end)
                if not begin(update):
                    return
                yield update
                starts.setdefault(client, start)
                clocks[client] = end
                count += joined
                applied.append(update)

        with _pycrdt("applying updates"):
            _apply(self._doc, to_apply())
        return count, applied, UpdateInfo(starts, {each: clocks[each] for each in starts}, deletes=False, is_text=True)

    def apply_piece(self, piece: bytes, info: UpdateInfo) -> bool:
        """Apply one of the pieces of an update, all of them in their order; whether that has deleted anything.

        What is new of an update that inserts is known before; so nothing is asked for it.
        """
        try:
            if not self._adds(info):
                return self._apply_deletes(piece)
            _apply(self._doc, (piece,))
        except BaseException as error:  # noqa: BLE001  # as in `apply`
            raise _as_broken(error, "applying an update") from None
        return False

    def end_pieces(self, info: UpdateInfo, *, deleted: bool) -> bool:
        """After the last piece: whether the update held anything new."""
        is_new = self._adds(info) or deleted
        self._note(info)
        return is_new

    def _read_clocks(self) -> dict[int, int]:
        # What pycrdt has now: it may have a part of somebody's large edit already.
        return read_state_vector(self.state_vector(), max_clients=2**31)

    def _adds(self, info: UpdateInfo) -> bool:
        clocks = self.clocks
        for client, end in info.ends.items():  # noqa: SIM110  # done for each key press, and `any` takes longer
            if end > clocks.get(client, 0):
                return True
        return False

    def _note(self, info: UpdateInfo) -> None:
        clocks = self.clocks
        if info.pairs:
            self._note_pairs(info.pairs)
        for client, end in info.ends.items():
            if end > clocks.get(client, 0):
                clocks[client] = end

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
        return finish(self.holds_in_steps(update))

    def holds_in_steps(self, update: bytes) -> Steps[bool]:
        """The same in short steps, between which others may be applied."""
        try:
            info = yield from self.check_in_steps(update)
        except ProtocolError:
            return False
        if self._adds(info):
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


def read_state(snapshot: bytes) -> bytes:
    """The state vector of a document that holds just this. Takes a fourth of what loading it does."""
    with _pycrdt("reading the state"):
        return get_state(snapshot)


def merge(updates: Sequence[bytes]) -> bytes:
    """One update that says what all of these say, in the order given."""
    if not updates:
        return EMPTY_UPDATE
    with _pycrdt("merging updates"):
        level = list(updates)
        while len(level) > 1:
            level = [merge_updates(*level[at : at + _MERGE_WIDTH]) for at in range(0, len(level), _MERGE_WIDTH)]
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
    finish(_load_in_steps(doc, snapshot, tail, in_one_go=True))
    return doc


def _load_in_steps(doc: "Doc[Any]", snapshot: bytes, tail: Iterable[bytes], *, in_one_go: bool = False) -> Steps[None]:
    """The same in short steps, for which a large snapshot is cut, too: the deletes come last in any case."""
    if (in_one_go or len(snapshot) <= AT_ONCE_BYTES) and not may_have_nans(snapshot):
        _apply(doc, (snapshot,))  # what pycrdt could join in it, it joined when it was made
    else:
        yield from _replay(doc, snapshot, step_jumps=SNAPSHOT_JUMPS)
    for update in tail:
        yield from _replay(doc, update)


def _apply(doc: "Doc[Any]", updates: Iterable[bytes]) -> None:
    # As `Doc.apply_update` does, without its care for models and observers: that takes twice as long again.
    raw = doc._doc
    transaction = raw.create_transaction()
    try:
        for update in updates:
            raw.apply_update(transaction, update)
        transaction.commit()
    finally:
        transaction.drop()


def _replay(doc: "Doc[Any]", update: bytes, *, step_jumps: int | None = None) -> Steps[None]:
    plan = None
    if not is_whole(update):
        plan = yield from plan_taken(update, _clocks(doc), step_jumps=step_jumps)
    for piece in (update,) if plan is None else plan.cut(update):
        _apply(doc, (piece,))
        yield


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
