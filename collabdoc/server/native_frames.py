"""What leaves for many in the native dialect: one frame for all readers, and cheap ones for authors."""

from collabdoc.protocol import native
from collabdoc.protocol.messages import Awareness
from collabdoc.server.frames import encode_frame, join_frame
from collabdoc.session import LARGE_BYTES, Announcement, Batch, Row, Session


class _EncodedBatch:
    """A batch in this dialect. Most clients number their only document alike, so that one frame serves nearly all."""

    __slots__ = ("by_channel", "row")

    def __init__(self) -> None:
        self.row: Row | None = None
        """Where an author gets a choice of it."""
        self.by_channel: dict[int, bytes] = {}


def frame_batch(session: Session, batch: Batch) -> bytes:
    """The frame that hands a batch to one session; empty where all of it is the session's own."""
    encoded: _EncodedBatch | None = batch.encoded.get("native")
    if encoded is None:
        encoded = batch.encoded["native"] = _EncodedBatch()
    channel, count = session.channel, len(batch.updates)
    own = batch.own.get(session)
    if own is not None:
        if len(own) == count:
            return b""
        head = native.encode_updates_head(channel, batch.seq, count - len(own))
        if batch.is_large:
            return join_frame([head, *native.split_updates(batch.without(session))])
        if encoded.row is None:
            encoded.row = Row(map(native.pack_update, batch.updates))
        return join_frame([head, *encoded.row.without(own)])
    frame = encoded.by_channel.get(channel)
    if frame is None:
        if batch.size_bytes > LARGE_BYTES:
            head = native.encode_updates_head(channel, batch.seq, count)
            frame = join_frame([head, *native.split_updates(batch.updates)])
        else:
            frame = encode_frame(native.encode_updates(channel, batch.seq, batch.updates))
        encoded.by_channel[channel] = frame
    return frame


def frame_saved(channel: int, update_id: int) -> bytes:
    return encode_frame(native.encode_saved(channel, update_id))


def frame_announcement(session: Session, announcement: Announcement) -> bytes:
    """The frame that tells one session of presence."""
    channel = session.channel
    if session in announcement.own:
        return encode_frame(native.encode_server(Awareness(channel, announcement.update_for(session))))
    by_channel: dict[int, bytes] = announcement.encoded.setdefault("native", {})
    frame = by_channel.get(channel)
    if frame is None:
        message = Awareness(channel, announcement.update_for(session))
        frame = by_channel[channel] = encode_frame(native.encode_server(message))
    return frame
