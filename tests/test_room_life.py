"""The room's life: a document that fails and is loaded anew, edits of the server's own, draining, closing."""

from types import SimpleNamespace

import pytest
from pycrdt import Doc, Text

from collabdoc.awareness import Entry, encode
from collabdoc.config import Limits
from collabdoc.document import EMPTY_UPDATE, Document, Meta, make_meta, merge
from collabdoc.errors import DocumentBroken, Overloaded
from collabdoc.life import TRANSITIONS, State, transition
from collabdoc.protocol.messages import Awareness, Closed, Open, Opened, Saved, Updates
from collabdoc.protocol.update import UpdateInfo
from tests.limits import bounds
from tests.protocol.crafting import after, first, section, update
from tests.server.wire import typed
from tests.world import Person, World


class _Fragile(Document):
    """A document in which pycrdt fails on demand."""

    broken = False

    def apply(self, update: bytes, info: UpdateInfo) -> bool:
        if self.broken:
            raise DocumentBroken("a panic")
        return super().apply(update, info)

    def diff(self, state_vector: bytes) -> bytes:
        if self.broken:
            raise DocumentBroken("a panic")
        return super().diff(state_vector)


def test_after_a_panic_the_document_is_loaded_anew_and_nobody_else_loses_an_edit(
    world: World, alice: Person, bob: Person
) -> None:
    alice.types("before ")
    world.turn()
    fragile = _Fragile(merge(world.disk + world.on_the_way[0]))
    fragile.broken = True
    world.room._document = fragile
    bob.types("poison")
    assert world.room.state is State.LOADING
    alice.types("meanwhile")
    carol = world.person("carol")
    world.turn()
    world.commit()
    assert bob.last(Closed).code == 4400
    assert carol.heard == []
    world.room.reload(Document(merge(world.disk)), size_bytes=10)
    world.turn()
    world.commit()
    world.turn()
    assert alice.text == carol.text == "before meanwhile"
    assert alice.last(Saved).id == 2


@bounds("apply_s")
@pytest.mark.parametrize(("apply_s", "is_taken"), [(0.999, False), (1.0, True)])
def test_an_update_that_takes_too_long_is_given_up_and_nobody_else_loses_an_edit(
    monkeypatch: pytest.MonkeyPatch, apply_s: float, *, is_taken: bool
) -> None:
    """Of 301 letters in 4 pieces, each of which takes 0.25 s of the processor."""
    took_s, apply_piece = 0.0, Document.apply_piece

    def take_time(document: Document, piece: bytes, info: UpdateInfo) -> bool:
        nonlocal took_s
        took_s += 0.25
        return apply_piece(document, piece, info)

    monkeypatch.setattr(Document, "apply_piece", take_time)
    monkeypatch.setattr("collabdoc.guard.time", SimpleNamespace(thread_time=lambda: took_s, monotonic=lambda: took_s))
    world = World(Limits(apply_s=apply_s))
    alice, bob = world.person("alice"), world.person("bob")
    alice.types("before ")
    world.settle()
    pieces = section(1, 0, first("0"), *(after(1, number, "x") for number in range(300)))
    bob.sends(update(pieces))
    assert world.room.state.name == "TAKING"
    world.turn()
    assert (world.room.state is State.ACTIVE) is is_taken
    if not is_taken:
        assert (bob.last(Closed).code, "takes more than" in bob.last(Closed).reason) == (4400, True)
        world.room.reload(Document(merge(world.disk)), size_bytes=10)
    alice.types("after")
    world.turn()
    assert alice.text == "before after"


def test_who_opens_while_a_document_loads_hears_nothing_before_opened(world: World, alice: Person, bob: Person) -> None:
    alice.types("before ")
    world.settle()
    bob.leaves()
    alice.types("missed ")
    world.turn()
    world.commit()
    world.turn()
    alice.types("gathered ")
    world.room._break()
    heard = len(bob.heard)
    bob.opens()
    alice.is_present(encode([Entry(5, 1, b"{}")]))
    world.turn()
    world.commit()
    assert bob.heard[heard:] == [], "an UPDATE would carry a watermark that is not true of this client yet"
    world.room.reload(Document(merge(world.disk)), size_bytes=10)
    bob.hears()
    assert [type(message) for message in bob.heard[heard:]] == [Opened, Awareness]
    assert bob.text == alice.text == "before missed gathered "


def test_who_reads_what_pycrdt_fails_over_is_closed(world: World, alice: Person) -> None:
    fragile = _Fragile()
    fragile.broken = True
    world.room._document = fragile
    world.room.openings.forget()
    carol = world.person("carol")
    assert carol.last(Closed).code == 1013
    assert world.room.state is State.LOADING
    assert alice.heard_of(Closed) == []


def test_an_edit_before_opened_is_taken(world: World, alice: Person) -> None:
    world.room._break()
    carol = world.person("carol")
    carol.types("early ")
    carol.sends(carol.doc.get_update())
    world.room.reload(Document(merge(world.disk)), size_bytes=10)
    world.settle()
    assert alice.text == carol.text == "early "


def test_an_edit_that_waits_for_the_document_is_taken_though_its_author_has_left(
    world: World, alice: Person, bob: Person
) -> None:
    world.room._break()
    bob.types("parting words")
    bob.leaves()
    world.room.reload(Document(merge(world.disk)), size_bytes=10)
    world.settle()
    assert alice.text == "parting words"


def test_a_room_that_is_being_closed_opens_for_nobody(world: World, alice: Person) -> None:
    world.room.drain()
    assert world.person("carol").last(Closed).code == 1013
    world.room.close(Overloaded("gone"))
    assert world.person("dave").last(Closed).code == 1013


@bounds("held_bytes")
def test_what_is_held_while_a_document_loads_is_bounded() -> None:
    update = typed("x" * 100)
    world = World(Limits(held_bytes=2 * len(update)))
    alice = world.person("alice")
    world.room._break()
    for _ in range(3):  # the first may have any size
        alice.sends(update)
    alice.hears()
    assert alice.is_open
    alice.sends(b"\x00\x00")
    alice.hears()
    assert alice.last(Closed).code == 1013


def test_an_edit_of_the_server_reaches_everyone_and_reports_its_commit(world: World, alice: Person) -> None:
    doc: Doc[Text] = Doc()
    doc.get("content", type=Text).insert(0, "from the server")
    done: list[bool] = []
    world.room.edit(doc.get_update(), lambda: done.append(True))
    world.turn()
    assert alice.text == "from the server"
    assert done == []
    world.commit()
    assert done == [True]


def test_a_draining_room_acknowledges_what_it_took_and_takes_no_more(world: World, alice: Person) -> None:
    alice.types("a")
    world.turn()
    world.room.drain()
    alice.types("b")
    with pytest.raises(Overloaded):
        world.room.edit(b"\x00\x00", lambda: None)
    world.commit()
    world.turn()
    assert alice.last(Saved).id == 1
    assert len(world.disk) == 1


def test_a_closed_room_tells_everyone_why(world: World, alice: Person, bob: Person) -> None:
    world.room.close(Overloaded("gone"))
    for person in (alice, bob):
        person.hears()
        assert person.last(Closed).reason == "gone"


def test_a_state_vector_that_claims_millions_is_refused(world: World, alice: Person) -> None:
    assert alice.session is not None
    world.room.leave(alice.session)
    world.room.join(alice.session, Open(1, "notes/today", b"\xff\xff\xff\x3f\x01"))
    alice.hears()
    assert alice.last(Closed).code == 4400


def test_the_life_of_a_room_is_one_table() -> None:
    assert transition(State.ACTIVE, "broke") is State.LOADING
    with pytest.raises(KeyError):
        transition(State.CLOSED, "loaded")
    assert not [state for state, _ in TRANSITIONS if state is State.CLOSED]


def test_a_title_set_as_the_document_broke_is_stored_with_the_next_edit_and_not_lost_with_presence() -> None:
    world = World()
    ana = world.person("ana")
    ana.sends(make_meta(title="T", kind="text"))
    world.room._break()
    world.turn()
    world.commit()
    world.room.reload(Document(EMPTY_UPDATE, world.disk), size_bytes=0)
    ana.is_present(encode([Entry(7, 1, b"{}")]))
    assert world.room.flush().meta is None, "nothing is stored with it"
    ana.types("a")
    assert world.room.flush().meta == Meta("T", "text")


def test_what_broke_is_not_read_while_it_drains_and_who_waits_for_it_is_closed() -> None:
    world = World()
    world.person("ana").types("a")
    world.turn()
    world.commit()
    world.room._break()
    bob = world.person("bob")
    world.room.drain()
    bob.hears()
    assert [message.code for message in bob.heard_of(Closed)] == [1013]
    assert bob.heard_of(Opened) == []


def test_an_edit_that_is_half_taken_as_the_server_ends_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collabdoc.guard.STEP_S", 0.0)
    world = World()
    ana, bob = world.person("ana"), world.person("bob")
    ana.sends(update(section(1, 0, first("0"), *(after(1, number, "x") for number in range(300)))))
    taking = world.room.take_held()
    for _ in range(2):
        next(taking)
    world.room.drain()
    assert bob.session is not None
    bob.session.put_difference(b"\x00")
    bob.hears()
    assert (bob.text, bob.heard_of(Updates)) == ("", [])
    world.room.close(Overloaded("gone"))
    bob.hears()
    assert bob.last(Closed).code == 1013
