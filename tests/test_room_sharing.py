"""What clients that open a document at the same state share, and what nobody shares by mistake."""

import pytest

from collabdoc.document import Document
from collabdoc.protocol.messages import Opened
from tests.world import Person, World


@pytest.fixture
def diffs(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The state vectors for which a difference was made."""
    asked: list[bytes] = []
    make = Document.diff

    def diff(document: Document, state_vector: bytes) -> bytes:
        asked.append(state_vector)
        return make(document, state_vector)

    monkeypatch.setattr(Document, "diff", diff)
    return asked


def written(world: World, text: str) -> Person:
    alice = world.person("alice")
    alice.types(text)
    world.settle()
    return alice


def test_newcomers_that_come_together_cost_one_difference(diffs: list[bytes]) -> None:
    world = World()
    written(world, "hello")
    diffs.clear()
    people = [world.person(f"p{number}") for number in range(100)]
    world.settle()
    assert {person.text for person in people} == {"hello"}
    assert diffs == [b"\x00"]


def test_an_edit_between_two_newcomers_reaches_the_second(diffs: list[bytes]) -> None:
    world = World()
    alice = written(world, "hello")
    world.person("bob")
    world.turn()
    alice.types("!")
    late = world.person("late")
    world.turn()
    assert late.text == alice.text
    world.settle()
    assert world.everyone_agrees()


def test_clients_that_come_back_together_share_the_tail() -> None:
    world = World()
    alice = written(world, "hello")
    people = [world.person(f"p{number}") for number in range(5)]
    world.settle()
    for person in people:
        person.loses_the_line()
    alice.types(" again")
    world.settle()
    opened = [person.last(Opened) for person in people]
    assert all(each.resumed for each in opened)
    assert len({id(each.update) for each in opened}) == 1
    assert world.everyone_agrees()


def test_who_comes_with_edits_of_its_own_gets_its_own_difference(diffs: list[bytes]) -> None:
    world = World()
    written(world, "hello")
    bob = world.person("bob")
    world.settle()
    bob.loses_the_line()
    bob.epoch = bob.seq = None
    diffs.clear()
    bob.opens()
    world.person("carol")
    world.settle()
    assert diffs == [bob.doc.get_state()], "carol's is still the one that bob got as a newcomer"
    assert world.everyone_agrees()


def test_what_was_shared_is_given_back(diffs: list[bytes]) -> None:
    world = World()
    written(world, "hello")
    diffs.clear()
    for name in ("bob", "carol"):
        world.person(name)
        world.turn()
        world.room.openings.forget()
    assert len(diffs) == 2
    assert not world.room.openings


def test_only_a_few_states_are_remembered() -> None:
    world = World()
    written(world, "hello")
    for client in range(100):
        person = world.person(f"p{client}")
        person.loses_the_line()
        person.epoch = person.seq = None
        person.content.insert(0, "own")
        person.opens()
        world.turn()
        assert len(world.room.openings) <= 8
