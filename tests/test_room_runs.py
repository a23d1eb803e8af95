"""Edits of one client that came together: taken in one go where they are key presses, and as any others elsewhere."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from collabdoc.auth import Permission
from collabdoc.config import Limits
from collabdoc.document import Document, make_update
from collabdoc.errors import DocumentBroken, MissingDependencies, NoSuchDocument, ProtocolError
from collabdoc.guard import Guard
from collabdoc.life import State
from collabdoc.protocol.messages import Rejected, Saved, Updates
from collabdoc.underway import Underway, Work
from tests.protocol.crafting import after, section, update
from tests.reliability.heavy import crowd
from tests.world import Person, World

BASE = make_update(lambda doc: doc.get("content", type=Text).insert(0, "base"))


@pytest.fixture
def alice(world: World) -> Person:
    alice = world.person("alice")
    alice.types("base ")
    world.settle()
    return alice


def test_letters_that_came_together_are_one_edit_for_peers_log_and_author(
    world: World, alice: Person, bob: Person
) -> None:
    world.settle()
    assert alice.types_at_once("letters") == 7
    sent = list(alice.sent.values())
    world.turn()
    assert bob.text == "base letters"
    (told,) = bob.last(Updates).updates
    assert len(told) == len(sent[0]) + 6, "all that each says of itself is said once"
    world.commit()
    world.turn()
    assert world.disk[1:] == [told]
    assert alice.last(Saved).id == 8
    assert alice.sent == {}
    assert world.room.size_bytes == sum(map(len, world.disk))
    alice.types("!")
    world.settle()
    assert (world.everyone_agrees(), bob.text) == (True, "base letters!")


def test_who_wrote_others_edits_in_the_same_turn_gets_those_alone(world: World, alice: Person, bob: Person) -> None:
    world.settle()
    alice.types_at_once("abc")
    bob.types_at_once("xyz", at=0)
    alice.types_at_once("de")
    world.turn()
    assert len(bob.last(Updates).updates) == 2
    assert len(alice.last(Updates).updates) == 1
    world.settle()
    assert world.everyone_agrees()
    assert alice.text == "xyzbase abcde"


def test_what_is_no_key_press_ends_the_run(world: World, alice: Person) -> None:
    assert alice.types_at_once("ab\N{PILE OF POO}c") == 2
    world.settle()
    assert world.everyone_agrees()
    assert alice.heard_of(Rejected) == []


def test_what_comes_again_is_not_taken_as_new(world: World, alice: Person) -> None:
    alice.types_at_once("abc")
    again = list(alice.sent.values())
    assert alice.sends_at_once(again) == 0
    world.settle()
    assert alice.last(Saved).id == 7
    assert len(world.disk) == 2


@pytest.mark.parametrize("why", ["id", "paced", "closed", "gone", "taking"])
def test_none_are_taken_in_one_go_where_they_are_not_simply_taken(world: World, alice: Person, why: str) -> None:
    session, letter = alice.session, Doc[Any]()
    assert session is not None
    letter.apply_update(alice.doc.get_update())
    state = letter.get_state()
    letter.get("content", type=Text).insert(5, "a")
    first_id = session.last_id + 1
    match why:
        case "id":
            first_id += 1
        case "paced":
            session.is_paced = True
        case "closed":
            world.room.close(NoSuchDocument("a test"))
        case "gone":
            world.room.leave(session)
        case "taking":
            world.room.state = State.TAKING
    assert world.room.receive_run(session, first_id, [letter.get_update(state)]) == 0
    assert world.room.flush().batch.updates == ()


def test_who_may_only_read_is_refused_each(world: World, alice: Person) -> None:
    carol = world.person("carol", Permission.READ)
    assert carol.types_at_once("abc") == 0
    world.settle()
    assert [rejected.code for rejected in carol.heard_of(Rejected)] == [4403] * 3


def test_while_nothing_can_be_written_each_is_refused(world: World, alice: Person) -> None:
    world.refusal = "the disk is full"
    assert alice.types_at_once("abc") == 0
    world.turn()
    assert [rejected.id for rejected in alice.heard_of(Rejected)] == [2, 3, 4]
    assert alice.heard_of(Rejected)[0].reason == "the disk is full"


def test_what_passes_the_limit_of_the_document_is_taken_one_by_one_up_to_it() -> None:
    world = World(Limits(document_bytes=200))
    alice = world.person("alice")
    alice.types("base ")
    world.settle()
    assert alice.types_at_once("letters and more") == 0
    world.settle()
    assert 150 < world.room.size_bytes <= 200
    assert {rejected.code for rejected in alice.heard_of(Rejected)} == {4413}


def test_a_limit_of_edits_below_a_key_press_holds_for_them_too() -> None:
    guard = Guard("a", Limits(update_bytes=20), Underway(20), None)
    count, _, _ = guard.apply_keystrokes(Document(BASE), _letters("ab"))
    assert count == 0


def test_after_an_edit_that_waits_for_another_nothing_is_taken(world: World, alice: Person) -> None:
    session = alice.session
    assert session is not None
    session.resyncs = True
    session.refuse(2, MissingDependencies("a test"))
    assert session.must_resync
    assert alice.types_at_once("abc") == 0


def test_where_each_takes_long_the_next_waits_for_others_to_have_their_turn() -> None:
    size = 20_000  # of which each letter takes 3 ms
    document, underway = Document(crowd(size)), Underway(100)
    letters = [update(section(client, 0, after(1, 0, "a"))) for client in range(2, 18)]
    count, _, _ = Guard("a", Limits(), underway, None).apply_keystrokes(document, letters)
    assert count == 1
    assert document.clocks == {1: size, 2: 1}
    assert underway.take() is None


def test_the_watchdog_finds_the_one_that_is_under_way() -> None:
    underway, seen = Underway(100), list[Work | None]()

    class Watched(Document):
        def apply_keystrokes(self, updates: Any, begin: Any) -> Any:
            def begin_and_look(update: bytes) -> bool:
                is_begun = begin(update)
                seen.append(underway.take())
                return bool(is_begun)

            return super().apply_keystrokes(updates, begin_and_look)

    letters = [letter for author in (_letters("abc"), _letters("d")) for letter in author]
    count, applied, _ = Guard("a", Limits(), underway, None).apply_keystrokes(Watched(BASE), letters)
    assert (count, len(applied)) == (4, 2)
    assert seen == [Work("a", update) for update in applied]


class _Fragile(Document):
    """Fails over several at once."""

    def apply_keystrokes(self, updates: Any, begin: Any) -> Any:
        super().apply_keystrokes(updates, begin)
        raise DocumentBroken("a panic")


def test_when_pycrdt_fails_over_several_they_are_taken_one_by_one(world: World, alice: Person) -> None:
    world.room._document = _Fragile(world.disk[0])
    assert alice.types_at_once("abc") == 0
    assert world.room.state is State.LOADING
    world.room.reload(Document(world.disk[0]), size_bytes=10)
    world.settle()
    assert alice.last(Saved).id == 4
    assert world.text_on_disk() == "base abc"


def _letters(text: str) -> list[bytes]:
    doc: Doc[Any] = Doc()
    doc.apply_update(BASE)
    return _edited(doc, [(4 + place, letter) for place, letter in enumerate(text)])


def _edited(doc: "Doc[Any]", edits: list[tuple[int, str]]) -> list[bytes]:
    """The update of each edit; one without a letter deletes the one that is there."""
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(event.update))
    content = doc.get("content", type=Text)
    for at, letter in edits:
        text = str(content)
        place = at % (len(text) + 1)
        start = len(text[:place].encode())
        if letter:
            content.insert(start, letter)
        elif place < len(text):
            del content[start : start + len(text[place].encode())]
    doc.unobserve(subscription)
    return made


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.sampled_from(["a", "ü", "two", "", "typed on", "слово 字", "😀"])), max_size=25
    ),
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["x", ""])), max_size=5),
)
def test_a_document_is_the_same_whether_they_are_taken_together_or_one_by_one(
    typed: list[tuple[int, str]], others: list[tuple[int, str]]
) -> None:
    typist, other = Doc[Any](), Doc[Any]()
    for doc in (typist, other):
        doc.apply_update(BASE)
    meanwhile = _edited(other, others)
    updates = _edited(typist, [(at + place, letter) for at, text in typed for place, letter in enumerate(text or [""])])
    together, apart, peer = Document(BASE, meanwhile), Document(BASE, meanwhile), Document(BASE)
    while updates:
        count, applied, info = together.apply_keystrokes(updates, lambda _: True)
        if not count:
            count, applied = 1, updates[:1]
            together.apply(updates[0], together.check(updates[0]))
        else:
            assert info.is_text
            assert {client: apart.clocks.get(client, 0) for client in info.starts} == info.starts
        for each in updates[:count]:
            apart.apply(each, apart.check(each))
        for each in applied:
            peer.apply(each, peer.check(each))
        assert together.clocks == apart.clocks
        updates = updates[count:]
    for each in meanwhile:
        peer.apply(each, peer.check(each))
    nothing = Document().state_vector()
    assert together.diff(nothing) == apart.diff(nothing) == peer.diff(nothing)


@given(
    st.lists(st.sampled_from("abc"), min_size=2, max_size=12),
    st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from(["spoil", "repeat", "drop", "swap"]), st.integers(0, 2**12))
    ),
)
def test_what_is_wrong_among_them_is_found_as_if_each_came_alone(
    letters: list[str], troubles: list[tuple[int, str, int]]
) -> None:
    updates = _letters("".join(letters))
    for place, trouble, value in troubles:
        at = place % len(updates)
        match trouble:
            case "spoil":
                spoilt = bytearray(updates[at])
                spoilt[value % len(spoilt)] ^= 1 << value % 7
                updates[at] = bytes(spoilt)
            case "repeat":
                updates.insert(at, updates[value % len(updates)])
            case "drop":
                updates[at:] = updates[at + 1 :] or updates[at:]
            case _:
                updates[0], updates[at] = updates[at], updates[0]
    together, apart = Document(BASE), Document(BASE)
    expected = [_take(apart, update) for update in updates]
    found: list[bool] = []
    while updates:
        count, _, _ = together.apply_keystrokes(updates, lambda _: True)
        found += [True] * count or [_take(together, updates[0])]
        updates = updates[count or 1 :]
    assert found == expected
    assert together.clocks == apart.clocks
    nothing = Document().state_vector()
    assert together.diff(nothing) == apart.diff(nothing)


def _take(document: Document, update: bytes) -> bool:
    """Whether it was taken, and new."""
    try:
        return document.apply(update, document.check(update))
    except ProtocolError:
        return False
