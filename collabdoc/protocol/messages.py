"""The messages that clients and server exchange, whatever their dialect.

Inside the house only these values travel; bytes become messages, and messages bytes, at the edge. `channel` numbers
one document on one socket. Field meanings are those of docs/protocol.md.
"""

from dataclasses import dataclass
from typing import Literal

Mode = Literal["write", "read"]
DEFLATE = "deflate"
"""How a large update may come in OPENED: compressed as in RFC 1950 (zlib)."""


# Client to server


@dataclass(frozen=True, slots=True)
class Open:
    """A `state_vector` of None is said later, in `Sync`."""

    channel: int
    document: str
    state_vector: bytes | None
    token: str | None = None
    epoch: str | None = None
    seq: int | None = None
    accepts: str | None = None


@dataclass(frozen=True, slots=True)
class Close:
    channel: int


@dataclass(frozen=True, slots=True)
class Sync:
    """What a client has: it gets what it lacks."""

    channel: int
    state_vector: bytes


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    channel: int


@dataclass(frozen=True, slots=True)
class Update:
    channel: int
    id: int
    update: bytes


@dataclass(frozen=True, slots=True)
class Auth:
    channel: int
    token: str


@dataclass(frozen=True, slots=True)
class Ping:
    nonce: int


# Both ways


@dataclass(frozen=True, slots=True)
class Awareness:
    channel: int
    awareness: bytes


# Server to client


@dataclass(frozen=True, slots=True)
class Opened:
    channel: int
    epoch: str
    mode: Mode
    seq: int
    resumed: bool
    server: str
    state_vector: bytes
    update: bytes
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    channel: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Updates:
    channel: int
    seq: int
    updates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Pong:
    nonce: int


@dataclass(frozen=True, slots=True)
class Saved:
    channel: int
    id: int


@dataclass(frozen=True, slots=True)
class Rejected:
    channel: int
    id: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class GoAway:
    retry_after_ms: int
    reason: str


ClientMessage = Open | Close | Update | Awareness | Auth | Ping
ServerMessage = Opened | Closed | Updates | Awareness | Pong | Saved | Rejected | GoAway
