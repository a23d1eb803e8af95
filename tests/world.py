"""A small language for stories about one document: people who type, a room, and a disk, without sockets or clocks.

world = World()
alice, bob = world.person("alice"), world.person("bob")
alice.types("hi")
world.turn()
assert bob.reads() == "hi"
"""

from collections.abc import Iterable
from typing import Any

from pycrdt import Doc, Text

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.config import Limits
from collabdoc.document import EMPTY_UPDATE, Document
from collabdoc.guard import Guard
from collabdoc.life import State
from collabdoc.protocol.messages import Awareness, Closed, Open, Opened, Rejected, Saved, ServerMessage, Update, Updates
from collabdoc.protocol.update import has_structs
from collabdoc.room import Room
from collabdoc.session import Announcement, Batch, Session
from collabdoc.steps import finish
from collabdoc.underway import Underway

EPOCH = "0123456789abcdef"


class World:
    """One document on one server: `turn` ends a turn of the loop, `commit` lets the disk catch up."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.people: list[Person] = []
        self.disk: list[bytes] = []
        self.on_the_way: list[list[bytes]] = []
        self.refusal: str | None = None
        self.room = self._load()

    def person(self, name: str, permission: Permission = Permission.WRITE) -> "Person":
        person = Person(self, name, permission)
        self.people.append(person)
        person.opens()
        return person

    def turn(self) -> None:
        finish(self.room.take_held())
        flushed = self.room.flush()
        if flushed.batch.updates:
            self.on_the_way.append(list(flushed.batch.updates))
        for person in self.people:
            person.hears()

    def commit(self) -> None:
        """All that is on its way to the disk arrives there."""
        on_the_way, self.on_the_way = self.on_the_way, []
        for updates in on_the_way:
            self.disk += updates
            self.room.committed(len(updates), len(self.disk))

    def crash(self) -> None:
        """The server dies and starts again with what its disk holds."""
        self.on_the_way = []
        for person in self.people:
            person.loses_the_line()
        self.room = self._load()

    def settle(self) -> None:
        """Everybody is back, and everything has been said and saved."""
        for person in self.people:
            if person.session is None:
                person.opens()
        while (
            self.room.wants_flush
            or self.room.state is State.TAKING
            or self.on_the_way
            or any(person.has_mail for person in self.people)
        ):
            self.turn()
            self.commit()

    def everyone_agrees(self) -> bool:
        return len({person.text for person in self.people} | {self.text_on_disk()}) == 1

    def nothing_saved_is_missing(self) -> bool:
        """What was reported as saved adds nothing to what the disk holds."""
        doc: Doc[Any] = Doc()
        for update in self.disk:
            doc.apply_update(update)
        on_disk = doc.get_update()
        for person in self.people:
            for update in person.saved:
                doc.apply_update(update)
        return bool(doc.get_update() == on_disk)

    def text_on_disk(self) -> str:
        doc: Doc[Any] = Doc()
        for update in self.disk:
            doc.apply_update(update)
        return str(doc.get("content", type=Text))

    def _load(self) -> Room:
        return Room(
            "notes/today",
            EPOCH,
            Document(EMPTY_UPDATE, self.disk),
            seq=len(self.disk),
            recent=self.disk,
            size_bytes=sum(map(len, self.disk)),
            limits=self.limits,
            guard=Guard("notes/today", self.limits, Underway(self.limits.update_bytes), None),
            server="test",
            refusal=lambda: self.refusal,
        )


class Person:
    """A client with a replica of its own. What it is sent waits in its session until it `hears`."""

    def __init__(self, world: World, name: str, permission: Permission) -> None:
        self.world = world
        self.name = name
        self.permission = permission
        self.user = User()
        self.doc: Doc[Any] = Doc()
        self.content = self.doc.get("content", type=Text)
        self.doc.observe(self._note_edit)
        self.session: Session | None = None
        self.is_open = False
        self.is_deaf = False
        self.heard: list[ServerMessage] = []
        self.sent: dict[int, bytes] = {}
        self.saved: list[bytes] = []
        self.seq: int | None = None
        self.epoch: str | None = None
        self.held_back = 0
        self._mail = False
        self._applying = False
        self._together: list[bytes] | None = None

    @property
    def text(self) -> str:
        return str(self.content)

    @property
    def has_mail(self) -> bool:
        return self._mail and not self.is_deaf

    def reads(self) -> str:
        self.hears()
        return self.text

    def opens(self, *, asked_to_resync: bool = False) -> None:
        self.session = Session(
            1,
            Credentials(),
            Grant(self.user, self.permission),
            self,
            max_bytes=self.world.limits.outbox_bytes,
            asked_to_resync=asked_to_resync,
        )
        self.sent = {}
        message = Open(1, "notes/today", self.doc.get_state(), None, self.epoch, self.seq)
        self.world.room.join(self.session, message)
        self.hears()

    def leaves(self) -> None:
        if self.session is not None:
            self.world.room.leave(self.session)
        self.loses_the_line()

    def loses_the_line(self) -> None:
        self.session = None
        self.is_open = self._mail = False

    def types(self, text: str, at: int | None = None) -> None:
        self.content.insert(len(self.text.encode()) if at is None else at, text)

    def types_at_once(self, text: str, at: int | None = None) -> int:
        """Letter by letter, and what that makes arrives together; how many of them were taken in one go."""
        at = len(self.text.encode()) if at is None else at
        self._together = []
        for letter in text:
            self.content.insert(at, letter)
            at += len(letter.encode())
        together, self._together = self._together, None
        return self.sends_at_once(together)

    def sends_at_once(self, updates: list[bytes]) -> int:
        if self.session is None or not updates:
            return 0
        first_id = self.session.last_id + 1
        taken = self.world.room.receive_run(self.session, first_id, updates)
        self.sent |= dict(enumerate(updates[:taken], first_id))
        for update in updates[taken:]:
            self.sends(update)
        return taken

    def deletes(self, start: int, end: int) -> None:
        del self.content[start:end]

    def sends(self, update: bytes, id_: int | None = None) -> int:
        """Send raw bytes as an update; its id."""
        assert self.session is not None
        id_ = self.session.last_id + 1 if id_ is None else id_
        self.sent[id_] = update
        self.world.room.receive(self.session, Update(1, id_, update))
        return id_

    def is_present(self, awareness: bytes) -> None:
        assert self.session is not None
        self.world.room.receive(self.session, Awareness(1, awareness))

    def hears(self) -> None:
        """Take and understand what was sent, unless deaf."""
        if self.session is None or self.is_deaf:
            return
        self._mail = False
        of = self.session
        for message in of.take():
            if isinstance(message, Batch):
                own = message.own.get(of, ())
                others = tuple(update for place, update in enumerate(message.updates) if place not in own)
                message = Updates(1, message.seq, others)
            elif isinstance(message, Announcement):
                message = Awareness(1, message.update_for(of))
            self.heard.append(message)
            self._understand(message)
        if of.closed:
            self.world.room.leave(of)

    def last(self, kind: type[ServerMessage]) -> Any:
        """The last message of a kind that was heard."""
        return next(message for message in reversed(self.heard) if isinstance(message, kind))

    def heard_of(self, kind: type[ServerMessage]) -> list[Any]:
        return [message for message in self.heard if isinstance(message, kind)]

    def _understand(self, message: ServerMessage) -> None:
        match message:
            case Opened():
                self._apply([message.update])
                self.epoch, self.seq, self.is_open = message.epoch, message.seq, True
                lacking = self.doc.get_update(message.state_vector)
                if message.mode == "write" and (has_structs(lacking) or lacking != EMPTY_UPDATE):
                    self.sends(lacking)
            case Updates(_, seq, updates):
                self._apply(updates)
                assert self.seq is not None
                assert seq >= self.seq, "the watermark never falls"
                self.seq = seq
            case Saved(_, id_):
                self.saved += [update for sent_id, update in self.sent.items() if sent_id <= id_]
                self.sent = {sent_id: update for sent_id, update in self.sent.items() if sent_id > id_}
            case Rejected(_, id_):
                self.sent.pop(id_, None)
            case Closed():
                self.loses_the_line()
            case _:
                pass

    def _apply(self, updates: Iterable[bytes]) -> None:
        self._applying = True
        for update in updates:
            self.doc.apply_update(update)
        self._applying = False

    def _note_edit(self, event: Any) -> None:
        if self.is_open and not self._applying:
            if self._together is None:
                self.sends(event.update)
            else:
                self._together.append(event.update)

    def wake(self, _: Session) -> None:
        self._mail = True

    def hold_back(self) -> None:
        self.held_back += 1


__all__ = ["EPOCH", "Person", "State", "World"]
