"""What leaves for many in the native dialect: one frame for all readers, and cheap ones for authors."""

from collabdoc.protocol import native
from collabdoc.protocol.messages import Awareness
from collabdoc.server.frames import encode_frame
from collabdoc.session import Announcement, Batch, Session


class _EncodedBatch:
    """A batch in this dialect. Most clients number their only document alike, so that one frame serves nearly all."""

    __slots__ = ("by_channel", "packed")

    def __init__(self, batch: Batch) -> None:
        self.packed = [native.pack_update(update) for update in batch.updates]
        self.by_channel: dict[int, bytes] = {}


def frame_batch(session: Session, batch: Batch) -> bytes:
    """The frame that hands a batch to one session; empty where all of it is the session's own."""
    encoded: _EncodedBatch | None = batch.encoded.get("native")
    if encoded is None:
        encoded = batch.encoded["native"] = _EncodedBatch(batch)
    channel = session.channel
    if session in batch.own:
        others = batch.without_own(session, encoded.packed)
        return encode_frame(native.encode_updates(channel, batch.seq, others)) if others else b""
    frame = encoded.by_channel.get(channel)
    if frame is None:
        frame = encode_frame(native.encode_updates(channel, batch.seq, encoded.packed))
        encoded.by_channel[channel] = frame
    return frame


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
