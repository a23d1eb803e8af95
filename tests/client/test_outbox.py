"""What waits for its SAVED."""

from pycrdt import Doc, Text

from collabdoc.client.outbox import MERGE_AT, Outbox
from tests.server.wire import text_of, typed


def keystrokes(count: int) -> list[bytes]:
    doc: Doc[Text] = Doc(client_id=1)
    text = doc.get("content", type=Text)
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(event.update))
    for number in range(count):
        text.insert(number, "x")
    doc.unobserve(subscription)
    return made


def test_nothing_leaves_but_by_saved() -> None:
    outbox = Outbox()
    first, second = keystrokes(2)
    outbox.add(first)
    assert outbox.take(1).update == first
    outbox.add(second)
    assert (outbox.unsaved, outbox.is_unsent) == (2, True)
    outbox.saved(1)
    assert outbox.unsaved == 1
    assert outbox.take(1).id == 2
    outbox.saved(2)
    assert outbox.unsaved == 0
    assert outbox.unsaved_update() is None


def test_a_new_channel_sends_everything_again_that_the_last_one_did_not_confirm() -> None:
    outbox = Outbox()
    for update in keystrokes(3):
        outbox.add(update)
        outbox.take(1)
    outbox.saved(1)
    outbox.restart()
    assert outbox.unsaved == 2
    again = outbox.take(2)
    assert again.id == 1
    outbox.saved(0)
    assert outbox.unsaved == 2
    outbox.saved(1)
    assert outbox.unsaved == 0


def test_what_was_rejected_is_not_saved_by_a_later_saved() -> None:
    outbox = Outbox()
    for update in keystrokes(3):
        outbox.add(update)
        outbox.take(1)
    outbox.rejected(3)
    outbox.rejected(2)
    outbox.saved(3)
    assert outbox.unsaved == 2


def test_what_was_sent_beside_own_edits_is_unsaved_too() -> None:
    outbox = Outbox()
    outbox.take_all(1, typed("of others"))
    assert outbox.unsaved == 1
    outbox.saved(1)
    assert outbox.unsaved == 0


def test_many_edits_offline_are_held_in_few_pieces_and_none_is_lost() -> None:
    outbox = Outbox()
    count = 3 * MERGE_AT * MERGE_AT + MERGE_AT + 5
    for update in keystrokes(count):
        outbox.add(update)
    assert len(outbox._unsent) == 3 + 1 + 5
    assert outbox.unsaved == count
    assert text_of(outbox.take(1).update) == "x" * count
