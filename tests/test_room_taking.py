"""A large edit is taken in steps: others write on meanwhile, nobody reads what is half done, nothing is lost."""

from collections.abc import Callable

import pytest
from pycrdt import Text

from collabdoc.config import Limits
from collabdoc.document import Document
from collabdoc.errors import DocumentBroken, Malformed, Overloaded
from collabdoc.guard import Guard
from collabdoc.life import State
from collabdoc.protocol.messages import Closed, Opened, Rejected, Saved
from collabdoc.protocol.pieces import SHORT_BYTES, WHOLE_JUMPS, WHOLE_STRUCTS
from collabdoc.quarantine import Quarantined
from collabdoc.room import Room
from collabdoc.steps import Steps
from collabdoc.underway import Underway, Work
from tests.protocol.crafting import after, first, section, update
from tests.world import Person, World

LETTERS = 300
LARGE = update(section(1, 0, first("0"), *(after(1, number, "x") for number in range(LETTERS - 1))))
NEXT = update(section(1, LETTERS, after(1, LETTERS - 1, "!")))


@pytest.fixture(autouse=True)
def a_piece_in_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collabdoc.guard.STEP_S", 0.0)


def take(steps: Steps[None], count: int) -> None:
    for _ in range(count):
        next(steps)


def test_others_write_between_two_steps_and_its_author_after_it(world: World, alice: Person, bob: Person) -> None:
    alice.sends(LARGE)
    steps = world.room.take_held()
    take(steps, 2)
    alice.sends(NEXT)
    bob.types("meanwhile ")
    assert list(world.room.flush().batch.updates) == [bob.sent[1]]
    for _ in steps:
        pass
    assert list(world.room.flush().batch.updates) == [LARGE, NEXT]
    assert world.room.state is State.ACTIVE


VALUE = update(section(9, 0, b"\x28\x01\x01m\x01k\x01\x7d\x01"))
ANOTHER = b"\xa8\x09\x00\x01\x7d\x02"
"""In the place of that, which is deleted by it."""
SLOWLY = update(section(1, 0, ANOTHER, *(after(1, number, "x") for number in range(LETTERS - 1))))
INTO_VALUE = update(section(8, 0, b"\x08\x00\x09\x00\x01\x7d\x03"))


def test_what_might_build_on_a_half_taken_edit_gets_into_the_log_behind_it(world: World, alice: Person) -> None:
    """yrs takes something into what is no type where that was deleted: behind it in the log, it could not be read."""
    bob, mallory = world.person("bob"), world.person("mallory")
    alice.sends(VALUE)
    alice.sends(SLOWLY)
    steps = world.room.take_held()
    take(steps, 3)
    mallory.sends(INTO_VALUE)
    same_clocks = update(section(1, 0, first("mine")))
    bob.sends(same_clocks)
    for _ in steps:
        pass
    taken = world.room.flush().batch.updates
    assert list(taken) == [VALUE, SLOWLY, INTO_VALUE]
    again = Document(tail=taken)
    assert again.clocks == world.room.clocks
    assert again.diff(b"\x00") == world.room._document.diff(b"\x00")


def test_its_author_gets_saved_after_the_commit(world: World, alice: Person) -> None:
    alice.sends(LARGE)
    alice.sends(NEXT)
    world.turn()
    assert not alice.heard_of(Saved)
    world.commit()
    world.turn()
    assert alice.last(Saved).id == 2


def test_nobody_reads_what_is_half_done(world: World, alice: Person) -> None:
    alice.sends(LARGE)
    steps = world.room.take_held()
    take(steps, 3)
    carol = world.person("carol")
    assert carol.heard == []
    for _ in steps:
        pass
    carol.hears()
    assert carol.heard_of(Opened)
    assert len(str(carol.doc.get("t", type=Text))) == LETTERS


def test_what_is_given_up_halfway_leaves_no_trace_and_costs_nobody_else_an_edit() -> None:
    world = World(Limits(apply_s=1e-9))
    alice, bob = world.person("alice"), world.person("bob")
    alice.sends(LARGE)
    steps = world.room.take_held()
    take(steps, 1)
    bob.types("bob ")
    for _ in steps:
        pass
    assert world.room.state is State.LOADING
    world.turn()
    world.commit()
    assert (alice.last(Closed).code, alice.last(Rejected).id) == (4400, 1)
    world.room.reload(Document(b"\x00\x00", world.disk), size_bytes=10)
    world.settle()
    assert world.text_on_disk() == bob.text == "bob "


def test_what_another_edit_breaks_halfway_is_taken_after_the_document_was_loaded_anew(
    world: World, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.sends(LARGE)
    steps = world.room.take_held()
    take(steps, 2)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise DocumentBroken("a panic")

        patch.setattr(Document, "apply", fail)
        bob.types("poison")
    for _ in steps:
        pass
    assert world.room.state is State.LOADING
    assert not alice.heard_of(Rejected)
    world.room.reload(Document(), size_bytes=0)
    world.turn()
    world.commit()
    world.turn()
    assert alice.last(Saved).id == 1
    assert world.disk == [LARGE]


def test_what_was_half_taken_as_the_document_broke_is_not_mixed_up_with_what_came_after(
    world: World, alice: Person, bob: Person
) -> None:
    """Between two steps may be seconds of rest: the document is loaded anew in them, and takes something again."""
    alice.sends(LARGE)
    steps = world.room.take_held()
    take(steps, 2)
    world.room._break()
    world.room.reload(Document(), size_bytes=0)
    alice.sends(NEXT)
    assert world.room.state is State.TAKING
    for _ in steps:
        pass
    for _ in world.room.take_held():
        pass
    assert list(world.room.flush().batch.updates) == [LARGE, NEXT]
    assert world.room._document.clocks == {1: LETTERS + 1}


@pytest.mark.parametrize("end", [Room.drain, lambda room: room.close(Overloaded("gone"))], ids=["drain", "close"])
def test_a_room_that_ends_meanwhile_takes_no_more_of_it(
    world: World, alice: Person, end: Callable[[Room], None]
) -> None:
    alice.sends(LARGE)
    steps = world.room.take_held()
    take(steps, 2)
    end(world.room)
    for _ in steps:
        pass
    assert not world.room.wants_flush
    assert not alice.heard_of(Saved)


def test_an_unforeseen_fault_closes_its_author_and_the_document_is_loaded_anew(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(Document, "apply_piece", fault)
    alice.sends(LARGE)
    with pytest.raises(ValueError, match="ours"):
        world.turn()
    alice.hears()
    assert alice.last(Closed).code == 1013
    assert world.room.state is State.LOADING


def text_of(size: int) -> bytes:
    """An update of so many bytes that holds one text."""
    letters = size - len(update(section(1, 0, first("a" * 1_000)))) + 1_000
    crafted = update(section(1, 0, first("a" * letters)))
    assert len(crafted) == size
    return crafted


@pytest.mark.parametrize(
    ("sent", "is_long"),
    [
        (text_of(SHORT_BYTES), False),
        (text_of(SHORT_BYTES + 1), True),
        (update(section(1, 0, first("0"), *(after(1, number, "x") for number in range(WHOLE_STRUCTS - 1)))), False),
        (update(section(1, 0, first("0"), *(after(1, number, "x") for number in range(WHOLE_STRUCTS)))), True),
        (update(section(1, 0, *[first("0")] * WHOLE_JUMPS)), False),
        (update(section(1, 0, *[first("0")] * (WHOLE_JUMPS + 1))), True),
    ],
)
def test_an_edit_that_takes_little_is_taken_at_once(world: World, alice: Person, sent: bytes, *, is_long: bool) -> None:
    alice.sends(sent)
    assert (world.room.state is State.TAKING) is is_long
    world.settle()
    assert world.disk == [sent]


def test_short_pieces_share_a_step(world: World, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collabdoc.guard.STEP_S", 60.0)
    alice.sends(update(section(1, 0, *[first("0")] * 100)))
    assert len(list(world.room.take_held())) == 1


def test_who_has_much_to_be_taken_takes_turns_with_others(world: World, alice: Person, bob: Person) -> None:
    edits = [update(section(1, 4 * number, *[first("0")] * (WHOLE_JUMPS + 1))) for number in range(3)]
    for each in edits:
        alice.sends(each)
    assert bob.session is not None
    bob.session.is_paced = True
    bob.types("b")
    bob.types("c")
    for _ in world.room.take_held():
        pass
    assert list(world.room.flush().batch.updates) == [edits[0], bob.sent[1], edits[1], bob.sent[2], edits[2]]


def slow_guard(monkeypatch: pytest.MonkeyPatch, took_s: Callable[[], float]) -> None:
    def apply_in_steps(guard: Guard, document: Document, sent: bytes) -> Steps[object]:
        yield
        applied = guard.apply(document, sent)
        assert applied is not None
        return (*applied, took_s())

    monkeypatch.setattr(Guard, "apply_in_steps", apply_in_steps)


def test_edits_that_take_long_are_left_to_the_steps_until_one_does_not(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    took_s = [0.3, 0.3, 0.001]
    slow_guard(monkeypatch, lambda: took_s.pop(0))
    assert alice.session is not None
    alice.session.is_paced = True  # as its driver says that was held up over one
    for number, is_taken_at_once in enumerate([False, False, False, True], 1):
        alice.types(str(number))
        assert (world.room.state is not State.TAKING) is is_taken_at_once
        world.turn()
    assert world.room.was_slow
    assert world.person("mallory, again").session.is_paced  # type: ignore[union-attr]  # it has one
    assert alice.text == "1234"


def test_what_waits_behind_a_large_edit_is_bounded_for_its_author_alone() -> None:
    world = World(Limits(held_bytes=1_000, document_bytes=100_000))
    alice, bob = world.person("alice"), world.person("bob")
    alice.sends(text_of(4_100))
    steps = world.room.take_held()
    next(steps)
    assert alice.held_back == 1, "a large edit alone is much"
    small = update(section(1, 0, first("b" * 90)))
    for _ in range(1_000 // len(small)):
        alice.sends(small)
    assert alice.held_back == 1 + 1_000 // len(small)
    alice.hears()
    assert not alice.heard_of(Closed)
    alice.sends(small)
    alice.hears()
    assert alice.last(Closed).code == 1013
    bob.types("bob")
    assert list(world.room.flush().batch.updates) == [bob.sent[1]]


def test_all_that_waits_is_bounded_by_the_size_of_a_document() -> None:
    world = World(Limits(document_bytes=10_000))
    people = [world.person(name) for name in "abc"]
    for person in people:
        person.sends(text_of(4_100))
    closed = [person.session.closed is not None for person in people if person.session]
    assert closed == [False, False, True]


def test_the_pieces_of_an_update_in_quarantine_are_known_again() -> None:
    base = update(section(1, 0, first("a" * 2_000)))
    deletes = update(deletes={1: [(clock, 1) for clock in range(0, 2_000, 4)]})
    document = Document(base)
    info = document.check(deletes)
    *_, last = info.cut(deletes)
    quarantined = Quarantined(2)
    quarantined.add(Work("a", last))
    guard = Guard("a", Limits(), Underway(100_000), quarantined)
    with pytest.raises(Malformed, match="quarantine"):
        for _ in guard.apply_in_steps(document, deletes):
            pass
