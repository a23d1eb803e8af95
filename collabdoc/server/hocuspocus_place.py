"""One address of the dialect of Hocuspocus: what waits there, and which edits have got their status."""

from collabdoc.protocol import hocuspocus
from collabdoc.protocol.hocuspocus import Said


class Place:
    """What is known of one address, from its first frame on."""

    __slots__ = (
        "address",
        "answered",
        "answered_apart",
        "channel",
        "head",
        "held",
        "held_bytes",
        "is_open",
        "owes_step_1",
        "renewed_for",
        "tells_renewal",
        "told_present",
        "version",
    )

    def __init__(self, address: str, channel: int) -> None:
        self.address = address
        self.channel = channel
        self.head = hocuspocus.head_of(address)
        self.version: str | None = None
        self.held: list[Said] = []
        self.held_bytes = 0
        self.owes_step_1 = False
        self.told_present = b""
        """Who is present, as it was told with what opened the document."""
        self.is_open = False
        self.renewed_for: float | None = None
        """The end of the grant before which a token was asked for."""
        self.tells_renewal = False
        self.answered = 0
        """The id up to which every edit has got its status."""
        self.answered_apart: list[int] = []
        """Ids after that one which have got theirs already."""

    def answer_saved(self, id_: int) -> int:
        """How many statuses are due when all edits up to this id are committed."""
        apart = sum(each <= id_ for each in self.answered_apart)
        due = id_ - self.answered - apart
        self.answered = id_
        del self.answered_apart[:apart]
        return due

    def answer_rejected(self, id_: int) -> None:
        if id_ == self.answered + 1:
            self.answered = id_
        else:
            self.answered_apart.append(id_)
