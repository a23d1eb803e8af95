"""One document and its channel, without a network."""

import pytest

from collabdoc.client.document import Refused
from collabdoc.client.status import Status
from collabdoc.protocol.messages import (
    Auth,
    Awareness,
    Close,
    Closed,
    Open,
    Rejected,
    Saved,
    Update,
    Updates,
)
from tests.client.rig import Rig
from tests.server.wire import text_of, typed

pytestmark = pytest.mark.gen_test(timeout=20)


def test_status_runs_through_the_words_of_an_edits_life() -> None:
    rig = Rig()
    document = rig.document()
    told: list[Status] = []
    stop = document.observe_status(told.append)
    rig.is_up()
    channel = rig.opens()
    document.text().insert(0, "hi")
    assert rig.last(Update).id == 1
    rig.says(Saved(channel, 1))
    rig.breaks()
    document.text().insert(0, "offline ")
    stop()
    rig.clock.advance(1)
    assert [status.kind for status in told] == ["saved", "saving", "saved", "reconnecting", "reconnecting"]
    assert [status.unsaved for status in told] == [False, True, False, False, True]


def test_edits_of_one_turn_leave_as_one_update() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    rig.opens()
    for letter in "abc":
        document.text().append(letter)
    assert [text_of(each.update) for each in rig.heard(Update)] == ["abc"]


def test_a_client_that_comes_back_says_what_it_has_and_sends_only_its_own_unsaved_edits() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    others = typed("theirs", client_id=9)
    rig.opens(seq=4, update=others)
    rig.breaks()
    document.text().insert(0, "mine ")
    rig.clock.advance(1)
    rig.is_up()
    opening = rig.last(Open)
    assert (opening.epoch, opening.seq) == ("e", 4)
    rig.opens(seq=4, state=b"\x01\x09\x06")
    sent = rig.last(Update).update
    assert b"theirs" not in sent
    assert text_of(others, sent) == "mine theirs"


def test_what_the_server_lost_is_sent_by_whoever_has_it() -> None:
    rig = Rig()
    rig.document()
    rig.is_up()
    rig.opens(update=typed("theirs", client_id=9))
    rig.breaks()
    rig.clock.advance(1)
    rig.is_up()
    rig.opens()
    assert text_of(rig.last(Update).update) == "theirs"


def test_a_code_to_retry_backs_off_the_channel_alone() -> None:
    for code in (1012, 1013, 4429):
        rig = Rig()
        a, b = rig.document("a"), rig.document("b")
        rig.is_up()
        first, second = (message.channel for message in rig.heard(Open))
        rig.says(Closed(first, code, "later"))
        assert (a.status.kind, b.status.kind) == ("reconnecting", "connecting")
        assert a.status.trouble is not None
        assert a.status.trouble.retry_at_s == 0.25
        rig.clock.advance(0.25)
        assert rig.last(Open).channel == 3
        assert len(rig.sockets) == 1
        assert second == 2


async def test_another_life_of_the_document_leaves_the_copy_alone_and_is_told() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    rig.opens(update=typed("old", client_id=9))
    document.text().insert(0, "unsaved ")
    rig.breaks()
    rig.clock.advance(1)
    rig.is_up()
    rig.says(Closed(1, 4409, "another life"))
    assert document.status.kind == "replaced"
    assert str(document.text()) == "unsaved old"
    document.text().insert(0, "aside ")
    assert document.unsaved == 2
    rig.clock.advance(4)
    assert len(rig.heard(Open)) == 1
    with pytest.raises(Refused, match="another life") as refused:
        await document.saved()
    assert refused.value.code == 4409
    fresh = rig.document()
    assert rig.last(Open).epoch is None
    rig.opens(epoch="f")
    assert (fresh.status.kind, str(fresh.text())) == ("saved", "")


def test_a_document_that_is_gone_is_replaced_where_there_is_a_copy_and_refused_where_there_is_none() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    rig.says(Closed(1, 4404, "none"))
    assert document.status.kind == "refused"
    document = rig.document()
    rig.says(Closed(rig.opens(update=typed("kept")), 4404, "none"))
    assert (document.status.kind, str(document.text())) == ("replaced", "kept")


def test_a_document_that_an_operator_has_to_see_to_is_tried_again_with_the_next_line_and_no_sooner() -> None:
    rig = Rig()
    document = rig.document()
    kinds: list[str] = []
    document.observe_status(lambda status: kinds.append(status.kind))
    rig.is_up()
    channel = rig.opens()
    document.text().append("unsaved")
    rig.says(Closed(channel, 4423, "damaged"))
    rig.clock.advance(5)
    assert (document.unsaved, len(rig.heard(Open))) == (1, 1)
    rig.breaks()
    rig.clock.advance(1)
    rig.is_up()
    rig.says(Closed(rig.last(Open).channel, 4423, "damaged"))
    rig.breaks()
    rig.clock.advance(2)
    rig.is_up()
    rig.opens()
    assert text_of(rig.last(Update).update) == "unsaved"
    again = ["reconnecting", "connecting", "refused"]
    assert kinds == ["saved", "saving", "refused", *again, *again[:2], "saving"]


def test_a_document_that_an_operator_has_to_see_to_may_be_left() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    rig.says(Closed(1, 4423, "damaged"))
    document.close()
    rig.breaks()
    rig.clock.advance(1)
    rig.is_up()
    assert rig.heard(Open) == []


def test_while_the_server_cannot_store_edits_are_held_and_then_sent_together() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    channel = rig.opens()
    document.text().append("a")
    rig.heard(Update)
    rig.says(Rejected(channel, 1, 1013, "full"))
    assert document.status.kind == "unsaveable"
    document.text().append("b")
    assert len(rig.heard(Update)) == 1
    rig.clock.advance(0.25)
    assert isinstance(rig.socket.sent[-2], Close)
    channel = rig.opens()
    assert text_of(rig.last(Update).update) == "ab"
    rig.says(Saved(channel, 1))
    assert document.status == Status("saved")


async def test_who_may_only_read_is_told_when_it_wants_to_save() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    rig.opens(mode="read")
    assert (document.status.kind, document.writable) == ("readonly", False)
    await document.saved()
    document.text().append("a")
    assert rig.heard(Update) == []
    with pytest.raises(Refused, match="reading only") as refused:
        await document.saved()
    assert refused.value.code == 4403


async def test_an_edit_that_is_refused_as_too_large_ends_the_document() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    channel = rig.opens()
    document.text().append("a")
    rig.heard(Update)
    rig.says(Rejected(channel, 1, 4413, "too large"))
    assert document.status.kind == "refused"
    with pytest.raises(Refused, match="too large"):
        await document.saved()


def test_an_update_that_cannot_be_applied_leads_back_to_an_open_document() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    channel = rig.opens(seq=4)
    rig.says(Updates(channel, 5, (b"\xff",)))
    assert document.status.kind == "reconnecting"
    rig.clock.advance(1)
    assert (rig.last(Open).seq, rig.last(Open).epoch) == (None, "e")
    rig.opens(update=typed("well"))
    assert (document.status.kind, str(document.text())) == ("saved", "well")


def test_a_token_can_be_replaced_on_an_open_channel() -> None:
    rig = Rig()
    document = rig.document(token="old")
    rig.is_up()
    channel = rig.opens()
    assert rig.last(Open).token == "old"
    document.authenticate("new")
    assert rig.last(Auth) == Auth(channel, "new")


async def test_a_closed_document_says_goodbye_and_leaves_the_others() -> None:
    rig = Rig()
    a, b = rig.document("a"), rig.document("b")
    rig.is_up()
    rig.opens()
    b.text().append("last words")
    b.close()
    b.close()
    rig.clock.advance()
    assert [type(message) for message in rig.socket.sent[-2:]] == [Update, Close]
    assert (b.status.kind, a.status.kind, rig.closed) == ("offline", "connecting", [b])
    with pytest.raises(Refused, match="closed") as refused:
        await b.saved()
    assert refused.value.code == 1000


def test_a_listener_that_fails_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    document = rig.document()
    document.observe_status(lambda _: 1 / 0)
    rig.is_up()
    rig.opens()
    assert document.status.kind == "saved"
    assert "a listener failed" in caplog.text


def test_presence_is_told_anew_whenever_the_channel_opens() -> None:
    rig = Rig()
    document = rig.document()
    document.awareness.say({"user": {"name": "Ana"}})
    rig.is_up()
    rig.opens()
    rig.breaks()
    rig.clock.advance(1)
    rig.is_up()
    rig.opens()
    assert b"Ana" in rig.last(Awareness).awareness
