"""Who is in one document, kept in step with the server.

1. The own state goes out when the channel opens and when it changes, at most every 50 ms, and the last state wins.
2. The server says who left: while the line is fine nobody is dropped for being silent; once it is lost, all are.
3. The own state is said again every 15 s: clients of y-protocols drop who was silent for 30 s, and one that lost its
   line takes nobody back before a newer clock.
"""

import json
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from collabdoc.awareness import Entry, decode, encode
from collabdoc.client.clock import Clock, Timer
from collabdoc.errors import Malformed
from collabdoc.listeners import Listeners

log = logging.getLogger(__name__)

INTERVAL_S = 0.05
RENEWAL_S = 15.0


class Presence:
    """Made by `LiveDocument`. States are JSON objects; by convention `user` holds `name` and `color` (`#rrggbb`)."""

    def __init__(self, client_id: int, clock: Clock, send: Callable[[bytes], None]) -> None:
        self.client_id = client_id
        self._timers = clock
        self._send = send
        self._state = b"null"
        self._clock = 0
        self._is_open = False
        self._sent_s: float | None = None
        self._timer: Timer | None = None
        self._renewal: Timer | None = None
        self._others: dict[int, dict[str, Any]] = {}
        self._listeners: Listeners[frozenset[int]] = Listeners()

    @property
    def others(self) -> Mapping[int, Mapping[str, Any]]:
        """What the others who are here say of themselves, by client id."""
        return MappingProxyType(self._others)

    def say(self, state: Mapping[str, Any] | None) -> None:
        """Tell the others this of oneself; None: one is not here.

        Raises `TypeError`, `ValueError` for what is no JSON. Past the server's limit (16 KiB) the document is refused.
        """
        self._state = json.dumps(None if state is None else dict(state), allow_nan=False).encode()
        self._clock += 1
        if not self._is_open or self._timer is not None:
            return
        wait_s = 0.0 if self._sent_s is None else self._sent_s + INTERVAL_S - self._timers.now_s()
        if wait_s <= 0:
            self._flush()
        else:
            self._timer = self._timers.call_later(wait_s, self._flush)

    def observe(self, callback: Callable[[frozenset[int]], object]) -> Callable[[], None]:
        """Hear the client ids of others who came, changed or left; calling what is given back ends that."""
        return self._listeners.add(callback)

    # The document's side

    def opened(self) -> None:
        self._is_open = True
        if self._state != b"null":
            # When the last socket closed, the server told everybody that we left, maybe one clock further; peers would
            # ignore the same clock again.
            self._clock += 1
            self._flush()

    def closed(self) -> None:
        self._is_open = False
        self._cancel_timers()
        gone = frozenset(self._others)
        self._others.clear()
        if gone:
            self._listeners.tell(gone)

    def receive(self, update: bytes) -> None:
        try:
            entries = decode(update, max_bytes=len(update))
        except Malformed as error:
            log.warning("the presence of somebody could not be read: %s", error)
            return
        for entry in entries:
            state = json.loads(entry.state)
            if entry.client == self.client_id:
                if state is None and self._state != b"null":
                    # Somebody took us for gone, such as a server that buried our last socket after we had come back.
                    self._clock = max(self._clock, entry.clock) + 1
                    self._flush()
            elif state is None:
                self._others.pop(entry.client, None)
            else:
                self._others[entry.client] = state
        if changed := frozenset(entry.client for entry in entries if entry.client != self.client_id):
            self._listeners.tell(changed)

    def _flush(self) -> None:
        self._cancel_timers()
        self._sent_s = self._timers.now_s()
        self._send(encode([Entry(self.client_id, self._clock, self._state)]))
        if self._state != b"null":
            self._renewal = self._timers.call_later(RENEWAL_S, self._renew)

    def _renew(self) -> None:
        self._clock += 1
        self._flush()

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._renewal):
            if timer is not None:
                timer.cancel()
        self._timer = self._renewal = None
