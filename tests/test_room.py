"""The room: what it tells whom, what it leaves for the disk, and how it takes what is wrong."""

import pytest
from pycrdt import Doc, Text

from collabdoc.auth import Permission
from collabdoc.awareness import Entry, decode, encode
from collabdoc.config import Limits
from collabdoc.protocol.messages import Awareness, Closed, Opened, Rejected, Saved, Updates
from tests.limits import bounds
from tests.protocol.crafting import after, first, garbage, section, update
from tests.server.wire import text_of, typed
from tests.world import Person, World


def test_peers_get_an_edit_before_it_is_committed(world: World, alice: Person, bob: Person) -> None:
    alice.types("hi")
    world.turn()
    assert bob.text == "hi"
    assert world.disk == []


def test_an_author_gets_no_echo(world: World, alice: Person) -> None:
    alice.types("hi")
    world.turn()
    world.commit()
    world.turn()
    assert alice.heard_of(Updates) == []


def test_saved_comes_only_after_the_commit_and_covers_all_before_it(world: World, alice: Person) -> None:
    alice.types("a")
    alice.types("b")
    world.turn()
    assert alice.heard_of(Saved) == []
    world.commit()
    world.turn()
    assert [saved.id for saved in alice.heard_of(Saved)] == [2]


def test_edits_of_one_turn_leave_as_one_batch_shared_by_all_readers(world: World, alice: Person, bob: Person) -> None:
    carol = world.person("carol")
    bob.is_deaf = carol.is_deaf = True
    alice.types("a")
    alice.types("b")
    world.turn()
    assert bob.session is not None
    assert carol.session is not None
    (to_bob,), (to_carol,) = bob.session.take(), carol.session.take()
    assert to_bob is to_carol


def test_an_author_in_a_batch_gets_only_the_edits_of_others(world: World, alice: Person, bob: Person) -> None:
    alice.types("a")
    bob.types("b")
    world.turn()
    assert len(alice.last(Updates).updates) == 1
    assert len(bob.last(Updates).updates) == 1
    assert alice.text == bob.text


def test_the_log_gets_the_bytes_that_came(world: World, alice: Person) -> None:
    alice.types("hi")
    (sent,) = alice.sent.values()
    world.turn()
    world.commit()
    assert world.disk == [sent]


def test_a_newcomer_is_synced_by_one_message(world: World, alice: Person) -> None:
    alice.types("hi")
    world.turn()
    bob = world.person("bob")
    assert bob.text == "hi"
    assert len(bob.heard) == 1
    assert not bob.last(Opened).resumed


def test_the_watermark_tells_only_what_is_committed(world: World, alice: Person, bob: Person) -> None:
    alice.types("a")
    world.turn()
    assert bob.seq == 0
    world.commit()
    alice.types("b")
    world.turn()
    assert bob.seq == 1


def test_a_client_that_comes_back_gets_the_tail_of_the_log(world: World, alice: Person, bob: Person) -> None:
    alice.types("x" * 500)
    world.turn()
    world.commit()
    alice.types("a")
    world.turn()  # tells bob the watermark 1
    bob.loses_the_line()
    alice.types("b")
    world.turn()
    world.commit()
    bob.opens()
    opened = bob.last(Opened)
    assert opened.resumed
    assert len(opened.update) < 100
    assert bob.text == alice.text


def test_a_tail_includes_what_is_not_committed_yet(world: World, alice: Person, bob: Person) -> None:
    bob.leaves()
    bob.seq = 0
    alice.types("a")
    world.turn()
    bob.opens()
    assert bob.last(Opened).resumed
    assert bob.text == "a"
    assert bob.seq == 0


THREE = [typed("hello", client_id=number) for number in (1, 2, 3)]
SIZE = sum(map(len, THREE))


@bounds("resume_entries", "resume_bytes")
@pytest.mark.parametrize(
    ("limits", "resumed"),
    [
        (Limits(resume_entries=3), True),
        (Limits(resume_entries=2), False),
        (Limits(resume_bytes=SIZE), True),
        (Limits(resume_bytes=SIZE - 1), False),
    ],
)
def test_a_client_resumes_where_the_newest_entries_reach(limits: Limits, *, resumed: bool) -> None:
    world = World(limits)
    alice, bob = world.person("alice"), world.person("bob")
    bob.leaves()
    for each in THREE:
        alice.sends(each)
        world.turn()
        world.commit()
    bob.opens()
    assert bob.last(Opened).resumed is resumed
    assert bob.text == text_of(*THREE)


def test_a_watermark_that_the_log_no_longer_reaches_gets_a_difference() -> None:
    world = World(Limits(resume_entries=2))
    alice, bob = world.person("alice"), world.person("bob")
    bob.leaves()
    for letter in "abc":
        alice.types(letter)
        world.turn()
        world.commit()
    bob.opens()
    assert not bob.last(Opened).resumed
    assert bob.text == "abc"


def test_a_watermark_from_the_future_gets_a_difference(world: World, alice: Person, bob: Person) -> None:
    alice.types("a")
    world.turn()
    world.commit()
    bob.leaves()
    bob.seq = 999
    bob.opens()
    assert not bob.last(Opened).resumed
    assert bob.text == "a"


def test_a_client_of_another_life_is_told_so(world: World, alice: Person) -> None:
    alice.leaves()
    alice.epoch = "another life"
    alice.opens()
    assert alice.last(Closed).code == 4409
    assert alice.session is None


def test_an_update_with_nothing_new_is_saved_but_not_stored_or_relayed(
    world: World, alice: Person, bob: Person
) -> None:
    alice.types("a")
    (update,) = alice.sent.values()
    world.turn()
    id_ = bob.sends(update)
    world.turn()
    assert bob.heard_of(Saved) == [], "what it repeats is not committed yet"
    world.commit()
    world.turn()
    assert bob.last(Saved).id == id_
    assert len(world.disk) == 1
    assert alice.heard_of(Updates) == []
    later = bob.sends(update)
    world.turn()
    assert bob.last(Saved).id == later


def test_a_slow_reader_loses_its_queue_and_gets_one_difference() -> None:
    world = World(Limits(outbox_bytes=2_000))
    alice, bob = world.person("alice"), world.person("bob")
    alice.types("start ")
    world.turn()
    bob.is_deaf = True
    for number in range(200):
        alice.types(f"{number:04} ")
        alice.deletes(0, 1)
        world.turn()
        world.commit()
    bob.is_deaf = False
    bob.heard.clear()
    bob.hears()
    assert len(bob.heard_of(Updates)) == 1
    assert bob.text == alice.text
    assert bob.seq == len(world.disk)
    alice.types("on")
    world.turn()
    assert bob.text == alice.text


@bounds("outbox_bytes")
@pytest.mark.parametrize(("lacking", "expected"), [(0, 3), (1, 1)])
def test_a_queue_that_just_fits_is_told_as_it_came_and_one_that_does_not_in_one(lacking: int, expected: int) -> None:
    world = World(Limits(outbox_bytes=SIZE - lacking))
    alice, bob = world.person("alice"), world.person("bob")
    bob.is_deaf = True
    for each in THREE:
        alice.sends(each)
        world.turn()
    bob.is_deaf = False
    bob.hears()
    assert len(bob.heard_of(Updates)) == expected
    assert bob.text == text_of(*THREE)


def test_the_queue_of_a_slow_reader_is_bounded() -> None:
    world = World(Limits(outbox_bytes=10_000))
    alice, bob = world.person("alice"), world.person("bob")
    bob.is_deaf = True
    for _ in range(100):
        alice.types("x" * 1_000)
        world.turn()
        assert bob.session is not None
        assert bob.session._queued_bytes <= 10_000


def test_a_slow_reader_hears_only_the_last_of_presence_and_acknowledgement(world: World, alice: Person) -> None:
    bob = world.person("bob")
    bob.is_deaf = True
    for clock in range(1, 50):
        alice.is_present(encode([Entry(7, clock, b'{"at":%d}' % clock)]))
        bob.types("x")
        world.turn()
        world.commit()
    bob.is_deaf = False
    bob.hears()
    assert [saved.id for saved in bob.heard_of(Saved)] == [49]
    (presence,) = bob.heard_of(Awareness)
    assert decode(presence.awareness, max_bytes=1000) == [Entry(7, 49, b'{"at":49}')]


def test_a_reader_may_not_write_but_is_not_closed(world: World, alice: Person) -> None:
    reader = world.person("reader", Permission.READ)
    assert reader.last(Opened).mode == "read"
    doc: Doc[Text] = Doc()
    doc.get("content", type=Text).insert(0, "no")
    reader.sends(doc.get_update())
    world.turn()
    assert reader.last(Rejected).code == 4403
    alice.types("yes")
    world.turn()
    assert reader.text == alice.text == "yes"


def test_a_malformed_update_closes_its_sender_and_nobody_else(world: World, alice: Person, bob: Person) -> None:
    bob.sends(b"junk")
    world.turn()
    assert (bob.last(Rejected).code, bob.last(Closed).code) == (4400, 4400)
    alice.types("on")
    world.turn()
    assert alice.is_open
    assert world.room.sessions == {alice.session}


def test_a_gap_asks_for_a_resync_first_and_refuses_then(world: World, alice: Person) -> None:
    doc: Doc[Text] = Doc()
    text = doc.get("content", type=Text)
    text += "first"
    state = doc.get_state()
    text += "second"
    gap = doc.get_update(state)
    alice.sends(gap)
    world.turn()
    assert alice.last(Closed).code == 1013
    assert alice.heard_of(Rejected) == []
    alice.opens(asked_to_resync=True)
    alice.sends(gap)
    world.turn()
    assert alice.last(Rejected).code == 4400
    assert alice.last(Closed).code == 4400


def test_a_resync_brings_what_was_missing(world: World, alice: Person, bob: Person) -> None:
    alice.is_open = False  # this edit gets lost on its way
    alice.types("lost ")
    alice.is_open = True
    alice.types("found")
    world.turn()
    assert alice.last(Closed).code == 1013
    alice.opens(asked_to_resync=True)
    world.settle()
    assert bob.text == "lost found"
    assert world.everyone_agrees()


@pytest.mark.parametrize("id_", [0, 2, 7])
def test_ids_out_of_order_close_the_channel(world: World, alice: Person, id_: int) -> None:
    alice.sends(b"\x00\x00", id_)
    world.turn()
    assert alice.last(Closed).code == 4400


@pytest.mark.parametrize(("limits", "fits"), [(Limits(update_bytes=60), 20), (Limits(document_bytes=60), 20)])
def test_what_passes_a_limit_is_refused_and_what_just_fits_is_not(limits: Limits, fits: int) -> None:
    world = World(limits)
    alice = world.person("alice")
    alice.types("x" * fits)
    world.turn()
    assert alice.heard_of(Rejected) == []
    alice.types("x" * 60)
    world.turn()
    assert alice.last(Rejected).code == 4413
    assert alice.last(Closed).code == 4413


def test_an_update_of_too_many_parts_is_refused_and_one_that_just_fits_is_not() -> None:
    world = World(Limits(update_parts=1_000))
    alice = world.person("alice")
    fits, too_many = (update(section(1, 0, *[garbage(1)] * count)) for count in (990, 991))  # and 10 for the section
    alice.sends(fits)
    world.settle()
    assert world.disk == [fits]
    alice.sends(too_many)
    world.turn()
    assert alice.last(Rejected).code == 4413
    assert "more than 1000 parts" in alice.last(Closed).reason


def test_a_hundred_thousand_keystrokes_made_offline_are_taken(world: World, alice: Person) -> None:
    typed = [after(1, clock, "x") for clock in range(99_999)]
    alice.sends(update(section(1, 0, first("x"), *typed)))
    world.settle()
    assert alice.heard_of(Rejected) == []


def test_a_writer_that_cannot_write_refuses_edits_while_reading_goes_on(
    world: World, alice: Person, bob: Person
) -> None:
    alice.types("a")
    world.turn()
    world.refusal = "the disk is full"
    bob.types("b")
    world.turn()
    rejected = bob.last(Rejected)
    assert (rejected.code, rejected.reason) == (1013, "the disk is full")
    assert bob.heard_of(Closed) == []
    assert alice.text == "a"
    world.refusal = None
    bob.leaves()
    bob.opens()
    world.settle()
    assert world.everyone_agrees()


def test_after_an_edit_was_turned_away_no_saved_can_seem_to_speak_for_it(world: World, alice: Person) -> None:
    alice.types("abc")
    world.turn()
    world.commit()
    world.refusal = "the disk is full"
    alice.deletes(0, 1)  # a deletion leaves no gap that would show
    world.refusal = None
    alice.deletes(0, 1)
    world.turn()
    world.commit()
    world.turn()
    assert [rejected.id for rejected in alice.heard_of(Rejected)] == [2, 3]
    assert alice.last(Saved).id == 1
    alice.leaves()
    alice.opens()
    world.settle()
    assert world.text_on_disk() == "c"


def test_presence_goes_to_the_others_and_to_newcomers_and_ends_with_its_session(
    world: World, alice: Person, bob: Person
) -> None:
    alice.is_present(encode([Entry(7, 1, b'{"name":"alice"}')]))
    world.turn()
    assert alice.heard_of(Awareness) == []
    assert decode(bob.last(Awareness).awareness, max_bytes=1000) == [Entry(7, 1, b'{"name":"alice"}')]
    carol = world.person("carol")
    assert carol.last(Awareness).awareness == bob.last(Awareness).awareness
    alice.leaves()
    world.turn()
    assert decode(bob.last(Awareness).awareness, max_bytes=1000) == [Entry(7, 2, b"null")]


def test_who_is_back_and_was_taken_for_gone_hears_of_it_behind_what_opens(world: World, alice: Person) -> None:
    """Then it speaks up with a newer clock; else the others would see it only with its next renewal."""
    said = encode([Entry(7, 1, b'{"name":"alice"}')])
    alice.is_present(said)
    alice.leaves()
    alice.heard.clear()
    alice.is_deaf = True
    alice.opens()
    alice.is_present(said)
    world.turn()
    alice.is_deaf = False
    world.turn()
    opened, presence = alice.heard
    assert isinstance(opened, Opened)
    assert isinstance(presence, Awareness)
    assert decode(presence.awareness, max_bytes=1000) == [Entry(7, 2, b"null")]


def test_malformed_presence_closes_its_sender(world: World, alice: Person, bob: Person) -> None:
    bob.is_present(b"\xff" * 100)
    world.turn()
    assert bob.last(Closed).code == 4400
    assert alice.is_open
