"""What leaves for many in y-websocket's dialect: one frame for all readers, merged, and cheap ones for authors."""

from collections.abc import Sequence

from collabdoc.document import merge
from collabdoc.protocol import yjs
from collabdoc.server.frames import encode_frame
from collabdoc.session import Announcement, Batch, Row, Session


class _EncodedBatch:
    """A batch in this dialect, both ways made when first asked for."""

    __slots__ = ("each", "merged")

    def __init__(self) -> None:
        self.merged: bytes | None = None
        """One frame with all of it, or one for each update where they are large."""
        self.each: Row | None = None
        """A frame for each update, of which every author gets its own choice: merging anew for each would cost more."""


def merged(batch: Batch) -> Sequence[bytes]:
    """All of a batch in one update; as it is where that is large: to merge 8 MiB with a letter takes 20 ms or more."""
    return batch.updates if batch.is_large else (merge(batch.updates),)


def frame_batch(session: Session, batch: Batch) -> bytes:
    """The frames that hand a batch to one session; empty where all of it is the session's own."""
    encoded: _EncodedBatch | None = batch.encoded.get("yjs")
    if encoded is None:
        encoded = batch.encoded["yjs"] = _EncodedBatch()
    own = batch.own.get(session)
    if own is not None and batch.is_large:
        return b"".join(encode_frame(yjs.encode_update(update)) for update in batch.without(session))
    if own is not None:
        if encoded.each is None:
            encoded.each = Row(encode_frame(yjs.encode_update(update)) for update in batch.updates)
        return b"".join(encoded.each.without(own))
    if encoded.merged is None:
        encoded.merged = b"".join([encode_frame(yjs.encode_update(update)) for update in merged(batch)])
    return encoded.merged


def frame_announcement(session: Session, announcement: Announcement) -> bytes:
    """The frame that tells one session of presence."""
    if session in announcement.own:
        return encode_frame(yjs.encode_awareness(announcement.update_for(session)))
    frame: bytes | None = announcement.encoded.get("yjs")
    if frame is None:
        frame = encode_frame(yjs.encode_awareness(announcement.update_for(session)))
        announcement.encoded["yjs"] = frame
    return frame
