"""Is somebody still at the other end? A pure core: the caller tells the time, sends the PINGs and sets the timers.

1. A half-open line is found within 10 s: a PING after 5 s of silence, given up 4.5 s later.
2. A timer that fires late (a program that kept its loop busy, a machine that slept) proves nothing about the line: the
   answer may lie in the queue behind it. So the line is asked once more, with little patience.
"""

from typing import Literal

QUIET_S = 5.0
PATIENCE_S = 4.5
PATIENCE_AWAKE_S = 2.5
LATE_S = 1.0


class Liveness:
    def __init__(self, now_s: float) -> None:
        self._heard_s = now_s
        self._give_up_s: float | None = None
        self._asked_twice = False

    @property
    def wake_at_s(self) -> float:
        """When `check` is to be called next."""
        return self._heard_s + QUIET_S if self._give_up_s is None else self._give_up_s

    def heard(self, now_s: float) -> None:
        """A frame arrived, whatever was in it."""
        self._heard_s = now_s
        self._give_up_s = None
        self._asked_twice = False

    def check(self, now_s: float) -> Literal["fine", "ping", "dead"]:
        """What to do now: send a PING, give the line up, or nothing."""
        if now_s < self.wake_at_s:
            return "fine"
        if self._give_up_s is None:
            self._give_up_s = now_s + PATIENCE_S
            return "ping"
        if now_s < self._give_up_s + LATE_S or self._asked_twice:
            return "dead"
        self._give_up_s = now_s + PATIENCE_AWAKE_S
        self._asked_twice = True
        return "ping"
