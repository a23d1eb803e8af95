"""Presence: who is in a document, as each client says of itself.

1. A client id belongs to the session that used it first, as long as that one is there; what others say of it is
   dropped and counted.
2. An entry's clock may not run ahead: a step of 2^60 would silence that client for good.
3. The server relays and forgets: when a session leaves, its entries are removed for everyone.

Source of the encoding: y-protocols `awareness.js`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from collabdoc.errors import Malformed
from collabdoc.protocol.lib0 import read_bytes, read_varuint, write_bytes, write_varuint

MAX_CLOCK_STEP = 2**20
MAX_CLOCK = 2**31 - 1
MAX_REMEMBERED = 1024
"""Clients that have left, of which the removal can still be told."""
_REMOVED = b"null"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a client says of itself: JSON as it came, `null` where it has left."""

    client: int
    clock: int
    state: bytes


@dataclass(slots=True)
class _Known:
    clock: int
    state: bytes
    owner: object


class Awareness:
    """Presence in one document. Owners are whatever stands for a session."""

    __slots__ = ("_known", "_left", "_max_bytes", "_max_clients", "_owned", "dropped")

    def __init__(self, *, max_bytes: int, max_clients: int) -> None:
        self._known: dict[int, _Known] = {}
        self._owned: dict[object, set[int]] = {}
        self._left: dict[int, int] = {}  # client -> clock of its removal, for readers who have not heard of it yet
        self._max_bytes = max_bytes
        self._max_clients = max_clients
        self.dropped = 0

    def receive(self, owner: object, update: bytes) -> set[int]:
        """Take a client's awareness update; the client ids whose entry changed."""
        changed: set[int] = set()
        for entry in decode(update, max_bytes=self._max_bytes):
            known = self._known.get(entry.client)
            if known is None:
                if entry.state == _REMOVED or not self._claim(owner, entry):
                    continue
                self._known[entry.client] = _Known(entry.clock, entry.state, owner)
            elif known.owner is not owner or not known.clock <= entry.clock <= known.clock + MAX_CLOCK_STEP:
                self.dropped += 1
                continue
            elif entry.clock == known.clock and entry.state != _REMOVED:
                continue  # said before
            else:
                known.clock, known.state = entry.clock, entry.state
            changed.add(entry.client)
        return changed

    def remove(self, owner: object) -> set[int]:
        """Forget a session's clients; their ids, where others have yet to be told."""
        gone: set[int] = set()
        for client in self._owned.pop(owner, ()):
            known = self._known.pop(client)
            if known.state != _REMOVED:
                gone.add(client)
            self._left[client] = known.clock + 1
        while len(self._left) > MAX_REMEMBERED:
            del self._left[next(iter(self._left))]
        return gone

    def everyone(self) -> list[int]:
        """The client ids that are present."""
        return [client for client, known in self._known.items() if known.state != _REMOVED]

    def encode(self, clients: Iterable[int]) -> bytes:
        """The awareness update for these client ids: what they say, or that they have left."""
        entries = []
        for client in clients:
            if known := self._known.get(client):
                entries.append(Entry(client, known.clock, known.state))
            elif client in self._left:
                entries.append(Entry(client, self._left[client], _REMOVED))
        return encode(entries)

    def owned(self, owner: object) -> frozenset[int]:
        return frozenset(self._owned.get(owner, ()))

    def _claim(self, owner: object, entry: Entry) -> bool:
        owned = self._owned.setdefault(owner, set())
        if len(owned) >= self._max_clients or entry.clock > MAX_CLOCK:
            self.dropped += 1
            return False
        owned.add(entry.client)
        self._left.pop(entry.client, None)
        return True


def decode(update: bytes, *, max_bytes: int) -> list[Entry]:
    """Read an awareness update; `Malformed` where it breaks the encoding or a bound."""
    if len(update) > max_bytes:
        raise Malformed(f"an awareness update has {len(update)} bytes, expected at most {max_bytes}")
    count, position = read_varuint(update, 0)
    if count * 3 > len(update):
        raise Malformed(f"an awareness update of {len(update)} bytes claims {count} entries")
    entries = []
    for _ in range(count):
        client, position = read_varuint(update, position)
        clock, position = read_varuint(update, position)
        state, position = read_bytes(update, position)
        if state != _REMOVED:
            _check_state(state)
        entries.append(Entry(client, clock, state))
    if position != len(update):
        raise Malformed(f"{len(update) - position} bytes follow an awareness update")
    return entries


def encode(entries: Iterable[Entry]) -> bytes:
    """Write an awareness update."""
    listed = list(entries)
    out = bytearray()
    write_varuint(out, len(listed))
    for entry in listed:
        write_varuint(out, entry.client)
        write_varuint(out, entry.clock)
        write_bytes(out, entry.state)
    return bytes(out)


def _check_state(state: bytes) -> None:
    # Peers hand it to JSON.parse and read fields of it: anything but an object would throw in all of them.
    try:
        # Decoded here: given bytes, json would guess at UTF-16 and skip a byte order mark, where JSON.parse throws.
        value = json.loads(state.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"a presence is not JSON: {error!s:.100}") from None
    if not isinstance(value, dict):
        raise Malformed("a presence is not a JSON object")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
