"""What one socket may ask for in a second."""

_SAVED_UP_S = 1.0
"""Whoever said little for so long may say as much at once as they may in that time."""
_LONGEST_PAUSE_S = 2.0
"""Clients of ours take a line for lost on which nothing was answered for 4.5 s."""


class Budget:
    """Each thing that is asked for costs some of a socket's time, by its own count."""

    __slots__ = ("_paid_until_s",)

    def __init__(self) -> None:
        self._paid_until_s = 0.0

    def spend(self, cost_s: float, now_s: float) -> float:
        """How long the socket has overdrawn its time, which is how long it is to be read no further."""
        ahead_s = self._paid_until_s - now_s
        if ahead_s < -_SAVED_UP_S:
            ahead_s = -_SAVED_UP_S
        ahead_s += cost_s
        if ahead_s > _LONGEST_PAUSE_S:
            ahead_s = _LONGEST_PAUSE_S
        self._paid_until_s = now_s + ahead_s
        return ahead_s

    def overdraw(self, by_s: float, now_s: float) -> None:
        """Whatever the socket asks for next, it has to wait for so long at least."""
        self._paid_until_s = max(self._paid_until_s, now_s + by_s)
