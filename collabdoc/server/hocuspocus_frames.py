"""What leaves for many in the dialect of Hocuspocus: a frame for all readers at an address, and cheap ones for authors.

Providers of one document have the same address, but for those that asked for one of their own.
"""

from collections.abc import Sequence

from collabdoc.protocol import hocuspocus
from collabdoc.server.frames import encode_frame
from collabdoc.server.yjs_frames import merged
from collabdoc.session import Announcement, Batch, Row, Session


class _EncodedBatch:
    """A batch in this dialect, by what frames to an address begin with; each made when first asked for."""

    __slots__ = ("each", "merged", "updates")

    def __init__(self) -> None:
        self.updates: Sequence[bytes] | None = None
        """All of it, merged."""
        self.merged: dict[bytes, bytes] = {}
        """The same in frames."""
        self.each: dict[bytes, Row] = {}
        """A frame for each update, of which every author gets its own choice: merging anew for each would cost more."""


def frame_batch(head: bytes, session: Session, batch: Batch) -> bytes:
    """The frames that hand a batch to one session; empty where all of it is the session's own."""
    encoded: _EncodedBatch | None = batch.encoded.get("hocuspocus")
    if encoded is None:
        encoded = batch.encoded["hocuspocus"] = _EncodedBatch()
    own = batch.own.get(session)
    if own is not None and batch.is_large:
        return b"".join(encode_frame(hocuspocus.encode_update(head, update)) for update in batch.without(session))
    if own is not None:
        each = encoded.each.get(head)
        if each is None:
            each = encoded.each[head] = Row(
                encode_frame(hocuspocus.encode_update(head, update)) for update in batch.updates
            )
        return b"".join(each.without(own))
    frame = encoded.merged.get(head)
    if frame is None:
        if encoded.updates is None:
            encoded.updates = merged(batch)
        frame = b"".join(encode_frame(hocuspocus.encode_update(head, update)) for update in encoded.updates)
        encoded.merged[head] = frame
    return frame


def frame_announcement(head: bytes, session: Session, announcement: Announcement) -> bytes:
    """The frame that tells one session of presence."""
    if session in announcement.own:
        return encode_frame(hocuspocus.encode_awareness(head, announcement.update_for(session)))
    by_head: dict[bytes, bytes] = announcement.encoded.setdefault("hocuspocus", {})
    frame = by_head.get(head)
    if frame is None:
        frame = by_head[head] = encode_frame(hocuspocus.encode_awareness(head, announcement.update_for(session)))
    return frame
