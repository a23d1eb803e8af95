"""What a client says and hears in each dialect, without a socket: opens one document, and remembers what it has of it.

What it remembers is of its last opening: it asks from there when it comes back, whatever it heard live since.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from collabdoc.protocol import hocuspocus, lib0, native, yjs
from collabdoc.protocol.messages import Awareness, Closed, Open, Opened, Rejected, Saved, Update, Updates

_VERSION = "4.8.0"
_STEP_1, _STEP_2, _UPDATE = b"\x00\x00", b"\x00\x01", b"\x00\x02"
_NOTHING = b"\x00\x00"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message of the server comes to; `answers` are owed at once."""

    updates: Sequence[bytes] = ()
    answers: Sequence[bytes] = ()
    is_synced: bool = False
    """Whether the updates are all that the client lacked."""
    saved: int = 0
    """All edits of this client up to this one are committed."""
    resumed: bool = False
    refusal: str = ""


class Speaker(ABC):
    """One client of one document."""

    subprotocol: str | None = None

    def __init__(self, document: str) -> None:
        self.document = document
        self.state_vector = b"\x00"
        self._edits = 0

    @property
    @abstractmethod
    def path(self) -> str: ...

    @abstractmethod
    def opening(self) -> Sequence[bytes]:
        """What is said first on a new line."""

    @abstractmethod
    def hears(self, message: bytes) -> Heard: ...

    def edits(self, update: bytes) -> bytes:
        self._edits += 1
        return self._edit(self._edits, update)

    @abstractmethod
    def announces(self, presence: bytes) -> bytes: ...

    @abstractmethod
    def _edit(self, number: int, update: bytes) -> bytes: ...


class NativeSpeaker(Speaker):
    subprotocol = native.SUBPROTOCOL
    path = "/ws"

    def __init__(self, document: str) -> None:
        super().__init__(document)
        self._epoch: str | None = None
        self._seq: int | None = None

    def opening(self) -> Sequence[bytes]:
        self._edits = 0
        return [native.encode_client(Open(1, self.document, self.state_vector, None, self._epoch, self._seq))]

    def hears(self, message: bytes) -> Heard:
        match native.decode_server(message):
            case Opened(epoch=epoch, seq=seq, state_vector=state_vector, update=update, resumed=resumed):
                self._epoch, self._seq, self.state_vector = epoch, seq, state_vector
                return Heard([update], is_synced=True, resumed=resumed)
            case Updates(updates=updates):
                return Heard(updates)
            case Saved(id=id_):
                return Heard(saved=id_)
            case Closed(code=code, reason=reason) | Rejected(code=code, reason=reason):
                return Heard(refusal=f"{code} {reason}")
        return Heard()

    def announces(self, presence: bytes) -> bytes:
        return native.encode_client(Awareness(1, presence))

    def _edit(self, number: int, update: bytes) -> bytes:
        return native.encode_client(Update(1, number, update))


class SyncSpeaker(Speaker):
    """y-protocols' sync, which two dialects share."""

    def _hears_sync(self, message: bytes) -> Heard:
        kind, (payload, _) = message[:2], lib0.read_bytes(message, 2)
        if kind == _STEP_1:
            self.state_vector = payload
            return Heard(answers=[self._sync(_STEP_2, _NOTHING)])
        return Heard([payload], is_synced=kind == _STEP_2)

    def _edit(self, number: int, update: bytes) -> bytes:
        return self._sync(_UPDATE, update)

    @abstractmethod
    def _sync(self, kind: bytes, payload: bytes) -> bytes: ...


class YjsSpeaker(SyncSpeaker):
    """`root` is what comes before the document's name: y-websocket's own server has no more than `/` there."""

    def __init__(self, document: str, root: str = "/yjs/") -> None:
        super().__init__(document)
        self._root = root

    @property
    def path(self) -> str:
        return self._root + self.document

    def opening(self) -> Sequence[bytes]:
        return [yjs.encode_step_1(self.state_vector)]

    def hears(self, message: bytes) -> Heard:
        match message[0]:
            case 0:
                return self._hears_sync(message)
            case 2:
                return Heard(refusal=lib0.read_string(message, 2)[0])
        return Heard()

    def announces(self, presence: bytes) -> bytes:
        return yjs.encode_awareness(presence)

    def _sync(self, kind: bytes, payload: bytes) -> bytes:
        return yjs.encode_update(payload) if kind == _UPDATE else yjs.encode_step_2(payload)


class HocuspocusSpeaker(SyncSpeaker):
    def __init__(self, document: str, path: str = "/hocuspocus") -> None:
        super().__init__(document)
        self._path = path
        self._head = hocuspocus.head_of(document)
        self._saved = self._owed = 0

    @property
    def path(self) -> str:
        return self._path

    def opening(self) -> Sequence[bytes]:
        self._edits = self._saved = self._owed = 0
        out = bytearray(self._head + b"\x02\x00")
        lib0.write_bytes(out, b"")
        lib0.write_bytes(out, _VERSION.encode())
        return [bytes(out)]

    def hears(self, message: bytes) -> Heard:
        if message == hocuspocus.PING:
            return Heard(answers=[hocuspocus.PONG])
        if message == hocuspocus.PONG:
            return Heard()
        said = message[len(self._head) :]
        match said[0]:
            case 0:
                heard = self._hears_sync(said)
                self._owed += len(heard.answers)
                return heard
            case 2 if said[1] == 2:
                return Heard(answers=[hocuspocus.encode_step_1(self._head, self.state_vector)])
            case 2 | 7:
                return Heard(refusal=repr(said))
            case 8:
                return self._hears_status(taken=said[1] == 1)
        return Heard()

    def announces(self, presence: bytes) -> bytes:
        return hocuspocus.encode_awareness(self._head, presence)

    def _hears_status(self, *, taken: bool) -> Heard:
        if not taken:
            return Heard(refusal="an edit was not taken")
        if self._owed:  # for a step 2, which holds nothing here
            self._owed -= 1
            return Heard()
        self._saved += 1
        return Heard(saved=self._saved)

    def _sync(self, kind: bytes, payload: bytes) -> bytes:
        encode = hocuspocus.encode_update if kind == _UPDATE else hocuspocus.encode_step_2
        return encode(self._head, payload)


SPEAKERS: dict[str, type[Speaker]] = {
    "native": NativeSpeaker,
    "yjs": YjsSpeaker,
    "hocuspocus": HocuspocusSpeaker,
}
