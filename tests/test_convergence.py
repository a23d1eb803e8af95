"""Several clients of one document, with cuts, delays, duplicates and crashes: all end with the same text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from collabdoc.config import Limits
from tests.world import Person, World

_STEPS = ("type", "type at once", "delete", "hear", "deaf", "cut", "open", "turn", "commit", "crash", "repeat", "burst")


@settings(max_examples=300, deadline=None)
@given(
    people=st.integers(2, 4),
    steps=st.lists(
        st.tuples(st.sampled_from(_STEPS), st.integers(0, 3), st.integers(0, 2**16)), min_size=15, max_size=80
    ),
    outbox_bytes=st.sampled_from([40, 400, 1_000_000]),
    resume_entries=st.sampled_from([1, 5, 1_000]),
)
def test_everyone_ends_with_the_same_text_and_nothing_saved_is_missing(
    people: int, steps: list[tuple[str, int, int]], outbox_bytes: int, resume_entries: int
) -> None:
    world = World(Limits(outbox_bytes=outbox_bytes, resume_entries=resume_entries))
    persons = [world.person(f"person {number}") for number in range(people)]
    for step, who, value in steps:
        _do(world, persons[who % people], step, value)
        assert step != "crash" or world.nothing_saved_is_missing()
    for person in persons:
        person.is_deaf = False
        person.hears()
    world.settle()
    assert world.everyone_agrees()
    assert world.nothing_saved_is_missing()


def _do(world: World, person: Person, step: str, value: int) -> None:
    length = len(person.text)
    match step:
        case "type":
            person.types("abcdefgh"[value % 8], at=value % (length + 1))
        case "type at once":
            person.types_at_once("abcdefgh"[value % 8] * (1 + value % 5), at=value % (length + 1))
        case "delete":
            if length:
                person.deletes(value % length, min(length, value % length + 1 + value % 3))
        case "hear":
            person.is_deaf = False
            person.hears()
        case "deaf":
            person.is_deaf = True
        case "cut":
            person.leaves()
        case "open":
            if person.session is None:
                person.opens()
        case "turn":
            world.turn()
        case "commit":
            world.commit()
        case "crash":
            world.crash()
        case "burst":  # more than a small outbox holds
            for letter in "xyz":
                person.types(letter)
                world.turn()
        case "repeat":
            if person.is_open:
                person.sends(person.doc.get_update())
