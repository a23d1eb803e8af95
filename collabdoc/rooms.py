"""The registry of rooms: which documents are in memory, from their loading to their last snapshot.

1. A document is loaded once, however many ask at the same time, and is in memory at most once.
2. Snapshots are made from what is committed, in the helper process; the live document is not touched by it.
3. A room that nobody has open leaves memory after `room_idle_s`, with a fresh snapshot behind it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine

from collabdoc.barred import Barred
from collabdoc.config import Limits
from collabdoc.document import Kind, make_meta
from collabdoc.errors import (
    CollabdocError,
    DocumentBroken,
    NoSuchDocument,
    Overloaded,
    ProtocolError,
    Restarting,
    StoreDamaged,
    StoreError,
)
from collabdoc.exports import Exports
from collabdoc.flushes import Flushes, Slot
from collabdoc.guard import Guard
from collabdoc.helper import Helper
from collabdoc.lane import Lane
from collabdoc.life import State
from collabdoc.loading import make_room
from collabdoc.memory import give_back
from collabdoc.protocol.messages import Awareness, Update
from collabdoc.quarantine import Quarantine
from collabdoc.reader import Reader
from collabdoc.room import Room
from collabdoc.session import Session
from collabdoc.snapshots import Snapshots, is_due
from collabdoc.spares import Spares
from collabdoc.store.base import DocumentRow, Store
from collabdoc.turn import Turn
from collabdoc.underway import Underway
from collabdoc.writer import Writer

log = logging.getLogger(__name__)

_TICK_S = 1.0


class Rooms:
    """`async with` starts and stops it; reader, writer and helper are the caller's."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        writer: Writer,
        helper: Helper,
        limits: Limits,
        *,
        server: str,
        turn: Turn,
        lane: Lane,
        underway: Underway,
        quarantine: Quarantine,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._helper = helper
        self._exports = Exports(store, reader, helper, lambda: self._draining)
        self._snapshots = Snapshots(store, reader, writer, helper, limits)
        self._spares = Spares(store, reader, lane, monotonic)
        self._limits = limits
        self._server = server
        self._lane = lane
        self._underway = underway
        self._quarantine = quarantine
        self._barred = Barred(quarantine, monotonic)
        self._monotonic = monotonic
        self._flushes = Flushes(
            turn, lane, writer, limits, committed=self._committed, load=self._fill_later, monotonic=monotonic
        )
        self._slots: dict[str, Slot] = {}
        self._loading: dict[str, asyncio.Task[Room]] = {}
        self._deleting: dict[str, asyncio.Task[bool]] = {}
        self._draining = self._told_end = False
        self._left: list[Slot] = []  # idle documents, to be freed one by one: 20 of 1.4 MB took 100 ms
        self._came_or_went = False  # documents, a log for a snapshot, or an export, since memory was given back
        self.dropped_presence = 0
        """Entries of presence that were not taken: for another session's client id, or a clock that jumped."""

    async def __aenter__(self) -> "Rooms":
        self._ticker = asyncio.create_task(self._tick_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        busy = [task for slot in self._slots.values() for task in (slot.task, slot.taking) if task]
        tasks = [self._ticker, *self._loading.values(), *busy]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def count(self) -> int:
        return len(self._slots)

    async def open(self, name: str, *, create: bool) -> Room:
        """The document's room, in which it may still have to be loaded: `schedule` sees to that.

        Raises `NoSuchDocument`, `Restarting`, `Overloaded`, `Unreadable`.
        """
        while True:
            if self._draining:
                raise Restarting("the server is restarting")
            self._barred.check_reading(name)
            if deleting := self._deleting.get(name):
                await asyncio.wait([deleting])
            elif slot := self._slots.get(name):
                slot.quiet_until_s = 0.0
                return slot.room
            elif loading := self._loading.get(name):
                # Shared: that one may have been told not to create. Its errors are for whoever started it.
                await asyncio.wait([loading])
                if (error := loading.exception()) and not (create and isinstance(error, NoSuchDocument)):
                    raise error
            else:
                task = self._loading[name] = asyncio.create_task(self._load(name, create=create))
                task.add_done_callback(lambda task: self._loaded(name, task))
                # Shielded: others may wait for it by then.
                return await asyncio.shield(task)

    def receive(self, session: Session, message: Update | Awareness) -> None:
        """Hand a message to the session's room, and see to what it leaves to do."""
        if (room := session.room) is not None:
            room.receive(session, message)
            if type(message) is Awareness:
                self.dropped_presence += room.awareness.take_dropped()
            self.schedule(room)

    def leave(self, session: Session) -> None:
        if (room := session.room) is not None:
            room.leave(session)
            if slot := self._slots.get(room.name):
                slot.quiet_until_s = 0.0
            self.schedule(room)

    def schedule(self, room: Room) -> None:
        """See to what the room has to hand out, if anything."""
        if (slot := self._slots.get(room.name)) and slot.room is room:
            self._flushes.schedule(slot)

    async def edit(self, name: str, update: bytes) -> None:
        """Apply an edit of the server's own and wait until it is committed. Raises `Overloaded` where that lasts."""
        room = await self.open(name, create=False)
        if room.state is State.LOADING and (slot := self._slots.get(name)):
            self._fill_later(slot)
            if slot.task:
                await asyncio.wait([slot.task])
            room = await self.open(name, create=False)
        saved = asyncio.Event()
        room.edit(update, saved.set)
        self.schedule(room)
        try:
            async with asyncio.timeout(self._limits.max_commit_lag_s):
                await saved.wait()
        except TimeoutError:
            raise Overloaded("the edit was taken, but is not saved yet: look again later") from None

    async def create(self, name: str, *, title: str, kind: Kind) -> DocumentRow | None:
        """Make an empty document of a kind; None where the name is taken."""
        if self._draining:
            raise Restarting("the server is restarting")
        self._check_writable_now()
        if await self.get(name) is not None:
            return None
        self._barred.check_making(name)
        row, made = await self._writer.call(lambda: self._store.create(name, title=title, kind=kind))
        if not made:
            return None
        await self.edit(name, make_meta(title=title, kind=kind))
        return row

    async def delete(self, name: str) -> bool:
        """End this life of a document: its sessions are closed, its log is gone. False where there was none."""
        while busy := self._deleting.get(name) or self._loading.get(name):
            await asyncio.wait([busy])
        self._check_writable_now()
        task = self._deleting[name] = asyncio.create_task(self._delete(name))
        task.add_done_callback(lambda _: self._deleting.pop(name))
        return await asyncio.shield(task)

    async def get(self, name: str) -> DocumentRow | None:
        return await self._reader.call(lambda: self._store.get(name))

    async def list(self, *, query: str, limit: int, offset: int) -> tuple[list[DocumentRow], int]:
        return await self._reader.call(lambda: self._store.list(query=query, limit=limit, offset=offset))

    async def export(self, name: str, format_: str) -> bytes:
        """The content as it is committed. Raises `NoSuchDocument`, `HelperError`, `StoreError`."""
        if (slot := self._slots.get(name)) and self._writer.refusal() is None:
            self._flushes.flush_now(slot)
            with contextlib.suppress(StoreError, TimeoutError):  # then what was committed so far
                async with asyncio.timeout(self._limits.max_commit_lag_s):
                    await self._writer.call(lambda: None)
        content, self._came_or_went = await self._exports.make(name, format_), True
        return content

    async def check_writable(self) -> None:
        """Raise the `StoreError` that a commit would meet."""
        await self._writer.call(self._store.check_writable)

    async def drain(self) -> None:
        """Take no more opens or edits; return when everything taken was committed."""
        self._draining = True
        for slot in self._slots.values():
            self._flushes.flush_now(slot)
            slot.room.drain()
        await self._writer.call(lambda: None)

    async def snapshot_all(self) -> None:
        """Make the snapshots that are due at the end of a server's life."""
        for slot in list(self._slots.values()):
            if slot.task:
                await asyncio.wait([slot.task])
            if slot.log_updates:
                await self._guarded(slot, self._snapshot)

    def _loaded(self, name: str, task: "asyncio.Task[Room]") -> None:
        del self._loading[name]
        if not task.cancelled():
            task.exception()  # whoever asked may have gone, and asyncio would log what nobody looked at

    async def _load(self, name: str, *, create: bool) -> Room:
        try:
            loaded = await self._reader.call(lambda: self._store.load(name))
            if loaded is None:
                if not create:
                    raise NoSuchDocument("there is no such document")
                self._check_writable_now()
                self._barred.check_making(name)
                await self._writer.call(lambda: self._store.create(name))
                loaded = await self._reader.call(lambda: self._store.load(name))
                assert loaded is not None
        except StoreDamaged as error:
            log.critical("document %a cannot be loaded: %s", name, error)
            raise self._barred.add(name) from error
        except StoreError as error:
            log.error("document %a cannot be loaded: %s", name, error)
            raise Overloaded("the document cannot be loaded now, try again") from error
        guard = Guard(name, self._limits, self._underway, self._quarantine.of(name))
        room = make_room(loaded, guard, self._limits, server=self._server, refusal=self._writer.refusal)
        updates = [entry.update for entry in loaded.tail]
        self._slots[name] = Slot(room, len(updates), sum(map(len, updates)), loaded, self._monotonic())
        return room

    async def _delete(self, name: str) -> bool:
        slot = self._slots.pop(name, None)
        if slot is not None:
            if slot.task:
                slot.task.cancel()
            self._flushes.flush_now(slot)
            slot.room.drain()
        end: ProtocolError = Overloaded("the document could not be deleted, open it again")
        try:
            # In its order among the writes: what was taken before is committed, then goes with the rest. It is waited
            # for however long it takes, since nothing of this name may be loaded before it has happened.
            deleted = await self._writer.call(lambda: self._store.delete(name))
            end = NoSuchDocument("the document was deleted")
            if deleted:
                self._barred.lift(name)
            await self._writer.call(lambda: self._quarantine.lift(name))
        finally:
            if slot is not None:
                slot.room.close(end)
        return deleted

    def _committed(self, slot: Slot, count: int, size: int, last_seq: int | None) -> None:
        if last_seq is None:
            self._lose(slot)
            return
        slot.room.committed(count, last_seq)
        slot.log_updates += count
        slot.log_bytes += size
        if is_due(self._limits, slot.log_updates, slot.log_bytes, slot.room.size_bytes):
            self._start(slot, self._snapshot)
        elif self._spares.lags(slot.room):
            self._start(slot, self._spares.follow)

    def _lose(self, slot: Slot) -> None:
        """The store cannot take edits of this document any more: they are refused, and nobody else's."""
        name = slot.room.name
        if self._slots.get(name) is slot:
            log.critical("document %a is gone from the store, or damaged there: see `collabdoc verify`", name)
            del self._slots[name]
            if slot.task:
                slot.task.cancel()
            slot.room.close(self._barred.add_for_good(name))

    def _fill_later(self, slot: Slot) -> None:
        self._start(slot, self._fill)

    def _start(self, slot: Slot, work: Callable[[Slot], Coroutine[None, None, None]]) -> None:
        # One that is not among the slots is being deleted: there is nothing to keep of it.
        if slot.task is not None or self._draining or self._slots.get(slot.room.name) is not slot:
            return

        async def run() -> None:
            try:
                await self._guarded(slot, work)
            finally:
                slot.task = None
                self.schedule(slot.room)  # it may have broken meanwhile, and waits for its turn

        slot.task = asyncio.create_task(run())

    async def _guarded(self, slot: Slot, work: Callable[[Slot], Coroutine[None, None, None]]) -> None:
        """What fails here costs a longer log or a room, never an edit: it is logged, and life goes on."""
        try:
            await work(slot)
        except CollabdocError as error:
            log.error("document %a: %s", slot.room.name, error)
        except Exception:
            log.exception("document %a: %s failed", slot.room.name, work.__name__)

    async def _snapshot(self, slot: Slot) -> None:
        found = await self._snapshots.find(slot.room.name, slot.room.epoch)
        if found is None:
            return
        # Whatever comes of it, the next try waits until as much has been written again.
        slot.log_updates -= len(found.tail)
        slot.log_bytes -= sum(len(entry.update) for entry in found.tail)
        slot.room.size_bytes = await self._snapshots.make(found) + slot.log_bytes
        self._came_or_went = True

    async def _fill(self, slot: Slot) -> None:
        room, is_again = slot.room, slot.loaded is None
        try:
            document, size_bytes = await self._spares.load(slot)
            self._came_or_went = True
        except Exception as error:  # whatever it is: nobody is to wait for this room for ever
            unforeseen = not isinstance(error, CollabdocError)
            log.critical("document %a cannot be loaded: %s", room.name, error, exc_info=unforeseen)
            del self._slots[room.name]
            is_damaged = isinstance(error, StoreDamaged | DocumentBroken)
            again = Overloaded("the document cannot be loaded now, try again")
            room.close(self._barred.add(room.name) if is_damaged else again)
            return
        if room.state is State.LOADING:  # else the server began to drain meanwhile
            room.reload(document, size_bytes=size_bytes)
        if is_again:
            await self._spares.make(slot)

    def _check_writable_now(self) -> None:
        if reason := self._writer.refusal():
            raise Overloaded(reason)

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(min(_TICK_S, self._limits.room_idle_s / 2))
            try:
                self._tick()
                while self._left:
                    self._left.pop()
                    await asyncio.sleep(0)
                if self._spares.forget_one() or self._came_or_went:
                    self._came_or_went = False
                    await self._reader.call(give_back)
            except Exception:
                log.exception("the round over idle documents failed")

    def _tick(self) -> None:
        now = self._monotonic()
        if self._writer.has_ended and not self._told_end:
            self._tell_end()
        idle_s = self._limits.room_idle_s
        for slot in list(self._slots.values()):
            if now < slot.quiet_until_s or not slot.is_left(now, idle_s):
                continue
            if slot.log_updates > 0:
                self._start(slot, self._snapshot)
            else:
                slot.room.close(Restarting("the document left memory"))
                self._left.append(self._slots.pop(slot.room.name))
                self._came_or_went = True

    def _tell_end(self) -> None:
        """Who waits for a commit that will never come opens again, and is told why edits are refused."""
        self._told_end = True
        reason = self._writer.refusal() or "edits cannot be saved any more"
        for slot in self._slots.values():
            if slot.room.uncommitted:
                for session in slot.room.sessions:
                    session.close(Overloaded(reason))
