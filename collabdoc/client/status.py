"""What a program is told about its document, in the words of the browser's provider, derived from facts alone.

1. `saved` is said only where everything made here, sent or not, has been SAVED by the server.
2. The derivation is pure: the same facts give the same status.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from collabdoc.client.machine import ChannelState, LineState
from collabdoc.protocol.messages import Mode

StatusKind = Literal[
    "connecting", "saving", "saved", "readonly", "offline", "reconnecting", "unsaveable", "refused", "replaced"
]
"""`offline`: the client was closed; `unsaveable`: open, but the server cannot store edits now, and they wait here;
`refused`: the server said no, and waiting will not mend it; `replaced`: the document began a new life on the server,
and `doc` is a copy of the old one."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the line or the channel is not open; `retry_at_s` is when it will be tried again, by the loop's clock."""

    code: int
    reason: str
    retry_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """How a document stands: `trouble` says why where it is not well, `unsaved` whether edits wait for their SAVED."""

    kind: StatusKind
    unsaved: bool = False
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    line: LineState
    line_trouble: Trouble | None
    channel: ChannelState
    channel_trouble: Trouble | None
    mode: Mode
    unsaved: bool
    holding: bool
    """The server could not store an edit; further ones are held back until the channel is opened again."""


def derive_status(facts: Facts) -> Status:
    unsaved = facts.unsaved
    if facts.channel in ("refused", "replaced"):
        return Status(facts.channel, unsaved, facts.channel_trouble)
    match facts.line:
        case "refused":
            return Status("refused", unsaved, facts.line_trouble)
        case "idle":
            return Status("offline", unsaved)
        case "waiting":
            return Status("reconnecting", unsaved, facts.line_trouble)
        case "connecting":
            return Status("connecting", unsaved)
        case "up":
            return _on_line(facts)
        case never:
            assert_never(never)


def _on_line(facts: Facts) -> Status:
    unsaved = facts.unsaved
    if facts.holding:
        return Status("unsaveable", unsaved, facts.channel_trouble)
    if facts.channel == "waiting":
        return Status("reconnecting", unsaved, facts.channel_trouble)
    if facts.channel != "open":
        return Status("connecting", unsaved)
    if facts.mode == "read":
        return Status("readonly", unsaved)
    return Status("saving" if unsaved else "saved", unsaved)
