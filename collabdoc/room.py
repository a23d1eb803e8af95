"""The synchronous heart: one document, who is present, and the sessions that have it open.

1. `receive` only changes state. The driver then calls `flush`, stores what it gives, and reports with `committed`.
2. Peers get an edit at the next `flush`; its author gets SAVED after `committed`.
3. What goes to the log and to peers are the bytes that came in, or of letters that came together their one text. No
   author gets an echo.
4. The watermark of a batch is the last committed entry before it, so it is true whatever gets lost afterwards.
5. Before the document is loaded, and after pycrdt failed in it, nothing reads it until `reload`; edits that arrive
   meanwhile are held, within a bound. Who has nothing may be told what is `at_rest`. Who asked for what pycrdt failed
   over is closed: asking again at once would break the next copy too.
6. A large edit is taken by `take_held`, in short steps. Until its end nothing reads the document, for it may yet be
   given up. Small edits of others are taken between two steps; its author's are held.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from collabdoc.audience import Audience
from collabdoc.auth import Action
from collabdoc.awareness import Awareness as Presence
from collabdoc.config import Limits
from collabdoc.document import Document, Meta
from collabdoc.edits import Edit, Flush, Uncommitted, make_batch
from collabdoc.errors import (
    DocumentBroken,
    EpochDiffers,
    Malformed,
    NotAllowed,
    Overloaded,
    ProtocolError,
    TooLarge,
    TooSlow,
)
from collabdoc.guard import Guard
from collabdoc.held import Held
from collabdoc.lane import LONG_S
from collabdoc.life import BUSY, ENDING, READABLE, State, transition
from collabdoc.openings import NOTHING, AtRest, Openings
from collabdoc.protocol.messages import Awareness, Open, Opened, Update, Updates
from collabdoc.protocol.pieces import SHORT_BYTES
from collabdoc.recent import Recent
from collabdoc.session import Announcement, Session
from collabdoc.steps import Steps

_Source = Document | AtRest
_Found = TypeVar("_Found", Opened, bytes, bool)


class Room:
    """One document in memory."""

    def __init__(
        self,
        name: str,
        epoch: str,
        document: Document | None,
        at_rest: AtRest | None = None,
        *,
        seq: int,
        recent: Iterable[bytes],
        size_bytes: int,
        limits: Limits,
        guard: Guard,
        server: str,
        refusal: Callable[[], str | None],
    ) -> None:
        """`document` may be left to `reload`; until then `at_rest` is told to those who have nothing.

        `recent` are the updates of the newest log entries, up to `seq`; `refusal` says why no edit can be stored.
        """
        self.name = name
        self.epoch = epoch
        self.state = State.LOADING if document is None else State.ACTIVE
        self.sessions: set[Session] = set()
        self.audience = Audience()
        self.awareness = Presence(max_bytes=limits.awareness_bytes, max_clients=limits.awareness_clients)
        self.committed_seq = seq
        self.size_bytes = size_bytes
        self._document, self._at_rest = document or Document(), at_rest
        self._limits = limits
        self.guard = guard
        self._server = server
        self._refusal = refusal
        self.recent = Recent(recent, seq, max_entries=limits.resume_entries, max_bytes=limits.resume_bytes)
        self.openings = Openings(limits)
        self._meta_due = False
        self._gathered: list[Edit] = []
        self.uncommitted = Uncommitted()
        self._present_changed: set[int] = set()
        self.was_slow = False
        """Whether an edit took long: then those of newcomers are left to `take_held` until one does not."""
        self._held = Held(max_bytes=limits.document_bytes, max_bytes_behind=limits.held_bytes)

    @property
    def clocks(self) -> Mapping[int, int]:
        return self._document.clocks

    @property
    def wants_flush(self) -> bool:
        return bool(self._gathered or self._present_changed)

    @property
    def has_edits(self) -> bool:
        """Whether `flush` would hand out edits, not presence alone."""
        return bool(self._gathered)

    def join(self, session: Session, opening: Open) -> None:
        """Bring a client up to date, once its driver takes, and keep it so."""
        session.room = self
        if self.state in ENDING:
            session.close(Overloaded("the document is being closed, open it again"))
            return
        session.is_paced = self.was_slow
        self.sessions.add(session)
        self.audience.absent.add(session)
        session.put_opening(opening)

    def leave(self, session: Session) -> None:
        """A client is gone; its presence is removed for the others."""
        self.sessions.discard(session)
        session.withdraw()
        self.audience.absent.discard(session)
        self._present_changed |= self.awareness.remove(session)

    def receive(self, session: Session, message: Update | Awareness) -> None:
        """Take a client's edit or presence."""
        if session.closed or session not in self.sessions or self.state in ENDING:
            return
        if isinstance(message, Awareness):
            try:
                known = session.grant.user.presence()
                self._present_changed |= self.awareness.receive(session, message.awareness, known=known)
            except ProtocolError as error:
                session.close(error)
        elif message.id != session.last_id + 1:
            session.close(Malformed(f"read the update id {message.id}, expected {session.last_id + 1}"))
        else:
            session.last_id = message.id
            if self.state in BUSY and self._must_wait(session):
                self._hold(session, message)
            else:
                self._receive_update(session, message)

    def receive_run(self, session: Session, first_id: int, updates: Sequence[bytes]) -> int:
        """Of edits that came together take those at their head that are key presses, in one go: how many.

        None where anything speaks against taking all of them. What was not taken is for `receive`.
        """
        if self.state is not State.ACTIVE or session not in self.sessions or first_id != session.last_id + 1:
            return 0
        if not session.is_in_step or self._why_read_only(session) or self._refusal():
            return 0
        if self.size_bytes + sum(map(len, updates)) > self._limits.document_bytes:
            return 0
        try:
            count, applied, info = self.guard.apply_keystrokes(self._document, updates)
        except DocumentBroken:  # over which of them is seen when they are taken one by one
            self._break()
            return 0
        if count:
            session.last_id, session.asked_to_resync = session.last_id + count, False
            self._note_taken(Edit(applied, info, session, session.last_id), is_new=True)
        return count

    def take_held(self) -> Steps[None]:
        """While the room is TAKING: take the edits that wait, in short steps."""
        document = self._document
        while self.state is State.TAKING and (held := self._held.first()):
            for _ in () if held[0].closed else self._receive_in_steps(*held):
                yield
                # It broke, and is received again, or was already; or it ends, and its author keeps it.
                if self.state is not State.TAKING or self._document is not document:
                    return
            self._held.drop_first()
        if self.state is State.TAKING:
            self.state = transition(self.state, "taken")
            for session in self.sessions:
                session.retry()

    def wanted(self, session: Session) -> bytes | None:
        """The state vector by which a client sends what the server lacks; None while that could not be taken."""
        return None if self._refusal() else self._read(session, lambda document: document.state_vector())

    def edit(self, update: bytes, done: Callable[[], None]) -> None:
        """Take an edit of the server's own; `done` is called once it is committed. Raises as a client is refused."""
        if self.state is not State.ACTIVE:
            raise Overloaded("the document is not open for edits now, try again")
        if reason := self.guard.read_only:
            raise NotAllowed(reason)
        if not self._take_edit(Edit((update,), None, None, done=done)):
            raise TooLarge("an edit of the server's own is taken at once, and this one is too large for that")

    def flush(self) -> Flush:
        """Hand what was gathered to the absent; what is to be stored, and handed to the audience, comes back."""
        if self._present_changed:
            self._flush_presence()
        gathered, self._gathered = self._gathered, []
        batch = make_batch(self.committed_seq, gathered)
        if gathered:
            for session in self.audience.absent:
                session.put_batch(batch)
        return Flush(self._take_meta() if gathered and self._meta_due else None, batch)

    def committed(self, count: int, last_seq: int) -> None:
        """The next `count` updates that `flush` gave are on the disk, the last of them as `last_seq`."""
        self.recent.extend(self.uncommitted.commit(count))
        self.committed_seq = last_seq

    def opened(self, session: Session, opening: Open) -> Opened | None:
        """What opens a session; None while the document has to be loaded, or where the session was closed instead."""
        return self._read(session, lambda document: self._open(session, opening, document), opening.state_vector)

    def difference(self, session: Session, state_vector: bytes) -> Updates | None:
        """What a session that was at this state vector lacks; None as with `opened`."""

        lacking = self._read(session, lambda document: self.openings.lacking(state_vector, document), state_vector)
        return None if lacking is None else Updates(session.channel, self.committed_seq, (lacking,))

    def reload(self, document: Document, *, size_bytes: int) -> None:
        """Go on with a copy that was just loaded, of all that was taken."""
        self.state = transition(self.state, "loaded")
        self._document, self._at_rest = document, None
        self.size_bytes = size_bytes
        for session in self.sessions:
            session.retry()
        for session, message in self._held.take_all():
            if session.closed:
                continue
            if self.state is State.ACTIVE:
                self._receive_update(session, message)
            else:
                self._hold(session, message)

    def drain(self) -> None:
        """Take no more edits; what is on its way still gets its SAVED."""
        if self.state in BUSY:  # which it will not end
            for session in self.sessions:
                session.give_up(Overloaded("the document is being closed, open it again"))
        self.state = transition(self.state, "drain")

    def close(self, error: ProtocolError) -> None:
        """End every session with a reason."""
        self.state = transition(self.state, "close")
        for session in self.sessions:
            session.close(error)
        self.sessions.clear()

    def _read(self, session: Session, read: Callable[[_Source], _Found], has: bytes | None = b"") -> _Found | None:
        """`has` is the state vector of a client that is told what it lacks, None before it has said that."""
        document = self._document if self.state in READABLE else self._at_rest if has in (None, NOTHING) else None
        if document is None:
            return None
        try:
            found, took_s = self.guard.read_much(lambda: read(document))
            session.took_s += took_s
            return found
        except ProtocolError as error:
            session.close(error)
        except DocumentBroken:
            if self.state is State.LOADING:  # what is stored is damaged: whoever loads it says so
                self._at_rest = None
            else:
                self._break()
                session.close(Overloaded("the document could not be read, open it again"))
        return None

    def _open(self, session: Session, opening: Open, document: _Source) -> Opened:
        if opening.epoch is not None and opening.epoch != self.epoch:
            raise EpochDiffers("this copy belongs to another life of the document (deleted and made anew, or restored)")
        update, resumed = self.openings.update_for(opening, document, self.recent, lambda: self.uncommitted.updates)
        return Opened(
            *(session.channel, self.epoch, session.mode, self.committed_seq, resumed, self._server),
            document.state_vector(),
            *self.openings.encode(update, opening.accepts),
        )

    def _receive_update(self, session: Session, message: Update) -> None:
        try:
            if session.is_paced or len(message.update) > SHORT_BYTES:
                self._put_off(session, message)
                return
            # Clients of some dialects say all they have in every sync, whether they may write or not.
            if (reason := self._why_read_only(session)) and not self._read(
                session, lambda _: self._document.holds(message.update)
            ):
                raise NotAllowed(reason)
            if self._is_next(session):
                if self._take_edit(Edit((message.update,), None, session, message.id)):
                    session.asked_to_resync = False
                else:
                    self._put_off(session, message)
        except ProtocolError as error:
            session.refuse(message.id, error)

    def _receive_in_steps(self, session: Session, message: Update) -> Steps[None]:
        update = message.update
        try:
            if (reason := self._why_read_only(session)) and not (
                yield from self.guard.read_in_steps(self._document.holds_in_steps(update))
            ):
                raise NotAllowed(reason)
            if self._is_next(session):
                self._check_room_for(update)
                is_new, info, longest_s = yield from self.guard.apply_in_steps(self._document, update)
                session.is_paced = longest_s > LONG_S
                self.was_slow = self.was_slow or session.is_paced
                self._note_taken(Edit((update,), info, session, message.id), is_new=is_new)
                session.asked_to_resync = False
        except DocumentBroken as error:
            self.was_slow = self.was_slow or isinstance(error, TooSlow)
            self._break()
            session.refuse(message.id, Malformed(error.told))
        except ProtocolError as error:
            session.refuse(message.id, error)
        except Exception:
            self._break()
            session.close(Overloaded("the server made a mistake, open the document again"))
            raise

    def _put_off(self, session: Session, message: Update) -> None:
        """Leave it to `take_held`."""
        self.state = transition(self.state, "takes")
        self._hold(session, message)

    def _must_wait(self, session: Session) -> bool:
        """Whether an edit has to wait: for one before it, or until it can be looked up in the document."""
        return self.state is State.LOADING or session in self._held or self._why_read_only(session) is not None

    def _is_next(self, session: Session) -> bool:
        """Whether an edit is what its session has to send now."""
        if session.must_resync:
            return False
        if session.must_reopen:
            raise Overloaded("an edit before this one could not be saved: open again, and send what is missing")
        return True

    def _why_read_only(self, session: Session) -> str | None:
        if not session.grant.allows(Action.WRITE):
            return "this document is open for reading only"
        return self.guard.read_only

    def _take_edit(self, edit: Edit) -> bool:
        """False where it takes several steps."""
        (update,) = edit.updates
        self._check_room_for(update)
        try:
            applied = self.guard.apply(self._document, update)
        except DocumentBroken as error:
            self._break()
            raise Malformed(error.told) from error
        if applied is None:
            return False
        is_new, edit.info = applied
        self._note_taken(edit, is_new=is_new)
        return True

    def _check_room_for(self, update: bytes) -> None:
        if reason := self._refusal():
            raise Overloaded(reason)
        if self.size_bytes + len(update) > self._limits.document_bytes:
            raise TooLarge(f"the document would pass its limit of {self._limits.document_bytes} bytes")

    def _note_taken(self, edit: Edit, *, is_new: bool) -> None:
        if is_new:
            self.openings.forget()
            self.size_bytes += sum(map(len, edit.updates))
            self._gathered.append(edit)
            assert edit.info is not None
            # Reading it costs as much as taking a letter, and letters are most of what comes.
            self._meta_due = self._meta_due or not edit.info.is_text
        self.uncommitted.put(edit, is_new=is_new)

    def _take_meta(self) -> Meta | None:
        if self.state not in READABLE:
            return None
        try:
            meta, self._meta_due = self.guard.read(self._document.take_meta), False
            return meta
        except DocumentBroken:
            self._break()
            return None

    def _flush_presence(self) -> None:
        changed, self._present_changed = self._present_changed, set()
        entries = self.awareness.encode_each(changed)
        if entries:
            announcement = Announcement(entries, self.awareness.owners(entries))
            for session in self.sessions:
                session.put_announcement(announcement)

    def _break(self) -> None:
        if self.state in (State.ACTIVE, State.TAKING):
            self.state = transition(self.state, "broke")
            self.openings.forget()

    def _hold(self, session: Session, message: Update) -> None:
        if not self._held.put(session, message):
            session.close(Overloaded("too much waits for this document, try again"))
        elif self._held.is_much(session):
            session.reader.hold_back()
