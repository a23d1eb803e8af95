"""Presence: who is in a document, as each client says of itself.

1. A client id belongs to the session that used it first, as long as that one is there; what others say of it is
   dropped and counted.
2. An entry's clock may not run ahead: a step of 2^60 would silence that client for good.
3. The server relays and forgets: when a session leaves, its entries are removed for everyone.
4. What the server knows of somebody it writes into `user` itself, with `verified`; nobody else may claim that.

Source of the encoding: y-protocols `awareness.js`.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from collabdoc.errors import Malformed
from collabdoc.protocol.lib0 import read_bytes, read_varuint, write_bytes, write_varuint

MAX_CLOCK_STEP = 2**20
MAX_CLOCK = 2**31 - 1
MAX_REMEMBERED = 1024
"""Clients that have left, of which the removal can still be told."""
_HEAD_BYTES = 24
"""What stands before a state, at most: client, clock and the length."""
_MAX_STRANGERS = 64
"""How many clients one update may name that were never here."""
_REMOVED = b"null"
_MAY_CLAIM = re.compile(rb"verified|\\u")
"""Whether a state may say `verified`, with escapes or without; most say nothing of the kind and are not read again."""


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

    def receive(self, owner: object, update: bytes, *, known: Mapping[str, object] | None = None) -> set[int]:
        """Take a client's awareness update; the client ids whose entry changed.

        `known` is what the server vouches for: fields of `user` that the client has no say in.
        """
        changed: set[int] = set()
        # All of them are read before the first is taken: a fault leaves nothing half done.
        for entry in [_vouch(entry, known) for entry in self._read(owner, update, changed)]:
            before = self._known.get(entry.client)
            if before is None:
                if entry.state == _REMOVED or not self._claim(owner, entry):
                    continue
                self._known[entry.client] = _Known(entry.clock, entry.state, owner)
            elif not before.clock <= entry.clock <= before.clock + MAX_CLOCK_STEP:
                self.dropped += 1
                continue
            elif entry.clock == before.clock and entry.state != _REMOVED:
                continue  # said before
            else:
                before.clock, before.state = entry.clock, entry.state
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

    def take_dropped(self) -> int:
        """How many entries were not taken since the last time."""
        dropped, self.dropped = self.dropped, 0
        return dropped

    def everyone(self) -> list[int]:
        """The client ids that are present."""
        return [client for client, known in self._known.items() if known.state != _REMOVED]

    def encode(self, clients: Iterable[int]) -> bytes:
        """The awareness update for these client ids: what they say, or that they have left."""
        return join(self.encode_each(clients).values())

    def encode_each(self, clients: Iterable[int]) -> dict[int, bytes]:
        """The same in pieces for `join`; without clients that were never here."""
        encoded = {}
        for client in clients:
            if known := self._known.get(client):
                encoded[client] = _encode_entry(Entry(client, known.clock, known.state))
            elif client in self._left:
                encoded[client] = _encode_entry(Entry(client, self._left[client], _REMOVED))
        return encoded

    def owners(self, clients: Iterable[int]) -> dict[Any, set[int]]:
        """Which of these clients belong to whom, as far as they are here."""
        owners: dict[Any, set[int]] = {}
        for client in clients:
            if known := self._known.get(client):
                owners.setdefault(known.owner, set()).add(client)
        return owners

    def owned(self, owner: object) -> frozenset[int]:
        return frozenset(self._owned.get(owner, ()))

    def _read(self, owner: object, update: bytes, changed: set[int]) -> list[Entry]:
        """What a session may say for itself. Of all others y-websocket's clients repeat whatever they hear."""
        count, _ = read_varuint(update, 0)
        if count > len(self._known) + len(self._left) + _MAX_STRANGERS:
            raise Malformed(f"an awareness update names {count} clients, more than there are")
        mine: list[Entry] = []
        for entry in decode(update, max_bytes=self._max_bytes * (1 + len(self._known)) + _HEAD_BYTES * (1 + count)):
            before = self._known.get(entry.client)
            if before is None and entry.clock <= self._left.get(entry.client, -1):
                # From before it left. Peers take nothing older than the removal: told of it, a client that is back
                # after all goes on with a newer clock, and one that only repeated this knows better.
                if entry.state != _REMOVED:
                    changed.add(entry.client)
            elif before is None or before.owner is owner:
                if entry.state != _REMOVED:
                    _read_state(entry.state)
                mine.append(entry)
            elif not _repeats(entry, before):
                self.dropped += 1
        if (size := sum(len(entry.state) for entry in mine)) > self._max_bytes:
            raise Malformed(f"a presence has {size} bytes, expected at most {self._max_bytes}")
        return mine

    def _claim(self, owner: object, entry: Entry) -> bool:
        owned = self._owned.setdefault(owner, set())
        if len(owned) >= self._max_clients or entry.clock > MAX_CLOCK:
            self.dropped += 1
            return False
        owned.add(entry.client)
        self._left.pop(entry.client, None)
        return True


def decode(update: bytes, *, max_bytes: int) -> list[Entry]:
    """Read an awareness update; `Malformed` where it breaks the encoding or a bound. States are not looked into."""
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
        entries.append(Entry(client, clock, state))
    if position != len(update):
        raise Malformed(f"{len(update) - position} bytes follow an awareness update")
    return entries


def encode(entries: Iterable[Entry]) -> bytes:
    """Write an awareness update."""
    return join([_encode_entry(entry) for entry in entries])


def join(entries: Collection[bytes]) -> bytes:
    """One awareness update of encoded entries."""
    count = bytearray()
    write_varuint(count, len(entries))
    return bytes(count) + b"".join(entries)


def _encode_entry(entry: Entry) -> bytes:
    out = bytearray()
    write_varuint(out, entry.client)
    write_varuint(out, entry.clock)
    write_bytes(out, entry.state)
    return bytes(out)


def _read_state(state: bytes) -> dict[str, Any]:
    # Peers hand it to JSON.parse and read fields of it: anything but an object would throw in all of them.
    try:
        # Decoded here: given bytes, json would guess at UTF-16 and skip a byte order mark, where JSON.parse throws.
        value = json.loads(state.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"a presence is not JSON: {error!s:.100}") from None
    if not isinstance(value, dict):
        raise Malformed("a presence is not a JSON object")
    return value


def _repeats(entry: Entry, known: _Known) -> bool:
    """Whether somebody only says again what they heard of another, as y-websocket's clients do with all of it."""
    if entry.clock != known.clock:
        return entry.clock < known.clock
    if entry.state == known.state or known.state == _REMOVED:  # said before that, under the same clock
        return True
    return entry.state != _REMOVED and _read_state(entry.state) == _read_state(known.state)


def _vouch(entry: Entry, known: Mapping[str, object] | None) -> Entry:
    """The entry with what the server knows of its author, and without what only the server may say."""
    if entry.state == _REMOVED or (known is None and not _MAY_CLAIM.search(entry.state)):
        return entry
    state = _read_state(entry.state)
    said = state.get("user")
    user = dict(said) if isinstance(said, dict) else {}
    if known is not None:
        state["user"] = {**user, **known}
    elif "verified" in user:
        del user["verified"]
        state["user"] = user
    try:
        # As JSON.stringify writes most of it, so that who repeats it says the same bytes.
        vouched = json.dumps(state, allow_nan=False, separators=(",", ":"))
        return Entry(entry.client, entry.clock, vouched.encode())
    except (ValueError, RecursionError) as error:  # 1e999 is JSON, and becomes infinite
        raise Malformed(f"a presence cannot be told to others: {error!s:.100}") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
