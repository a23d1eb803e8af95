"""What leaves for many in y-websocket's dialect: made once, and an author gets only what others did."""

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.document import Document
from collabdoc.protocol import hocuspocus, native, yjs
from collabdoc.protocol.messages import Update, Updates
from collabdoc.server.frames import encode_frame
from collabdoc.server.hocuspocus_frames import frame_batch as frame_batch_at
from collabdoc.server.native_frames import frame_batch as native_frame_batch
from collabdoc.server.yjs_frames import frame_announcement, frame_batch
from collabdoc.session import Announcement, Batch, Reader, Row, Session
from tests.server.wire import text_of, typed


def session() -> Session:
    reader: Reader = None  # type: ignore[assignment]  # nobody is woken
    return Session(1, Credentials(), Grant(User(), Permission.WRITE), reader, max_bytes=1_000)


def batch(*updates: bytes, own: dict[Session, list[int]]) -> Batch:
    document = Document()
    infos = []
    for update in updates:
        infos.append(document.check(update))
        document.apply(update, infos[-1])
    return Batch(0, updates, infos, own)


EDITS = typed("a", client_id=1), typed("b", client_id=2), typed("c", client_id=3)


def test_a_batch_leaves_as_one_merged_message_that_all_readers_share() -> None:
    edits = batch(*EDITS, own={})
    frame = frame_batch(session(), edits)
    assert frame_batch(session(), edits) is frame
    message = yjs.decode_client(frame[2:], 1)
    assert isinstance(message, Update)
    assert text_of(message.update) == text_of(*EDITS)
    assert encode_frame(frame[2:]) == frame, "one frame"


def test_an_author_gets_the_others_edits_in_their_order() -> None:
    author, alone = session(), session()
    edits = batch(*EDITS, own={author: [1]})
    first, last = (encode_frame(yjs.encode_update(EDITS[place])) for place in (0, 2))
    assert frame_batch(author, edits) == first + last
    assert frame_batch(alone, batch(EDITS[0], own={alone: [0]})) == b""


def test_a_single_edit_leaves_as_it_came() -> None:
    assert frame_batch(session(), batch(EDITS[0], own={})) == encode_frame(yjs.encode_update(EDITS[0]))


def test_where_one_is_large_each_edit_leaves_as_it_came_in_every_dialect() -> None:
    edits = [typed(text, client_id=client) for client, text in enumerate(("a", "b" * 70_000, "c"), 1)]
    reader, author = session(), session()
    head = hocuspocus.head_of("plan")
    much = batch(*edits, own={author: [0]})
    for who, told in ((author, edits[1:]), (reader, edits)):
        assert native_frame_batch(who, much) == encode_frame(native.encode_server(Updates(1, 0, tuple(told))))
        assert frame_batch(who, much) == b"".join(encode_frame(yjs.encode_update(edit)) for edit in told)
        assert frame_batch_at(head, who, much) == b"".join(
            encode_frame(hocuspocus.encode_update(head, edit)) for edit in told
        )
    alone = batch(edits[1], own={author: [0]})
    assert native_frame_batch(author, alone) == frame_batch(author, alone) == frame_batch_at(head, author, alone) == b""


def test_presence_is_told_without_what_is_the_sessions_own() -> None:
    ana, ben, reader = session(), session(), session()
    announcement = Announcement({1: b"\x01\x01\x02{}", 2: b"\x02\x01\x02{}"}, {ana: {1}, ben: {2}})
    everyone = frame_announcement(reader, announcement)
    assert everyone == encode_frame(b"\x01\x0b\x02\x01\x01\x02{}\x02\x01\x02{}")
    assert frame_announcement(session(), announcement) is everyone
    assert frame_announcement(ana, announcement) == encode_frame(b"\x01\x06\x01\x02\x01\x02{}")


def test_of_a_row_all_is_left_but_what_stands_at_the_places_named() -> None:
    row = Row([b"a", b"bb", b"", b"ccc", b"d"])
    assert bytes(row.whole) == b"abbcccd"
    for places, left in [
        ([], b"abbcccd"),
        ([0], b"bbcccd"),
        ([1], b"acccd"),
        ([4], b"abbccc"),
        ([0, 4], b"bbccc"),
        ([1, 2, 3], b"ad"),
        ([0, 1, 2, 3, 4], b""),
    ]:
        assert b"".join(row.without(places)) == left
