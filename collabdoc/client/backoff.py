"""When to come again: exponential backoff with full jitter, so that clients which lost one server do not return as one.

A server that says in GOAWAY when to come back has spread its clients itself; its word replaces one delay.
"""

from collections.abc import Callable

BASE_S = 0.5
CAP_S = 30.0
_MAX_EXPONENT = 30
"""The exponent stops growing where the cap has long been reached."""


class Backoff:
    def __init__(self, random: Callable[[], float], cap_s: float = CAP_S) -> None:
        self._random = random
        self._cap_s = cap_s
        self._failures = 0
        self._asked_s: float | None = None

    def take_delay_s(self) -> float:
        """The delay before the next attempt."""
        asked_s, self._asked_s = self._asked_s, None
        ceiling_s = min(self._cap_s, BASE_S * 2**self._failures)
        self._failures = min(self._failures + 1, _MAX_EXPONENT)
        return self._random() * ceiling_s if asked_s is None else asked_s

    def ask(self, delay_s: float) -> None:
        """The server asked for this delay before the next attempt."""
        self._asked_s = delay_s

    def reset(self) -> None:
        """Only a synced document proves that coming again was worth it; an accepted socket does not."""
        self._failures = 0
        self._asked_s = None
